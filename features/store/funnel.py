"""How many leads reached each step of the funnel, added up in the database by one statement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Float,
    Select,
    and_,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import aliased

from features.store.drawn import HandoffState, LeadState
from features.store.states import words, worth
from features.store.tables import Lead, Score, Spend

GOOD = ("A", "B")
"""The grades that marketing promises."""


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
    lately = _lately(stretch)
    steps = [
        *(_at_step(step, lately.c[step], lately.c.campaign, stretch) for step in _KEPT),
        _handed(stretch),
        _first_score("mql", lambda s: s.probability >= bar, stretch),
        _won(stretch),
        *(
            _first_score(m.name, lambda s: s.grade.in_(GOOD), Stretch(m.start, m.start, m.end))
            for m in months
        ),
    ]
    r = union_all(*steps).subquery("reached").c
    now = (r.at >= stretch.start).label("now")
    leads = select(r.campaign, r.step, now, func.count(), func.sum(r.amount))
    leads = leads.group_by(r.campaign, r.step, now)
    return [Step(*row) for row in connection.execute(union_all(leads, _visits(stretch)))]


_KEPT = ("leads", "sal", "sql", "opportunity")
"""Steps whose first time stands on the line of each lead."""
_NO_AMOUNT = cast(null(), Float).label("amount")


def _lately(stretch: Stretch) -> CTE:
    """Select the leads that reached one of these steps, so that all of them are read once."""
    s = LeadState
    moments = (s.created, s.sal, s.sql, s.opportunity)
    is_lately = (and_(at >= stretch.before, at < stretch.end) for at in moments)
    found = select(s.campaign, s.created.label("leads"), *moments[1:]).where(or_(*is_lately))
    return found.cte("lately").prefix_with("MATERIALIZED")


def _at_step(step: str, at: Any, campaign: Any, stretch: Stretch) -> Select[Any]:
    found = select(literal(step).label("step"), campaign.label("campaign"), at.label("at"))
    return found.add_columns(_NO_AMOUNT).where(at >= stretch.before, at < stretch.end)


def _campaign_of(lead: Any) -> Any:
    # A value and not a join: PostgreSQL then looks for each lead, and not at the whole table.
    return select(Lead.campaign).where(Lead.key == lead).scalar_subquery()


def _handed(stretch: Stretch) -> Select[Any]:
    h = HandoffState
    return _at_step("handed", h.at, _campaign_of(h.lead), stretch).where(h.first == 1)


def _first_score(
    step: str, condition: Callable[[Any], ColumnElement[bool]], stretch: Stretch
) -> Select[Any]:
    """Select the leads whose first score of which a condition holds lies in the stretch."""
    earlier = aliased(Score)
    # A value and not `exists`, for the same reason.
    before = select(func.min(earlier.at)).where(
        earlier.lead == Score.lead, earlier.at < stretch.before, condition(earlier)
    )
    return (
        select(literal(step), _campaign_of(Score.lead), func.min(Score.at), _NO_AMOUNT)
        .where(condition(Score), Score.at >= stretch.before, Score.at < stretch.end)
        .where(before.correlate(Score).scalar_subquery().is_(None))
        .group_by(Score.lead)
    )


def _won(stretch: Stretch) -> Select[Any]:
    """Select what sales last said to be won, as `health.won_leads` counts it."""
    word = words(stretch.end, since=stretch.before).c
    won = select(literal("won"), _campaign_of(word.lead), word.at, worth(word))
    return won.where(word.code == "won")


def _visits(stretch: Stretch) -> Select[Any]:
    now = (Spend.date >= stretch.start.date()).label("now")
    # What today has cost so far counts too, as its leads do.
    last = (stretch.end - timedelta.resolution).date()
    return (
        select(Spend.campaign, literal("visits"), now)
        .add_columns(func.sum(Spend.visits), func.sum(Spend.amount))
        .where(Spend.date >= stretch.before.date(), Spend.date <= last)
        .group_by(Spend.campaign, now)
    )
