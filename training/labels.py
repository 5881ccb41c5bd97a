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

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from features.agreement import Agreement, Disposition
from features.leads import History
from training.censoring import NOT_DECIDED, Moments, label_as_of, moments

_MANY_OPEN = 0.1
"""Share of the decided leads from which old open leads are worth a word."""
_ALONE = 3
_FAR = np.timedelta64(180, "D")
"""Further than this from all but `_ALONE` moments of the export, a date is a slip of the pen."""
Labels = npt.NDArray[np.int8]
Rows = npt.NDArray[np.intp]
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

    def digest(self, rows: Rows) -> str:
        """Return a digest of ids and labels: equal for the same leads, and it gives none away."""
        total = hashlib.sha256()
        ids = self.history.leads.ids
        for lead, won in sorted((ids[i], int(self.labels[i])) for i in rows.tolist()):
            total.update(f"{lead}\x1f{won}\x1e".encode())
        return total.hexdigest()[:32]

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
            f"all lost it would be {won / (decided + self.still_open):.1%}, and probabilities "
            'too high on average. If sales leaves lost leads open, say learning.open = "negative"'
        )


def label(history: History, agreement: Agreement, known_until: datetime | None = None) -> Labelled:
    """Give every lead whose outcome is known its label. See the module for the rules.

    Args:
        history: leads with their last disposition.
        agreement: says what a disposition teaches, and the horizon.
        known_until: the moment up to which dispositions are known; None: the last in the history.

    """
    start, decided = moments(history.leads.created), moments(history.closed)
    as_of = None
    if agreement.columns.created:
        as_of = known_until or _last(start, decided, history.dispositions)
    told = label_as_of(
        start,
        decided,
        history.dispositions,
        as_of,
        agreement.horizon_days,
        agreement.learning,
    )
    rows = np.flatnonzero(told.weight)
    unlabelled = Counter(reason for reason in told.reasons.tolist() if reason)
    still_open = int((told.complete & (told.reasons == NOT_DECIDED)).sum())
    taught = history.take(rows)
    return Labelled(taught, told.labels[rows], unlabelled, as_of, still_open)


def last_moment(history: History) -> datetime | None:
    """Return the latest time in the export: up to it, outcomes are known.

    CRMs fill in the closing date that they expect of an open lead; it says nothing of today.
    """
    return _last(moments(history.leads.created), moments(history.closed), history.dispositions)


def last_answer(history: History) -> datetime | None:
    """Return the latest time at which a lead of the store was decided: until then answers came.

    New leads come into a store also while no answer does, so their creation says nothing of up to
    when outcomes are known. None where no decision has a time.
    """
    return _latest(_closings(moments(history.closed), history.dispositions))


def _last(start: Moments, closed: Moments, dispositions: Sequence[Disposition]) -> datetime | None:
    return _latest(np.concatenate([start, _closings(closed, dispositions)]))


def _closings(closed: Moments, dispositions: Sequence[Disposition]) -> Moments:
    decided = np.fromiter(map(DECIDED.__contains__, dispositions), np.bool_, len(dispositions))
    return closed[decided]


def _latest(known: Moments) -> datetime | None:
    known = known[~np.isnat(known)]
    # One slip of the pen must not age every lead: the latest moment that is not alone counts.
    if len(known) > 100 * _ALONE:
        crowd = np.partition(known, -_ALONE - 1)[-_ALONE - 1]
        known = known[known - crowd < _FAR]
    latest: datetime | None = known.max().item() if len(known) else None
    return latest
