"""Companies that come again: how much less their leads tell than as many of other companies."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from features.cells import key_of
from training.judged import Judged, Names
from training.segments import in_common

_FEW = 0.1
"""Share of leads of companies that come again, below which they move no interval by much."""
_WIDER = 1.05
"""Up to here chance alone may seem to widen it."""


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
            f"{told}, whose outcomes go together: drawn as wholes these make the interval of what "
            f"was won about {self.wider:.1f} times as wide. Take the other intervals for too "
            "short as well."
        )


def companies_again(judged: Judged, column: str, names: Names) -> Companies | None:
    """Return what companies that come again do; None where hardly any does.

    The interval of a sum widens by the root of the design effect (Kish 1965), here of companies
    over that of the clusters by which intervals are drawn.

    Args:
        judged: the leads, with those clusters.
        column: that names the company, as the agreement calls it.
        names: the company of each lead, shape (rows,); None where it is missing.

    """
    keys = [key_of(name) if name else None for name in names]
    known = [key for key in keys if key]
    counts = np.unique(known, return_counts=True)[1]
    again = counts > 1
    leads = int(counts[again].sum())
    if leads < _FEW * len(keys):
        return None
    effect = in_common(replace(judged, clusters=keys)) / in_common(judged)
    return Companies(column, leads, int(again.sum()), float(np.sqrt(max(1.0, effect))))
