"""A column of cells that keeps each distinct cell once, so that what is read of it is read once.

Leads repeat themselves: a million of them come from a few hundred campaigns and countries. Files
are read into such columns; the list of cells that a request brings becomes one where it is encoded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import compress
from typing import Any, TypeVar, overload

import numpy as np
import numpy.typing as npt

from features.cells import Cell, Memo

T = TypeVar("T")
Places = npt.NDArray[np.intp]


class CodedCells(Sequence[Cell]):
    """A sequence of cells as its distinct cells and, for each place, the code of its cell."""

    __slots__ = ("_read", "codes", "distinct")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, distinct: list[Cell], codes: Places) -> None:
        """Take the parts as they are.

        Args:
            distinct: every cell that occurs, once.
            codes: the position in `distinct` of each cell, shape (cells,).

        """
        self.distinct = distinct
        self.codes = codes
        self._read: dict[Callable[[Cell], Any], list[Any]] = {}

    def __len__(self) -> int:
        return len(self.codes)

    @overload
    def __getitem__(self, place: int) -> Cell: ...
    @overload
    def __getitem__(self, place: slice) -> CodedCells: ...
    def __getitem__(self, place: int | slice) -> Cell | CodedCells:
        if isinstance(place, slice):
            return self.take(np.arange(len(self))[place])
        return self.distinct[int(self.codes[place])]

    def __iter__(self) -> Iterator[Cell]:
        return map(self.distinct.__getitem__, self.codes.tolist())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, list | CodedCells) and list(self) == list(other)

    def __repr__(self) -> str:
        return f"CodedCells({list(self)!r})"

    def take(self, places: Places) -> CodedCells:
        """Return the cells at the given places, with what was read of them."""
        codes = self.codes[places]
        occurs = np.zeros(len(self.distinct), dtype=bool)
        occurs[codes] = True
        kept = occurs.tolist()
        taken = CodedCells(list(compress(self.distinct, kept)), (np.cumsum(occurs) - 1)[codes])
        taken._read = {how: list(compress(read, kept)) for how, read in self._read.items()}
        return taken

    def read(self, reader: Callable[[Cell], T]) -> list[T | None]:
        """Return what a reader makes of each distinct cell, None for missing.

        It is kept: what several fits and encodings of the same leads read is read once. So the
        reader must be one function for all of them, and not made anew for each.
        """
        if reader not in self._read:
            self._read[reader] = [None if c is None else reader(c) for c in self.distinct]
        return self._read[reader]

    def counts(self) -> list[int]:
        """Return how often each distinct cell occurs."""
        found: list[int] = np.bincount(self.codes, minlength=len(self.distinct)).tolist()
        return found

    def without(self, words: set[Cell]) -> CodedCells:
        """Return the column with None in place of the given cells."""
        if not words:
            return self
        return recoded((None if cell in words else cell for cell in self.distinct), self.codes)


def coded(cells: Iterable[Cell]) -> CodedCells:
    """Return cells as a column that keeps each distinct cell once."""
    if isinstance(cells, CodedCells):
        return cells
    index: dict[Cell, int] = {}
    codes = [index.setdefault(cell, len(index)) for cell in cells]
    return CodedCells(list(index), np.array(codes, dtype=np.intp))


def recoded(cells: Iterable[Cell], codes: Places) -> CodedCells:
    """Return the column with these codes into `cells`, of which some may be equal."""
    left = coded(cells)
    return CodedCells(left.distinct, left.codes[codes])


def joined(parts: Iterable[CodedCells]) -> CodedCells:
    """Return columns one below the other as one column."""
    index: dict[Cell, int] = {}
    codes = [np.zeros(0, dtype=np.intp)]
    for part in parts:
        places = [index.setdefault(cell, len(index)) for cell in part.distinct]
        codes.append(np.array(places, dtype=np.intp)[part.codes])
    return CodedCells(list(index), np.concatenate(codes))


def each(cells: Sequence[Cell], function: Callable[[Cell], T]) -> list[T]:
    """Return the function's value for each cell; it is called once for each distinct cell."""
    if isinstance(cells, CodedCells):
        values = [function(cell) for cell in cells.distinct]
        return [values[code] for code in cells.codes.tolist()]
    memo = Memo(function)
    return [memo[cell] for cell in cells]
