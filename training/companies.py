"""Companies that come again: how much less their leads tell than as many of other companies."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from features.cells import key_of
from training.intervals import cluster_codes
from training.judged import Judged, Names

_FEW = 0.1
"""Share of leads of companies that come again, below which they move no interval by much."""
_WIDER = 1.05
"""A smaller widening is told as none. With few companies chance alone may seem to widen more."""


@dataclass(frozen=True)
class Companies:
    """What companies that come again do to the intervals of the judged leads."""

    column: str
    leads: int
    """Judged leads that share their company with another."""
    companies: int
    """How many companies these are."""
    wider: float
    """How many times as wide the interval of what was won is with companies drawn as wholes."""

    @property
    def sentence(self) -> str:
        """Say what they do to the intervals."""
        told = (
            f"{self.leads:,} of the judged leads are of {self.companies:,} companies that come "
            f"again (by {self.column})"
        )
        if self.wider < _WIDER:
            return f"{told}; drawn as wholes these make the interval of what was won no wider."
        return (
            f"{told}: drawn as wholes these make the interval of what was won about "
            f"{self.wider:.1f} times as wide. The other intervals may be too short as well."
        )


def companies_again(judged: Judged, column: str, names: Names) -> Companies | None:
    """Return what companies that come again do; None where hardly any does, or all are too few.

    The interval of a sum widens by the root of the design effect (Kish 1965), here of companies
    over that of the clusters by which intervals are drawn.

    Args:
        judged: the leads, with those clusters.
        column: that names the company, as the agreement calls it.
        names: the company of each lead, shape (rows,); None where it is missing.

    """
    keys = [key_of(name) if name else None for name in names]
    counts = np.unique([key for key in keys if key], return_counts=True)[1]
    again = counts[counts > 1]
    whole = replace(judged, clusters=keys)
    too_few_to_draw = cluster_codes(whole)[1] == len(keys)
    if again.sum() < _FEW * len(keys) or too_few_to_draw:
        return None
    effect = _variance(whole) / _variance(judged)
    return Companies(column, int(again.sum()), len(again), float(np.sqrt(max(1.0, effect))))


def _variance(judged: Judged) -> float:
    """Return the variance of the number of wins as clusters are drawn, at least that of leads."""
    off = judged.weights * (judged.y - np.average(judged.y, weights=judged.weights))
    sums = np.bincount(cluster_codes(judged)[0], off)
    return float(max((sums**2).sum(), (off**2).sum()))
