"""What one worker counts while it answers; plain numbers, so that counting costs next to nothing.

prometheus-client's own counters take about ten times as long (a lock and a file for each); they
are made from these numbers when somebody asks (`serving/metrics.py`). Workers leave theirs in a
folder every second, so that any of them can answer for all.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from serving.segments import Scored

SECONDS = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0,
)  # fmt: skip
"""Upper ends of the bands of time; one more band is open."""
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

    def take_in(self, state: list[Any]) -> None:
        """Add what another worker has counted."""
        counts, total = state
        self.counts = [a + b for a, b in zip(self.counts, counts, strict=True)]
        self.total += total

    def state(self) -> list[Any]:
        """Return the numbers as JSON values."""
        return [self.counts, self.total]


class Tally:
    """The counts of one worker since it started, or of all of them."""

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
        self._seconds_of(route).add(seconds)

    def _seconds_of(self, route: str) -> Histogram:
        found = self.seconds.get(route)
        if found is None:
            found = self.seconds[route] = Histogram(SECONDS)
        return found

    def scored(self, leads: Iterable[Scored], refused: int) -> None:
        """Count the leads of a reply, and those that could not be scored."""
        self.refused_leads += refused
        for lead in leads:
            self.probabilities.add(lead.probability)
            self.grades[lead.grade] += 1

    def state(self) -> dict[str, Any]:
        """Return the numbers as JSON values."""
        return {
            "requests": [[*key, count] for key, count in self.requests.items()],
            "seconds": {route: found.state() for route, found in self.seconds.items()},
            "in_flight": self.in_flight,
            "probabilities": self.probabilities.state(),
            "grades": dict(self.grades),
            "refused_leads": self.refused_leads,
        }

    def take_in(self, state: dict[str, Any], is_alive: bool) -> None:
        """Add what another worker has counted; one that is dead has no requests in flight."""
        for method, route, status, count in state["requests"]:
            self.requests[method, route, status] += count
        for route, found in state["seconds"].items():
            self._seconds_of(route).take_in(found)
        self.in_flight += state["in_flight"] if is_alive else 0
        self.probabilities.take_in(state["probabilities"])
        self.grades.update(state["grades"])
        self.refused_leads += state["refused_leads"]


def begin(folder: Path) -> None:
    """Forget what the workers of an earlier service have left."""
    for path in folder.glob("*.json"):
        path.unlink(missing_ok=True)
