"""Why a lead scores as it does: contributions gathered by field, in words, adding up.

Many leads get their reasons in columns (`serving/columns.py`), a lead alone at once (`explain`);
both say what `what_is` and `effect_words` say, and order reasons alike.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from functools import cache
from typing import Any, Literal, NamedTuple

import numpy as np

from features.cells import Cell
from features.encoder import Encoder, FieldEncoder
from features.leads import Lead
from serving.kernel import Sums

MATTERS = 0.1
"""Log-odds from which on a missing field is worth a word."""
MISSED = "is missing and would have mattered"
NOT_KNOWN, RARE = "is not known", " (rare or new)"
"""Said of a value that is missing, and of one about which there is a remark."""
_LARGEST = 1_000
"""Factor beyond which it is not told how large it is."""
FACTOR_ENDS = np.log((np.arange(10, 10 * _LARGEST) + 0.5) / 10)
"""Log-odds at which a factor, told with one decimal, becomes the next: 1.0, 1.1, 1.2, ..."""
_FACTOR_ENDS = FACTOR_ENDS.tolist()
_KINDS = 1 << 13
"""Kinds of reasons that are kept at most."""

Direction = Literal["up", "down"]


class Reason(NamedTuple):
    """What one field of the lead does to its odds, against the average lead."""

    field: str
    value: str | None
    direction: Direction
    log_odds: float
    text: str


class ReasonKind(NamedTuple):
    """A reason but for its log-odds."""

    field: str
    value: str | None
    direction: Direction
    text: str

    @classmethod
    def of(cls, field: str, value: str | None, words: str, place: int, raises: bool) -> ReasonKind:
        """Put a reason into words.

        Args:
            field: its name.
            value: of the field, as it is shown.
            words: that say both, see `what_is`.
            place: see `effect_words`.
            raises: whether it raises the odds.

        """
        text = f"{words}: {effect_words(place, raises)}"
        return cls(field, value, "up" if raises else "down", text)


class Explained(NamedTuple):
    """Why a lead scores as it does; reasons, base and rest together make the score."""

    kinds: Sequence[ReasonKind] = ()
    """Of the reasons, strongest first."""
    effects: Sequence[float] = ()
    """The log-odds of each."""
    base: float | None = None
    rest: float | None = None
    missed: Sequence[str] = ()
    """Fields that are missing and would have mattered."""

    def reasons(self) -> Iterator[Reason]:
        """Yield the reasons."""
        for kind, effect in zip(self.kinds, self.effects, strict=True):
            yield Reason(kind.field, kind.value, kind.direction, effect, kind.text)


NOTHING = Explained()
"""Where no reasons were asked for."""


class Words:
    """Puts the values of fields into words; threads may share it.

    Of cells whose codes the encoder keeps, the kinds are kept as well.
    """

    def __init__(self, encoder: Encoder) -> None:
        self.names = [field.field for field in encoder.fields]
        self.known: dict[tuple[int, Cell, int], ReasonKind] = {}
        """By the place of the field, its cell, and the place of the effect (inverted where it
        lowers the odds): kinds of reasons about which nothing is odd."""
        self._encoder = encoder

    def kind(self, key: tuple[int, Cell, int], is_odd: bool) -> ReasonKind:
        """Return what is said of a cell and its effect; `known` says what the key is."""
        place, cell, effect = key
        field = self._encoder.fields[place]
        what = what_is(field, cell, None if cell is None else field.reader(cell), is_odd)
        raises = effect >= 0
        at = effect if raises else ~effect
        found = ReasonKind.of(field.field, *what, at, raises)
        if self._encoder.keeps(place, cell):
            if len(self.known) >= _KINDS:
                self.known.clear()
            self.known[key] = found
        return found


def explain(words: Words, lead: Lead, odd: Collection[str], sums: Sums) -> Explained:
    """Return the reasons of a lead that is alone, strongest first.

    Args:
        words: of the encoder whose fields have the effects.
        lead: for the values shown.
        odd: the fields about whose cells there is a remark.
        sums: the score itself, and the strongest of the parts that fields have in it.

    """
    names, known, cell_of = words.names, words.known.get, lead.cells.get
    kinds, rest = [], sums.log_odds - sums.base
    for place, effect in zip(sums.order, sums.effects, strict=True):
        if not effect:
            break
        name = names[place]
        at = bisect_right(_FACTOR_ENDS, abs(effect))
        key = place, cell_of(name), at if effect > 0 else ~at
        kinds.append(known(key) or words.kind(key, name in odd))
        rest -= effect
    missed = [names[place] for place in sums.notable if cell_of(names[place]) is None]
    return Explained(kinds, sums.effects[: len(kinds)], sums.base, rest, missed)


def what_is(field: FieldEncoder, cell: Cell, read: Any, is_odd: bool) -> tuple[str | None, str]:
    """Return the value of a field as it is shown, and the words that say it.

    Args:
        field: the field.
        cell: its cell.
        read: what the field's reader made of it, None for a missing one.
        is_odd: whether there is a remark about it.

    """
    value = None if cell is None else field.shows(cell, read)
    return value, words_of(field, value, is_odd)


def words_of(field: FieldEncoder, value: str | None, is_odd: bool) -> str:
    """Return the words that say the value of a field, as it is shown."""
    if value is None:
        return f"{field.field} {NOT_KNOWN}"
    return f"{field.field} {field.verb} {value}{RARE if is_odd else ''}"


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
