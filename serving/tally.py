"""What one worker counts while it answers; plain numbers, so that counting costs next to nothing.

prometheus-client's own counters take about ten times as long (a lock and a file for each); they
are made from these numbers when somebody asks (`serving/metrics.py`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import Any

SECONDS = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0,
)  # fmt: skip
"""Upper ends of the bands of time, the last one open."""
PROBABILITIES = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


class Histogram:
    """Counts by band, and the sum of what was counted."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count one value; a band holds its upper end."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Tally:
    """The counts of one worker since it started."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str, int]] = Counter()
        """By method, route and status."""
        self.seconds: dict[str, Histogram] = {}
        """By route."""
        self.in_flight = 0
        self.probabilities = Histogram(PROBABILITIES)
        self.grades: Counter[str] = Counter()
        self.refused_leads = 0

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self.requests[method, route, status] += 1
        try:
            histogram = self.seconds[route]
        except KeyError:
            histogram = self.seconds[route] = Histogram(SECONDS)
        histogram.add(seconds)

    def scored(self, results: list[dict[str, Any]]) -> None:
        """Count the leads of a reply."""
        for result in results:
            probability = result.get("probability")
            if probability is None:
                self.refused_leads += 1
            else:
                self.probabilities.add(probability)
                self.grades[result["grade"]] += 1
