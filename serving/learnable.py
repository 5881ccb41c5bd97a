"""What would most change a lead's score among the things that nobody knows of it yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from features.cells import Cell
from features.leads import Faults
from serving.artefact import LoadedModel, leads_of_records
from serving.members import Vector
from serving.scorer import sigmoid

_USUAL = 0.02
"""Share of leads from which on a category is usual enough to be asked for."""
_MATTERS = 0.01
"""Difference in probability below which an answer is not worth a question."""


@dataclass(frozen=True)
class Learnable:
    """A field of which nothing is known, and what the score could become."""

    field: str
    low: float
    """The lowest probability among the usual answers."""
    if_low: str
    """The answer that gives it."""
    high: float
    if_high: str


def learnable(
    model: LoadedModel, id_: str, known: Mapping[str, Cell], most: int = 5
) -> list[Learnable]:
    """Return the missing fields that would move the score most, the strongest first.

    Each is tried with the answers that were usual in training: categories that at least one lead
    in fifty has, or the lowest, the middle and the highest tenth of a number. The other fields stay
    as they are. Fields of several columns (dates, texts, lists) are left out.

    Args:
        model: that scores.
        id_: of the lead.
        known: what is known of it.
        most: fields at most.

    """
    scorer, faults = model.artefact.scorer, Faults()
    record = {**known, scorer.agreement.columns.id: id_}
    leads = leads_of_records([record], scorer, faults)
    if faults:
        return []
    encoder = scorer.encoder
    row = encoder.encode(leads)[0]
    tried: list[tuple[str, str]] = []
    rows: list[Vector] = []
    for field, column in _lacking(encoder, leads):
        answers = _answers(encoder.columns[column], model.artefact.reference)
        for code, shown in answers:
            variant = row.copy()
            variant[column] = code
            rows.append(variant)
            tried.append((field, shown))
    if not rows:
        return []
    chances = [sigmoid(z) for z in scorer.blend.log_odds(np.array(rows)).tolist()]
    found: dict[str, list[tuple[float, str]]] = {}
    for (field, shown), chance in zip(tried, chances, strict=True):
        found.setdefault(field, []).append((chance, shown))
    ranges = [_range(field, answers) for field, answers in found.items()]
    worth = [one for one in ranges if one.high - one.low >= _MATTERS]
    return sorted(worth, key=lambda one: (one.low - one.high, one.field))[:most]


def _lacking(encoder: Any, leads: Any) -> Iterator[tuple[str, int]]:
    """Yield the fields of one column of which nothing is known, each with its column."""
    ends = encoder.bounds.tolist()
    for field, (start, end) in zip(encoder.fields, pairwise(ends), strict=True):
        if end - start == 1 and leads.column(field.field)[0] is None:
            yield field.field, int(start)


def _answers(column: Any, reference: Mapping[str, Any]) -> list[tuple[float, str]]:
    """Return the usual values of a column as the model reads them, and as they are said.

    Code 0 stands for what is rare or unseen.
    """
    told = reference.get(column.name, {})
    if column.levels is not None:
        shares = told.get("shares", ())
        return [
            (float(code), level)
            for code, (level, share) in enumerate(zip(column.levels, shares, strict=False))
            if code and share >= _USUAL
        ]
    deciles = told.get("deciles") or ()
    return [
        (value, f"{float(f'{value:.4g}'):,.12g}")
        for value in dict.fromkeys((*deciles[:1], *deciles[4:9:4]))
    ]


def _range(field: str, answers: list[tuple[float, str]]) -> Learnable:
    (low, if_low), (high, if_high) = min(answers), max(answers)
    return Learnable(field, low, if_low, high, if_high)
