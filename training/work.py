"""What the steps of a training share: the plan, the leads, and how a model is fitted on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import numpy.typing as npt

from features.agreement import Agreement, FieldUse
from features.leads import History, Leads
from serving.members import Vector
from serving.scorer import Scorer
from training.fit import Effort, Fitted, Recipe, fit, recency_weights
from training.labels import Labelled
from training.points import rules_scorer
from training.propensity import Propensity
from training.splits import Rows, Split
from training.tune import Preset

_FEWEST_TO_FIT = 2
"""Won and not-won leads without which nothing can be held out."""
THE_STORE = "the store"
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """How a model is made; the same plan on the same leads gives the same model."""

    recipe: Recipe = "blend"
    """Which members the model has."""
    seed: int = 0
    preset: Preset = "default"
    """How much is tried."""
    seconds: float = 300.0
    """For the search of preset `best`."""
    trials: int | None = None
    """Of that search; given, the clock plays no part."""
    as_of: datetime | None = None
    """A moment of the past, of which nothing later is learned; None: all is."""


@dataclass(frozen=True)
class Work:
    """The leads of a training with all that its steps share."""

    labelled: Labelled
    history: History
    agreement: Agreement
    split: Split
    place: Vector | None
    fields: dict[str, FieldUse]
    plan: Plan
    effort: Effort
    progress: Progress
    propensity: Propensity | None = None
    """Where the agreement names one: how much each labelled lead counts for it."""
    source: str = ""
    """Where the leads come from, for errors; `THE_STORE` for those of the store."""

    def leads(self, rows: Rows) -> Leads:
        """Return the leads of these rows."""
        return self.labelled.history.leads.take(rows)

    def labels(self, rows: Rows) -> npt.NDArray[np.int8]:
        """Return the labels of these rows."""
        return self.labelled.labels[rows]

    def weight(self, rows: Rows) -> Vector:
        """Return how much each of these rows counts, one on average."""
        recency = recency_weights(self.places(rows) if len(rows) else None, len(rows))
        if self.propensity is None or not len(rows):
            return recency
        weight = recency * self.propensity.weight[rows]
        return np.asarray(weight / weight.mean())

    def can_fit(self, rows: Rows) -> bool:
        """Tell whether a model can be fitted on these rows."""
        won = int(self.labels(rows).sum())
        return bool(self.fields) and min(won, len(rows) - won) >= _FEWEST_TO_FIT

    def why_no_model(self, rows: Rows) -> str:
        """Say what the earlier leads lack for a model."""
        if not self.fields:
            return "no field is left to predict from"
        won = int(self.labels(rows).sum())
        fewer, lacks = min((won, "won"), (len(rows) - won, "lost"))
        return f"of {len(rows):,} earlier leads {f'only {fewer}' if fewer else 'none'} was {lacks}"

    def fit(self, rows: Rows, which: str) -> Fitted:
        """Fit a model on these rows; `which` names them for whoever waits."""
        return fit(
            self.labelled.history.leads,
            self.labels(rows),
            self.weight(rows),
            self.agreement,
            self.fields,
            self.plan.recipe,
            self.plan.seed,
            lambda step: self.progress(f"fitting on {which}: {step}"),
            self.places(rows),
            self.effort,
            rows,
        )

    def rules(self, rows: Rows) -> Scorer:
        """Return the agreed points as a scorer, set to these rows."""
        part = replace(
            self.labelled,
            history=self.labelled.history.take(rows),
            labels=self.labels(rows),
        )
        return rules_scorer(self.agreement, self.fields, part, self.weight(rows))

    def places(self, rows: Rows) -> Vector | None:
        """Return where these rows stand in time; None where there is no order."""
        return None if self.place is None else self.place[rows]
