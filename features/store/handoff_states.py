"""Each hand-off with what sales did with it before the next one of the same lead, on one line.

It says nothing that hand-offs, words and scores do not say: whatever is written of a lead, the
lines of its hand-offs are drawn anew from them within the same write. All of it is first times, so
a line also tells what was known at any earlier moment (`worked`), and a report of many hand-offs
walks over one table.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Subquery,
    and_,
    case,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
)
from sqlalchemy.orm import aliased

from features.sections import STEPS
from features.store.bulk import among
from features.store.drawn import HandoffState
from features.store.keys import chunks
from features.store.moments import midnight, seconds
from features.store.said import GRACE
from features.store.states import ACCEPTED, standing
from features.store.tables import Disposition, Handoff, Score


def draw(connection: Connection, leads: Sequence[int]) -> None:
    """Draw the lines of the leads' hand-offs anew; their rows are locked by `lead_states.draw`.

    Args:
        connection: of a write.
        leads: their keys, each once and in order.

    """
    for some in chunks(leads):
        connection.execute(delete(HandoffState).where(among(connection, HandoffState.lead, some)))
        names = [column.name for column in HandoffState.__table__.columns]
        connection.execute(insert(HandoffState).from_select(names, lines_of(connection, some)))


def draw_rescored(connection: Connection, leads: Sequence[int]) -> None:
    """Do the same of those alone of which another score than that of the line counts now."""
    h = HandoffState
    newest = _newest_score(h).correlate(h).scalar_subquery()
    for some in chunks(leads):
        of_them = select(h.lead, h.score, newest.label("newest")).where(
            among(connection, h.lead, some)
        )
        line = of_them.subquery().c
        changed = select(line.lead).where(
            line.newest.is_not(None), or_(line.score.is_(None), line.score != line.newest)
        )
        draw(connection, sorted(set(connection.execute(changed).scalars())))


def _newest_score(handed: Any) -> Select[Any]:
    """Select the key of the newest score of a lead up to a hand-off."""
    s = aliased(Score)
    of_it = select(s.key).where(s.lead == handed.lead, s.at <= handed.at)
    return of_it.order_by(s.at.desc(), s.key.desc()).limit(1)


def lines_of(connection: Connection, leads: Sequence[int]) -> Select[Any]:
    """Select the lines of leads as their events make them, in the order of the table's columns."""
    other = aliased(Handoff)
    following = select(func.min(other.at)).where(other.lead == Handoff.lead, other.at > Handoff.at)
    before = exists().where(other.lead == Handoff.lead, other.at < Handoff.at)
    handed = (
        select(Handoff.key, Handoff.lead, Handoff.at, Handoff.owner, Handoff.team)
        .add_columns(case((before.correlate(Handoff), 0), else_=1).label("first"))
        .add_columns(following.correlate(Handoff).scalar_subquery().label("following"))
        .add_columns(_newest_score(Handoff).correlate(Handoff).scalar_subquery().label("score"))
        .where(among(connection, Handoff.lead, leads))
        .cte("handed_over")
        .prefix_with("MATERIALIZED")
    )
    h, d = handed.c, standing(among(connection, Disposition.lead, leads)).c
    of_first = and_(h.first == 1, within(h.at, d.at, GRACE.total_seconds()))
    said = and_(
        d.lead == h.lead,
        or_(d.at >= h.at, d.at == midnight(h.at), of_first),
        or_(h.following.is_(None), and_(d.at < h.following, d.at != midnight(h.following))),
    )
    when = case((d.at < h.at, h.at), else_=d.at)
    facts = (h.key, h.lead, h.at, h.owner, h.team, h.first, h.following)
    return (
        select(*facts, func.min(when).label("touched"))
        .add_columns(_first(when, d.code.not_in((*STEPS, "open"))).label("answered"))
        .add_columns(_first(when, d.code.in_(ACCEPTED)).label("accepted"))
        .add_columns(_first(when, d.code == "unqualified").label("rejected"))
        .add_columns(_first(when, d.code == "won").label("won"))
        .add_columns(h.score, Score.probability, Score.grade)
        .select_from(handed)
        .outerjoin(d.key.table, said)
        .outerjoin(Score, Score.key == h.score)
        .group_by(*facts, h.score, Score.probability, Score.grade)
    )


def _first(when: ColumnElement[Any], condition: ColumnElement[bool]) -> ColumnElement[Any]:
    return func.min(case((condition, when)))


def worked(since: datetime, until: datetime, as_of: datetime) -> Subquery:
    """Select the hand-offs of a stretch of time with what was said of them before a moment.

    Columns: lead, at, owner, team, probability and grade (of the newest score at the hand-off),
    again (whether a later hand-off followed), and when sales first said anything (touched), gave a
    disposition (answered), accepted it or more (accepted), said that it was unqualified
    (rejected), said that it was won (won). A word of the day counts from the hand-off. What was
    taken back was never said.

    Args:
        since: hand-offs from here on,
        until: and before this.
        as_of: words and hand-offs from this moment on are not seen.

    """
    h = HandoffState
    firsts = (h.touched, h.answered, h.accepted, h.rejected, h.won)
    return (
        select(h.lead, h.at, h.owner, h.team, h.probability, h.grade)
        .add_columns(func.coalesce(h.following < as_of, False).label("again"))
        .add_columns(*(case((first < as_of, first)).label(first.key) for first in firsts))
        .where(h.at >= since, h.at < until)
        .subquery("worked")
    )


def within(end: Any, start: Any, limit: float) -> ColumnElement[bool]:
    """Whether something came within so many seconds."""
    return seconds(end, start) <= limit
