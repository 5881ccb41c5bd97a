"""Later rows by campaign, by any field, by grade: what was said of them and what became of them.

Categories of few rows are never named: they stand together as `smaller ones`, and are left out
where even together they are fewer than ten.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from serving.members import Mask, Vector
from serving.rates import LEVEL, Interval, difference_of_rates, wilson
from training.intervals import benjamini_hochberg, cluster_codes, rate_of, sum_test
from training.judged import Judged, groups
from training.ranking import auc_interval
from training.splits import Rows

SMALLER = "smaller ones"
FALSE_ALARMS = 0.05
"""Share of false alarms among all that are raised."""
_FEWEST_ROWS = 20
_FEWEST_WON = 5
_FEWEST_TOGETHER = 10
_MOST = 40
"""Categories of a field that stand by name; the largest ones."""
Enough = Callable[[Rows], bool]
Wins = Literal["fewer", "more", "not shown"]
Order = Literal["kept", "not shown", "reversed"]


@dataclass(frozen=True)
class Campaign:
    """Wins of a campaign, expected and actual."""

    name: str
    rows: int
    won: int
    expected: float
    low: int
    high: int
    """The middle 95 % of the number of wins if the model is right."""
    q: float
    """Share of false alarms if this one and all odder ones are raised."""
    wins: Wins
    """Against what was expected, once it is counted how many campaigns were looked at."""


@dataclass(frozen=True)
class Segment:
    """One category of a field."""

    name: str
    rows: int
    won: int
    auc: Interval | None
    """None with fewer than 5 of either outcome, or one probability: there is no order to judge."""
    predicted: float
    actual: Interval


@dataclass(frozen=True)
class Grade:
    """One grade on later rows."""

    name: str
    rows: int
    won: int
    predicted: float
    actual: Interval
    share_before: Interval | None
    share_after: Interval | None
    """Share of the rows with this grade in the earlier and the later half of the judged time.

    The intervals hold for all grades together.
    """


@dataclass(frozen=True)
class Grades:
    """All grades from best to worst, and whether neighbours keep their order."""

    rows: tuple[Grade, ...]
    order: tuple[tuple[str, str, Interval, Order], ...]
    """Better grade, worse grade, difference of their win rates, what that shows."""


def by_campaign(judged: Judged) -> tuple[Campaign, ...]:
    """Hold each campaign's wins against the sum of its probabilities; the largest first.

    Every row counts once, whatever its weight. The interval widens by the model's stated errors
    (taken as one direction within a campaign, which is careful) and by what rows of a cluster
    have in common. Alarms by Benjamini and Hochberg over all campaigns.
    """
    if judged.campaign is None:
        return ()
    parts = _pooled(groups(judged.campaign), lambda rows: len(rows) >= _FEWEST_ROWS)
    common = _in_common(judged)
    tests = {
        name: sum_test(
            judged.probability[rows], int(judged.y[rows].sum()), _extra(judged, rows, common)
        )
        for name, rows in parts.items()
    }
    if not tests:
        return ()
    q = benjamini_hochberg(np.array([test.p for test in tests.values()]))
    found = []
    for (name, test), share in zip(tests.items(), q.tolist(), strict=True):
        won = int(judged.y[parts[name]].sum())
        wins: Wins = "not shown"
        if share <= FALSE_ALARMS:
            wins = "more" if won > test.expected else "fewer"
        found.append(
            Campaign(name, len(parts[name]), won, test.expected, test.low, test.high, share, wins)
        )
    return tuple(found)


def by_segment(judged: Judged) -> Mapping[str, tuple[Segment, ...]]:
    """Return the categories of each field in `judged.segments`, the largest first.

    A field of which no category is large enough says nothing beyond all leads, and is left out.
    """
    parts = {
        field: _pooled(groups(names), _judgeable(judged))
        for field, names in judged.segments.items()
    }
    return {
        field: tuple(_segment(judged, name, rows) for name, rows in found.items())
        for field, found in parts.items()
        if found.keys() - {SMALLER}
    }


def by_grade(judged: Judged) -> Grades | None:
    """Return what became of each grade, and whether better grades win more often."""
    if judged.grades is None:
        return None
    parts = dict(sorted(groups(judged.grades).items()))
    before = _first_half(judged.place)
    found = []
    for name, rows in parts.items():
        won, weights = judged.y[rows], judged.weights[rows]
        predicted = float(np.average(judged.probability[rows], weights=weights))
        # Every grade is looked at, so each has its part of the error (Bonferroni).
        shares = _shares(rows, before, judged.place, 1 - (1 - LEVEL) / len(parts))
        found.append(
            Grade(name, len(rows), int(won.sum()), predicted, rate_of(won, weights), *shares)
        )
    order = [(a.name, b.name, *_order(a, b)) for a, b in pairwise(found)]
    return Grades(tuple(found), tuple(order))


def _pooled(parts: dict[str, Rows], enough: Enough) -> dict[str, Rows]:
    """Return the categories of which there is enough, the largest first, then the others as one.

    Fewer than ten leads are left out even together: they would tell of single persons.
    """
    order = sorted(parts.items(), key=lambda part: (-len(part[1]), part[0]))
    named = dict([part for part in order if enough(part[1])][:_MOST])
    others = np.array([row for name, rows in order if name not in named for row in rows], np.intp)
    return {**named, SMALLER: np.sort(others)} if len(others) >= _FEWEST_TOGETHER else named


def _judgeable(judged: Judged) -> Enough:
    def enough(rows: Rows) -> bool:
        # By expected wins: pooling those with few actual ones would pool bad luck.
        expected = float(judged.probability[rows].sum())
        return len(rows) >= _FEWEST_ROWS and expected >= _FEWEST_WON

    return enough


def _segment(judged: Judged, name: str, rows: Rows) -> Segment:
    y, probability, weights = judged.y[rows], judged.probability[rows], judged.weights[rows]
    won = int(y.sum())
    both = min(won, len(rows) - won) >= _FEWEST_WON and np.ptp(probability) > 0
    return Segment(
        name,
        len(rows),
        won,
        auc_interval(y, probability) if both else None,
        float(np.average(probability, weights=weights)),
        rate_of(y, weights),
    )


def _in_common(judged: Judged) -> float:
    """Return by how much clusters widen the variance of a sum of wins, 1 at the least.

    Sum over clusters of the squared sum of what the model did not say, by its value for
    independent rows (the design effect; Kish 1965).
    """
    unit, units = cluster_codes(judged)
    variance = judged.probability * (1 - judged.probability)
    if units == len(judged.y) or variance.sum() == 0:
        return 1.0
    left = judged.y - judged.probability
    sums = np.bincount(unit, left - left.mean(), minlength=units)
    return max(1.0, float((sums**2).sum() / variance.sum()))


def _extra(judged: Judged, rows: Rows, common: float) -> float:
    variance = judged.probability[rows] * (1 - judged.probability[rows])
    stated = 0.0 if judged.spread is None else float((variance * judged.spread[rows]).sum())
    return float(np.sqrt((common - 1) * variance.sum() + stated**2))


def _first_half(place: Vector | None) -> Mask | None:
    known = None if place is None else place[np.isfinite(place)]
    if place is None or known is None or len(np.unique(known)) < 2:
        return None
    before = np.asarray(place < np.median(known))
    return before if before.any() else None


def _shares(
    rows: Rows, before: Mask | None, place: Vector | None, level: float
) -> tuple[Interval, Interval] | tuple[None, None]:
    if before is None or place is None:
        return None, None
    after = np.isfinite(place) & ~before
    return (
        wilson(float(before[rows].sum()), float(before.sum()), level),
        wilson(float(after[rows].sum()), float(after.sum()), level),
    )


def _order(better: Grade, worse: Grade) -> tuple[Interval, Order]:
    apart = difference_of_rates(better.actual, worse.actual)
    if apart.low > 0:
        return apart, "kept"
    return apart, "reversed" if apart.high < 0 else "not shown"
