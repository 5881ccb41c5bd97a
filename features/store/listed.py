"""The worklist as a page shows it: a part of it in order, what there is to choose by, what is new.

However long the list is, each function takes the same few statements.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, func, or_, select

from features.cells import Cell
from features.store.bulk import among
from features.store.entries import NO_FIELDS, fields_of, newest_snapshots
from features.store.tables import Disposition, Handoff, Lead, Snapshot, Worklist

NOBODY = "-"
"""Asks for the leads that have no owner, no campaign or no grade."""


@dataclass(frozen=True)
class Wanted:
    """Which part of the list is asked for; empty: all."""

    owner: str = ""
    campaign: str = ""
    grade: str = ""


class Line(NamedTuple):
    """A lead that waits for an answer of sales."""

    key: int
    id: str
    created: datetime | None
    source: str | None
    handed: datetime
    owner: str | None
    team: str | None
    campaign: str | None
    touched: datetime | None
    step: str | None
    model: str | None
    probability: float | None
    expected_value: float | None
    grade: str | None
    lane: str | None
    worth: float
    seen: str
    """The newest hand-off and word, so that an answer tells what it answers."""


class Choice(NamedTuple):
    """What one can choose by, and how many leads each choice leaves beside the other two."""

    owners: Mapping[str | None, int]
    campaigns: Mapping[str | None, int]
    grades: Mapping[str | None, int]
    total: int
    """Leads that all three leave."""
    waiting: int
    """All leads that wait."""


def choices(connection: Connection, wanted: Wanted, as_of: datetime) -> Choice:
    """Return how many leads wait, by all that one can choose by."""
    owners, campaigns, grades = (
        _counts(connection, name, replace(wanted, **{name: ""}), as_of) for name in _CHOICES
    )
    everything = select(func.count()).where(Worklist.handed <= as_of)
    return Choice(
        owners,
        campaigns,
        grades,
        sum(n for grade, n in grades.items() if wanted.grade in ("", grade or NOBODY)),
        connection.execute(everything).scalar_one(),
    )


_CHOICES = ("owner", "campaign", "grade")


def _counts(
    connection: Connection, name: str, others: Wanted, as_of: datetime
) -> dict[str | None, int]:
    column = getattr(Worklist, name)
    rows = (
        select(column, func.count())
        .where(Worklist.handed <= as_of, *_chosen(others))
        .group_by(column)
        .order_by(column.is_(None), column)
    )
    return dict(connection.execute(rows).all())


def lines(
    connection: Connection, wanted: Wanted, as_of: datetime, limit: int, offset: int
) -> list[Line]:
    """Return a part of the list, those that bring most first."""
    told = [getattr(Worklist, name) for name in _OWN]
    rows = (
        select(Lead.key, Lead.id, Lead.created, Lead.source, *told, *_newest())
        .join(Lead, Lead.key == Worklist.lead)
        .where(Worklist.handed <= as_of, *_chosen(wanted))
        .order_by(Worklist.worth.desc(), Worklist.lead.desc())
        .limit(limit)
        .offset(offset)
    )
    return [_line(row) for row in connection.execute(rows)]


def line_of(connection: Connection, key: int) -> Line | None:
    """Return the line of a lead; None where sales does not have it, or has answered."""
    told = [getattr(Worklist, name) for name in _OWN]
    row = connection.execute(
        select(Lead.key, Lead.id, Lead.created, Lead.source, *told, *_newest())
        .join(Lead, Lead.key == Worklist.lead)
        .where(Worklist.lead == key)
    ).one_or_none()
    return None if row is None else _line(row)


def _line(row: Any) -> Line:
    *told, handoff, word = row
    return Line._make([*told, f"{handoff or 0}-{word or 0}"])


_OWN = (
    *("handed", "owner", "team", "campaign", "touched", "step", "model", "probability"),
    *("expected_value", "grade", "lane", "worth"),
)


def _newest() -> tuple[ColumnElement[int | None], ColumnElement[int | None]]:
    handoff = select(func.max(Handoff.key)).where(Handoff.lead == Lead.key)
    word = select(func.max(Disposition.key)).where(Disposition.lead == Lead.key)
    return handoff.scalar_subquery(), word.scalar_subquery()


def _chosen(wanted: Wanted) -> list[ColumnElement[bool]]:
    asked = [(getattr(Worklist, name), getattr(wanted, name)) for name in _CHOICES]
    return [
        column.is_(None) if value == NOBODY else column == value for column, value in asked if value
    ]


class Cut(NamedTuple):
    """Where the calls of the day end: lines at or above it are within the capacity."""

    worth: float
    lead: int


def cut_after(connection: Connection, calls: int, as_of: datetime) -> Cut | None:
    """Return the last line within so many calls; None where the list is no longer."""
    row = connection.execute(
        select(Worklist.worth, Worklist.lead)
        .where(Worklist.handed <= as_of)
        .order_by(Worklist.worth.desc(), Worklist.lead.desc())
        .limit(1)
        .offset(max(calls - 1, 0))
    ).one_or_none()
    return None if row is None else Cut(*row)


def answered_on(connection: Connection, day: datetime) -> int:
    """Return how many leads sales has said something of on a day."""
    midnight = day.replace(hour=0, minute=0, second=0, microsecond=0)
    return connection.execute(
        select(func.count(func.distinct(Disposition.lead))).where(
            Disposition.at >= midnight,
            Disposition.at < midnight + timedelta(days=1),
            Disposition.origin != "export",
            Disposition.code != "open",
        )
    ).scalar_one()


class Known(NamedTuple):
    """What is known of a lead, and what was before."""

    now: dict[str, Cell]
    before: dict[str, Cell] | None
    """None where nothing was."""


def known_of(connection: Connection, keys: Sequence[int], before: datetime) -> dict[int, Known]:
    """Return what is known of leads now, and what was known just before a moment."""
    rows = connection.execute(
        select(Snapshot.lead, Snapshot.at, Snapshot.fields)
        .where(among(connection, Snapshot.lead, keys), Snapshot.fields != NO_FIELDS)
        .order_by(Snapshot.at, Snapshot.key)
    )
    newest: dict[int, str] = {}
    earlier: dict[int, str] = {}
    for lead, at, fields in rows:
        newest[lead] = fields
        if at < before:
            earlier[lead] = fields
    return {
        lead: Known(fields_of(text), fields_of(earlier[lead]) if lead in earlier else None)
        for lead, text in newest.items()
    }


class Unscored(NamedTuple):
    """A lead of the list that the model has not scored."""

    lead: str
    """Its id."""
    created: datetime | None
    campaign: str | None
    source: str | None
    fields: str
    """What is known of it, as the store keeps it."""

    @property
    def known(self) -> dict[str, Cell]:
        """What is known of it."""
        return fields_of(self.fields)


def unscored(connection: Connection, model: str, with_value: bool, limit: int) -> list[Unscored]:
    """Return leads of the list that the model has not scored yet, those handed over last first.

    Args:
        connection: of a reading.
        model: the version that scores.
        with_value: whether it knows values: then lines without one count as not scored.
        limit: how many at most.

    """
    is_old = or_(Worklist.model.is_(None), Worklist.model != model)
    if with_value:
        is_old = or_(is_old, Worklist.expected_value.is_(None))
    by_time = (Worklist.handed.desc(), Worklist.lead)
    old = select(Worklist.lead).where(is_old).order_by(*by_time).limit(limit)
    keys = list(connection.execute(old).scalars())
    if not keys:
        return []
    some = among(connection, Lead.key, keys)
    facts = select(Lead.key, Lead.id, Lead.created, Lead.campaign, Lead.source).where(some)
    newest = newest_snapshots(among(connection, Snapshot.lead, keys), Snapshot.fields != NO_FIELDS)
    told = select(Snapshot.lead, Snapshot.fields).where(Snapshot.key.in_(newest))
    fields = dict(connection.execute(told).all())
    return [
        Unscored(id_, created, campaign, source, fields.get(key, NO_FIELDS))
        for key, id_, created, campaign, source in connection.execute(facts)
    ]
