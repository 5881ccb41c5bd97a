"""What is kept of the training data in an artefact: nothing that could be a person's.

Golden rows are composed field by field from quantiles and frequent categories, never copied; the
reference keeps shares by category and by quantile.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from features.agreement import Agreement
from features.encoder import (
    MIN_COUNT,
    CategoryEncoder,
    DateEncoder,
    Encoder,
    FieldEncoder,
    Matrix,
    TokensEncoder,
)
from features.points import PointsEncoder

ROWS = 8
_FEWEST = 10 * MIN_COUNT
"""Filled cells below which a quantile would be that of a few persons."""
_CREATED = datetime(2026, 1, 15, 9, 30)
_CONTACT = {
    "email": {"free": "someone@gmail.com", "company": "someone@example.com",
              "academic": "someone@example.edu", "government": "someone@example.gov"},
    "phone": {"national": "030 1234567"},
}  # fmt: skip


def golden_rows(
    encoder: Encoder, matrix: Matrix, agreement: Agreement
) -> tuple[dict[str, Any], ...]:
    """Return synthetic leads as raw values, one in each row with something missing or unseen."""
    at = 0
    values: dict[str, list[Any]] = {}
    for field in encoder.fields:
        values[field.field] = _values(field, matrix[:, at])
        at += len(field.columns)
    return tuple(_row(i, values, agreement) for i in range(ROWS))


def _row(i: int, values: dict[str, list[Any]], agreement: Agreement) -> dict[str, Any]:
    row: dict[str, Any] = {agreement.columns.id: f"golden-{i}"}
    if agreement.columns.created:
        row[agreement.columns.created] = (_CREATED + timedelta(days=7 * i)).isoformat()
    for shift, (name, choices) in enumerate(values.items()):
        # The shift mixes the fields, so that no row is the k-th most common of everything.
        row[name] = choices[(i + shift) % len(choices)]
    return row


def _values(field: FieldEncoder, column: Any) -> list[Any]:
    if isinstance(field, CategoryEncoder):
        contact = _CONTACT.get(field.derived)
        levels = list(field.levels[:5])
        if contact is not None:
            levels = [contact[level] for level in levels if level in contact]
        return [*levels, "a value never seen", None]
    if isinstance(field, TokensEncoder):
        separator = field.separator or " "
        return [*field.tokens[:3], separator.join(field.tokens[:2]) or None, None]
    if isinstance(field, PointsEncoder):
        return [*field.examples, "a value never seen", None]
    points = _quantiles(column)
    if isinstance(field, DateEncoder):
        days = [(_CREATED + timedelta(days=point)).isoformat() for point in points]
        return [*days, None]
    return [*points, None]


def _quantiles(column: Any, shares: Sequence[float] = (0.1, 0.35, 0.65, 0.9)) -> list[float]:
    """Return the values at shares of a column; none that fewer than `MIN_COUNT` leads have.

    A number may be that of a patient or a passport. Where `MIN_COUNT` neighbours are not all the
    same, their mean stands for them.
    """
    ordered = np.sort(column[~np.isnan(column)])
    if len(ordered) < _FEWEST:
        return []
    places = (round(share * (len(ordered) - 1)) - MIN_COUNT // 2 for share in shares)
    alike = [ordered[place : place + MIN_COUNT] for place in places]
    return [float(a[0] if a[0] == a[-1] else a.mean()) for a in alike]


def reference(encoder: Encoder, matrix: Matrix) -> dict[str, Any]:
    """Return how each column was distributed: shares by code, or of missing and by decile."""
    return {
        column.name: _distribution(column.levels, matrix[:, i])
        for i, column in enumerate(encoder.columns)
    }


def score_reference(probability: Any) -> dict[str, Any]:
    """Return how scores of leads were distributed that the judged fit had not seen."""
    return _distribution(None, np.asarray(probability, dtype=np.float64))


def _distribution(levels: tuple[str, ...] | None, column: Any) -> dict[str, Any]:
    missing = float(np.isnan(column).mean())
    if levels is not None:
        filled = column[~np.isnan(column)]
        counts = np.bincount(filled.astype(int), minlength=len(levels))
        return {"missing": missing, "shares": (counts / max(len(column), 1)).tolist()}
    return {"missing": missing, "deciles": _quantiles(column, np.linspace(0.1, 0.9, 9).tolist())}
