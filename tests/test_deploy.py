"""What is shipped for schedulers runs under real ones."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from features.home import Home
from training.train import Training

DEPLOY = Path(__file__).parents[1] / "deploy"
ROOT = DEPLOY.parent
_MINUTES = 2
"""cron begins with a minute; then leadq runs."""


@pytest.mark.parametrize("unit", ["leadq-nightly", "leadq-retrain"])
def test_systemd_takes_the_units(unit: str, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not on this machine")
    for ending in ("service", "timer"):
        text = (DEPLOY / f"{unit}.{ending}").read_text()
        (tmp_path / f"{unit}.{ending}").write_text(
            text.replace("/opt/leadq/.venv/bin/leadq", "/bin/true")
        )
    done = subprocess.run(
        ["systemd-analyze", "verify", str(tmp_path / f"{unit}.timer"),
         str(tmp_path / f"{unit}.service")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")


def test_cron_runs_the_night_with_the_variables_of_the_file(
    trained: tuple[Home, Training], agreement_file: Path, crm: Path, tmp_path: Path
) -> None:
    if shutil.which("cron") is None or os.geteuid() != 0:
        pytest.skip("a real cron needs root and the package cron (make cron)")
    work, table = tmp_path / "srv", tmp_path / "cron.d"
    table.mkdir()
    shutil.copytree(trained[0].root, work / ".leadq")
    (work / "inbox").mkdir()
    shutil.copy(crm / "nightly.csv", work / "inbox" / "monday.csv")
    os.utime(work / "inbox" / "monday.csv", (0, 0))
    shutil.copy(agreement_file, work / "agreement.toml")
    (tmp_path / "leadq.env").write_text(f"PYTHONPATH={ROOT}\nLEADQ_HOME={work}/.leadq\n")
    line = (DEPLOY / "leadq-nightly.cron").read_text()
    for shipped, here in {
        "15 2 * * * leadq": "* * * * * root",
        "/srv/leadq": str(work),
        "/etc/leadq.env": str(tmp_path / "leadq.env"),
        "/opt/leadq/.venv/bin/leadq": f"{sys.executable} -m leadq",
    }.items():
        assert shipped in line
        line = line.replace(shipped, here)
    (table / "leadq-nightly").write_text(line)

    # In a view of the file system of its own, so that cron finds this table and no other.
    empty = tmp_path / "empty"
    (empty / "crontabs").mkdir(parents=True)
    inside = (
        f"mount --bind {table} /etc/cron.d && mount --bind {empty} /var/spool/cron && "
        f"mount --bind {empty} /run && mount --bind /dev/null /etc/crontab && exec cron -f"
    )
    cron = subprocess.Popen(["unshare", "-m", "sh", "-c", inside], stderr=subprocess.PIPE)
    try:
        record = _record(work, cron)
    finally:
        cron.kill()
        cron.communicate()

    assert [taken["outcome"] for taken in record["files"]] == ["scored"]
    assert (work / "outbox" / "monday.csv").exists()
    assert re.search("80 leads in monday.csv", (work / "nightly.log").read_text())


def _record(work: Path, cron: subprocess.Popen[bytes]) -> dict[str, list[dict[str, str]]]:
    """Wait for the record of a night that came to its end."""
    until = time.monotonic() + 60 * _MINUTES
    while time.monotonic() < until and cron.poll() is None:
        for path in (work / ".leadq" / "nights").glob("*.json"):
            found: dict[str, list[dict[str, str]]] = json.loads(path.read_text())
            if found["ended"]:
                return found
        time.sleep(0.2)
    log = work / "nightly.log"
    pytest.fail(f"no night came to its end: {log.read_text() if log.exists() else 'no log'}")
