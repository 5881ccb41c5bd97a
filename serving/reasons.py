"""Why a lead scores as it does: contributions gathered by field, in words, adding up."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np

from features.cells import Cell
from features.encoder import Encoder, FieldEncoder, Matrix
from features.leads import Leads

_MATTERS = 0.1
"""Log-odds from which on a missing field is worth a word."""


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


def explain(
    encoder: Encoder,
    leads: Leads,
    parts: Matrix,
    log_odds: list[float],
    most: int,
) -> Iterator[Explained]:
    """Yield the reasons of each lead, strongest first.

    Args:
        encoder: says which columns belong to which field.
        leads: the leads, for the values shown.
        parts: contributions, shape (leads, columns + 1), the base last.
        log_odds: the score itself; the rest is what makes the sum exact.
        most: how many reasons at most.

    """
    gathered = by_field(encoder, parts)
    bases = parts[:, -1].tolist()
    columns = [leads.column(field.field) for field in encoder.fields]
    # Ties are broken by the order of the fields, so that equal leads get equal reasons.
    order = np.argsort(-np.abs(gathered), axis=1, kind="stable")[:, :most].tolist()
    matters = np.abs(gathered) >= _MATTERS
    effects = gathered.tolist()
    for row, top in enumerate(order):
        reasons = tuple(
            _reason(encoder.fields[i], columns[i][row], effects[row][i])
            for i in top
            if effects[row][i]
        )
        rest = log_odds[row] - bases[row] - math.fsum(r.log_odds for r in reasons)
        names = tuple(
            encoder.fields[i].field for i in np.flatnonzero(matters[row]) if columns[i][row] is None
        )
        yield Explained(reasons, bases[row], rest, names)


def by_field(encoder: Encoder, parts: Matrix) -> Matrix:
    """Gather the contributions of columns by field, shape (leads, fields); the base is left out."""
    return np.add.reduceat(parts[:, :-1], encoder.starts, axis=1)


def _reason(field: FieldEncoder, cell: Cell, effect: float) -> Reason:
    value = field.shown(cell)
    direction: Literal["up", "down"] = "up" if effect > 0 else "down"
    seldom = value is not None and field.remark(cell)
    text = f"{_what(field, value)}{' (rare or new)' if seldom else ''}: {_effect(effect)}"
    return Reason(field.field, value, direction, effect, text)


def _what(field: FieldEncoder, value: str | None) -> str:
    if value is None:
        return f"{field.field} is not known"
    return f"{field.field} {field.verb} {value}"


def _effect(effect: float) -> str:
    verb, factor = "raises" if effect > 0 else "lowers", math.exp(abs(effect))
    if factor < 1.05:
        return f"{verb} the odds slightly"
    return f"{verb} the odds by a factor of {factor:.1f}"
