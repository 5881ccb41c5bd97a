"""How leadq learns from what a CRM shows, and what its gate says of a challenger.

As in `leadq retrain`, the last three tenths of the leads whose horizon is over judge. The fits that
meet knew nothing of them: each is made from what the CRM showed on a day before. The challenger's
day is the one on which these leads begin; the champion's lies as long before as the champion is old
now, and a champion that is older than these leads is judged itself.

The window begins whole months before or after the policies do. So most of the fits that meet were
made before, as the challenger of some month, and the gate costs next to no time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from benchmarks.sales import Floats, Known, Market, Rows
from features.leads import PROPENSITY, History, Leads
from serving.scorer import Scorer
from training.censoring import label_as_of
from training.fit import Effort, fit, recency_weights
from training.gate import Verdict, contest
from training.labels import label
from training.propensity import propensity_of
from training.splits import LATER_SHARE

At = Callable[[int], Known]
"""What the CRM shows at the beginning of a day."""
LEAN = Effort(shapes=(), folds=2)
"""A third of the time of preset `fast`, and as many wins here."""
_FEWEST = 2
"""Won and not-won leads without which nothing can be held out."""


@dataclass
class Learner:
    """The models of one recipe in one market, each made once from what was known on a day."""

    market: Market
    known: At
    _made: dict[int, Scorer | None] = field(default_factory=dict)

    def model(self, day: int) -> Scorer | None:
        """Return the model of a day; None where too few outcomes were known."""
        if day not in self._made:
            self._made[day] = _fitted(self.market, self.known(day))
        return self._made[day]

    def verdict(self, champion: int, day: int) -> Verdict | None:
        """Hold the challenger of a day against the champion of an earlier one.

        None where too little is known for fits that end before the leads that judge.
        """
        market, now = self.market, self.known(day)
        labelled = label(history_of(market, now), market.agreement, now.as_of)
        if not len(labelled.labels):
            return None
        created = market.days(labelled.history.leads.created)
        begin = market.month_before(float(np.quantile(created, 1 - LATER_SHARE)))
        before = self.model(champion if champion <= begin else begin - (day - champion))
        after = self.model(begin)
        if before is None or after is None:
            return None
        later = np.flatnonzero(created >= begin)
        window = replace(
            labelled,
            history=labelled.history.take(later.tolist()),
            labels=labelled.labels[later],
        )
        ended = math.floor(created.max()) + 1
        came_in = int(((now.came >= begin) & (now.came < ended)).sum())
        return contest(before, after, window, came_in=came_in, age_days=day - champion)


def history_of(market: Market, known: Known) -> History:
    """Return what the CRM shows as `leadq retrain` reads it from the store."""
    return History(
        market.leads.take(known.rows.tolist()),
        list(known.dispositions),
        known.decided.astype(object).tolist(),
        [math.nan] * len(known.rows),
    )


def _fitted(market: Market, known: Known) -> Scorer | None:
    """Fit on what is known, each lead weighed by recency, censoring and propensity."""
    place = market.world.created[known.rows]
    recency = recency_weights(place, len(place))
    agreement = market.agreement
    told = label_as_of(
        market.times(place), known.decided, known.dispositions, known.as_of,
        agreement.horizon_days, agreement.learning, young=True, counts=recency,
    )  # fmt: skip
    taught = np.flatnonzero(told.weight)
    won = int(told.labels[taught].sum())
    if min(won, len(taught) - won) < _FEWEST:
        return None
    leads = market.leads.take(known.rows[taught].tolist())
    weight = told.weight[taught] * recency[taught] * _chosen(market, leads, known, taught)
    return fit(
        leads,
        told.labels[taught],
        weight / weight.mean(),
        agreement,
        agreement.used_fields(),
        recipe="logistic",
        place=place[taught],
        effort=LEAN,
    ).scorer


def _chosen(market: Market, leads: Leads, known: Known, taught: Rows) -> Floats:
    """Return the weight of each lead for how it was chosen, as leads from the store get it."""
    # A lead waits for several days' queues, and may be drawn on any of them; before there was a
    # queue, nobody knows, and it counts 1.
    chance = 1 - (1 - known.propensity[taught]) ** market.terms.patience
    cells = [None if math.isnan(value) else value for value in chance.tolist()]
    stored = replace(leads, columns={**leads.columns, PROPENSITY: cells})
    found = propensity_of(stored, market.agreement)
    assert found is not None  # the column is there
    return found.weight
