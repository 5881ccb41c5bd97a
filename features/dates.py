"""A date as a column; see `features.fields`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, ClassVar

import numpy as np

from features import plain
from features.agreement import Agreement, FieldUse
from features.cells import Cell, moment, text_of
from features.coded import QUICK, CodedCells, Readings, Times
from features.fields import KEPT, CellReader, Codes, Column, Mask, Matrix
from features.leads import Leads

_SECONDS_A_DAY = 86_400.0
_EXACT_SECONDS = 2**53 / 1e6


@dataclass(frozen=True)
class DateEncoder(CellReader):
    """A date as days before (negative) or after the lead was created."""

    kind: ClassVar[str] = "date"
    verb: ClassVar[str] = "is"
    oddity: ClassVar[str] = "is not a date and counts as missing"
    field: str
    day_first: bool = False

    @property
    def columns(self) -> tuple[Column, ...]:
        """One column, in days."""
        return (Column(self.field, f"{self.field} (days after creation)", None),)

    @property
    def reader(self) -> Callable[[Cell], datetime | None]:
        """Reads a time; text that is none counts as missing."""
        return _date_reader(self.day_first)

    def code(self, read: datetime | None, created: datetime | None) -> Codes:
        """Return the days; NaN when either time is missing or unreadable."""
        return (_days(read, created),)

    def of_values(self, cells: CodedCells) -> Matrix:
        """Return NaN for each value, shape (values, 1): the days are found row by row."""
        return np.full((len(cells.values), 1), math.nan)

    def by_row(self, cells: CodedCells, created: Times) -> Matrix:
        """Return the days of each row, shape (rows, 1)."""
        since = self._times(cells)[cells.codes] - created
        micros = since.astype(np.int64)
        seconds = np.where(np.isnat(since), math.nan, micros / 1_000_000)
        # A whole number beyond 2^53 is rounded on its way to a float; Python's quotient is not.
        wide = np.flatnonzero(np.abs(seconds) > _EXACT_SECONDS)
        seconds[wide] = [value / 1_000_000 for value in micros[wide].tolist()]
        return (seconds / _SECONDS_A_DAY).reshape(-1, 1)

    def _times(self, cells: CodedCells) -> Times:
        return np.asarray(cells.readings(self.reader).found, dtype="datetime64[us]")

    def remark(self, cell: Cell, codes: Codes) -> str | None:
        """Name text that is no time."""
        odd = cell is not None and math.isnan(codes[0]) and self.reader(cell) is None
        return self.oddity if odd else None

    def odd(self, cells: CodedCells, codes: Matrix) -> Mask:
        """Tell which cells are no time."""
        unread: Mask = np.isnat(self._times(cells))
        return unread & cells.there

    def shows(self, cell: Cell, read: datetime | np.datetime64 | None) -> str | None:
        """Return the date as text."""
        return None if read is None or np.isnat(np.datetime64(read)) else text_of(cell)

    def state(self) -> dict[str, Any]:
        """Return the order of day and month."""
        return {"day_first": self.day_first}

    @classmethod
    def fit(cls, field: str, use: FieldUse, leads: Leads, agreement: Agreement) -> DateEncoder:
        """Nothing is learned but the agreed order of day and month."""
        return cls(field, agreement.export.day_first)


def _days(read: datetime | None, created: datetime | None) -> float:
    if read is None or created is None:
        return math.nan
    return (read - created).total_seconds() / _SECONDS_A_DAY


@cache
def _date_reader(day_first: bool) -> Callable[[Cell], datetime | None]:
    @lru_cache(maxsize=KEPT)
    def read(cell: Cell) -> datetime | None:
        try:
            return moment(cell, day_first)
        except ValueError:
            return None

    QUICK[read] = lambda cells: Readings(plain.times(cells, read.__wrapped__, day_first), None)
    return read
