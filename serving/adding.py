"""How a score adds up, in percentage points: what anybody can add in their head.

Log-odds add up exactly, but nobody reads them. So each part gets its share of the way from an
average lead to this one: its log-odds times the mean slope of the probability between the two.
That is the integrated gradient along the straight way (Sundararajan et al. 2017, ICML; the
division of Aumann and Shapley 1974): the shares are exact, keep sign and order, and no order of the
parts comes first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from serving.scorer import Score, sigmoid
from serving.why import Change

_SAME = 1e-9


class Adding(NamedTuple):
    """From an average lead to this one, in percent; what is shown adds up to the decimal."""

    average: float
    reasons: tuple[float, ...]
    rest: float
    whole: float


def adding(score: Score) -> Adding | None:
    """Say how a score adds up, in percent rounded to one decimal; None for one without reasons."""
    if score.base_log_odds is None or score.rest_log_odds is None:
        return None
    before, way = sigmoid(score.base_log_odds), sum(reason.log_odds for reason in score.reasons)
    slope = mean_slope(before, score.probability, way + score.rest_log_odds)
    average, whole = round(100 * before, 1), round(100 * score.probability, 1)
    parts = [*(reason.log_odds for reason in score.reasons), score.rest_log_odds]
    tenths = _rounded([1000 * part * slope for part in parts], round(10 * (whole - average)))
    *reasons, rest = (part / 10 for part in tenths)
    return Adding(average, tuple(reasons), rest, whole)


def _rounded(parts: Sequence[float], whole: int) -> list[int]:
    """Round parts up or down so that they add up to a whole, which is less than 1 off their sum.

    The method of the largest remainder (Hamilton's): all are rounded down, and those that lose most
    by it are rounded up. So no part moves by 1 or changes its sign; of equal ones the last goes up.
    """
    down = [math.floor(part) for part in parts]
    by_loss = sorted(range(len(parts)), key=lambda at: (parts[at] - down[at], at), reverse=True)
    # Nothing is left for each, but for a last bit where a sum stands on a half.
    each, more = divmod(whole - sum(down), len(parts))
    up = set(by_loss[:more])
    return [part + each + (at in up) for at, part in enumerate(down)]


def moved_by(change: Change, log_odds: float) -> float:
    """Return the part of a change of probability that these log-odds make, in percent."""
    before, after = change.earlier.probability, change.later.probability
    return 100 * log_odds * mean_slope(before, after, change.log_odds)


def mean_slope(before: float, after: float, way: float) -> float:
    """Return how much a probability rises for each log-odds, on a way of so many."""
    return before * (1 - before) if abs(way) < _SAME else (after - before) / way
