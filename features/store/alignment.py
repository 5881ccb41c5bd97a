"""The sums behind the alignment report, added up in the database.

Each function asks one question by one statement, however many leads there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    Select,
    Subquery,
    and_,
    case,
    cast,
    exists,
    func,
    literal,
    null,
    select,
    true,
    union_all,
)
from sqlalchemy.orm import aliased

from features.store.states import words
from features.store.tables import Disposition, Handoff, Lead, Score, Spend
from features.store.worked import ACCEPTED, OPPORTUNITY, QUALIFIED, within, worked

GOOD = ("A", "B")
"""The grades that marketing promises."""
_DAY = 86_400
_MOST_NAMED = 10
"""Leads that are named at most, of those that nobody called."""


class Stretch(NamedTuple):
    """A stretch of time, half open, beside the one before it."""

    before: datetime
    start: datetime
    end: datetime


class Month(NamedTuple):
    """A month, or its part up to a moment."""

    name: str
    start: datetime
    end: datetime


class Step(NamedTuple):
    """How many leads of a campaign reached a step, and when: in the stretch, or the one before."""

    campaign: str | None
    step: str
    """visits, leads, mql, handed, sal, sql, opportunity, won; the name of a month: of its leads,
    those that first got a good grade in it."""
    now: bool
    """Whether in the stretch itself."""
    leads: int | None
    """Of visits, how many there were, where that is told."""
    amount: float | None
    """Of visits, what they cost; of won, what they are worth; None where nobody says."""


def reached(
    connection: Connection, stretch: Stretch, months: Sequence[Month], bar: float
) -> list[Step]:
    """Return how many leads reached each step for the first time, by campaign.

    Args:
        connection: of a reading.
        stretch: of time, and the one before it.
        months: in which good leads are counted.
        bar: the probability from which on a lead is an MQL.

    """
    reached_it = (
        union_all(
            _created(stretch),
            _first_time("mql", Score, lambda s: s.probability >= bar, stretch),
            _first_time("handed", Handoff, lambda _: true(), stretch),
            _first_time("sal", Disposition, lambda d: d.code.in_(ACCEPTED), stretch),
            _first_time("sql", Disposition, lambda d: d.code.in_(QUALIFIED), stretch),
            _first_time("opportunity", Disposition, lambda d: d.code.in_(OPPORTUNITY), stretch),
            _won(stretch),
            *(
                _first_time(
                    month.name,
                    Score,
                    lambda s: s.grade.in_(GOOD),
                    Stretch(month.start, month.start, month.end),
                )
                for month in months
            ),
        )
        .subquery("reached")
        .c
    )
    now = (reached_it.at >= stretch.start).label("now")
    leads = (
        select(Lead.campaign, reached_it.step, now, func.count(), func.sum(reached_it.amount))
        .join(Lead, Lead.key == reached_it.lead)
        .group_by(Lead.campaign, reached_it.step, now)
    )
    return [Step(*row) for row in connection.execute(union_all(leads, _visits(stretch)))]


_NO_AMOUNT = cast(null(), Float).label("amount")


def _created(stretch: Stretch) -> Select[Any]:
    at = func.coalesce(Lead.created, Lead.added)
    found = select(literal("leads").label("step"), Lead.key.label("lead"), at.label("at"))
    return found.add_columns(_NO_AMOUNT).where(at >= stretch.before, at < stretch.end)


def _first_time(
    step: str, table: Any, condition: Callable[[Any], ColumnElement[bool]], stretch: Stretch
) -> Select[Any]:
    """Select the leads of which a condition holds in the stretch, and held at no time before."""
    earlier = aliased(table)
    # A value and not `exists`: PostgreSQL then looks for each lead, and not at the whole table.
    before = select(func.min(earlier.at)).where(
        earlier.lead == table.lead, earlier.at < stretch.before, condition(earlier)
    )
    return (
        select(literal(step), table.lead, func.min(table.at), _NO_AMOUNT)
        .where(condition(table), table.at >= stretch.before, table.at < stretch.end)
        .where(before.correlate(table).scalar_subquery().is_(None))
        .group_by(table.lead)
    )


def _won(stretch: Stretch) -> Select[Any]:
    """Select what sales last said to be won, as `health.won_leads` counts it."""
    d = Disposition
    lately = select(d.lead).where(d.code == "won", d.at >= stretch.before, d.at < stretch.end)
    word = words(stretch.end, d.lead.in_(lately)).c
    beside = (
        select(func.max(d.value))
        .where(d.lead == word.lead, d.at == word.at, d.code == "won")
        .scalar_subquery()
    )
    won = select(literal("won"), word.lead, word.at, func.coalesce(word.value, beside))
    return won.where(word.code == "won", word.at >= stretch.before)


def _visits(stretch: Stretch) -> Select[Any]:
    now = (Spend.date >= stretch.start.date()).label("now")
    return (
        select(Spend.campaign, literal("visits"), now)
        .add_columns(func.sum(Spend.visits), func.sum(Spend.amount))
        .where(Spend.date >= stretch.before.date(), Spend.date < stretch.end.date())
        .group_by(Spend.campaign, now)
    )


class Limits(NamedTuple):
    """What sales promised, in seconds."""

    touch: float
    answer: float


class WorkedSum(NamedTuple):
    """What sales did with the hand-offs of a day to one owner."""

    day: date
    team: str | None
    owner: str | None
    handed: int
    touched: int
    """At any time since."""
    answered: int
    touch_kept: int
    """Touched within the promise."""
    answer_kept: int
    accepted: int
    """Within a week: accepted or more."""
    rejected: int
    """Within a week: said to be unqualified."""
    touch_due: int
    """Whose promise of a first touch ran out within the stretch."""
    touch_due_kept: int
    answer_due: int
    answer_due_kept: int
    waiting: int
    """Not touched to this moment."""
    overdue: int
    """Of these, beyond the promise."""
    oldest: datetime | None
    """When the one that waits longest was handed over."""


def worked_sums(
    connection: Connection, since: datetime, stretch: Stretch, limits: Limits
) -> list[WorkedSum]:
    """Return what sales did with the hand-offs from `since` to the end of the stretch."""
    w = worked(since, stretch.end, stretch.end).c
    touched, answered = w.touched.is_not(None), w.answered.is_not(None)
    in_touch = and_(touched, within(w.touched, w.at, limits.touch))
    in_answer = and_(answered, within(w.answered, w.at, limits.answer))
    touch_due, answer_due = (_due(w.at, limit, stretch) for limit in limits)
    waiting = and_(~touched, ~w.again)
    overdue = and_(waiting, w.at <= stretch.end - timedelta(seconds=limits.touch))
    week = 7 * _DAY
    counted: list[ColumnElement[bool]] = [
        touched,
        answered,
        in_touch,
        in_answer,
        and_(w.accepted.is_not(None), within(w.accepted, w.at, week)),
        and_(w.rejected.is_not(None), within(w.rejected, w.at, week)),
        touch_due,
        and_(touch_due, in_touch),
        answer_due,
        and_(answer_due, in_answer),
        waiting,
        overdue,
    ]
    day = func.date(w.at)
    rows = (
        select(day, w.team, w.owner, func.count())
        .add_columns(*(_count(condition) for condition in counted))
        .add_columns(func.min(case((waiting, w.at))))
        .group_by(day, w.team, w.owner)
        .order_by(day, w.team, w.owner)
    )
    return [WorkedSum(date.fromisoformat(str(on)), *rest) for on, *rest in connection.execute(rows)]


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count(case((condition, 1)))


def _due(at: ColumnElement[Any], limit: float, stretch: Stretch) -> ColumnElement[bool]:
    span = timedelta(seconds=limit)
    return and_(at >= stretch.start - span, at < stretch.end - span)


class Speed(NamedTuple):
    """What became of leads that were first touched so soon."""

    band: int
    """The place among the bounds; one more: later; two more: never."""
    handed: int
    won: int
    """Within the horizon from the hand-off."""
    scored: int
    """Of them, how many had a score."""
    expected: float | None
    """The sum of these probabilities."""
    won_scored: int


def speeds(
    connection: Connection, since: datetime, until: datetime, bounds: Sequence[float], horizon: int
) -> list[Speed]:
    """Return what came of hand-offs by the time to the first touch.

    Args:
        connection: of a reading.
        since: hand-offs from here on,
        until: and before this; their horizon is over by `until` + `horizon` days.
        bounds: ends of the bands in seconds, ascending.
        horizon: days within which a win counts.

    """
    as_of = until + timedelta(days=horizon)
    found = worked(since, until, as_of)
    w, s = found.c, aliased(Score)
    said = (
        select(s.probability)
        .where(s.lead == w.lead, s.at <= w.at)
        .order_by(s.at.desc(), s.model.desc())
        .limit(1)
        .correlate(found)
        .scalar_subquery()
    )
    in_time = [(within(w.touched, w.at, bound), n) for n, bound in enumerate(bounds)]
    band = case((w.touched.is_(None), len(bounds) + 1), *in_time, else_=len(bounds))
    each = select(band.label("band"), said.label("p")).add_columns(
        and_(w.won.is_not(None), within(w.won, w.at, horizon * _DAY)).label("won")
    )
    e = each.cte("each").prefix_with("MATERIALIZED").c
    rows = (
        select(e.band, func.count(), _count(e.won), func.count(e.p), func.sum(e.p))
        .add_columns(_count(and_(e.won, e.p.is_not(None))))
        .group_by(e.band)
        .order_by(e.band)
    )
    return [Speed(*row) for row in connection.execute(rows)]


class Ended(NamedTuple):
    """Leads of a grade on which sales said something final, or sent back."""

    grade: str
    code: str
    reason: str | None
    """Of what was graded A and is unqualified."""
    leads: int
    expected: float
    """The sum of the probabilities that they had."""


def ended(connection: Connection, since: datetime, as_of: datetime) -> list[Ended]:
    """Return how leads ended lately, by the grade that they had before the word that counts."""
    d, s = Disposition, aliased(Score)
    lately = select(d.lead).where(d.at >= since, d.at < as_of)
    word = words(as_of, d.lead.in_(lately))
    last = (
        select(s.key)
        .where(s.lead == word.c.lead, s.at <= word.c.at)
        .order_by(s.at.desc(), s.model.desc())
        .limit(1)
        .correlate(word)
        .scalar_subquery()
    )
    reason = case((and_(Score.grade == "A", word.c.code == "unqualified"), word.c.reason))
    rows = (
        select(Score.grade, word.c.code, reason.label("reason"), func.count())
        .add_columns(func.sum(Score.probability))
        .join(Score, Score.key == last)
        .where(word.c.at >= since, word.c.code != "open")
        .group_by(Score.grade, word.c.code, reason)
    )
    return [Ended(*row) for row in connection.execute(rows.select_from(word))]


@dataclass(frozen=True)
class Missed:
    """A lead with a good grade that nobody has touched."""

    id: str
    campaign: str | None
    owner: str | None
    since: datetime
    """When it was handed over; else when it was scored."""
    probability: float
    grade: str
    handed: bool
    all: int
    """How many such leads there are, of those handed over or of those not."""


def missed(
    connection: Connection, since: datetime, as_of: datetime, touch_seconds: float
) -> list[Missed]:
    """Return the best leads that wait for longer than agreed, handed over and not."""
    by = as_of - timedelta(seconds=touch_seconds)
    said = union_all(_untouched(since, by, as_of), _never_handed(since, by, as_of))
    return [Missed(*row) for row in connection.execute(said)]


def _untouched(since: datetime, by: datetime, as_of: datetime) -> Select[Any]:
    w = worked(since, by, as_of)
    newest = _newest_score(w.c.lead, w.c.at, w)
    rows = (
        select(Lead.id, Lead.campaign, w.c.owner, w.c.at.label("since"), Score.probability)
        .add_columns(Score.grade, literal(True).label("handed"))
        .select_from(w)
        .join(Lead, Lead.key == w.c.lead)
        .join(Score, Score.key == newest)
        .where(w.c.touched.is_(None), ~w.c.again)
    )
    return _best(rows)


def _never_handed(since: datetime, by: datetime, as_of: datetime) -> Select[Any]:
    later = aliased(Score)
    newer = exists().where(later.lead == Score.lead, later.at < as_of, later.at > Score.at)
    handed = exists().where(Handoff.lead == Score.lead, Handoff.at < as_of)
    said = exists().where(Disposition.lead == Score.lead, Disposition.at < as_of)
    rows = (
        select(Lead.id, Lead.campaign, null().label("owner"), Score.at.label("since"))
        .add_columns(Score.probability, Score.grade, literal(False).label("handed"))
        .join(Lead, Lead.key == Score.lead)
        .where(Score.at >= since, Score.at < by, ~newer, ~handed, ~said)
    )
    return _best(rows)


def _newest_score(lead: Any, at: Any, of: Subquery) -> Any:
    s = aliased(Score)
    newest = select(s.key).where(s.lead == lead, s.at <= at).order_by(s.at.desc(), s.model.desc())
    return newest.limit(1).correlate(of).scalar_subquery()


def _best(rows: Select[Any]) -> Select[Any]:
    """Select the best of such leads, with how many there are."""
    of_them = rows.where(Score.grade.in_(GOOD), Lead.erased.is_(None))
    place = func.row_number().over(order_by=(Score.probability.desc(), Lead.id))
    best = of_them.add_columns(func.count().over().label("all"), place.label("place")).subquery()
    shown = [column for column in best.c if column.name != "place"]
    return select(*shown).where(best.c.place <= _MOST_NAMED)
