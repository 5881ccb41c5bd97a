"""Kill leadq at random moments, and count what is left: nothing that was told may be lost.

    python -m benchmarks.kills --times 200 --what feedback
    python -m benchmarks.kills --times 200 --what retrain

Each time a file of feedback is given to `leadq feedback`, which is killed (SIGKILL) at a random
moment. What it had told to be done must be there, in whole chunks; the same file given again must
bring the rest, and every word must then be there exactly once.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select

from benchmarks.kill_retrain import Left, kill_retrain
from benchmarks.kill_score import Left as Scored
from benchmarks.kill_score import kill_score
from features.agreement import Agreement, parse
from features.files import open_table
from features.leads import admit
from features.store.database import Store, open_store
from features.store.handoffs import Handover, hand_over
from features.store.intake import take_feedback
from features.store.keys import CHUNK
from features.store.tables import Disposition
from tests import postgres

MONDAY = datetime(2026, 3, 2, 9)
NOW = datetime(2026, 6, 30, 12)
_TEXT = """format = 1
version = 1
name = "kills"
columns = { id = "id", outcome = "status" }
outcomes = { won = ["Won"], lost = ["Lost"] }
grades = { A = 0.5, B = 0.25, C = 0.1 }
"""
_DONE = re.compile(r"([\d,]+) rows are done")


@dataclass
class Kills:
    """What was found after so many kills."""

    killed: int = 0
    """Runs that were killed before their end."""
    midway: int = 0
    """Runs that left a part of their file."""
    faults: int = 0
    """Words lost, doubled or left in half a chunk."""


def kill_feedback(url: str, folder: Path, times: int, rows: int, seed: int) -> Kills:
    """Kill `leadq feedback` and count what is left.

    Args:
        url: of a store that holds nothing yet.
        folder: for the files.
        times: how often.
        rows: of each file.
        seed: of the moments.

    """
    store, agreed, rng, found = open_store(url), parse(_TEXT), random.Random(seed), Kills()
    (folder / "agreement.toml").write_text(_TEXT)
    ids = [f"L-{i}" for i in range(CHUNK)]
    leads = admit({"id": ids}, agreed, {}, need_created=False)
    store.write(lambda c: hand_over(c, leads, agreed, [Handover(MONDAY)] * len(ids), NOW))
    chunks = max(1, rows // CHUNK)
    seconds = _whole_run(url, _file(folder, "whole", ids, rows)) / chunks
    for n in range(times):
        file = _file(folder, f"run {n}", ids, rows)
        told, was_killed = _killed_run(url, file, rng.randrange(chunks), rng.uniform(0, seconds))
        left = _words(store, f"run {n}")
        found.killed += was_killed
        found.midway += 0 < left < rows
        found.faults += left < told or (left % CHUNK != 0 and left != rows)
        found.faults += _again(store, file, agreed) != rows - left
        found.faults += _words(store, f"run {n}") != rows
        print(f"... {n + 1} of {times}: {vars(found)}", file=sys.stderr, flush=True)
    store.close()
    return found


def _file(folder: Path, tag: str, ids: list[str], rows: int) -> Path:
    """Write a file whose words bear a tag, and are all different."""
    path = folder / "feedback.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "at", "code", "reason"])
        for i in range(rows):
            at = MONDAY + timedelta(minutes=i // len(ids))
            writer.writerow([ids[i % len(ids)], at.isoformat(), "lost", tag])
    return path


def _start(url: str, file: Path) -> subprocess.Popen[str]:
    settings = {"LEADQ_STORE__URL": url, "LEADQ_HOME": str(file.parent / "home")}
    return subprocess.Popen(
        [sys.executable, "-m", "leadq", "feedback", file.name],
        cwd=file.parent,
        env={**os.environ, **settings, "PYTHONPATH": str(Path(__file__).parents[1])},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def _whole_run(url: str, file: Path) -> float:
    """Return the seconds that a run takes from the moment on in which it opens the store."""
    process = _start(url, file)
    assert process.stderr is not None
    process.stderr.readline()
    began = time.perf_counter()
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    return time.perf_counter() - began


def _killed_run(url: str, file: Path, chunks: int, after: float) -> tuple[int, bool]:
    """Kill a run some seconds after it told of so many chunks.

    Returns:
        How many rows it told to be done, and whether it was killed before its end.

    """
    process = _start(url, file)
    assert process.stderr is not None
    lines = [process.stderr.readline() for _ in range(1 + chunks)]
    time.sleep(after)
    process.kill()
    _, rest = process.communicate()
    told = [int(number.replace(",", "")) for number in _DONE.findall("".join([*lines, rest]))]
    return max(told, default=0), process.returncode != 0


def _words(store: Store, tag: str) -> int:
    with store.reading() as connection:
        some = select(func.count()).where(Disposition.reason == tag)
        return connection.execute(some).scalar_one()


def _again(store: Store, file: Path, agreed: Agreement) -> int:
    """Give the file again and return how many words it brought."""
    table = open_table(file, agreed.export)
    return take_feedback(store, table, agreed, NOW, lambda _: None).stored


KILLING: dict[str, Callable[[str, Path, int, int, int], Kills | Left | Scored]] = {
    "feedback": kill_feedback,
    "retrain": kill_retrain,
    "score": kill_score,
}
STORES = ("sqlite", "postgresql")
_ROWS = {"feedback": 4 * CHUNK, "retrain": 1200, "score": 60_000}


@contextmanager
def stores(kind: str, folder: Path) -> Iterator[str]:
    """Give the address of a new store of a kind: sqlite or postgresql."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'store.db'}"
        return
    # The path of a socket must be short.
    with tempfile.TemporaryDirectory(prefix="pg-") as home, postgres.server(Path(home)) as server:
        yield server.fresh()


def main() -> None:
    """Kill as often as is asked, on each kind of store, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--what", choices=sorted(KILLING), default="feedback")
    parser.add_argument("--store", choices=STORES, action="append", help="both unless given")
    parser.add_argument("--rows", type=int)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    rows, faults = asked.rows or _ROWS[asked.what], 0
    for kind in asked.store or STORES:
        with tempfile.TemporaryDirectory() as folder, stores(kind, Path(folder)) as url:
            kill = KILLING[asked.what]
            found = kill(url, Path(folder), asked.times, rows, asked.seed)
        line = {"store": kind, "what": asked.what, "times": asked.times, **vars(found)}
        print(json.dumps(line), flush=True)
        faults += found.faults
    sys.exit(faults > 0)


if __name__ == "__main__":
    main()
