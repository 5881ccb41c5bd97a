"""How far the share won among leads with one score may lie from the score.

All is on the log-odds scale, as scores are before they become probabilities.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """How much lower and higher the truth may be, by score: straight lines between knots.

    It tells how well the data supports a score: of the leads that get it, a share within the
    interval is won. It does not foretell one lead, which is won or is not, and it knows nothing
    of markets that move after the training.
    """

    knots: tuple[float, ...]
    """Scores, rising; beyond the outermost the interval is that of the outermost."""
    low: tuple[float, ...]
    """At most 0: how far below the score it begins, at each knot."""
    high: tuple[float, ...]
    """At least 0: how far above the score it ends."""

    def at(self, log_odds: float) -> tuple[float, float]:
        """Return the lower and the upper end for a score; the score lies between them."""
        right = bisect_right(self.knots, log_odds)
        if right in (0, len(self.knots)):
            end = min(right, len(self.knots) - 1)
            return log_odds + self.low[end], log_odds + self.high[end]
        left, start = right - 1, self.knots[right - 1]
        share = (log_odds - start) / (self.knots[right] - start)
        low = self.low[left] + share * (self.low[right] - self.low[left])
        high = self.high[left] + share * (self.high[right] - self.high[left])
        return log_odds + min(low, 0.0), log_odds + max(high, 0.0)

    def ends(self, log_odds: Vector) -> tuple[Vector, Vector]:
        """Return the same for many scores, each shape (scores,)."""
        knots, low, high = (np.array(part) for part in (self.knots, self.low, self.high))
        right = np.searchsorted(knots, log_odds, side="right")
        beyond = (right == 0) | (right == len(knots))
        end = np.minimum(right, len(knots) - 1)
        left = np.where(beyond, end, right - 1)
        width = np.where(beyond, 1.0, knots[end] - knots[left])
        share = np.where(beyond, 0.0, log_odds - knots[left]) / width
        below = low[left] + share * (low[end] - low[left])
        above = high[left] + share * (high[end] - high[left])
        return (
            log_odds + np.where(beyond, low[end], np.minimum(below, 0.0)),
            log_odds + np.where(beyond, high[end], np.maximum(above, 0.0)),
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the knots and ends as JSON values."""
        return {"knots": list(self.knots), "low": list(self.low), "high": list(self.high)}

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> Interval:
        """Read back what `as_dict` wrote."""
        return cls(tuple(state["knots"]), tuple(state["low"]), tuple(state["high"]))
