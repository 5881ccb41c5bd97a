"""Intervals of shares, from what they mean and by search."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

Interval = dict[str, float]


def wilson(part: int, whole: int, level: float = 0.95) -> Interval:
    """The shares from which what was found lies no further than chance takes it (Wilson 1927)."""
    found, z = part / whole, NormalDist().inv_cdf(0.5 + level / 2)

    def is_near(share: float) -> bool:
        return abs(found - share) <= z * math.sqrt(share * (1 - share) / whole)

    return {
        "value": found,
        "low": _edge(is_near, 0.0, found) if part else 0.0,
        "high": _edge(is_near, 1.0, found) if part < whole else 1.0,
    }


def _edge(is_near: Callable[[float], bool], far: float, near: float) -> float:
    """Search for the place where a share comes near, between one that is not and one that is."""
    for _ in range(60):
        middle = (far + near) / 2
        far, near = (far, middle) if is_near(middle) else (middle, near)
    return near


def difference(a: Interval, b: Interval) -> Interval:
    """The interval of a difference of two shares (Newcombe 1998, method 10)."""
    apart = a["value"] - b["value"]
    below = math.sqrt((a["value"] - a["low"]) ** 2 + (b["high"] - b["value"]) ** 2)
    above = math.sqrt((a["high"] - a["value"]) ** 2 + (b["value"] - b["low"]) ** 2)
    return {"value": apart, "low": apart - below, "high": apart + above}
