"""What the store knows of campaigns: leads counted together, costs, notes. The counting is SQL's.

However many leads there are, each of these is one statement, beside one that asks what is dated
ahead (`lead_states.known_at`), and what it returns is a row for each
group of leads that are alike: by campaign, age, grade and what became of them.
"""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from typing import Any, Literal, NamedTuple

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    Text,
    and_,
    case,
    func,
    or_,
    select,
)
from sqlalchemy import cast as as_type

from features.store.lead_states import known_at
from features.store.moments import seconds
from features.store.tables import Audit, Disposition, Lead, Note, Score, Snapshot, Spend, Waiting

WEEK = 7
TREND_DAYS = 28
"""The trend holds so many days against as many before."""
State = Literal[
    "won", "won late", "lost", "unqualified", "not_ready", "in_contract", "unreachable", "open"
]
_MOST_NOTES = 1000


class LeadGroup(NamedTuple):
    """Leads alike in campaign, age, grade and state, counted together."""

    name: str | None
    """Of the campaign, or of what else was asked for, as it is spelled."""
    ages: int
    """The place of their age in `age_bounds`."""
    grade: str | None
    """Of the first score; None where there is none."""
    state: State
    """What the word that counts says; `won late` lies past the horizon."""
    accepted: bool
    """Whether sales has accepted them."""
    leads: int
    probability: float
    """The sum of those that were first given."""
    square: float
    """The sum of their squares."""
    worth: float
    """The sum of probability times value if won, of those of which it was told."""
    worthy: float
    """The sum of the probabilities of these."""
    value: float
    """Of those that are won, what they are worth together."""
    valued: int
    """Won leads with a value."""
    value_square: float
    """The sum of the squares of their values."""


def age_bounds(horizon_days: int) -> list[int]:
    """Return the days at which groups of ages begin: weeks up to the horizon and the trend's end.

    >>> age_bounds(30)
    [0, 7, 14, 21, 28, 30, 35, 42, 49, 56]
    """
    end = max(horizon_days, 2 * TREND_DAYS)
    return sorted({*range(0, end, WEEK), horizon_days, end})


def lead_groups(
    connection: Connection,
    since: datetime,
    as_of: datetime,
    horizon_days: int,
    by: str = "campaign",
) -> list[LeadGroup]:
    """Count the leads that were created in a stretch of time, `since` inclusive, `as_of` exclusive.

    Args:
        connection: of a reading.
        since: a lead without a creation time stands by when it was first heard of.
        as_of: this moment, by which leads have an age; words from here on are not seen.
        horizon_days: a later win is `won late`.
        by: campaign, source, or the name of a field as it was when the lead was first scored.

    """
    state = known_at(connection, as_of).c
    alike = (
        _name(connection, state, by).label("name"),
        _ages(state.created, as_of, horizon_days).label("ages"),
        state.grade,
        _state(state, horizon_days).label("state"),
        case((or_(state.accepted == 1, state.code == "won"), 1), else_=0).label("accepted"),
        state.probability,
        state.expected_value,
        case((state.code == "won", state.value)).label("value"),
    )
    within = (state.erased == 0, state.created >= since, state.created < as_of)
    rows = select(*alike).where(*within)
    if by not in ("campaign", "source"):
        rows = rows.outerjoin(Snapshot, Snapshot.key == state.snapshot)
    one = rows.subquery("one")
    groups = (one.c.name, one.c.ages, one.c.grade, one.c.state, one.c.accepted)
    told = case((one.c.expected_value.is_not(None), one.c.probability))
    summed = (
        one.c.probability,
        one.c.probability * one.c.probability,
        one.c.expected_value,
        told,
        one.c.value,
    )
    counted = select(*groups, func.count(), *(func.coalesce(func.sum(s), 0.0) for s in summed))
    counted = counted.add_columns(
        func.count(one.c.value), func.coalesce(func.sum(one.c.value * one.c.value), 0.0)
    )
    # Apart from the order: PostgreSQL would sort all leads first, which takes twice as long.
    grouped = counted.group_by(*groups).cte("grouped").prefix_with("MATERIALIZED")
    found = connection.execute(select(grouped).order_by(*list(grouped.c)[: len(groups)])).all()
    return [LeadGroup(*row)._replace(accepted=bool(row.accepted)) for row in found]


def _name(connection: Connection, state: Any, by: str) -> Any:
    if by in ("campaign", "source"):
        return state[by]
    if connection.dialect.name == "sqlite":
        # Its paths know a field only as the JSON writes it, letters beyond ASCII escaped.
        field = func.json_each(Snapshot.fields).table_valued("key", "value")
        return select(as_type(field.c.value, Text)).where(field.c.key == by).scalar_subquery()
    # PostgreSQL takes long to read a whole snapshot for one field. In JSON a quote within a text
    # has a backslash before it, so a name with its quotes stands where the field does, and else
    # only at the end of a longer name.
    named = f'{json.dumps(by)}: "'
    after = func.split_part(Snapshot.fields, named, 2)
    text = func.split_part(after, '"', 1)
    is_whole = and_(
        text != "",
        func.strpos(text, "\\") == 0,
        func.strpos(Snapshot.fields, "\\" + named) == 0,
    )
    return case((is_whole, text), else_=as_type(Snapshot.fields, JSON)[by].as_string())


def _ages(created: Any, as_of: datetime, horizon_days: int) -> ColumnElement[int]:
    bounds = age_bounds(horizon_days)
    younger = [(created > as_of - timedelta(days=end), i) for i, end in enumerate(bounds[1:])]
    return case(*younger, else_=len(bounds) - 1)


def _state(state: Any, horizon_days: int) -> ColumnElement[str]:
    took = seconds(state.ended, state.created)
    late = and_(state.code == "won", took >= timedelta(days=horizon_days).total_seconds())
    return case((late, "won late"), else_=func.coalesce(state.code, "open"))


class Reason(NamedTuple):
    """Why leads of a campaign were not won, as sales last said it."""

    name: str | None
    code: str
    reason: str | None
    leads: int


def reasons_of(
    connection: Connection, since: datetime, as_of: datetime, by: str = "campaign"
) -> list[Reason]:
    """Count why leads of a stretch of time were not won, by campaign or source."""
    state = known_at(connection, as_of).c
    kinds = (state[by], state.code, state.reason)
    rows = (
        select(*kinds, func.count())
        .where(state.created >= since, state.created < as_of)
        .where(state.erased == 0, state.code.not_in(("won", "open")))
        .group_by(*kinds)
        .order_by(*kinds)
    )
    return [Reason._make(row) for row in connection.execute(rows)]


class Cost(NamedTuple):
    """What a campaign cost in a stretch of time."""

    name: str
    amount: float
    visits: int | None
    """None where none were told."""


def costs(connection: Connection, first: date, last: date) -> list[Cost]:
    """Add up what each campaign cost from one day to another, both included."""
    rows = (
        select(Spend.campaign, func.sum(Spend.amount), func.sum(Spend.visits))
        .where(Spend.date.between(first, last))
        .group_by(Spend.campaign)
        .order_by(Spend.campaign)
    )
    return [
        Cost(name, round(float(amount), 2), None if visits is None else int(visits))
        for name, amount, visits in connection.execute(rows)
    ]


class CampaignNote(NamedTuple):
    """What somebody had to say of a campaign."""

    name: str | None
    text: str
    by: str | None
    at: datetime


def notes(connection: Connection, since: datetime, as_of: datetime) -> list[CampaignNote]:
    """Return the notes on campaigns of a stretch of time, the newest first; at most a thousand."""
    rows = (
        select(Note.campaign, Note.text, Note.by, Note.at)
        .where(Note.campaign.is_not(None), Note.at >= since, Note.at < as_of)
        .order_by(Note.at.desc(), Note.key.desc())
        .limit(_MOST_NOTES)
    )
    return [CampaignNote(*row) for row in connection.execute(rows)]


def newest(connection: Connection) -> tuple[Any, ...]:
    """Return what changes whenever something becomes known of leads, or is taken back."""
    numbers = (
        select(func.max(table.key)).scalar_subquery()
        for table in (Lead, Score, Disposition, Waiting, Audit)
    )
    return tuple(connection.execute(select(*numbers)).one())
