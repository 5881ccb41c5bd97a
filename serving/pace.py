"""How far a job is, how fast it goes, and what it took."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet

from features.fingerprint import Fingerprint


class Progress(NamedTuple):
    """How far a scoring is."""

    rows: int
    """Read, scored and written."""
    rows_per_second: float
    seconds_left: float | None
    """About; None where the number of rows is not known."""

    @property
    def sentence(self) -> str:
        """Say it in a few words."""
        left = self.seconds_left
        rest = "" if left is None else f", about {timedelta(seconds=round(left))} left"
        return f"{self.rows:,} rows, {self.rows_per_second:,.0f} a second{rest}"


class Pace:
    """How long it takes, and how long still."""

    def __init__(self, all_rows: int | None, resumed: int) -> None:
        self.all_rows = all_rows
        self.rows = 0
        self._resumed = resumed
        self._began = time.monotonic()
        self._beside_mb = 0.0

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return max(time.monotonic() - self._began, 1e-6)

    def rate(self, rows: int) -> float:
        """Return rows a second, of so many; those that a run before had scored cost nothing."""
        return max(rows - self._resumed, 0) / self.seconds

    def progress(self) -> Progress:
        """Return how far it is."""
        rate = self.rate(self.rows)
        left = None if self.all_rows is None else max(self.all_rows - self.rows, 0)
        return Progress(self.rows, rate, left / rate if left is not None and rate else None)

    def held(self, megabytes: float) -> None:
        """Count the memory of a process beside this one."""
        self._beside_mb += megabytes

    @property
    def peak_memory_mb(self) -> float:
        """The most that this process and those beside it have held, each at its own highest."""
        return peak_memory_mb() + self._beside_mb


def peak_memory_mb() -> float:
    """Return the most memory that this process has held.

    Not by getrusage: it tells of the process that started this one, where that is larger.
    """
    return _kilobytes("/proc/self/status")["VmHWM"] / 1024


def own_memory_mb(process: int) -> float:
    """Return the most that a process has held, without what it shares with others; 0 if gone.

    Where the system does not tell what it shares, all counts.
    """
    most = _kilobytes(f"/proc/{process}/status")["VmHWM"]
    shares = _kilobytes(f"/proc/{process}/smaps_rollup")
    return (most - shares["Shared_Clean"] - shares["Shared_Dirty"]) / 1024


def _kilobytes(path: str) -> Counter[str]:
    """Return what the system tells of a process, by name; nothing where it tells nothing."""
    try:
        lines = [line.split() for line in Path(path).read_text().splitlines()]
    except OSError:
        return Counter()
    return Counter({line[0][:-1]: int(line[1]) for line in lines if line[-1] == "kB"})


def rows_in(files: Sequence[Path], found: Fingerprint) -> int | None:
    """Return about how many rows files have; None where that is not told without reading them."""
    kinds = {path.suffix.lower() for path in files}
    if kinds == {".parquet"}:
        try:
            return sum(int(pyarrow.parquet.read_metadata(path).num_rows) for path in files)
        except (pyarrow.ArrowException, OSError):  # something else under this name
            return None
    return found.newlines - len(files) if kinds <= {".csv"} else None
