"""A column of cells that keeps what repeats itself once, so that it is read once.

Leads repeat themselves: a million of them come from a few hundred campaigns and countries. Files
are read into such columns; the list of cells that a request brings becomes one where it is encoded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, compress
from typing import Any, NamedTuple, TypeVar, overload

import numpy as np
import numpy.typing as npt

from features import texts
from features.cells import Cell, Memo
from features.packed import Packed, below, kept, packed
from features.texts import Distinct

T = TypeVar("T")
_SELDOM = 2
"""Where values stand in fewer rows on average, doubles are not looked for."""
_MANY = 4096
_SAMPLE = 20_000
"""Values by which it is told how often they stand there twice."""
_LARGE = 64
"""Different values from which on they stay bytes and are read at once."""
Places = npt.NDArray[np.intp]
Codes = npt.NDArray[np.integer[Any]]
Mask = npt.NDArray[np.bool_]
Contents = npt.NDArray[np.uint64]
Times = npt.NDArray[np.datetime64]


class Readings(NamedTuple):
    """What a reader makes of the values of a column."""

    found: Any
    """A list, with None for missing values, or an array of numbers or times, with NaN or NaT."""
    codes: Codes | None
    """The position in `found` of each value; None: each has its own, in order."""

    def kept(self, mask: Mask) -> Readings:
        """Return those of the values that a mask says."""
        if self.codes is not None:
            return Readings(self.found, self.codes[mask])
        is_array = isinstance(self.found, np.ndarray)
        own = self.found[mask] if is_array else list(compress(self.found, mask.tolist()))
        return Readings(own, None)


QUICK: dict[Callable[[Cell], Any], Callable[[Packed], Readings]] = {}
"""Readers that have a quick way to read packed texts, with it (`features.plain`)."""


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
        self._read: dict[Callable[[Cell], Any], Readings] = {}

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
        values = list(self.values) if isinstance(self.values, Packed) else self.values
        return map(values.__getitem__, self.codes.tolist())

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
        taken._read = {how: read.kept(occurs) for how, read in self._read.items()}
        return taken

    @property
    def there(self) -> Mask:
        """Which of the values are not missing, shape (values,)."""
        if isinstance(self.values, Packed):
            return self.values.filled
        return np.array([value is not None for value in self.values], dtype=np.bool_)

    def readings(self, reader: Callable[[Cell], Any]) -> Readings:
        """Return what a reader makes of the values.

        It is kept: what several fits and encodings of the same leads read is read once. So the
        reader must be one function for all of them, and not made anew for each.
        """
        if reader not in self._read:
            quick = QUICK.get(reader)
            if quick is not None and isinstance(self.values, Packed):
                self._read[reader] = quick(self.values)
            else:
                # Of so many different values hardly any is among those that a reader keeps.
                many = len(self.values) > _MANY
                read = getattr(reader, "__wrapped__", reader) if many else reader
                found = [None if c is None else read(c) for c in self.values]
                self._read[reader] = Readings(found, None)
        return self._read[reader]

    def read(self, reader: Callable[[Cell], T]) -> Sequence[T | None]:
        """Return what a reader makes of each of the values."""
        found: Sequence[T | None]
        found, codes = self.readings(reader)
        return found if codes is None else [found[code] for code in codes.tolist()]

    def shown(self, reader: Callable[[Cell], T], places: Places) -> Iterator[tuple[Cell, T | None]]:
        """Yield some of the values with what a reader makes of them."""
        values: Sequence[Cell] = self.values
        at = places.tolist()
        values = [*values.take(places)] if isinstance(values, Packed) else [values[i] for i in at]
        if reader in self._read:
            found, codes = self._read[reader]
            at = at if codes is None else codes[places].tolist()
            return zip(values, (found[i] for i in at), strict=True)
        return ((cell, None if cell is None else reader(cell)) for cell in values)

    def packed(self) -> CodedCells:
        """Return the column with texts that hardly repeat themselves held as bytes."""
        seldom = _SELDOM * len(self.values) > len(self.codes)
        many = seldom or isinstance(self.values, Packed)
        return CodedCells(packed(self.values), self.codes) if many else self

    def counts(self) -> list[int]:
        """Return how often each of the values occurs."""
        found: list[int] = np.bincount(self.codes, minlength=len(self.values)).tolist()
        return found

    def changed(self, function: Callable[[Cell], Cell]) -> CodedCells:
        """Return the column with the function's value in place of every cell."""
        return CodedCells(list(map(function, self.values)), self.codes)

    def cleared(
        self, clean: Callable[[Cell], Cell], suspects: Callable[[Packed], Mask]
    ) -> CodedCells:
        """Return the column without the cells of which a function makes None; it keeps others.

        Args:
            clean: the function.
            suspects: tells of which texts it may make None.

        """
        values = self.values
        if not isinstance(values, Packed):
            return self.changed(clean)
        places = np.flatnonzero(suspects(values))
        pairs = zip(places.tolist(), values.take(places), strict=True)
        gone = [place for place, cell in pairs if cell is not None and clean(cell) is None]
        if not gone:
            return self
        ends = values.ends.copy()
        ends[gone] = values.begins[gone]
        return CodedCells(Packed(values.letters, values.begins, ends), self.codes)


class Columns(Mapping[str, CodedCells]):
    """Columns of texts as they stand in a file; doubles are looked for where somebody asks.

    An export has columns that nobody reads.
    """

    def __init__(
        self, texts: Mapping[str, Packed], known: Mapping[str, Distinct] | None = None
    ) -> None:
        """Take the columns.

        Args:
            texts: of each column.
            known: of some of them the values that occur, as `texts.distinct` tells them.

        """
        self._texts = texts
        self._known = known or {}
        self._coded: dict[str, CodedCells] = {}

    def __getitem__(self, name: str) -> CodedCells:
        if name not in self._coded:
            self._coded[name] = coded_texts(self._texts[name], self._known.get(name))
        return self._coded[name]

    def __contains__(self, name: object) -> bool:
        return name in self._texts

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)


def coded(cells: Iterable[Cell]) -> CodedCells:
    """Return cells as a column."""
    if isinstance(cells, CodedCells):
        return cells
    cells = list(cells)
    values = list(dict.fromkeys(cells))
    places = dict(zip(values, range(len(values)), strict=True))
    codes = np.fromiter(map(places.__getitem__, cells), np.intp, len(cells))
    return CodedCells(values, codes)


def coded_texts(cells: Packed, known: Distinct | None = None) -> CodedCells:
    """Return texts as a column.

    Those that seldom repeat themselves are kept as they stand: what looks for doubles among them
    takes longer than to read them twice.

    Args:
        cells: the texts.
        known: what `texts.distinct` tells of them, where it is known.

    """
    most = len(cells) // _SELDOM if len(cells) > _MANY else len(cells)
    found = known or texts.distinct(cells, most)
    if found is None:
        return CodedCells(cells, narrow(np.arange(len(cells)), len(cells)))
    codes, firsts = found
    values = cells.take(firsts)
    return CodedCells(values if len(values) > _LARGE else list(values), narrow(codes, len(values)))


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


def contents_of(columns: Mapping[str, CodedCells], rows: int) -> Contents:
    """Return a number for each row that tells its cells from other cells."""
    found = np.zeros(rows, dtype=np.uint64)
    for name, key in zip(columns, texts.content_keys(tuple(columns)), strict=True):
        column = columns[name]
        found += texts.content_of(_hashes(column.values), key)[column.codes]
    return found


def _hashes(cells: Sequence[Cell]) -> Contents:
    """Return a number for each cell that tells it from others."""
    if isinstance(cells, Packed):
        return texts.hashes(cells)
    found = texts.hashes(Packed.of([cell if isinstance(cell, str) else None for cell in cells]))
    numbers = [place for place, cell in enumerate(cells) if isinstance(cell, float)]
    # By their bits: to Python's hash -1.0 and -2.0 are one.
    found[numbers] = np.array([cells[place] for place in numbers], np.float64).view(np.uint64)
    return found


def each(cells: Sequence[Cell], function: Callable[[Cell], T]) -> list[T]:
    """Return the function's value for each cell; it is called once for what repeats itself."""
    if isinstance(cells, CodedCells):
        values = [function(cell) for cell in cells.values]
        return [values[code] for code in cells.codes.tolist()]
    memo = Memo(function)
    return [memo[cell] for cell in cells]
