"""Why a lead scores as it does: contributions gathered by field, in words, adding up.

Many leads get their reasons in columns (`serving/columns.py`), a lead alone at once (`explain`);
both say what `what_is` and `effect_words` say, and order reasons alike.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable
from functools import cache
from itertools import takewhile
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from features.cells import Cell
from features.encoder import Encoder, FieldEncoder, Matrix
from features.leads import Lead
from serving.kernel import Sums

T = TypeVar("T", float, npt.NDArray[np.float64])
MATTERS = 0.1
"""Log-odds from which on a missing field is worth a word."""
MISSED = "is missing and would have mattered"
_LARGEST = 1_000
"""Factor beyond which it is not told how large it is."""
FACTOR_ENDS = np.log((np.arange(10, 10 * _LARGEST) + 0.5) / 10)
"""Log-odds at which a factor, told with one decimal, becomes the next: 1.0, 1.1, 1.2, ..."""
_FACTOR_ENDS = FACTOR_ENDS.tolist()


class Reason(NamedTuple):
    """What one field of the lead does to its odds, against the average lead."""

    field: str
    value: str | None
    direction: Literal["up", "down"]
    log_odds: float
    text: str


class Explained(NamedTuple):
    """Why a lead scores as it does; reasons, base and rest together make the score."""

    reasons: tuple[Reason, ...] = ()
    base: float | None = None
    rest: float | None = None
    missed: tuple[str, ...] = ()
    """Fields that are missing and would have mattered."""


def explain(encoder: Encoder, lead: Lead, odd: Collection[str], sums: Sums, most: int) -> Explained:
    """Return the reasons of a lead that is alone, strongest first.

    Args:
        encoder: its fields are the groups of `sums`.
        lead: for the values shown.
        odd: the fields about whose cells there is a remark.
        sums: the score itself, and each field's part of it.
        most: how many reasons at most.

    """
    effects, cells, fields = sums.effects, lead.cells, encoder.fields
    strengths = list(map(abs, effects))
    # Ties stay in the order of the fields, so that equal leads get equal reasons.
    order = sorted(range(len(effects)), key=strengths.__getitem__, reverse=True)
    reasons = tuple(
        _reason(fields[i], cells.get(fields[i].field), fields[i].field in odd, effects[i])
        for i in order[:most]
        if effects[i]
    )
    strong = sorted(takewhile(lambda i: strengths[i] >= MATTERS, order))
    missed = tuple(fields[i].field for i in strong if cells.get(fields[i].field) is None)
    rest = rest_of(sums.log_odds, sums.base, [reason.log_odds for reason in reasons])
    return Explained(reasons, sums.base, rest, missed)


def by_field(encoder: Encoder, parts: Matrix) -> Matrix:
    """Gather the contributions of columns by field, shape (leads, fields); the base is left out."""
    return np.add.reduceat(parts[:, :-1], encoder.starts, axis=1)


def rest_of(log_odds: T, base: float, effects: Iterable[T]) -> T:
    """Return what the fields beyond the reasons add up to, of one lead or, in columns, of many."""
    rest = log_odds - base
    for effect in effects:
        rest = rest - effect
    return rest


def _reason(field: FieldEncoder, cell: Cell, is_odd: bool, effect: float) -> Reason:
    read = None if cell is None else field.reader(cell)
    value, what = what_is(field, cell, read, is_odd)
    place = bisect_right(_FACTOR_ENDS, abs(effect))
    text = f"{what}: {effect_words(place, effect > 0)}"
    return Reason(field.field, value, "up" if effect > 0 else "down", effect, text)


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
