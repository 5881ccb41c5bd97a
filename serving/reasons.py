"""Why a lead scores as it does: contributions gathered by field, in words, adding up."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np

from features.encoder import Encoder, FieldEncoder, Matrix
from features.leads import Leads

Explained = tuple[tuple["Reason", ...], float, float]
"""The reasons, the base and the rest; all log-odds together make the score."""


class Reason(NamedTuple):
    """What one field of the lead does to its odds, against the average lead."""

    field: str
    value: str | None
    direction: Literal["up", "down"]
    log_odds: float
    text: str


def explain(
    encoder: Encoder, leads: Leads, parts: Matrix, log_odds: list[float], most: int
) -> Iterator[Explained]:
    """Yield the reasons of each lead, strongest first.

    Args:
        encoder: says which columns belong to which field.
        leads: the leads, for the values shown.
        parts: contributions, shape (leads, columns + 1), the base last.
        log_odds: the score itself; the rest is what makes the sum exact.
        most: how many reasons at most.

    """
    by_field = _by_field(encoder, parts)
    bases = parts[:, -1].tolist()
    # Ties are broken by the order of the fields, so that equal leads get equal reasons.
    order = np.argsort(-np.abs(by_field), axis=1, kind="stable")[:, :most].tolist()
    effects = by_field.tolist()
    for row, top in enumerate(order):
        reasons = tuple(
            _reason(encoder.fields[i], leads, row, effects[row][i]) for i in top if effects[row][i]
        )
        rest = log_odds[row] - bases[row] - math.fsum(r.log_odds for r in reasons)
        yield reasons, bases[row], rest


def _by_field(encoder: Encoder, parts: Matrix) -> Matrix:
    gathered = np.zeros((len(parts), len(encoder.fields)))
    at = 0
    for i, field in enumerate(encoder.fields):
        width = len(field.columns)
        for column in range(at, at + width):
            gathered[:, i] += parts[:, column]
        at += width
    return gathered


def _reason(field: FieldEncoder, leads: Leads, row: int, effect: float) -> Reason:
    column = leads.columns.get(field.field)
    value = field.shown(column[row]) if column else None
    direction: Literal["up", "down"] = "up" if effect > 0 else "down"
    return Reason(field.field, value, direction, effect, _text(field.field, value, effect))


def _text(field: str, value: str | None, effect: float) -> str:
    what = f"{field} is not known" if value is None else f"{field} is {value}"
    verb = "raises" if effect > 0 else "lowers"
    return f"{what}: {verb} the odds {_times(math.exp(abs(effect)))}"


def _times(factor: float) -> str:
    if factor < 1.05:
        return "slightly"
    return f"{factor:.1f} times" if factor < 10 else f"{factor:.0f} times"
