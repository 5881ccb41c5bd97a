"""The split that figures come from: fit on earlier leads, judge on later ones."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import train_test_split

from features.agreement import Agreement
from features.leads import History
from training.labels import Labels

LATER_SHARE = 0.3
MOST_JUDGED = 200_000
"""Rows on which figures, shares and deciles are found; more would hardly move what is told."""
_ORIGINS = (0.4, 0.55, 0.7, 0.85)
"""Shares of the leads that came before each rolling origin."""
_FEWEST = 10
"""Won and not-won leads on each side of a rolling origin."""
_FEWEST_TO_STRATIFY = 4
"""Won and not-won leads with which both sides of a random split get some of each."""
Rows = npt.NDArray[np.intp]
_EPOCH = datetime(1970, 1, 1)


@dataclass(frozen=True)
class Split:
    """Positions of the earlier and the later rows, and how they were told apart."""

    earlier: Rows
    later: Rows
    method: str
    """One sentence for the summary and the run."""
    drawn_from: Rows | None = None
    """All later rows, where only a part of them judges."""

    @property
    def all_later(self) -> Rows:
        """The later rows, also those that do not judge."""
        return self.later if self.drawn_from is None else self.drawn_from

    @property
    def share(self) -> float:
        """Of the later rows those that judge."""
        return len(self.later) / len(self.all_later) if len(self.all_later) else 1.0


def order(history: History, agreement: Agreement) -> npt.NDArray[np.float64] | None:
    """Return each lead's place in time (days, or its serial), or None where there is none."""
    if agreement.columns.created:
        days = [as_place(t) if t else np.nan for t in history.leads.created]
        return np.array(days)
    return np.array(history.serial) if agreement.columns.serial else None


def as_place(moment: datetime) -> float:
    """Return the place in time of a moment, in days."""
    return (moment - _EPOCH) / timedelta(days=1)


def split(history: History, labels: Labels, agreement: Agreement, seed: int) -> Split:
    """Split labelled rows into earlier and later ones.

    With creation times a gap of one horizon lies between: at the moment when the first later
    lead came in, the outcomes of leads younger than the horizon were not known, so nothing may
    be learned from them. Example with a horizon of 90 days and a boundary on 2026-01-01: earlier
    leads were created before 2025-10-03 + 0:00 (day 90 before the boundary included), later ones
    from 2026-01-01 on. Leads created at the same time stay on one side.
    """
    place = order(history, agreement)
    if place is None:
        return _stratified(labels, seed)
    if len(np.unique(place)) < 2:
        return _stratified(labels, seed, "all leads came in at one time")
    boundary = float(np.quantile(place, 1 - LATER_SHARE, method="higher"))
    if boundary == place.min():
        # Most leads share the first moment, as after a migration: the next one parts them.
        boundary = float(place[place > boundary].min())
    later = np.flatnonzero(place >= boundary)
    before = np.flatnonzero(place < boundary)
    if not agreement.columns.created:
        column = agreement.columns.serial
        return Split(before, later, f"the last {len(later):,} leads by {column!r} judge the rest")
    known = np.flatnonzero(place <= boundary - agreement.horizon_days)
    date = (_EPOCH + timedelta(days=boundary)).date()
    if len(known) < len(before) / 3:
        # A short history would lose most of its rows to the gap.
        why = (
            "too short a history for a gap of one horizon: outcomes not yet known at the time were "
            "learned from, so figures may be too good"
        )
        return Split(before, later, f"leads from {date} on judge the earlier ones ({why})")
    method = f"leads from {date} on judge those at least {agreement.horizon_days} days older"
    return Split(known, later, method)


def judged_part(found: Split) -> Split:
    """Return a split of which at most `MOST_JUDGED` later rows judge: a regular part of them."""
    later = regular(found.later, MOST_JUDGED)
    if len(later) == len(found.later):
        return found
    told = f"{found.method}; of {len(found.later):,} such leads a regular part judges"
    return Split(found.earlier, later, told, found.later)


def regular(rows: Rows, most: int) -> Rows:
    """Return a regular part of many rows, `most` at most."""
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).astype(np.intp)]


def origins(history: History, labels: Labels, agreement: Agreement) -> list[Split]:
    """Return splits at moments one after another, as far as the history lasts; none without order.

    Each fits on what was known at its moment (a gap of one horizon, as in `split`) and judges the
    leads that came next, so that no lead is judged twice (rolling origins, Tashman 2000).
    """
    place = order(history, agreement)
    if place is None:
        return []
    bounds = np.unique(np.quantile(place, [*_ORIGINS, 1.0], method="higher"))
    gap = agreement.horizon_days if agreement.columns.created else 0
    found = []
    for start, end in pairwise(bounds.tolist()):
        is_last = end == bounds[-1]
        later = np.flatnonzero((place >= start) & ((place < end) | is_last))
        earlier = np.flatnonzero((place <= start - gap) & (place < start))
        if min(_rarer(labels[earlier]), _rarer(labels[later])) >= _FEWEST:
            found.append(Split(earlier, later, _moment(start, agreement)))
    return found


def _rarer(labels: Labels) -> int:
    won = int(labels.sum())
    return min(won, len(labels) - won)


def _moment(place: float, agreement: Agreement) -> str:
    if agreement.columns.created:
        return f"from {(_EPOCH + timedelta(days=place)).date()} on"
    return f"{agreement.columns.serial} from {place:,.0f} on"


def _stratified(labels: Labels, seed: int, why: str = "no time and no serial") -> Split:
    method = f"{why}: a random 30 % judge the rest, so drift cannot be seen"
    rows = np.arange(len(labels))
    if len(rows) < 2:
        return Split(rows[:0], rows, method)
    kinds = labels if _rarer(labels) >= _FEWEST_TO_STRATIFY else None
    earlier, later = train_test_split(
        rows, test_size=LATER_SHARE, stratify=kinds, random_state=seed
    )
    return Split(np.sort(earlier), np.sort(later), method)
