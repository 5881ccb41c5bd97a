"""Files appear whole or not at all, and nobody's leftovers pile up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from serving.written import whole_or_not

ROOT = Path(__file__).parents[2]
HANGING = """
import sys, time
from pathlib import Path
from serving.written import whole_or_not
with whole_or_not(Path(sys.argv[1])) as work:
    work.write_text("half")
    print("begun", flush=True)
    time.sleep(60)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def writer(tmp_path: Path):  # type: ignore[no-untyped-def]
    """Another process that is writing the same file."""
    command = [sys.executable, "-c", HANGING, str(tmp_path / "out.csv")]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def test_what_a_killed_writer_left_is_swept_by_the_next(tmp_path: Path, writer) -> None:  # type: ignore[no-untyped-def]
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    assert len(names(tmp_path)) == 1

    with whole_or_not(tmp_path / "out.csv") as work:
        work.write_text("whole")

    assert names(tmp_path) == ["out.csv"]


def test_what_a_living_writer_writes_is_left_alone(tmp_path: Path, writer) -> None:  # type: ignore[no-untyped-def]
    with whole_or_not(tmp_path / "out.csv") as work:
        work.write_text("whole")

    assert len(names(tmp_path)) == 2


def test_files_of_other_names_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".out.csv-mine").write_text("")
    (tmp_path / ".out.csv2-abcdefgh").write_text("")

    with whole_or_not(tmp_path / "out.csv") as work:
        work.write_text("whole")

    assert len(names(tmp_path)) == 3
