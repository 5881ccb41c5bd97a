"""Whom to call: by chance, by turn, as CRMs count, by leadq in several ways, and by the truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from benchmarks.learner import At, Learner
from benchmarks.rivals import naive_bayes, prepared
from benchmarks.sales import DAYS_A_MONTH, Floats, Market, Order, Rows, Terms
from features.agreement import Agreement
from features.errors import UsageError
from features.sections import Capacity, Gate
from features.simulate import Settings

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


def agreement_for(world: Settings, terms: Terms) -> Agreement:
    """Return what both sides agree on in a world under these terms."""
    calls = max(1, round(terms.capacity * world.leads / world.days))
    return AGREED.model_copy(
        update={
            "horizon_days": world.horizon_days,
            "capacity": Capacity(leads_per_day=calls),
            "gate": Gate(renew_after_days=terms.renew),
        }
    )


@dataclass
class Fixed:
    """An order that never learns."""

    order: Callable[[Market], Floats]
    gives_probability: bool = False
    share: float = 0.0
    promoted: tuple[bool, ...] = ()

    def learn(self, market: Market, day: int, known: At) -> Order:
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
    promoted: tuple[bool, ...] = ()
    _frame: pd.DataFrame | None = field(default=None, repr=False)

    def learn(self, market: Market, day: int, known: At) -> Order:
        """Count anew; what is open or recycled does not count, and nothing asks how old it is."""
        if self._frame is None:
            names = [n for kind in ("number", "category", "options", "text") for n in _KINDS[kind]]
            self._frame = prepared(pd.DataFrame({n: market.leads.column(n) for n in names}))
        frame, now = self._frame, known(day)
        closed = np.isin(now.dispositions, ["won", "lost", "unqualified"])
        counted = frame.iloc[now.rows[closed]]
        won = (np.array(now.dispositions)[closed] == "won").astype(np.int8)

        def score(rows: Rows) -> Floats:
            return naive_bayes(counted, won, frame.iloc[rows], 0)

        return _scored_ahead(market, day, score)


@dataclass
class Leadq:
    """leadq's own parts: labels as of a date, weights, fit, gate, and its scorer."""

    share: float = 0.0
    once: bool = False
    """Whether it is trained at the start and never again."""
    gated: bool = False
    """Whether a challenger must pass the gate; else each takes over."""
    gives_probability: bool = True
    promoted: list[bool] = field(default_factory=list)
    _learner: Learner | None = field(default=None, repr=False)
    _champion: int = 0
    """The day on which it was made."""

    def learn(self, market: Market, day: int, known: At) -> Order:
        """Retrain, and score with the champion."""
        if self._learner is None:
            self._learner, self._champion = Learner(market, known), day
        elif not self.once:
            self.promoted.append(self._takes_over(self._learner, day))
            self._champion = day if self.promoted[-1] else self._champion
        champion = self._learner.model(self._champion)
        if champion is None:
            raise UsageError(
                f"day {day}: too few leads are won or lost to learn from; set more leads="
            )
        return _scored_ahead(
            market, day, lambda rows: champion.probabilities(market.leads.take(rows.tolist()))
        )

    def _takes_over(self, learner: Learner, day: int) -> bool:
        if not self.gated:
            return True
        verdict = learner.verdict(self._champion, day)
        return verdict is not None and verdict.promoted


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
    "no_gate": lambda: Leadq(share=AGREED.exploration.share),
    "leadq": lambda: Leadq(share=AGREED.exploration.share, gated=True),
    "oracle": lambda: Fixed(_truth),
}
