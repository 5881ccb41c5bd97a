"""Whether the outcomes since the champion's training fit what was known before.

Every other check of the gate trusts the outcomes of the window, and a stand-in for the champion
learns from the same ones as the challenger. So outcomes that were shuffled on the way (a column
sorted alone, a file joined by the wrong row) make both poor alike, and nothing is seen. Two things
do not hang on them:

    known outcomes   leads that were decided when the champion was made, and what is said of them
                     now: Cohen's kappa (1960, Educ. Psychol. Meas. 20), 1 where nothing has turned,
                     .5 where half of them were shuffled, 0 where all were
    new outcomes     how well champion (as it is registered) and challenger order the leads decided
                     since, by AUC, against what the champion's own probabilities promise for just
                     these leads. A market that moves leaves the challenger its order; outcomes that
                     are no longer those of their leads leave it to neither
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from features.leads import History
from features.store.turned import Turned
from serving.members import Vector
from serving.rates import Interval
from serving.scorer import Scorer
from training.censoring import moments
from training.intervals import exact
from training.judged import Judged
from training.labels import DECIDED, Labels
from training.paired import DRAWS, measure
from training.ranking import Ranked
from training.splits import Rows

_FEWEST = 30
"""New outcomes, and wins and losses among them a third of it, below which no order is looked at."""


@dataclass(frozen=True)
class Known:
    """Outcomes that were known when the champion was made, beside what is said of them now."""

    leads: int
    turned: int
    """Won before and not now, or the other way round."""
    kappa: Interval
    """One-sided bounds."""


@dataclass(frozen=True)
class New:
    """How the leads that were decided since are ordered."""

    leads: int
    won: int
    promised: float
    """The AUC on these leads if the champion's probabilities were the truth."""
    auc_of: tuple[float, float]
    """Of champion and challenger."""
    kept: Interval
    """How far the better of the two is above .5, as a share of how far the promise is."""


@dataclass(frozen=True)
class Since:
    """What both look like; None where too little can be told."""

    known: Known | None = None
    new: New | None = None


NOTHING_TOLD = Since()


def known_outcomes(turned: Turned, error: float) -> Known | None:
    """Return how far known outcomes still say the same; None where all were won, or lost.

    Args:
        turned: leads by what they were and what they are.
        error: chance that the truth lies beyond a bound.

    """
    leads, changed = sum(turned), turned.won_no_more + turned.won_only_now
    if not leads:
        return None
    was = (turned.won_still + turned.won_no_more) / leads
    now = (turned.won_still + turned.won_only_now) / leads
    by_chance = was * (1 - now) + now * (1 - was)
    if not by_chance:
        return None
    share = exact(changed, leads, error)
    kappa = (1 - part / by_chance for part in (share.value, share.high, share.low))
    return Known(leads, changed, Interval(*kappa))


def new_outcomes(
    history: History,
    begin: datetime,
    since: datetime,
    scorers: Sequence[Scorer],
    error: float,
    seed: int = 0,
    times: int = DRAWS,
) -> New | None:
    """Return how champion and challenger order the leads decided since; None where these are few.

    Args:
        history: all leads with what became of them.
        begin: leads that came in before it taught the challenger, and are left out.
        since: the moment up to which the champion knew outcomes.
        scorers: the champion as it is registered, and the challenger's fit that ended at `begin`.
        error: chance that the truth lies beyond a bound.
        seed: of the draws.
        times: how often days are drawn anew.

    """
    rows = _decided(history, begin, since)
    leads = history.leads.take(rows.tolist())
    won = np.array([history.dispositions[i] == "won" for i in rows], dtype=np.int8)
    if min(len(won), 3 * int(won.sum()), 3 * int((1 - won).sum())) < _FEWEST:
        return None
    said = [np.asarray(scorer.probabilities(leads)) for scorer in scorers]
    promised = promised_auc(said[0])
    if promised <= 0.5:
        return None
    days = [str(moment.date()) if moment else None for moment in leads.created]
    judged = Judged(won, said[0], clusters=days)
    found = measure(judged, [_Order(won, p) for p in said], seed, times)
    seen, margin = found.seen[:, 0], found.margin(found.drawn[:, :, 0], error)
    ends = [
        float(auc.max() - 0.5) / (promised - 0.5) for auc in (seen, seen - margin, seen + margin)
    ]
    auc_of = (float(seen[0]), float(seen[1]))
    return New(len(won), int(won.sum()), promised, auc_of, Interval(*ends))


def promised_auc(probability: Vector) -> float:
    """Return the AUC to expect where leads are won by exactly these chances, each by itself.

    >>> round(promised_auc(np.array([0.0, 0.0, 1.0])), 3), promised_auc(np.array([0.3, 0.3]))
    (1.0, 0.5)
    """
    chances, leads = np.unique(probability, return_counts=True)
    won, lost = chances * leads, (1 - chances) * leads
    below = np.cumsum(lost) - lost / 2
    # No lead stands above or beside itself.
    alone = (probability * (1 - probability)).sum()
    pairs = won.sum() * lost.sum() - alone
    return float((won @ below - alone / 2) / pairs) if pairs > 0 else 0.5


def _decided(history: History, begin: datetime, since: datetime) -> Rows:
    """Return the rows of leads that came in from `begin` on and were decided after `since`."""
    created, closed = moments(history.leads.created), moments(history.closed)
    decided = np.array([name in DECIDED for name in history.dispositions], dtype=np.bool_)
    fits = decided & (created >= np.datetime64(begin)) & (closed > np.datetime64(since))
    return np.flatnonzero(fits)


class _Order:
    """One model's order of the leads, made once for all draws."""

    def __init__(self, won: Labels, probability: Vector) -> None:
        self._ranked = Ranked(won, probability)

    def measure(self, weights: Vector) -> Vector:
        return np.array([self._ranked.steps(weights).roc_auc()])
