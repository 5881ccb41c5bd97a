"""What the store knows of campaigns: leads counted together, costs, notes. The counting is SQL's.

However many leads there are, each of these is one statement, and what it returns is a row for each
group of leads that are alike: by campaign, age, grade and what became of them.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, Literal, NamedTuple

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    and_,
    case,
    func,
    literal,
    or_,
    select,
    type_coerce,
)
from sqlalchemy import cast as as_type

from features.store.states import words
from features.store.tables import (
    Audit,
    Disposition,
    Lead,
    Note,
    Score,
    Snapshot,
    Spend,
    Waiting,
)

ACCEPTED = ("accepted", "qualified", "opportunity")
"""Steps that sales takes only with a lead that it has accepted."""
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
        as_of: what happened from this moment on is not seen.
        horizon_days: a later win is `won late`.
        by: campaign, source, or the name of a field as it was when the lead was first scored.

    """
    created = func.coalesce(Lead.created, Lead.added)
    within = and_(Lead.erased.is_(None), created >= since, created < as_of)
    keys = select(Lead.key).where(within)
    score = _first_scores(keys, as_of)
    word = words(as_of, Disposition.lead.in_(keys))
    accepted = (
        select(Disposition.lead)
        .where(Disposition.lead.in_(keys), Disposition.code.in_(ACCEPTED), Disposition.at < as_of)
        .group_by(Disposition.lead)
        .subquery("accepted")
    )
    won = word.c.code == "won"
    value = case((won, func.coalesce(word.c.value, _beside(word))))
    alike = (
        _name(connection, by).label("name"),
        _ages(created, as_of, horizon_days).label("ages"),
        score.c.grade,
        _state(connection, word, created, horizon_days).label("state"),
        case((or_(accepted.c.lead.is_not(None), won), 1), else_=0).label("accepted"),
        score.c.probability,
        score.c.expected_value,
        value.label("value"),
    )
    rows = (
        select(*alike)
        .select_from(Lead)
        .outerjoin(score, score.c.lead == Lead.key)
        .outerjoin(word, word.c.lead == Lead.key)
        .outerjoin(accepted, accepted.c.lead == Lead.key)
        .where(within)
    )
    if by not in ("campaign", "source"):
        rows = rows.outerjoin(Snapshot, Snapshot.key == score.c.snapshot)
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
    found = connection.execute(counted.group_by(*groups).order_by(*groups)).all()
    return [LeadGroup(*row)._replace(accepted=bool(row.accepted)) for row in found]


def _first_scores(keys: Any, as_of: datetime) -> Any:
    """Select the first score of each lead: what was promised before anything became of it."""
    place = func.row_number().over(partition_by=Score.lead, order_by=(Score.at, Score.key))
    ranked = (
        select(
            Score.lead,
            Score.grade,
            Score.probability,
            Score.expected_value,
            Score.snapshot,
            place.label("place"),
        )
        .where(Score.lead.in_(keys), Score.at < as_of)
        .subquery()
    )
    return select(ranked).where(ranked.c.place == 1).subquery("score")


def _beside(word: Any) -> Any:
    """Select the value of a win: sales may say that it was won and the export what it is worth."""
    return (
        select(func.max(Disposition.value))
        .where(Disposition.lead == word.c.lead, Disposition.at == word.c.at)
        .where(Disposition.code == "won")
        .scalar_subquery()
    )


def _name(connection: Connection, by: str) -> Any:
    if by in ("campaign", "source"):
        return getattr(Lead, by)
    # To SQLite a text is JSON as it is, and a cast would make a number of it.
    as_json = type_coerce if connection.dialect.name == "sqlite" else as_type
    return as_json(Snapshot.fields, JSON)[by].as_string()


def _ages(created: ColumnElement[Any], as_of: datetime, horizon_days: int) -> ColumnElement[int]:
    bounds = age_bounds(horizon_days)
    younger = [(created > as_of - timedelta(days=end), i) for i, end in enumerate(bounds[1:])]
    return case(*younger, else_=len(bounds) - 1)


def _state(
    connection: Connection, word: Any, created: ColumnElement[Any], horizon_days: int
) -> ColumnElement[str]:
    told = case((word.c.origin == "export", word.c.closed))
    ended = func.coalesce(told, word.c.at)
    over: Any = created + literal(timedelta(days=horizon_days))
    if connection.dialect.name == "sqlite":
        # The format in which it keeps times; they are compared as text.
        over = func.strftime("%Y-%m-%d %H:%M:%f", created, f"+{horizon_days} days")
    late = and_(word.c.code == "won", ended >= over)
    return case((late, "won late"), else_=func.coalesce(word.c.code, "open"))


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
    created = func.coalesce(Lead.created, Lead.added)
    within = and_(Lead.erased.is_(None), created >= since, created < as_of)
    word = words(as_of, Disposition.lead.in_(select(Lead.key).where(within)))
    name = Lead.source if by == "source" else Lead.campaign
    rows = (
        select(name, word.c.code, word.c.reason, func.count())
        .join(word, word.c.lead == Lead.key)
        .where(word.c.code.not_in(("won", "open")))
        .group_by(name, word.c.code, word.c.reason)
        .order_by(name, word.c.code, word.c.reason)
    )
    return [Reason(*row) for row in connection.execute(rows)]


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
