"""The alignment report as figures: read from the store once, shown by page, file and REST alike."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from features.agreement import Agreement
from features.errors import UsageError
from features.store.agreements import SIDES, Side, Signing, signings
from features.store.alignment import (
    Ended,
    Limits,
    Missed,
    Speed,
    WorkedSum,
    ended,
    missed,
    speeds,
    worked_sums,
)
from features.store.database import Store
from features.store.funnel import Month, Step, Stretch, reached
from features.store.health import first_score
from features.store.meetings import Answer, Decided, answers, decisions
from features.store.promotions import Past, past
from serving.alignment.funnel import Funnel, funnels
from serving.alignment.learned import (
    Band,
    Change,
    Changed,
    Disagreements,
    SlowTouch,
    bands,
    disagreements,
    slow_touch,
    what_changed,
)
from serving.alignment.period import Period
from serving.alignment.promises import (
    Brought,
    Hands,
    Week,
    answer_due,
    brought,
    coverage,
    owners,
    teams,
    touch_due,
    weeks,
)
from serving.health import Promise
from serving.rates import Interval

_LOOKED_BACK = timedelta(days=70)
"""How far hand-offs are followed: ten weeks, and the part of a week before them."""
_LATELY = timedelta(days=28)
"""What hands do, what ended, and what was missed is told of four weeks."""
_CHANGES = timedelta(days=42)
_SPEED = timedelta(days=91)
"""Hand-offs of a quarter, whose horizon is over, tell what speed is worth."""
_BOUNDS = (1.0, 4.0, 24.0, 72.0, 168.0)
"""Hours to the first touch, beside the agreed ones."""
_KEPT = timedelta(minutes=1)
_MOST_KEPT = 32
_WEEKS_ASKED = 12
QUESTIONS: dict[Side, str] = {
    "sales": "Were the leads of this week worth our time?",
    "marketing": "Did sales follow up our leads of this week as agreed?",
}
"""One a week to each side, answered by a mark from 1 (not at all) to 5 (fully)."""


@dataclass(frozen=True)
class Mark:
    """How one side said that a week went."""

    week: str
    side: Side
    answers: int
    mean: float


@dataclass(frozen=True)
class Report:
    """What both heads read: of a week or a month, as known at its end."""

    period: Period
    as_of: datetime
    """The end of the period, or now where it still runs."""
    scored_since: datetime | None
    """When the first score of all was given; None where none was by then."""
    agreement: str
    promise_hours: float
    promise_days: int
    horizon_days: int
    missed_decisions: tuple[Decided, ...]
    decisions: tuple[Decided, ...]
    """Those still open, and those done in the period."""
    funnel: tuple[Funnel, ...]
    """All campaigns together first."""
    funnel_before: Funnel
    """All campaigns together, in the period before."""
    brought: tuple[Brought, ...]
    touch: Promise
    """First touches that were promised for the period."""
    answer: Promise
    """Dispositions that were promised for the period."""
    coverage: Interval | None
    weeks: tuple[Week, ...]
    teams: tuple[Hands, ...]
    owners: tuple[Hands, ...]
    missed: tuple[Missed, ...]
    """The best leads that nobody touched in the agreed time; `all` says how many there are."""
    speed: tuple[Band, ...]
    slow_touch: SlowTouch | None
    disagreements: Disagreements
    changes: tuple[Changed, ...]
    marks: tuple[Mark, ...]
    answers: tuple[Answer, ...]
    """Those of the period's own weeks."""


@dataclass(frozen=True)
class Sums:
    """What the store adds up for a report; the larger part of its work."""

    as_of: datetime
    scored_since: datetime | None
    steps: Sequence[Step]
    worked: Sequence[WorkedSum]
    speeds: Sequence[Speed]
    ended: Sequence[Ended]
    missed: Sequence[Missed]


def sums_of(store: Store, agreement: Agreement, period: Period, now: datetime) -> Sums:
    """Add up what a report needs, always by the same number of statements.

    Raises:
        UsageError: when the period has not begun.

    """
    if period.start >= now:
        raise UsageError(f"{period.name} has not begun; it does on {period.start:%Y-%m-%d}")
    as_of = min(period.end, now)
    promise, horizon = agreement.sla.sales, agreement.horizon_days
    stretch = Stretch(period.before.start, period.start, as_of)
    limits = Limits(promise.first_touch_hours * 3600, promise.disposition_days * 86_400.0)
    months = [Month(m.name, m.start, min(m.end, as_of)) for m in period.months if m.start < as_of]
    bounds = [hours * 3600 for hours in _bounds(agreement)]
    ends = as_of - timedelta(days=horizon)
    with store.reading() as connection:
        return Sums(
            as_of,
            first_score(connection),
            reached(connection, stretch, months, agreement.bar.mql_probability),
            worked_sums(connection, Period.week_of(as_of - _LOOKED_BACK).start, stretch, limits),
            speeds(connection, ends - _SPEED, ends, bounds, horizon),
            ended(connection, as_of - _LATELY, as_of),
            missed(connection, as_of - _LATELY, as_of, limits.touch),
        )


def _bounds(agreement: Agreement) -> list[float]:
    """Return the ends of the bands of waits, in hours."""
    return sorted({*_BOUNDS, agreement.sla.sales.first_touch_hours})


class Reports:
    """Gives reports to many who look; sums are added up anew after a minute."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str], tuple[datetime, Sums]] = OrderedDict()

    def report(self, store: Store, agreement: Agreement, period: Period, now: datetime) -> Report:
        """Return the report of a period; decisions and answers in it are never old."""
        key = period.name, agreement.digest
        with self._lock:
            at, sums = self._kept.get(key, (None, None))
        if at is None or sums is None or not at <= now < at + _KEPT:
            sums = sums_of(store, agreement, period, now)
            with self._lock:
                self._kept[key] = now, sums
                self._kept.move_to_end(key)
                while len(self._kept) > _MOST_KEPT:
                    self._kept.popitem(last=False)
        return report_of(store, agreement, period, now, sums)


def report_of(
    store: Store, agreement: Agreement, period: Period, now: datetime, sums: Sums | None = None
) -> Report:
    """Read the report of a period from the store, with sums that are known already if any.

    Raises:
        UsageError: when the period has not begun.

    """
    found = sums or sums_of(store, agreement, period, now)
    as_of, worked, bounds = found.as_of, found.worked, _bounds(agreement)
    promise = agreement.sla.sales
    asked = _weeks_to(period, as_of)
    scored = found.scored_since
    scored = scored if scored is not None and scored < as_of else None
    was_scored = scored is not None and scored < period.start
    with store.reading() as connection:
        said = answers(connection, asked)
        decided = decisions(connection, min(as_of - _CHANGES, period.start), now)
        signed, promoted = signings(connection), past(connection)
    lately = [s for s in worked if s.day >= (as_of - _LATELY).date()]
    changes = _changes(promoted, signed, decided, as_of - _CHANGES, as_of)
    own = {week for week in asked if Period.named(week).end > period.start}
    return Report(
        period=period,
        as_of=as_of,
        scored_since=scored,
        agreement=agreement.label,
        promise_hours=promise.first_touch_hours,
        promise_days=promise.disposition_days,
        horizon_days=agreement.horizon_days,
        missed_decisions=tuple(d for d in decided if d.is_missed(now.date())),
        decisions=tuple(
            d
            for d in decided
            if not d.is_missed(now.date()) and (d.done_at is None or d.done_at >= period.start)
        ),
        funnel=tuple(funnels(found.steps, now=True, is_scored=scored is not None)),
        funnel_before=funnels(found.steps, now=False, is_scored=was_scored)[0],
        brought=tuple(brought(found.steps, period, agreement.sla.marketing, as_of, scored)),
        touch=touch_due(worked),
        answer=answer_due(worked),
        coverage=coverage(worked, promise, as_of),
        weeks=tuple(weeks(worked, promise, as_of)),
        teams=tuple(teams(lately, promise, as_of)),
        owners=tuple(owners(lately, promise, as_of)),
        missed=tuple(found.missed),
        speed=tuple(bands(found.speeds, bounds)),
        slow_touch=slow_touch(found.speeds, bounds.index(promise.first_touch_hours) + 1),
        disagreements=disagreements(found.ended, agreement),
        changes=tuple(what_changed(changes, worked, as_of)),
        marks=tuple(_marks(said)),
        answers=tuple(a for a in said if a.week in own),
    )


def _weeks_to(period: Period, as_of: datetime) -> list[str]:
    """Return the names of the last weeks, the newest one that of the end."""
    week = Period.week_of(as_of - timedelta(microseconds=1))
    found = [week]
    while len(found) < _WEEKS_ASKED or found[0].start > period.start:
        found.insert(0, found[0].before)
    return [week.name for week in found]


def _marks(said: Sequence[Answer]) -> list[Mark]:
    by_week: dict[tuple[str, Side], list[int]] = {}
    for one in said:
        by_week.setdefault((one.week, one.side), []).append(one.mark)
    return [
        Mark(week, side, len(marks), sum(marks) / len(marks))
        for (week, side), marks in sorted(by_week.items())
    ]


def _changes(
    promoted: Sequence[Past],
    signed: Sequence[Signing],
    decided: Sequence[Decided],
    since: datetime,
    until: datetime,
) -> list[Change]:
    """Return what was done otherwise, the newest first."""
    found = [Change(p.at, "model", f"model: {_took_over(p)}") for p in promoted]
    sides: dict[str, set[Side]] = {}
    for one in signed:
        known = sides.setdefault(one.digest, set())
        known.add(one.side)
        if known == {*SIDES}:
            found.append(Change(one.at, "agreement", f"agreement {one.label} is signed"))
    found += [Change(d.done_at, "decision", d.text) for d in decided if d.done_at is not None]
    within = [change for change in found if since <= change.at < until]
    return sorted(within, key=lambda change: change.at, reverse=True)


def _took_over(promotion: Past) -> str:
    """Say who scores since; why a model is the better one stands on its page."""
    if promotion.act == "rollback":
        return f"version {promotion.model} scores again: {promotion.why}"
    after = f" after version {promotion.previous}" if promotion.previous else ""
    return f"version {promotion.model} scores{after}"
