"""Texts of a column as bytes, with where each begins and ends.

A million e-mail addresses as Python objects take three times the room of their letters, and making
them takes longer than reading them. So where there are many they stay the bytes that they are, and
each is made a text when it is asked for. A missing one has no letters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, chain, compress
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from features.cells import Cell
from features.texts import gather

_AT_ONCE = 100_000
Letters = npt.NDArray[np.uint8]
Bounds = npt.NDArray[np.int64]


class Packed(Sequence[Cell]):
    """A sequence of texts, missing ones among them, that takes little more than their letters."""

    __slots__ = ("begins", "ends", "letters")

    def __init__(self, letters: Letters, begins: Bounds, ends: Bounds) -> None:
        """Take the parts as they are.

        Args:
            letters: UTF-8, in which others may stand too.
            begins: where each text begins, without white space, shape (texts,).
            ends: behind its last letter, shape (texts,).

        """
        # As C reads them.
        self.letters, self.begins, self.ends = map(np.ascontiguousarray, (letters, begins, ends))

    @classmethod
    def of(cls, cells: Sequence[Cell]) -> Packed:
        """Return cells, all of which must be texts or missing, as bytes."""
        import pyarrow as pa

        found = pa.array(cells, pa.large_string())
        letters = np.frombuffer(found.buffers()[2] or b"", np.uint8)
        bounds = np.zeros(1, dtype=np.int64)
        if len(found):
            bounds = np.frombuffer(found.buffers()[1], np.int64, len(found) + 1)
        return cls(letters, bounds[:-1], bounds[1:])

    def __reduce__(self) -> tuple[Any, ...]:
        own = self.compact()
        return Packed, (own.letters, own.begins, own.ends)

    def __len__(self) -> int:
        return len(self.begins)

    @overload
    def __getitem__(self, place: int) -> Cell: ...
    @overload
    def __getitem__(self, place: slice) -> list[Cell]: ...
    def __getitem__(self, place: int | slice) -> Cell | list[Cell]:
        if isinstance(place, slice):
            return list(Packed(self.letters, self.begins[place], self.ends[place]))
        return self.letters[self.begins[place] : self.ends[place]].tobytes().decode() or None

    def __iter__(self) -> Iterator[Cell]:
        for begin in range(0, len(self), _AT_ONCE):
            some = slice(begin, begin + _AT_ONCE)
            texts = Packed(self.letters, self.begins[some], self.ends[some]).arrow().to_pylist()
            yield from texts if all(texts) else (text or None for text in texts)

    @property
    def filled(self) -> npt.NDArray[np.bool_]:
        """Which are there, shape (texts,)."""
        return self.ends > self.begins

    def take(self, places: Any) -> Packed:
        """Return those at the given places, or those that a mask says."""
        return Packed(self.letters, self.begins[places], self.ends[places])

    def only(self, mask: npt.NDArray[np.bool_]) -> Packed:
        """Return the texts with all others than those of a mask missing."""
        return Packed(self.letters, self.begins, np.where(mask, self.ends, self.begins))

    def compact(self) -> Packed:
        """Return the texts without any letters of others."""
        sizes = self.ends - self.begins
        ends = np.cumsum(sizes)
        letters = np.empty(int(ends[-1]) if len(ends) else 0, dtype=np.uint8)
        if len(letters) == len(self.letters) and (self.begins == ends - sizes).all():
            return self
        gather(self, letters)
        return Packed(letters, ends - sizes, ends)

    def arrow(self) -> Any:
        """Return the texts as Arrow's large strings; missing ones are empty."""
        import pyarrow as pa

        own = self.compact()
        bounds = np.concatenate([np.zeros(1, dtype=np.int64), own.ends])
        buffers = [None, pa.py_buffer(bounds), pa.py_buffer(own.letters)]
        return pa.Array.from_buffers(pa.large_string(), len(self), buffers)


def packed(cells: Sequence[Cell]) -> Sequence[Cell]:
    """Return cells packed, by themselves, where all are texts or missing; else as they are."""
    import pyarrow as pa

    if isinstance(cells, Packed):
        return cells.compact()
    try:
        return Packed.of(cells)
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError):  # a number, half a letter
        return cells


def joined(parts: Sequence[Packed]) -> Packed:
    """Return texts one below the other."""
    if len(parts) == 1:
        return parts[0]
    own = [part.compact() for part in parts]
    starts = accumulate((len(part.letters) for part in own), initial=0)
    moved = [(p.begins + start, p.ends + start) for p, start in zip(own, starts, strict=False)]
    begins, ends = (np.concatenate(bounds) for bounds in zip(*moved, strict=True))
    return Packed(np.concatenate([part.letters for part in own]), begins, ends)


def below(parts: Sequence[Sequence[Cell]]) -> Sequence[Cell]:
    """Return cells one below the other; packed where any of them are and all can be."""
    if any(isinstance(part, Packed) for part in parts):
        all_ = [packed(part) for part in parts]
        own = [part for part in all_ if isinstance(part, Packed)]
        if len(own) == len(all_):
            return joined(own)
    return list(chain.from_iterable(parts))


def kept(cells: Sequence[Cell], mask: npt.NDArray[np.bool_]) -> Sequence[Cell]:
    """Return the cells that a mask, shape (cells,), says."""
    if isinstance(cells, Packed):
        return cells.take(mask)
    return list(compress(cells, mask.tolist()))


def give_back() -> None:
    """Give what Arrow has let go back to the system; it keeps it for itself for a while."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()
