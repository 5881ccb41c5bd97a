"""What sales did with each hand-off before the next one of the same lead, found in the database.

The same as `health.passed` gives as rows: for sums over many hand-offs, of which no row is read.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Subquery, and_, case, exists, func, or_, select
from sqlalchemy.orm import aliased

from features.sections import STEPS
from features.store.moments import midnight, seconds
from features.store.said import GRACE
from features.store.tables import Disposition, Handoff

ACCEPTED = ("accepted", "qualified", "opportunity", "won")
"""What says that sales accepted a lead, or more: SAL."""
QUALIFIED = ("qualified", "opportunity", "won")
"""That sales confirmed a possibility, or more: SQL."""
OPPORTUNITY = ("opportunity", "won")


def worked(since: datetime, until: datetime, as_of: datetime) -> Subquery:
    """Select the hand-offs of a stretch of time with what was said of them before a moment.

    Columns: key, lead, at, owner, team, again (whether a later hand-off followed), and when sales
    first said anything (touched), gave a disposition (answered), accepted it or more (accepted),
    said that it was unqualified (rejected), said that it was won (won). A word of the day counts
    from the hand-off.

    Args:
        since: hand-offs from here on,
        until: and before this.
        as_of: words and hand-offs from this moment on are not seen.

    """
    other = aliased(Handoff)
    of_it = (other.lead == Handoff.lead, other.at < as_of)
    following = select(func.min(other.at)).where(*of_it, other.at > Handoff.at)
    before = exists().where(other.lead == Handoff.lead, other.at < Handoff.at)
    handed = (
        select(Handoff.key, Handoff.lead, Handoff.at, Handoff.owner, Handoff.team)
        .add_columns(following.correlate(Handoff).scalar_subquery().label("next"))
        .add_columns(before.correlate(Handoff).label("later"))
        .where(Handoff.at >= since, Handoff.at < until)
        .cte("handed_over")
        .prefix_with("MATERIALIZED")
    )
    h, d = handed.c, Disposition
    of_first = and_(~h.later, within(h.at, d.at, GRACE.total_seconds()))
    said = and_(
        d.lead == h.lead,
        d.at >= since - GRACE,
        d.at < as_of,
        or_(d.at >= h.at, d.at == midnight(h.at), of_first),
        or_(h.next.is_(None), and_(d.at < h.next, d.at != midnight(h.next))),
    )
    when = case((d.at < h.at, h.at), else_=d.at)
    return (
        select(h.key, h.lead, h.at, h.owner, h.team, h.next.is_not(None).label("again"))
        .add_columns(func.min(when).label("touched"))
        .add_columns(_first(when, d.code.not_in((*STEPS, "open"))).label("answered"))
        .add_columns(_first(when, d.code.in_(ACCEPTED)).label("accepted"))
        .add_columns(_first(when, d.code == "unqualified").label("rejected"))
        .add_columns(_first(when, d.code == "won").label("won"))
        .outerjoin(d, said)
        .group_by(h.key, h.lead, h.at, h.owner, h.team, h.next)
        .subquery("worked")
    )


def _first(when: ColumnElement[Any], condition: ColumnElement[bool]) -> ColumnElement[Any]:
    return func.min(case((condition, when)))


def within(end: Any, start: Any, limit: float) -> ColumnElement[bool]:
    """Whether something came within so many seconds."""
    return seconds(end, start) <= limit
