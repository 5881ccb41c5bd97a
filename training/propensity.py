"""Weights for whom sales chose to work: what was seldom chosen speaks for the many like it.

If sales works the leads that it likes, a model learns about such leads. Where the chance with
which each lead was chosen is known, because a part of them was drawn by lot, a lead counts one
over that chance (Horvitz & Thompson 1952, JASA 47), and the model learns about all leads that
could have been chosen. Leads that had no chance at all are not made up for.

A few leads of tiny chance would decide everything, so no lead counts more than a bound: a little
bias for much less chance variation (Ionides 2008, J. Comp. Graph. Statistics 17).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from features.agreement import Agreement
from features.cells import Cell, missing_as_none, number
from features.coded import each
from features.leads import PROPENSITY, Leads
from serving.members import Vector
from training.censoring import effective_size

MOST = 20.0
"""How many leads one lead may speak for: a chance below 5 % counts as 5 %."""
MOST_OF_QUEUE = 2.0
"""The same where leadq's own queue chose: by fields that the model reads, so that there is little
to mend. In the closed loop of docs/science.md a bound of 20 cost 3 % of the wins."""


@dataclass(frozen=True)
class Propensity:
    """How much each lead counts for the chance with which it was chosen, and the account of it."""

    name: str
    """What the chance is called, in words."""
    weight: Vector
    """One over the chance, shape (leads,); 1 where the chance cannot be used."""
    most: float
    """How many leads one lead may speak for."""
    clipped: int
    """Leads that would count more than `most`, and count `most`."""
    unusable: Counter[str]
    """Leads whose chance cannot be used, by reason; they count 1."""

    @property
    def sentences(self) -> list[str]:
        """Tell what the weights do, and what could not be used."""
        leads, effective = len(self.weight), effective_size(self.weight)
        told = [
            f"Each lead counts one over its {self.name}, the chance with which it was chosen: "
            f"{leads:,} leads teach as much as {effective:,.0f} of equal weight would. The later "
            "leads judge with one voice each, so the figures hold for leads as sales chose them."
        ]
        if self.clipped:
            told.append(
                f"{self.clipped:,} leads with a chance below {1 / self.most:.0%} count "
                f"{self.most:.0f}: more would let a few leads decide."
            )
        if self.unusable:
            reasons = "; ".join(f"{count:,} {why}" for why, count in self.unusable.items())
            told.append(
                f"{self.unusable.total():,} leads have no usable {self.name} and count 1 "
                f"({reasons}): write a number above 0 and at most 1."
            )
        return told


def propensity_of(leads: Leads, agreement: Agreement) -> Propensity | None:
    """Return the weight of each lead by its propensity, agreed or stored; None without one."""
    column = agreement.columns.propensity
    if column is None and PROPENSITY not in leads.columns:
        return None
    name, most = (repr(column), MOST) if column else ("stored propensity", MOST_OF_QUEUE)
    reading = missing_as_none(agreement.export.missing)
    decimal = agreement.export.decimal
    read = each(leads.column(column or PROPENSITY), lambda cell: _chance(reading(cell), decimal))
    chance = np.array([value for value, _ in read])
    unusable = Counter(why for _, why in read if why)
    clipped = int((chance * most < 1).sum())
    return Propensity(name, np.minimum(1 / chance, most), most, clipped, unusable)


def _chance(cell: Cell, decimal: str) -> tuple[float, str]:
    """Return the chance with an empty reason, or 1 with the reason why it cannot be used."""
    if cell is None:
        return 1.0, "missing"
    try:
        value = number(cell, decimal)
    except ValueError:
        return 1.0, "not a number"
    if value <= 0:
        return 1.0, "zero or less"
    return (value, "") if value <= 1 else (1.0, "above 1")
