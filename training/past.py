"""As if it had been a day of the past: what was known by then, and what came in since.

A fresh home has a history of leads and no score that anybody gave them. A model that is trained on
what was known at a day may say what it would have said of the leads that came in later, each as of
its creation: it has learned nothing that came about after that day.

    as of 2026-04-01, horizon 90 days
    created 2026-03-01, won 2026-03-20        ->  known: won
    created 2026-03-01, won 2026-04-01        ->  known, and open
    created 2025-12-01, lost, no time told    ->  known: lost, as its horizon ended before the day
    created 2026-03-01, lost, no time told    ->  known, and open
    created 2026-04-01                        ->  not known: came in since
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np

from features.agreement import Agreement
from features.errors import UsageError
from features.leads import History, Leads
from features.store.database import Store
from features.store.promotions import in_use_since
from features.store.scores import Given, keep_past_scores
from serving.scorer import Scorer
from training.censoring import moments


def need_times(agreement: Agreement) -> None:
    """Refuse a day of the past where nothing says when leads came in.

    Raises:
        UsageError: when the agreement names no such column.

    """
    if not agreement.columns.created:
        raise UsageError(
            "--as-of: the agreement names no column that says when a lead came in; without it "
            "nobody can tell what was known on a day ([columns] created)"
        )


def known_at(history: History, agreement: Agreement, as_of: datetime) -> History:
    """Return the leads that were there before a moment, with what had become of them by then.

    An outcome without a time of its own counts as known once the lead's horizon is over, as for
    labels. Fields are as the export has them: what they held on that day nobody knows.

    Raises:
        UsageError: when the agreement names no column that says when leads came in.

    """
    need_times(agreement)
    start, closed = moments(history.leads.created), moments(history.closed)
    day = np.datetime64(as_of)
    ended = start + np.timedelta64(agreement.horizon_days, "D")
    was_known = np.where(np.isnat(closed), ended <= day, closed < day)
    rows = np.flatnonzero(start < day)
    there, known = history.take(rows), was_known[rows].tolist()
    return replace(
        there,
        dispositions=[d if k else "open" for d, k in zip(there.dispositions, known, strict=True)],
        closed=[c if k else None for c, k in zip(there.closed, known, strict=True)],
    )


@dataclass
class Since:
    """The leads that came in from a day on, picked out as an export is read."""

    day: datetime
    parts: list[Leads] = field(default_factory=list)

    def pick(self, history: History) -> None:
        """Take those of a chunk."""
        start = moments(history.leads.created)
        rows = np.flatnonzero(start >= np.datetime64(self.day))
        if len(rows):
            self.parts.append(history.leads.take(rows))


@dataclass(frozen=True)
class Said:
    """What a model would have said of the leads since its day."""

    leads: int
    until: datetime
    """When the first model came into use: later leads have scores that were given."""


def keep_said(store: Store, since: Since, scorer: Scorer, version: str, now: datetime) -> Said:
    """Keep what a model would have said of the leads since its day, as each came in.

    Args:
        store: where to.
        since: the leads.
        scorer: the model's.
        version: its registered version.
        now: this moment.

    """
    with store.reading() as connection:
        until = in_use_since(connection) or now
    total = 0
    for part in since.parts:
        leads = part.take(np.flatnonzero(moments(part.created) < np.datetime64(until)))
        said = scorer.score_columns(leads, 0)
        probability = said.probability.tolist()
        worth = None if said.expected_value is None else said.expected_value.tolist()
        grades = [scorer.agreement.grades.of(p) for p in probability]
        given = Given(version, probability, grades, expected_value=worth)
        keep_past_scores(store, leads, given, scorer.agreement, now)
        total += len(leads)
    return Said(total, until)
