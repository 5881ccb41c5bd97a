"""What both sides promised, and whether it was kept; where leads wait, and who differs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from features.sections import MarketingPromise, SalesPromise
from features.store.alignment import WorkedSum
from features.store.funnel import Step
from serving.alignment.period import Period
from serving.health import Promise
from serving.rates import Interval, difference_of_rates, wilson

NOBODY = "nobody named"
_ERROR = 0.05
"""Of all comparisons of one kind together (Bonferroni)."""


Kept = Literal["kept", "broken", "on course", "behind", "partly scored", "not scored yet"]


@dataclass(frozen=True)
class Brought:
    """The A and B leads that marketing brought in a month, against the promise."""

    month: str
    leads: int | None
    """None where no lead had a score yet."""
    promised: int
    by: datetime
    """Counted up to this moment."""
    state: Kept
    """Behind: fewer than the promise comes to by this part of the month. Partly scored: fewer, and
    nobody knows of the leads before the first score."""
    scored_since: datetime | None = None
    """When the first score was given, where that was within the month."""


@dataclass(frozen=True)
class Week:
    """What sales did with the hand-offs of a week."""

    start: date
    handed: int
    touch: Interval | None
    """Share touched within the promise; None before its time is over, or without hand-offs."""
    answer: Interval | None
    """Share with a disposition within the promise."""
    coverage: Interval | None
    """Share with a disposition by now."""


@dataclass(frozen=True)
class Hands:
    """What one team or owner did lately."""

    name: str
    handed: int
    """Leads of the last weeks whose first touch is due."""
    touch: Interval | None
    """Share touched within the promise."""
    waiting: int
    """Leads that nobody has touched yet."""
    overdue: int
    oldest: datetime | None
    differs: Literal["slower", "faster", ""]
    """Than all others together; empty where chance would explain it."""


def brought(
    steps: Sequence[Step],
    period: Period,
    promise: MarketingPromise,
    as_of: datetime,
    scored_since: datetime | None,
) -> list[Brought]:
    """Hold the good leads of each month that a period touches against the promise.

    Without scores there are no grades: where the first score came within the month or later, no
    promise is said to be broken.
    """
    promised = promise.leads_graded_a_or_b_per_month
    found = []
    for month in period.months:
        leads = sum(int(step.leads or 0) for step in steps if step.step == month.name)
        by = min(month.end, as_of)
        part = (by - month.start) / (month.end - month.start)
        over = by == month.end
        if scored_since is None or scored_since >= by:
            found.append(Brought(month.name, None, promised, by, "not scored yet"))
            continue
        since = scored_since if scored_since > month.start else None
        if leads >= promised:
            state: Kept = "kept"
        elif since is not None:
            state = "partly scored"
        elif over:
            state = "broken"
        else:
            state = "on course" if leads >= promised * part else "behind"
        found.append(Brought(month.name, leads, promised, by, state, since))
    return found


def touch_due(sums: Sequence[WorkedSum]) -> Promise:
    """Return how often the promise of a first touch was kept, of those due in the period."""
    return Promise(sum(s.touch_due_kept for s in sums), sum(s.touch_due for s in sums))


def answer_due(sums: Sequence[WorkedSum]) -> Promise:
    """Return how often the promise of a disposition was kept, of those due in the period."""
    return Promise(sum(s.answer_due_kept for s in sums), sum(s.answer_due for s in sums))


def rate(kept: int, of: int, level: float = 0.95) -> Interval | None:
    """Return a share with its interval; None of nothing."""
    return wilson(kept, of, level) if of else None


def weeks(sums: Sequence[WorkedSum], promise: SalesPromise, as_of: datetime) -> list[Week]:
    """Account for hand-offs by week, the oldest first."""
    by_week: dict[date, list[WorkedSum]] = {}
    for found in sums:
        by_week.setdefault(found.day - timedelta(days=found.day.weekday()), []).append(found)
    touch_over = (as_of - timedelta(hours=promise.first_touch_hours)).date()
    answer_over = (as_of - timedelta(days=promise.disposition_days)).date()
    return [_week(start, part, touch_over, answer_over) for start, part in sorted(by_week.items())]


def _week(start: date, part: Sequence[WorkedSum], touch_over: date, answer_over: date) -> Week:
    handed = sum(s.handed for s in part)
    end = start + timedelta(days=7)
    return Week(
        start,
        handed,
        rate(sum(s.touch_kept for s in part), handed) if end <= touch_over else None,
        rate(sum(s.answer_kept for s in part), handed) if end <= answer_over else None,
        rate(sum(s.answered for s in part), handed) if end <= answer_over else None,
    )


def coverage(sums: Sequence[WorkedSum], promise: SalesPromise, as_of: datetime) -> Interval | None:
    """Return the share of leads with a disposition, among those for which its time is over."""
    over = (as_of - timedelta(days=promise.disposition_days)).date()
    due = [s for s in sums if s.day < over]
    return rate(sum(s.answered for s in due), sum(s.handed for s in due))


def teams(sums: Sequence[WorkedSum], promise: SalesPromise, as_of: datetime) -> list[Hands]:
    """Account for teams, those with most overdue leads first."""
    return _hands(sums, promise, as_of, lambda s: s.team or NOBODY)


def owners(sums: Sequence[WorkedSum], promise: SalesPromise, as_of: datetime) -> list[Hands]:
    """Account for owners, those with most overdue leads first."""
    return _hands(sums, promise, as_of, lambda s: s.owner or NOBODY)


def _hands(
    sums: Sequence[WorkedSum],
    promise: SalesPromise,
    as_of: datetime,
    name: Callable[[WorkedSum], str],
) -> list[Hands]:
    by_name: dict[str, list[WorkedSum]] = {}
    for found in sums:
        by_name.setdefault(name(found), []).append(found)
    over = (as_of - timedelta(hours=promise.first_touch_hours)).date()
    kept = {n: _kept([s for s in part if s.day < over]) for n, part in by_name.items()}
    level = 1 - _ERROR / max(len(by_name), 1)
    hands = [
        Hands(
            n,
            kept[n].due,
            rate(kept[n].kept, kept[n].due),
            sum(s.waiting for s in part),
            sum(s.overdue for s in part),
            min((s.oldest for s in part if s.oldest), default=None),
            _differs(n, kept, level),
        )
        for n, part in by_name.items()
    ]
    return sorted(hands, key=lambda h: (-h.overdue, -h.handed, h.name))


def _kept(part: Sequence[WorkedSum]) -> Promise:
    return Promise(sum(s.touch_kept for s in part), sum(s.handed for s in part))


def _differs(
    name: str, kept: Mapping[str, Promise], level: float
) -> Literal["slower", "faster", ""]:
    """Tell whether one differs from all others together beyond chance."""
    own = kept[name]
    others = Promise(
        sum(p.kept for p in kept.values()) - own.kept, sum(p.due for p in kept.values()) - own.due
    )
    a, b = rate(own.kept, own.due, level), rate(others.kept, others.due, level)
    if a is None or b is None:
        return ""
    apart = difference_of_rates(a, b)
    return "slower" if apart.high < 0 else "faster" if apart.low > 0 else ""
