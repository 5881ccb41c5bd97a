"""The later leads on which a champion and a challenger meet; neither fit has seen them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from features.agreement import Agreement
from features.cells import text_of
from serving.members import Vector
from training.judged import Judged, Names
from training.labels import Labelled, Labels
from training.later import window


@dataclass(frozen=True)
class Window:
    """Leads with known outcomes that came in after both fits ended, each part of shape (rows,)."""

    won: Labels
    """1 won within the horizon, 0 not."""
    day: npt.NDArray[np.intp] | None = None
    """Days since the first of them came in; None where creation times are not known."""
    weight: Vector | None = None
    """How many leads each stands for (censoring, propensity); None: one each."""
    campaign: Names | None = None
    came_in: int | None = None
    """All leads of these days, with an outcome or without; None: those judged are all."""
    days: str = ""
    """First and last day, as `later.window` tells them."""

    @property
    def both_outcomes(self) -> bool:
        """Whether some were won and some were not."""
        return 0 < int(self.won.sum()) < len(self.won)

    def judged(self, probability: Vector) -> Judged:
        """Return the leads with what a model says of them; those of one day hang together."""
        days = None if self.day is None else [str(day) for day in self.day]
        return Judged(self.won, probability, self.weight, days, campaign=self.campaign)

    def calls(self, leads_per_day: int) -> float:
        """Return how many of a day's leads sales can work, among those that are judged here.

        Where only half of a day's leads have an outcome yet, half of the calls went to them.
        """
        stand_for = float(len(self.won) if self.weight is None else self.weight.sum())
        share = 1.0 if self.came_in is None else min(1.0, stand_for / self.came_in)
        return leads_per_day * share


def window_of(
    labelled: Labelled,
    agreement: Agreement,
    weight: Vector | None = None,
    came_in: int | None = None,
) -> Window:
    """Return labelled leads as a window; both fits must have ended before the first of them.

    Args:
        labelled: the leads, n of them.
        agreement: names the campaign.
        weight: how many leads each stands for, shape (n,); None: one each.
        came_in: all leads of these days, with an outcome or without; None: n.

    """
    leads, name = labelled.history.leads, agreement.columns.campaign
    cells = None if name is None else leads.column(name)
    campaign = None if cells is None else [None if c is None else text_of(c) for c in cells]
    created = leads.created if agreement.columns.created else []
    return Window(
        labelled.labels, _days(created), weight, campaign, came_in, window(created)
    )  # fmt: skip


def _days(created: Sequence[datetime | None]) -> npt.NDArray[np.intp] | None:
    dates = [moment.date() for moment in created if moment is not None]
    if not dates or len(dates) < len(created):
        return None
    return np.array([(date - min(dates)).days for date in dates], dtype=np.intp)
