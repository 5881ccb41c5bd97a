"""Texts that hardly repeat themselves, held as bytes.

A million e-mail addresses as Python objects take three times the room of their letters. Where there
are many they lie one behind the other, as Arrow holds them, and each is made anew when it is asked
for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, compress
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from features.cells import Cell

_FEW = 50_000
"""Texts that may as well be held as they are."""
_AT_ONCE = 100_000


class Packed(Sequence[Cell]):
    """A sequence of texts, missing ones among them, that takes little more than their letters."""

    __slots__ = ("_texts",)

    def __init__(self, texts: Any) -> None:
        """Take a large-string array of Arrow."""
        self._texts = texts

    def __len__(self) -> int:
        return len(self._texts)

    @overload
    def __getitem__(self, place: int) -> Cell: ...
    @overload
    def __getitem__(self, place: slice) -> list[Cell]: ...
    def __getitem__(self, place: int | slice) -> Cell | list[Cell]:
        if isinstance(place, slice):
            texts: list[Cell] = self._texts.take(np.arange(len(self))[place]).to_pylist()
            return texts
        text: Cell = self._texts[place].as_py()
        return text

    def __iter__(self) -> Iterator[Cell]:
        for begin in range(0, len(self), _AT_ONCE):
            yield from self._texts.slice(begin, _AT_ONCE).to_pylist()

    def kept(self, mask: npt.NDArray[np.bool_]) -> Sequence[Cell]:
        """Return those that a mask, shape (texts,), says; packed where they are still many."""
        found = self._texts.filter(mask)
        return Packed(found) if len(found) > _FEW else found.to_pylist()

    @property
    def texts(self) -> Any:
        """As Arrow holds them."""
        return self._texts


def packed(cells: Sequence[Cell]) -> Sequence[Cell]:
    """Return cells packed where all are texts or missing; else as they are."""
    import pyarrow as pa

    if isinstance(cells, Packed):
        return cells
    try:
        return Packed(pa.array(cells, pa.large_string()))
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError):  # a number, half a letter
        return cells


def below(parts: Sequence[Sequence[Cell]]) -> Sequence[Cell]:
    """Return cells one below the other; packed where any of them are and all can be."""
    if any(isinstance(part, Packed) for part in parts):
        import pyarrow as pa

        all_ = [packed(part) for part in parts]
        texts = [part.texts for part in all_ if isinstance(part, Packed)]
        if len(texts) == len(all_):
            return Packed(pa.concat_arrays(texts))
    return list(chain.from_iterable(parts))


def kept(cells: Sequence[Cell], mask: npt.NDArray[np.bool_]) -> Sequence[Cell]:
    """Return the cells that a mask, shape (cells,), says."""
    if isinstance(cells, Packed):
        return cells.kept(mask)
    return list(compress(cells, mask.tolist()))


def give_back() -> None:
    """Give what Arrow has let go back to the system; it keeps it for itself for a while."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()
