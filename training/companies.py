"""Companies that come again: how much less their leads tell than as many of other companies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from features.cells import key_of
from training.intervals import cluster_codes
from training.judged import Judged, Names

_FEW = 0.1
"""Share of leads of companies that come again, below which they move no interval by much."""
_FEWEST = 15
"""Companies of one size that those that come again must be worth; of fewer no figure holds."""
_WIDER = 1.05
"""A smaller widening is told as not shown."""


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
            return (
                f"{told}; drawn as wholes these are not shown to make the interval of what was "
                "won wider."
            )
        return (
            f"{told}: drawn as wholes these make the interval of what was won about "
            f"{self.wider:.1f} times as wide. The other intervals may be too short as well."
        )


def companies_again(judged: Judged, column: str, names: Names) -> Companies | None:
    """Return what companies that come again do; None where hardly any does, or too few do.

    A few that hold most of these leads are too few as well: what each has in common was seen once.
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
    if again.sum() < _FEW * len(keys) or _worth(again) < _FEWEST:
        return None
    effect = _variance(replace(judged, clusters=keys)) / _variance(judged)
    return Companies(column, int(again.sum()), len(again), float(np.sqrt(max(1.0, effect))))


def _worth(sizes: npt.NDArray[np.integer[Any]]) -> float:
    """Return how many companies of one size tell as much of a variance as these; sizes: leads.

    (Σn²)² / Σn⁴, the effective number of clusters whose rows are all alike (Carter, Schnepel &
    Steigerwald 2017, Review of Economics and Statistics 99).

    >>> [round(_worth(np.array(sizes)), 1) for sizes in ([4] * 20, [300, *[4] * 20])]
    [20.0, 1.0]
    """
    squares = sizes.astype(np.float64) ** 2
    return float(squares.sum() ** 2 / (squares**2).sum())


def _variance(judged: Judged) -> float:
    """Return the variance of the number of wins as clusters are drawn, at least that of leads."""
    off = judged.weights * (judged.y - np.average(judged.y, weights=judged.weights))
    sums = np.bincount(cluster_codes(judged)[0], off)
    return float(max((sums**2).sum(), (off**2).sum()))
