"""Whom to call: by chance, by turn, as CRMs count, by leadq in several ways, and by the truth."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from benchmarks.rivals import naive_bayes, prepared
from benchmarks.sales import DAYS_A_MONTH, Floats, Known, Market, Order, Rows
from features.agreement import Agreement
from features.leads import PROPENSITY, Leads
from serving.scorer import Scorer
from training.censoring import label_as_of
from training.fit import Effort, fit, recency_weights
from training.propensity import propensity_of

_KINDS = {
    "number": (
        "employees", "annual_revenue", "visits", "pages", "minutes_on_site", "emails_opened",
        "downloads",
    ),
    "category": (
        "campaign", "channel", "source", "industry", "country", "seniority", "budget", "timeline",
        "form_type", "webinar_attended", "device", "language", "consent_marketing",
    ),
    "options": ("products",),
    "text": ("job_title", "message"),
    "date": ("last_visit",),
    "email": ("email",),
    "phone": ("phone",),
}  # fmt: skip
AGREED = Agreement.model_validate(
    {
        "format": 1,
        "version": 1,
        "name": "closed loop",
        "columns": {
            "id": "id",
            "outcome": "status",
            "created": "created_at",
            "campaign": "campaign",
            "source": "source",
        },
        "outcomes": {"won": ["won"], "lost": ["lost"]},
        "export": {"missing": ["-", "N/A", "Select", "unknown"]},
        "grades": {"A": 0.3, "B": 0.2, "C": 0.1},
        "fields": {
            name: {"use": "yes", "kind": kind} for kind, names in _KINDS.items() for name in names
        },
    }
)
"""What `leadq init` proposes from an export of this CRM, its leaks and names left out."""
LEAN = Effort(adaptive=(True,), shapes=(), strengths=(0.05,), folds=3)
"""Half the time of preset `fast`, and as many wins here."""


@dataclass
class Fixed:
    """An order that never learns."""

    order: Callable[[Market], Floats]
    gives_probability: bool = False
    share: float = 0.0

    def learn(self, market: Market, day: int, known: Callable[[], Known]) -> Order:
        """Return the same order each time."""
        values = self.order(market)
        return lambda rows: values[rows]


def _random(market: Market) -> Floats:
    return np.random.default_rng([market.seed, 2]).random(len(market.leads))


def _first_in(market: Market) -> Floats:
    return -market.world.created


def _truth(market: Market) -> Floats:
    """The chance that a call wins, given all that is observable at hand-off."""
    return market.world.chance * (1 - market.world.recycled_chance)


@dataclass
class NaiveBayes:
    """Counts of values among won and lost leads as they stand, as Odoo keeps them."""

    gives_probability: bool = True
    share: float = 0.0
    _frame: pd.DataFrame | None = field(default=None, repr=False)

    def learn(self, market: Market, day: int, known: Callable[[], Known]) -> Order:
        """Count anew; what is open or recycled does not count, and nothing asks how old it is."""
        if self._frame is None:
            names = [n for kind in ("number", "category", "options", "text") for n in _KINDS[kind]]
            self._frame = prepared(pd.DataFrame({n: market.leads.column(n) for n in names}))
        frame, now = self._frame, known()
        closed = np.isin(now.dispositions, ["won", "lost", "unqualified"])
        counted = frame.iloc[now.rows[closed]]
        won = (np.array(now.dispositions)[closed] == "won").astype(np.int8)

        def score(rows: Rows) -> Floats:
            return naive_bayes(counted, won, frame.iloc[rows], 0)

        return _scored_ahead(market, day, score)


@dataclass
class Leadq:
    """leadq's own parts: labels as of a date, weights, fit, and its scorer."""

    share: float = 0.0
    once: bool = False
    """Whether it is trained at the start and never again."""
    gives_probability: bool = True
    _champion: Scorer | None = field(default=None, repr=False)

    def learn(self, market: Market, day: int, known: Callable[[], Known]) -> Order:
        """Retrain, and score with the champion.

        Each challenger takes over: here is the place for the gate (training/gate.py), whose window
        would be the calls of the last months (docs/science.md says what it sees on so few).
        """
        if self._champion is None or not self.once:
            self._champion = retrained(market, known())
        champion = self._champion
        return _scored_ahead(
            market, day, lambda rows: champion.probabilities(market.leads.take(rows.tolist()))
        )


def retrained(market: Market, known: Known) -> Scorer:
    """Fit on what is known, each lead weighed by recency, censoring and propensity."""
    place = market.world.created[known.rows]
    recency = recency_weights(place, len(place))
    start = market.times(place)
    horizon = market.world.settings.horizon_days
    labels = label_as_of(
        start, known.decided, known.dispositions, known.as_of, horizon, AGREED.learning,
        young=True, counts=recency,
    )  # fmt: skip
    taught = np.flatnonzero(labels.weight)
    leads = market.leads.take(known.rows[taught].tolist())
    weight = labels.weight[taught] * recency[taught] * _chosen(market, leads, known, taught)
    return fit(
        leads,
        labels.labels[taught],
        weight / weight.mean(),
        AGREED,
        AGREED.used_fields(),
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
    found = propensity_of(replace(leads, columns={**leads.columns, PROPENSITY: cells}), AGREED)
    assert found is not None  # the column is there
    return found.weight


def _scored_ahead(market: Market, day: int, score: Callable[[Rows], Floats]) -> Order:
    """Score all leads that may wait before the next training, once; each by its own data alone."""
    ahead = day + DAYS_A_MONTH * market.terms.retrain + 1
    rows = market.came(day - market.terms.patience, min(ahead, market.ends))
    scores = np.full(len(market.leads), np.nan)
    scores[rows] = score(rows)
    return lambda waiting: scores[waiting]


POLICIES: dict[str, Callable[[], Fixed | NaiveBayes | Leadq]] = {
    "random": lambda: Fixed(_random),
    "fifo": lambda: Fixed(_first_in),
    "static": lambda: Leadq(once=True),
    "naive_bayes": NaiveBayes,
    "no_exploration": Leadq,
    "leadq": lambda: Leadq(share=AGREED.exploration.share),
    "oracle": lambda: Fixed(_truth),
}
