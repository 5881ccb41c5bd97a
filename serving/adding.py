"""How a score adds up, in percentage points: what anybody can add in their head.

Log-odds add up exactly, but nobody reads them. So each part gets its share of the way from an
average lead to this one: its log-odds times the mean slope of the probability between the two.
That is the integrated gradient along the straight way (Sundararajan et al. 2017, ICML; the
division of Aumann and Shapley 1974): the shares are exact, keep sign and order, and no order of the
parts comes first.
"""

from __future__ import annotations

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
    reasons = tuple(round(100 * reason.log_odds * slope, 1) for reason in score.reasons)
    return Adding(average, reasons, round(whole - average - sum(reasons), 1), whole)


def moved_by(change: Change, log_odds: float) -> float:
    """Return the part of a change of probability that these log-odds make, in percent."""
    before, after = change.earlier.probability, change.later.probability
    return 100 * log_odds * mean_slope(before, after, change.log_odds)


def mean_slope(before: float, after: float, way: float) -> float:
    """Return how much a probability rises for each log-odds, on a way of so many."""
    return before * (1 - before) if abs(way) < _SAME else (after - before) / way


def points(percent: float) -> str:
    """Show percentage points with their sign, such as +3.2 or −0.4."""
    return f"{percent:+.1f}".replace("-", "−").replace("−0.0", "+0.0")
