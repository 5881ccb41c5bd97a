"""Why a lead scores as it does: contributions gathered by field, in words, adding up.

Many leads get their reasons in columns (`serving/columns.py`), a lead alone at once (`explain`);
both say what `what_is` and `effect_words` say, and order reasons alike.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection
from functools import cache
from typing import Any, Literal, NamedTuple

import numpy as np

from features.cells import Cell
from features.encoder import Encoder, FieldEncoder
from features.fields import KEPT
from features.leads import Lead
from serving.kernel import Sums

MATTERS = 0.1
"""Log-odds from which on a missing field is worth a word."""
MISSED = "is missing and would have mattered"
_LARGEST = 1_000
"""Factor beyond which it is not told how large it is."""
FACTOR_ENDS = np.log((np.arange(10, 10 * _LARGEST) + 0.5) / 10)
"""Log-odds at which a factor, told with one decimal, becomes the next: 1.0, 1.1, 1.2, ..."""
_FACTOR_ENDS = FACTOR_ENDS.tolist()


Direction = Literal["up", "down"]


class Reason(NamedTuple):
    """What one field of the lead does to its odds, against the average lead."""

    field: str
    value: str | None
    direction: Direction
    log_odds: float
    text: str


class Explained(NamedTuple):
    """Why a lead scores as it does; reasons, base and rest together make the score."""

    reasons: tuple[Reason, ...] = ()
    base: float | None = None
    rest: float | None = None
    missed: tuple[str, ...] = ()
    """Fields that are missing and would have mattered."""


class Words:
    """Puts the values of fields into words; threads may share it.

    Of cells whose codes the encoder keeps, the words are kept as well.
    """

    def __init__(self, encoder: Encoder) -> None:
        self.names = [field.field for field in encoder.fields]
        self.known: list[dict[Cell, tuple[str | None, str]]] = [{} for _ in encoder.fields]
        """Of each field, what `what_is` says of cells about which nothing is odd."""
        self._encoder = encoder

    def of(self, place: int, cell: Cell, is_odd: bool) -> tuple[str | None, str]:
        """Return what `what_is` says of a cell of the field at a place."""
        field, known = self._encoder.fields[place], self.known[place]
        found = what_is(field, cell, None if cell is None else field.reader(cell), is_odd)
        if self._encoder.keeps(place, cell):
            if len(known) >= KEPT:
                known.clear()
            known[cell] = found
        return found


def explain(words: Words, lead: Lead, odd: Collection[str], sums: Sums) -> Explained:
    """Return the reasons of a lead that is alone, strongest first.

    Args:
        words: of the encoder whose fields have the effects.
        lead: for the values shown.
        odd: the fields about whose cells there is a remark.
        sums: the score itself, each field's part of it, and which are the strongest.

    """
    effects, names, known, cell_of = sums.effects, words.names, words.known, lead.cells.get
    reasons, rest = [], sums.log_odds - sums.base
    for place in sums.order:
        effect = effects[place]
        if not effect:
            break
        name = names[place]
        cell = cell_of(name)
        value, what = known[place].get(cell) or words.of(place, cell, name in odd)
        by = effect_words(bisect_right(_FACTOR_ENDS, abs(effect)), effect > 0)
        direction: Direction = "up" if effect > 0 else "down"
        reasons.append(Reason(name, value, direction, effect, f"{what}: {by}"))
        rest -= effect
    least = MATTERS
    missed = [
        name
        for name, effect in zip(names, effects, strict=True)
        if not -least < effect < least and cell_of(name) is None
    ]
    return Explained(tuple(reasons), sums.base, rest, tuple(missed))


def what_is(field: FieldEncoder, cell: Cell, read: Any, is_odd: bool) -> tuple[str | None, str]:
    """Return the value of a field as it is shown, and the words that say it.

    Args:
        field: the field.
        cell: its cell.
        read: what the field's reader made of it, None for a missing one.
        is_odd: whether there is a remark about it.

    """
    value = None if cell is None else field.shows(cell, read)
    if value is None:
        return None, f"{field.field} is not known"
    return value, f"{field.field} {field.verb} {value}{' (rare or new)' if is_odd else ''}"


@cache
def effect_words(place: int, raises: bool) -> str:
    """Return the words for an effect on the odds.

    Args:
        place: how many of `FACTOR_ENDS` its log-odds have come to.
        raises: whether it raises the odds.

    """
    verb = "raises" if raises else "lowers"
    if place == 0:
        return f"{verb} the odds slightly"
    if place == len(FACTOR_ENDS):
        return f"{verb} the odds by a factor of more than {_LARGEST:,}"
    return f"{verb} the odds by a factor of {1 + place / 10:.1f}"
