"""Kinds of reasons of many leads, in columns: a file holds hundreds of thousands of them.

Each says the value of a field and what it does to the odds, as `ReasonKind` does. They become
objects where somebody asks for them; files are written from the columns (`serving.blocks`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, overload

import numpy as np
import numpy.typing as npt

from features.cells import Cell
from features.encoder import Encoded, FieldEncoder
from features.texts import numbered
from serving.members import Vector
from serving.reasons import FACTOR_ENDS, ReasonKind, words_of

Ints = npt.NDArray[np.intp]
Codes = npt.NDArray[np.integer[Any]]
Mask = npt.NDArray[np.bool_]
_PLACES = len(FACTOR_ENDS) + 1
"""Effects that are told apart, in either direction."""


class Shown(NamedTuple):
    """Values of a field as reasons show them."""

    field: FieldEncoder
    values: Sequence[Cell]
    """Texts, None for what is not known."""
    odd: Mask
    """Of which there is a remark, shape (values,)."""

    def words(self) -> Iterator[tuple[str, str | None, str]]:
        """Yield of each value the field, the value, and both in words."""
        for value, is_odd in zip(self.values, self.odd.tolist(), strict=True):
            text = None if value is None else str(value)
            yield self.field.field, text, words_of(self.field, text, is_odd)


@dataclass(frozen=True)
class ReasonKinds(Sequence[ReasonKind]):
    """Kinds of reasons."""

    shown: list[Shown]
    """Of each field; the values of all are numbered one behind the other."""
    value: Ints
    """The number of each kind's value, shape (kinds,)."""
    place: Ints
    """Of each kind's effect; see `effect_words`."""
    raises: Mask
    """Whether it raises the odds."""

    def __len__(self) -> int:
        return len(self.value)

    @overload
    def __getitem__(self, at: int) -> ReasonKind: ...
    @overload
    def __getitem__(self, at: slice) -> list[ReasonKind]: ...
    def __getitem__(self, at: int | slice) -> ReasonKind | list[ReasonKind]:
        return list(self)[at]

    def __iter__(self) -> Iterator[ReasonKind]:
        said = [words for shown in self.shown for words in shown.words()]
        values = map(said.__getitem__, self.value.tolist())
        effects = self.place.tolist(), self.raises.tolist()
        for (field, value, words), place, raises in zip(values, *effects, strict=True):
            yield ReasonKind.of(field, value, words, place, raises)


def kinds_of(
    fields: Sequence[FieldEncoder], leads: Encoded, lead: Ints, field: Ints, effect: Vector
) -> tuple[ReasonKinds, Codes]:
    """Return the kinds of reasons that occur, and the code of each reason.

    Args:
        fields: of the encoder.
        leads: as it read them.
        lead: of each reason, shape (reasons,).
        field: of each reason, a position in `fields`.
        effect: of each reason.

    """
    shown, value = _shown(fields, leads, lead, field)
    place = np.searchsorted(FACTOR_ENDS, np.abs(effect), side="right")
    codes, firsts = numbered((value * _PLACES + place) * 2 + (effect > 0))
    return ReasonKinds(shown, value[firsts], place[firsts], effect[firsts] > 0), codes


def _shown(
    fields: Sequence[FieldEncoder], leads: Encoded, lead: Ints, field: Ints
) -> tuple[list[Shown], Ints]:
    """Return the values that occur, and the number of each reason's."""
    if not len(lead):
        return [], np.zeros(0, dtype=np.intp)
    # The values of all fields are numbered one behind the other: each step serves all of them.
    starts = np.cumsum([0, *(len(cells.values) for cells in leads.cells)])
    codes = np.stack([cells.codes for cells in leads.cells])
    value = starts[field] + codes[field, lead]
    occurs = np.zeros(starts[-1], dtype=np.bool_)
    occurs[value] = True
    used = np.flatnonzero(occurs)
    bounds = np.searchsorted(used, starts)
    shown: list[Shown] = []
    number_of, count = np.zeros(len(occurs), dtype=np.intp), 0
    for each, cells, odd, first, (start, end) in zip(
        fields, leads.cells, leads.odd, starts.tolist(), pairwise(bounds.tolist()), strict=False
    ):
        if start == end:
            continue
        own = used[start:end] - first
        values, at = each.shown_of(cells, own)
        number, remarks = np.arange(len(own)) if at is None else at, odd[own]
        if at is not None:
            values, number, remarks = _apart(values, at, remarks)
        shown.append(Shown(each, values, remarks))
        number_of[used[start:end]] = count + number
        count += len(values)
    return shown, number_of[value]


def _apart(values: Sequence[Cell], at: Ints, odd: Mask) -> tuple[Sequence[Cell], Ints, Mask]:
    """Return values, the place of each that is shown, and whether there is a remark about it.

    A value stands there twice where there is a remark about some of those that are shown so; of
    what is not known none is made.
    """
    if not odd.any():
        return values, at, np.zeros(len(values), dtype=np.bool_)
    known = np.array([value is not None for value in values])
    keys, number = np.unique(2 * at + (odd & known[at]), return_inverse=True)
    return [values[i] for i in (keys // 2).tolist()], number, keys % 2 == 1
