"""A proposal of points: the few values and ranges that are clearly better or worse than average.

Looked at are, for each used field, the frequent categories or options, the lowest and the highest
numbers, and whether the field is filled. Kept is what differs from the rest of the leads by more
than chance explains, allowing for how many were looked at (Bonferroni); then all kept rules are
weighed together by a ridge regression, so that fields which say the same share their points.

Only earlier leads are looked at: later ones stay fresh to judge rules and models by.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression

from features.agreement import Agreement, FieldUse, PointsRule
from features.encoder import MIN_COUNT, CategoryEncoder, Encoder, TokensEncoder
from features.leads import Leads
from serving.members import Mask, Vector
from training.labels import Labelled, Labels
from training.points import POINT
from training.splits import split

MOST_RULES = 20
_MOST_A_FIELD = 4
_MOST_ROWS = 50_000
_STEP = 5
_LIMIT = 40
_LEVEL = 0.05
# Quantiles at which the lowest and the highest numbers may be marked off.
_LOW = (0.1, 0.2, 0.3, 0.4, 0.5)
_HIGH = (0.5, 0.6, 0.7, 0.8, 0.9)
_RIDGE = 1.0
_SAME = 0.98
"""Two conditions that agree on so many leads, or on so few, say the same."""


@dataclass(frozen=True)
class _Candidate:
    """A condition on one field and the leads of which it holds."""

    field: str
    group: str
    """Of the candidates of one group the clearest counts."""
    condition: dict[str, Any]
    holds: Mask


def propose_points(labelled: Labelled, agreement: Agreement, seed: int = 0) -> list[PointsRule]:
    """Return at most `MOST_RULES` rules, by field in the order of the agreement, strongest first.

    None are proposed where fewer than `MIN_COUNT` of the earlier leads were won or not won. No
    rule names a category, or marks off a range, that fewer than `MIN_COUNT` leads have.

    Args:
        labelled: leads with outcomes.
        agreement: which fields may be used, and how they are read.
        seed: tells earlier from later leads where nothing orders them; give the one to train by.

    """
    if _fewest(labelled.labels) < 2 * MIN_COUNT:
        return []
    rows = split(labelled.history, labelled.labels, agreement, seed).earlier
    rows = rows[:: math.ceil(len(rows) / _MOST_ROWS)] if len(rows) else rows
    labels = labelled.labels[rows]
    if _fewest(labels) < MIN_COUNT:
        return []
    leads = labelled.history.leads.take(rows)
    looked_at = [
        candidate
        for name, use in agreement.used_fields().items()
        for candidate in _candidates(name, use, leads, agreement)
        if MIN_COUNT <= candidate.holds.sum() <= len(rows) - MIN_COUNT
    ]
    return _weighed(_clear(looked_at, labels), labels)


def _fewest(labels: Labels) -> int:
    return int(min(labels.sum(), len(labels) - labels.sum()))


def _candidates(
    name: str, use: FieldUse, leads: Leads, agreement: Agreement
) -> Iterator[_Candidate]:
    missing = np.array([cell is None for cell in leads.column(name)])
    filled = bool(missing.mean() > 0.5)
    yield _Candidate(name, "filled", {"filled": filled}, ~missing if filled else missing)
    encoder = Encoder.fit(leads, agreement, {name: use})
    matrix = encoder.encode(leads)
    field = encoder.fields[0]
    if isinstance(field, CategoryEncoder):
        for code, level in enumerate(field.levels, 1):
            yield _Candidate(name, level, {"is": [level]}, matrix[:, 0] == code)
    elif isinstance(field, TokensEncoder) and use.kind == "options":
        for column, token in enumerate(field.tokens):
            yield _Candidate(name, token, {"is": [token]}, matrix[:, column] == 1)
    elif use.kind == "number":
        yield from _tails(name, matrix[:, 0])


def _tails(name: str, values: Vector) -> Iterator[_Candidate]:
    known = values[~np.isnan(values)]
    if not len(known):
        return
    for bound in sorted({_plain(q) for q in np.quantile(known, _LOW)}):
        yield _Candidate(name, "at_most", {"at_most": bound}, values <= bound)
    for bound in sorted({_plain(q) for q in np.quantile(known, _HIGH)}):
        yield _Candidate(name, "at_least", {"at_least": bound}, values >= bound)


def _plain(bound: float) -> float:
    """Return a bound as people would write it: small whole numbers, or three figures."""
    if float(bound).is_integer() and abs(bound) < 10_000:
        return float(bound)
    return float(f"{bound:.3g}")


def _clear(looked_at: list[_Candidate], labels: Labels) -> list[_Candidate]:
    """Return the candidates that differ beyond chance, clearest first, none said twice."""
    if not looked_at:
        return []
    distance = [abs(_z(candidate.holds, labels)) for candidate in looked_at]
    enough = float(norm.isf(_LEVEL / 2 / len(looked_at)))
    kept: list[_Candidate] = []
    by_field: Counter[str] = Counter()
    for i in sorted(range(len(looked_at)), key=lambda i: (-distance[i], i)):
        this = looked_at[i]
        if distance[i] < enough or len(kept) == MOST_RULES:
            break
        if by_field[this.field] < _MOST_A_FIELD and not any(_same(this, k) for k in kept):
            kept.append(this)
            by_field[this.field] += 1
    return kept


def _z(holds: Mask, labels: Labels) -> float:
    """Return how many standard errors the log odds lie from those of the other leads.

    One lead of the average kind is added to either side, so that no cell of the table is empty.
    """
    base = float(labels.mean())
    odds, variance = [], 0.0
    for group in (labels[holds], labels[~holds]):
        won, lost = group.sum() + base, len(group) - group.sum() + 1 - base
        odds.append(math.log(won / lost))
        variance += 1 / won + 1 / lost
    return (odds[0] - odds[1]) / math.sqrt(variance)


def _same(one: _Candidate, other: _Candidate) -> bool:
    if (one.field, one.group) == (other.field, other.group):
        return True
    agree = float((one.holds == other.holds).mean())
    return agree > _SAME or agree < 1 - _SAME


def _weighed(kept: list[_Candidate], labels: Labels) -> list[PointsRule]:
    """Return the candidates with the points that a ridge regression on all of them gives."""
    if not kept:
        return []
    design = np.column_stack([candidate.holds for candidate in kept]).astype(np.float64)
    model = LogisticRegression(C=_RIDGE, solver="newton-cholesky").fit(design, labels)
    rules: list[tuple[int, PointsRule]] = []
    fields = list(dict.fromkeys(candidate.field for candidate in kept))
    for candidate, weight in zip(kept, model.coef_[0].tolist(), strict=True):
        points = max(-_LIMIT, min(_LIMIT, _STEP * round(weight / POINT / _STEP)))
        if points * _z(candidate.holds, labels) > 0:
            why = _why(candidate.holds, labels)
            rule = {"field": candidate.field, **candidate.condition, "points": points, "why": why}
            rules.append((fields.index(candidate.field), PointsRule.model_validate(rule)))
    rules.sort(key=lambda at: (at[0], -abs(at[1].points)))
    return [rule for _, rule in rules]


def _why(holds: Mask, labels: Labels) -> str:
    share, base = labels[holds].mean(), labels.mean()
    return f"{share:.0%} of {int(holds.sum()):,} earlier leads were won, {base:.0%} of all"
