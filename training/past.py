"""As if it had been a day of the past: what was known by then, and what is said of leads since.

A fresh home has leads with outcomes and no score that anybody gave them, so a proposal has nothing
to be tried on. A model of what was known at a day may say what it would have said of the leads that
came in later, as of their creation.

    as of 2026-04-01, horizon 90 days
    created 2026-03-01, won 2026-03-20        ->  known: won
    created 2026-03-01, won 2026-04-01        ->  known, and open
    created 2025-12-01, lost, no time told    ->  known: lost, as its horizon ended before the day
    created 2026-03-01, lost, no time told    ->  left out: nobody knows whether it was open
    created 2026-04-01                        ->  not known: came in since
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from features.agreement import Agreement
from features.errors import UsageError
from features.leads import History
from features.store.hindsight import Hindsight
from serving.scorer import Scorer
from training.censoring import moments
from training.labels import last_moment

_AT_ONCE = 20_000
"""Leads that are copied at once."""


def need_past(history: History, agreement: Agreement, day: datetime) -> None:
    """Refuse a day of which an export cannot tell what was known.

    Raises:
        UsageError: when nothing says when leads came in, or the export ends before the day.

    """
    if not agreement.columns.created:
        raise UsageError(
            "--as-of: the agreement names no column that says when a lead came in; without it "
            "nobody can tell what was known on a day ([columns] created)"
        )
    end = last_moment(history)
    # An export of that day itself tells of the evening before, or of that date.
    if end is not None and end < day - timedelta(days=1):
        raise UsageError(
            f"--as-of {day:%Y-%m-%d}: the export knows nothing after {end:%Y-%m-%d}; name a day "
            "before that"
        )


def known_at(history: History, horizon_days: int, when: datetime) -> History:
    """Return the leads that were there before a moment, with what had become of them by then.

    An outcome without a time of its own counts as known once the lead's horizon is over, as for
    labels; before, the lead is left out. Fields are as they are now: what they held then nobody
    knows.
    """
    start, closed = moments(history.leads.created), moments(history.closed)
    is_open = np.array([d == "open" for d in history.dispositions], dtype=bool)
    day = np.datetime64(when)
    ended = start + np.timedelta64(horizon_days, "D") <= day
    rows = np.flatnonzero((start < day) & (is_open | ~np.isnat(closed) | ended))
    there, late = history.take(rows), (is_open | (closed >= day))[rows].tolist()
    return replace(
        there,
        dispositions=["open" if x else d for d, x in zip(there.dispositions, late, strict=True)],
        closed=[None if x else end for end, x in zip(there.closed, late, strict=True)],
    )


def said_since(history: History, scorer: Scorer, day: datetime) -> Hindsight:
    """Return what a model of a day says of the leads that came in from it on."""
    rows = np.flatnonzero(moments(history.leads.created) >= np.datetime64(day))
    said = Hindsight(day.date(), [], [], [])
    for start in range(0, len(rows), _AT_ONCE):
        leads = history.leads.take(rows[start : start + _AT_ONCE])
        said.ids.extend(leads.ids)
        said.at.extend(moment for moment in leads.created if moment)
        said.probability.extend(scorer.probabilities(leads).tolist())
    return said


def keep_in_parts(history: History, keep: Callable[[History], None]) -> None:
    """Do something with the leads, a part at a time."""
    for start in range(0, len(history), _AT_ONCE):
        keep(history.take(range(start, min(start + _AT_ONCE, len(history)))))
