"""Ids that come again in an export, found among any number of rows.

Of each id eight bytes are kept in memory: half of a hash, by which a repeat is suspected, and its
number. What proves it, and says where the first one stands, lies in a temporary file.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from features.coded import Contents
from features.errors import LeadqError

_SPOOLED = 16 << 20
"""Bytes of the temporary file that are held in memory."""
_LONGEST_RUN = 1_000_000
_HALF = np.uint64(32)
_NUMBER = np.uint64(2**32 - 1)
_SALT = "\0"
_RECORD = np.dtype(
    [("id", "i8"), ("salted", "i8"), ("content", "i8"), ("line", "i8"), ("file", "i8")]
)
Keys = npt.NDArray[np.uint64]
Marks = npt.NDArray[np.void]


class First(NamedTuple):
    """Where an id stands first."""

    file: str
    line: int
    content: int
    """A number that tells the cells of its row from other cells."""


def marks_of(lines: Sequence[int], ids: Sequence[str], contents: Contents) -> Marks:
    """Return by what rows are known again.

    Args:
        lines: the line of each row.
        ids: of each row.
        contents: a number of each row that tells its cells from others.

    """
    marks = np.zeros(len(ids), dtype=_RECORD)
    marks["id"] = np.fromiter(map(hash, ids), np.int64, len(ids))
    marks["salted"] = np.fromiter((hash(text + _SALT) for text in ids), np.int64, len(ids))
    marks["content"], marks["line"] = contents.view(np.int64), lines
    return marks


class Repeats:
    """The ids that were seen; close it when all are read."""

    def __init__(self) -> None:
        self._records = tempfile.SpooledTemporaryFile(_SPOOLED)  # noqa: SIM115 - closed by close()
        self._runs: list[Keys] = []
        """Sorted; each key is half of an id's hash and the number of its record."""
        self._files: list[str] = []
        self._seen = 0

    def close(self) -> None:
        """Remove the temporary file."""
        self._records.close()

    def find(self, file: str, marks: Marks, passed_by: Collection[int]) -> dict[int, First]:
        """Return the places whose id was seen before, and keep the others.

        Args:
            file: that the rows are from.
            marks: of the rows.
            passed_by: places that do not count.

        Raises:
            LeadqError: when the temporary file cannot be written.

        """
        if not self._files or self._files[-1] != file:
            self._files.append(file)
        rows = marks.copy()
        rows["file"] = len(self._files) - 1
        found = self._seen_before(rows)
        if not found and not passed_by and len(np.unique(rows["id"])) == len(rows):
            self._keep(rows)
            return {}
        within: dict[tuple[int, int], int] = {}
        kept: list[int] = []
        hashes = zip(rows["id"].tolist(), rows["salted"].tolist(), strict=True)
        for place, both in enumerate(hashes):
            if place in passed_by:
                found.pop(place, None)
            elif place not in found:
                first = within.setdefault(both, place)
                if first == place:
                    kept.append(place)
                else:
                    found[place] = self._first(rows[first])
        self._keep(rows[kept])
        return dict(sorted(found.items()))

    def _seen_before(self, rows: npt.NDArray[np.void]) -> dict[int, First]:
        halves = rows["id"].view(np.uint64) >> _HALF
        order = np.argsort(halves)
        wanted = halves[order]
        found: dict[int, First] = {}
        for run in self._runs:
            begins = np.searchsorted(run, wanted << _HALF)
            ends = np.searchsorted(run, (wanted << _HALF) | _NUMBER, side="right")
            for suspect in np.flatnonzero(ends > begins).tolist():
                place = int(order[suspect])
                for key in run[begins[suspect] : ends[suspect]].tolist():
                    record = self._record(key & int(_NUMBER))
                    if record[["id", "salted"]] == rows[place][["id", "salted"]]:
                        found[place] = self._first(record)
        return found

    def _record(self, number: int) -> np.void:
        self._records.seek(number * _RECORD.itemsize)
        record: np.void = np.frombuffer(self._records.read(_RECORD.itemsize), _RECORD)[0]
        return record

    def _first(self, record: np.void) -> First:
        return First(self._files[int(record["file"])], int(record["line"]), int(record["content"]))

    def _keep(self, rows: npt.NDArray[np.void]) -> None:
        numbers = np.arange(self._seen, self._seen + len(rows), dtype=np.uint64)
        run = np.sort(((rows["id"].view(np.uint64) >> _HALF) << _HALF) | numbers)
        try:
            self._records.seek(self._seen * _RECORD.itemsize)
            self._records.write(rows.tobytes())
        except OSError as error:
            raise LeadqError(
                f"{tempfile.gettempdir()}: no room to look for ids that come again "
                f"({error.strerror}); make room there, or name another folder by TMPDIR"
            ) from error
        self._seen += len(rows)
        while self._runs and len(self._runs[-1]) <= len(run) < _LONGEST_RUN:
            run = np.sort(np.concatenate([self._runs.pop(), run]), kind="stable")
        self._runs.append(run)
