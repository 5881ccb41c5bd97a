"""What became of the leads that a model scored long enough ago, beside what the scores said."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate

import numpy as np

from features.store.database import Store
from features.store.promotions import Past, past
from features.store.proposed import STEP, Scored, counted_by_score, first_scores
from serving.artefact import LoadedModel
from serving.rates import Interval, wilson

FEWEST = 20
"""Leads of either outcome, from which on curves and their figures say anything."""
_LOOKED_BACK = timedelta(days=182)
_STEPS = tuple(n / 20 for n in range(21))
_BINS = 10
"""Of about as many leads each."""


@dataclass(frozen=True)
class Matured:
    """Leads whose horizon is over, by the first score that this model gave them."""

    scored: tuple[Scored, ...]

    @property
    def leads(self) -> int:
        """How many there are."""
        return sum(s.leads for s in self.scored)

    @property
    def decided(self) -> int:
        """How many of them sales decided."""
        return sum(s.decided for s in self.scored)

    @property
    def won(self) -> int:
        """How many of these were won."""
        return sum(s.won for s in self.scored)

    @property
    def expected(self) -> float:
        """Wins that the scores of decided leads said, to half a thousandth each."""
        return sum(s.decided * (s.at_least + STEP / 2) for s in self.scored)

    @property
    def is_enough(self) -> bool:
        """Whether enough leads of either outcome are there."""
        return min(self.won, self.decided - self.won) >= FEWEST

    def roc_auc(self) -> tuple[float, float, float] | None:
        """Return the chance that a won lead stood above another, with its 95 % interval.

        Hanley & McNeil 1982 (Radiology 143). None with few leads of either outcome.
        """
        if not self.is_enough:
            return None
        won, other = self.won, self.decided - self.won
        below, pairs = 0, 0.0
        for s in sorted(self.scored):
            lost = s.decided - s.won
            pairs += s.won * (below + lost / 2)
            below += lost
        auc = pairs / (won * other)
        q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
        spread = (won - 1) * (q1 - auc**2) + (other - 1) * (q2 - auc**2)
        reach = 1.96 * math.sqrt(max(auc * (1 - auc) + spread, 0.0) / (won * other))
        return auc, max(auc - reach, 0.0), min(auc + reach, 1.0)

    def lift(self) -> float | None:
        """Return how many times more wins the best tenth holds than a tenth at random."""
        return self._held((0.1,))[0] / self.won * 10 if self.is_enough else None

    def gain(self) -> tuple[Sequence[float], list[Interval]]:
        """Return shares of the leads called, the best first, and of the wins that these held.

        The intervals are Wilson's and take it as given which leads are the best. There must be
        enough leads.
        """
        return _STEPS, [wilson(held, self.won) for held in self._held(_STEPS)]

    def calibration(self) -> tuple[list[float], list[Interval]]:
        """Return the mean probability said to leads of like scores, and the share of them won.

        There must be enough leads.
        """
        bins: dict[int, list[Scored]] = {}
        before, decided = 0, self.decided
        for s in sorted(self.scored):
            middle = before + s.decided / 2
            bins.setdefault(int(_BINS * middle / decided), []).append(s)
            before += s.decided
        parts = [part for found in bins.values() if (part := Matured(tuple(found))).decided]
        said = [part.expected / part.decided for part in parts]
        return said, [wilson(part.won, part.decided) for part in parts]

    def _held(self, shares: Sequence[float]) -> list[float]:
        """Return the wins among the best shares of decided leads; of like scores, in parts."""
        best = [s for s in sorted(self.scored, reverse=True) if s.decided]
        called = [0, *accumulate(s.decided for s in best)]
        held = [0, *accumulate(s.won for s in best)]
        found: list[float] = np.interp(np.array(shares) * called[-1], called, held).tolist()
        return found


def matured(store: Store, model: LoadedModel, now: datetime) -> tuple[Matured, list[Past]]:
    """Read what became of the leads that a model scored, and who was champion."""
    until = now - timedelta(days=model.artefact.scorer.agreement.horizon_days)
    with store.reading() as connection:
        found = first_scores(connection, until - _LOOKED_BACK, until, now, model.version)
        return Matured(tuple(counted_by_score(found))), past(connection)
