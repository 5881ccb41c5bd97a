"""Labels: what a lead's history teaches, as of a date.

One convention everywhere: an outcome counts in `created <= t < created + horizon`.

Example, with a horizon of 90 days and an export that ends on 2026-06-30:

    created 2026-01-10, won  2026-03-01  ->  1, won after 50 days
    created 2026-01-10, won  2026-04-10  ->  0, day 90 lies outside the half-open window
    created 2026-01-10, lost 2026-02-01  ->  0
    created 2026-01-10, still open       ->  no label: nobody decided
    created 2026-01-10, not ready        ->  no label: not yet is not never
    created 2026-04-01, won  2026-04-20  ->  1: the window closed on 2026-06-30, all is known
    created 2026-04-02, won  2026-04-20  ->  no label: of its neighbours only the quick ones
                                             are decided, and they are not like the slow ones
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from features.agreement import Agreement, Disposition
from features.leads import History

_MANY_OPEN = 0.1
"""Share of the decided leads from which old open leads are worth a word."""
_ALONE = 3
_FAR = timedelta(days=180)
"""Further than this from all but `_ALONE` moments of the export, a date is a slip of the pen."""
Labels = npt.NDArray[np.int8]
DECIDED: tuple[Disposition, ...] = ("won", "lost", "unqualified")


@dataclass(frozen=True)
class Labelled:
    """The rows of a history that teach something, and the account of those that do not."""

    history: History
    labels: Labels
    """1 won within the horizon, 0 not; shape (rows,)."""
    unlabelled: Counter[str]
    """Rows without a label by reason, in words."""
    as_of: datetime | None
    """The moment up to which outcomes are known; None where leads have no creation time."""
    still_open: int = 0
    """Leads that are open although their horizon is over; they teach nothing."""

    @property
    def if_open_were_lost(self) -> str:
        """How far the share of wins could be off, where many old leads are open; else empty.

        Nothing in an export tells whether such leads were worked and lost, or never called. The
        two ends are the bounds of Manski 1989 but for the one where all of them were won.
        """
        decided, won = len(self.labels), int(self.labels.sum())
        if not decided or self.still_open < _MANY_OPEN * decided:
            return ""
        return (
            f"{self.still_open:,} leads are still open although their horizon is over, and taught "
            f"nothing: of the decided leads {won / decided:.1%} were won; if those open leads were "
            f"all lost it would be {won / (decided + self.still_open):.1%}, and every probability "
            'too high. If sales leaves lost leads open, say learning.open = "negative"'
        )


def label(history: History, agreement: Agreement) -> Labelled:
    """Give every lead whose outcome is known its label. See the module for the rules."""
    as_of = last_moment(history) if agreement.columns.created else None
    horizon = timedelta(days=agreement.horizon_days)
    rows: list[int] = []
    labels: list[int] = []
    unlabelled: Counter[str] = Counter()
    still_open = 0
    for i, disposition in enumerate(history.dispositions):
        learning = getattr(agreement.learning, disposition)
        created = history.leads.created[i]
        if learning == "censored":
            unlabelled[_censored(disposition)] += 1
            is_over = not (as_of and created and created + horizon > as_of)
            still_open += disposition == "open" and is_over
        elif as_of and created and created + horizon > as_of:
            unlabelled["too young: its horizon is not over"] += 1
        else:
            in_time = _in_time(created, history.closed[i], horizon)
            rows.append(i)
            labels.append(int(learning == "positive" and in_time))
    taught = history.take(rows)
    return Labelled(taught, np.array(labels, dtype=np.int8), unlabelled, as_of, still_open)


def _censored(disposition: Disposition) -> str:
    return "open: not decided yet" if disposition == "open" else f"{disposition}: not yet"


def _in_time(created: datetime | None, closed: datetime | None, horizon: timedelta) -> bool:
    # Without a closing time the win itself is all that is known.
    return created is None or closed is None or closed < created + horizon


def last_moment(history: History) -> datetime | None:
    """Return the latest time in the export: up to it, outcomes are known.

    CRMs fill in the closing date that they expect of an open lead; it says nothing of today.
    """
    pairs = zip(history.closed, history.dispositions, strict=True)
    closed = [moment for moment, disposition in pairs if disposition in DECIDED]
    return _latest(_known([*history.leads.created, *closed]))


def _latest(moments: list[datetime]) -> datetime | None:
    """Return the latest moment that is not alone: one slip of the pen must not age every lead."""
    ordered = sorted(moments, reverse=True)
    crowd = ordered[_ALONE] if len(ordered) > 100 * _ALONE else None
    return next((m for m in ordered if crowd is None or m - crowd < _FAR), None)


def _known(moments: Sequence[datetime | None]) -> list[datetime]:
    return [moment for moment in moments if moment is not None]
