"""The sums behind the alignment report, added up in the database.

Each function asks one question by one statement, however many leads there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    exists,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import aliased

from features.store.funnel import GOOD, Stretch
from features.store.handoff_states import within, worked
from features.store.moments import midnight
from features.store.states import stands, words
from features.store.tables import Disposition, Handoff, Lead, Score

_DAY = 86_400
_MOST_NAMED = 10
"""Leads that are named at most, of those that nobody called."""


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
    day = midnight(w.at)
    rows = (
        select(day, w.team, w.owner, func.count())
        .add_columns(*(_count(condition) for condition in counted))
        .add_columns(func.min(case((waiting, w.at))))
        .group_by(day, w.team, w.owner)
        .order_by(day, w.team, w.owner)
    )
    return [WorkedSum(on.date(), *rest) for on, *rest in connection.execute(rows)]


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
    w = worked(since, until, until + timedelta(days=horizon)).c
    in_time = [(within(w.touched, w.at, bound), n) for n, bound in enumerate(bounds)]
    band = case((w.touched.is_(None), len(bounds) + 1), *in_time, else_=len(bounds))
    won = and_(w.won.is_not(None), within(w.won, w.at, horizon * _DAY)).label("won")
    e = select(band.label("band"), w.probability.label("p"), won).subquery("each").c
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
    s = aliased(Score)
    # The word that counts is the newest one, so that earlier ones need not be looked at.
    word = words(as_of, since=since)
    last = (
        select(s.key)
        .where(s.lead == word.c.lead, s.at <= word.c.at)
        .order_by(s.at.desc(), s.key.desc())
        .limit(1)
        .correlate(word)
        .scalar_subquery()
    )
    reason = case((and_(Score.grade == "A", word.c.code == "unqualified"), word.c.reason))
    rows = (
        select(Score.grade, word.c.code, reason.label("reason"), func.count())
        .add_columns(func.sum(Score.probability))
        .join(Score, Score.key == last)
        .where(word.c.code != "open")
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
    """Return the best leads that wait for longer than agreed, those handed over first."""
    by = as_of - timedelta(seconds=touch_seconds)
    said = union_all(_untouched(since, by, as_of), _never_handed(since, by, as_of))
    found = (Missed(*row) for row in connection.execute(said))
    return sorted(found, key=lambda lead: (not lead.handed, -lead.probability, lead.id))


def _untouched(since: datetime, by: datetime, as_of: datetime) -> Select[Any]:
    w = worked(since, by, as_of)
    rows = (
        select(Lead.id, Lead.campaign, w.c.owner, w.c.at.label("since"), w.c.probability)
        .add_columns(w.c.grade, literal(True).label("handed"))
        .select_from(w)
        .join(Lead, Lead.key == w.c.lead)
        .where(w.c.touched.is_(None), ~w.c.again)
    )
    return _best(rows, w.c.probability, w.c.grade)


def _never_handed(since: datetime, by: datetime, as_of: datetime) -> Select[Any]:
    later = aliased(Score)
    is_newer = or_(later.at > Score.at, and_(later.at == Score.at, later.key > Score.key))
    newer = exists().where(later.lead == Score.lead, later.at < as_of, is_newer)
    handed = exists().where(Handoff.lead == Score.lead, Handoff.at < as_of)
    said = exists().where(Disposition.lead == Score.lead, Disposition.at < as_of, stands())
    rows = (
        select(Lead.id, Lead.campaign, null().label("owner"), Score.at.label("since"))
        .add_columns(Score.probability, Score.grade, literal(False).label("handed"))
        .join(Lead, Lead.key == Score.lead)
        .where(Score.at >= since, Score.at < by, ~newer, ~handed, ~said)
    )
    return _best(rows, Score.probability, Score.grade)


def _best(rows: Select[Any], probability: Any, grade: Any) -> Select[Any]:
    """Select the best of such leads, with how many there are."""
    of_them = rows.where(grade.in_(GOOD), Lead.erased.is_(None))
    place = func.row_number().over(order_by=(probability.desc(), Lead.id))
    best = of_them.add_columns(func.count().over().label("all"), place.label("place")).subquery()
    shown = [column for column in best.c if column.name != "place"]
    return select(*shown).where(best.c.place <= _MOST_NAMED)
