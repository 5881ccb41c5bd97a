"""Send the service whatever its description allows and forbids, and its readers whatever there is.

    python -m benchmarks.fuzz --cases 10000
    python -m benchmarks.fuzz --minutes 60

A service with keys, a store and a trained model is started as users start it. schemathesis sends it
cases made from its OpenAPI description, alone and in sequences (a lead is scored, handed over,
worked, looked up, erased). Beside it the readers of bodies, leads, agreements, models and the spool
get damaged and made-up input. What was found is printed as one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.load import Target
from benchmarks.servers import ROOT, free_port, leadq, run_leadq, serving
from tests.fuzzing import PROPERTIES, run

_SCOPES = "score,feedback,read,admin"
_A_RUN = 150
"""Cases for each operation in one run of schemathesis; further runs take other seeds."""
_AT_ONCE = 2000
"""Inputs for one reader between two looks at the clock."""


@dataclass(frozen=True)
class Service:
    """A running service and a key that opens all of it."""

    url: str
    key: str
    folder: Path
    """For what is written about it."""


def prepare(folder: Path, env: Mapping[str, str]) -> None:
    """Simulate a CRM, agree, train: a home with a champion."""
    run_leadq(folder, env, "simulate", "-o", "crm", "--leads", "4000")
    run_leadq(folder, env, "init", "crm/export.csv", "-o", "agreement.toml", "--yes")
    run_leadq(folder, env, "train", "crm/export.csv", "--preset", "fast")


def environment(home: Path) -> dict[str, str]:
    """Return the environment of a service on a home."""
    return {**os.environ, "LEADQ_HOME": str(home), "LEADQ_SECRET": secrets.token_hex(32)}


@contextmanager
def service(folder: Path, env: Mapping[str, str]) -> Iterator[Service]:
    """Serve from a folder with an agreement, on a port of its own."""
    made = run_leadq(folder, env, "keys", "new", "--name", "fuzz", "--scope", _SCOPES, "--json")
    key, port = str(made["key"]), free_port()
    url = f"http://127.0.0.1:{port}"
    command = leadq("serve", "--port", str(port))
    with serving(command, Target(f"{url}/v1/score", ['{"id": "first"}'], key), folder, env):
        yield Service(url, key, folder)


def schemathesis(at: Service, *options: str) -> dict[str, Any]:
    """Run schemathesis against a service and return its report.

    Raises:
        RuntimeError: when it wrote none, with what it said.

    """
    report = at.folder / "schemathesis.json"
    report.unlink(missing_ok=True)
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{at.url}/openapi.json"),
        *("--header", f"Authorization: Bearer {at.key}", "--continue-on-failure", "--no-color"),
        *("--report", "json", "--report-json-path", str(report)),
        # It takes an id for gone for good; whoever is handed over again is a lead again, of whom
        # nothing is known from before. That an erased lead is not found is tested with the desk.
        *("--exclude-checks", "use_after_free"),
        # How long a run takes is no matter here.
        *("--suppress-health-check", "all", *options),
    ]
    hooks = {"SCHEMATHESIS_HOOKS": "benchmarks.fuzz_checks", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command,
        cwd=at.folder,
        env={**os.environ, **hooks},
        capture_output=True,
        text=True,
        check=False,
    )
    if not report.exists():
        raise RuntimeError(f"schemathesis: {(done.stderr or done.stdout)[-2000:]}")
    found: dict[str, Any] = json.loads(report.read_text())
    return found


def fuzz_service(at: Service, cases: int, until: float, first_seed: int) -> dict[str, Any]:
    """Run schemathesis again and again, each time with another seed.

    Args:
        at: the service.
        cases: how many at least, unless the time is over.
        until: a moment of `time.monotonic` after which no further run begins.
        first_seed: of the first run.

    """
    sent, runs, failures = 0, 0, []
    while sent < cases and time.monotonic() < until:
        options = ("--seed", str(first_seed + runs), "--max-examples", str(_A_RUN))
        report = schemathesis(at, *options, "--generation-database", "none")
        sent, runs = sent + report["test_cases"]["generated"], runs + 1
        failures += report["failures"] + report["errors"]
        print(f"run {runs}: {sent:,} cases, {len(failures)} failures", file=sys.stderr)
    return {"cases": sent, "runs": runs, "failures": failures}


def fuzz_readers(cases: int, until: float, first_seed: int) -> dict[str, Any]:
    """Give each reader made-up input until there were enough cases or the time is over."""
    found: dict[str, Any] = {name: {"cases": 0, "failure": None} for name in PROPERTIES}
    turn = 0
    while time.monotonic() < until:
        waiting = [n for n, f in found.items() if f["cases"] < cases and not f["failure"]]
        if not waiting:
            break
        for name in waiting:
            some = min(_AT_ONCE, cases - found[name]["cases"])
            found[name]["failure"] = _failure(name, some, first_seed + turn)
            found[name]["cases"] += some
        turn += 1
        print(f"readers: {min(f['cases'] for f in found.values()):,} each", file=sys.stderr)
    return found


def _failure(name: str, cases: int, seed: int) -> str | None:
    try:
        run(name, cases, seed)
    except Exception as error:
        notes = getattr(error, "__notes__", [])
        return "\n".join([f"{type(error).__name__}: {error}", *notes])[:2000]
    return None


def main() -> int:
    """Fuzz, print what was found, and return 1 where something was."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000, help="for the service; and a reader")
    parser.add_argument("--minutes", type=float, default=60.0, help="at most, half of it for each")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    half = args.minutes * 30
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        env = environment(folder / "home")
        prepare(folder, env)
        with service(folder, env) as at:
            api = fuzz_service(at, args.cases, time.monotonic() + half, args.seed)
    readers = fuzz_readers(args.cases, time.monotonic() + half, args.seed)
    print(json.dumps({"api": api, "readers": readers}))
    return int(bool(api["failures"]) or any(f["failure"] for f in readers.values()))


if __name__ == "__main__":
    sys.exit(main())
