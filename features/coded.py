"""A column of cells that keeps what repeats itself once, so that it is read once.

Leads repeat themselves: a million of them come from a few hundred campaigns and countries. Files
are read into such columns; the list of cells that a request brings becomes one where it is encoded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, compress
from typing import Any, TypeVar, overload

import numpy as np
import numpy.typing as npt

from features.cells import Cell, Memo
from features.packed import below, kept, packed

T = TypeVar("T")
_SELDOM = 2
"""Where values stand in fewer rows on average, doubles are not looked for."""
_MANY = 4096
_SAMPLE = 20_000
"""Values by which it is told how often they stand there twice."""
Places = npt.NDArray[np.intp]
Codes = npt.NDArray[np.integer[Any]]


class CodedCells(Sequence[Cell]):
    """A sequence of cells as the values that occur and, for each place, the code of its value."""

    __slots__ = ("_read", "codes", "values")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, values: Sequence[Cell], codes: Codes) -> None:
        """Take the parts as they are.

        Args:
            values: every cell that occurs; one may stand there twice where to find the double
                would take longer than to read it twice.
            codes: the position in `values` of each cell, shape (cells,); of any type of integer.

        """
        self.values = values
        self.codes = codes
        self._read: dict[Callable[[Cell], Any], list[Any]] = {}

    def __reduce__(self) -> tuple[type[CodedCells], tuple[Sequence[Cell], Codes]]:
        # What was read is known by its reader, and read again where another process asks.
        return CodedCells, (self.values, self.codes)

    def __len__(self) -> int:
        return len(self.codes)

    @overload
    def __getitem__(self, place: int) -> Cell: ...
    @overload
    def __getitem__(self, place: slice) -> CodedCells: ...
    def __getitem__(self, place: int | slice) -> Cell | CodedCells:
        if isinstance(place, slice):
            return self.take(np.arange(len(self))[place])
        return self.values[int(self.codes[place])]

    def __iter__(self) -> Iterator[Cell]:
        return map(self.values.__getitem__, self.codes.tolist())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, list | CodedCells) and list(self) == list(other)

    def __repr__(self) -> str:
        return f"CodedCells({list(self)!r})"

    def take(self, places: Places) -> CodedCells:
        """Return the cells at the given places, with what was read of them."""
        codes = self.codes[places]
        occurs = np.zeros(len(self.values), dtype=bool)
        occurs[codes] = True
        places = np.cumsum(occurs) - 1
        taken = CodedCells(kept(self.values, occurs), narrow(places, len(occurs))[codes])
        there = occurs.tolist() if self._read else []
        taken._read = {how: list(compress(read, there)) for how, read in self._read.items()}
        return taken

    def read(self, reader: Callable[[Cell], T]) -> list[T | None]:
        """Return what a reader makes of each of the values, None for missing.

        It is kept: what several fits and encodings of the same leads read is read once. So the
        reader must be one function for all of them, and not made anew for each.
        """
        if reader not in self._read:
            # Of so many different values hardly any is among those that a reader keeps.
            read = getattr(reader, "__wrapped__", reader) if len(self.values) > _MANY else reader
            self._read[reader] = [None if c is None else read(c) for c in self.values]
        return self._read[reader]

    def packed(self) -> CodedCells:
        """Return the column with texts that hardly repeat themselves held as bytes."""
        seldom = _SELDOM * len(self.values) > len(self.codes)
        return CodedCells(packed(self.values), self.codes) if seldom else self

    def counts(self) -> list[int]:
        """Return how often each of the values occurs."""
        found: list[int] = np.bincount(self.codes, minlength=len(self.values)).tolist()
        return found

    def changed(self, function: Callable[[Cell], Cell]) -> CodedCells:
        """Return the column with the function's value in place of every cell."""
        return CodedCells(list(map(function, self.values)), self.codes)


def coded(cells: Iterable[Cell]) -> CodedCells:
    """Return cells as a column."""
    if isinstance(cells, CodedCells):
        return cells
    cells = list(cells)
    values = list(dict.fromkeys(cells))
    places = dict(zip(values, range(len(values)), strict=True))
    codes = np.fromiter(map(places.__getitem__, cells), np.intp, len(cells))
    return CodedCells(values, codes)


def joined(parts: Sequence[CodedCells]) -> CodedCells:
    """Return columns one below the other as one column."""
    values = below([part.values for part in parts])
    before = accumulate((len(part.values) for part in parts[:-1]), initial=0)
    places = [
        part.codes.astype(np.intp) + start for part, start in zip(parts, before, strict=False)
    ]
    codes = np.concatenate([np.zeros(0, dtype=np.intp), *places])
    sample = values[:_SAMPLE]
    if _SELDOM * len(values) > len(codes) and _SELDOM * len(set(sample)) > len(sample):
        return CodedCells(values, narrow(codes, len(values)))
    once = coded(values)
    return CodedCells(once.values, narrow(once.codes, len(once.values))[codes])


def narrow(codes: Codes, count: int) -> Codes:
    """Return codes below `count` in the smallest type that holds them: leads are many."""
    return codes.astype(np.min_scalar_type(max(count - 1, 0)))


def each(cells: Sequence[Cell], function: Callable[[Cell], T]) -> list[T]:
    """Return the function's value for each cell; it is called once for what repeats itself."""
    if isinstance(cells, CodedCells):
        values = [function(cell) for cell in cells.values]
        return [values[code] for code in cells.codes.tolist()]
    memo = Memo(function)
    return [memo[cell] for cell in cells]
