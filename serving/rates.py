"""Shares with their intervals: how far chance alone may have moved them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

LEVEL = 0.95
"""Of every interval that is shown, if not said otherwise."""


@dataclass(frozen=True)
class Interval:
    """A figure, with the lower and the upper end of its interval, of 95 % if not said otherwise."""

    value: float
    low: float
    high: float


def wilson(won: float, rows: float, level: float = LEVEL) -> Interval:
    """Return the interval of a rate (Wilson 1927, J. Am. Stat. Assoc. 22); rows must be positive.

    >>> i = wilson(8, 20)
    >>> round(i.low, 3), round(i.high, 3)
    (0.219, 0.613)
    """
    z = NormalDist().inv_cdf(0.5 + level / 2)
    rate, zz = min(won / rows, 1.0), z**2
    middle = (rate + zz / (2 * rows)) / (1 + zz / rows)
    reach = z / (1 + zz / rows) * math.sqrt(rate * (1 - rate) / rows + zz / (4 * rows**2))
    # A rate of 0 or 1 is an end of its interval; rounding must not leave it outside.
    low, high = min(middle - reach, rate), max(middle + reach, rate)
    return Interval(rate, max(low, 0.0), min(high, 1.0))


def difference_of_rates(a: Interval, b: Interval) -> Interval:
    """Return a − b with its interval, from two intervals by `wilson` (Newcombe 1998, method 10)."""
    d = a.value - b.value
    low = d - math.hypot(a.value - a.low, b.high - b.value)
    high = d + math.hypot(a.high - a.value, b.value - b.low)
    return Interval(d, low, high)
