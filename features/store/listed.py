"""The worklist as a page shows it: a part of it in order, what there is to choose by, what is new.

However long the list is, each function takes the same few statements.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Integer,
    Select,
    cast,
    func,
    literal,
    null,
    select,
    union_all,
)

from features.campaign import campaign_key, usual
from features.cells import Cell
from features.store.bulk import among
from features.store.drawn import Worklist
from features.store.entries import NO_FIELDS, fields_of
from features.store.states import standing
from features.store.tables import Disposition, Handoff, Lead, Snapshot

NOBODY = "-"
"""Asks for the leads that have no owner, no campaign or no grade."""


@dataclass(frozen=True)
class Wanted:
    """Which part of the list is asked for; empty: all."""

    owner: str = ""
    campaign: str = ""
    grade: str = ""
    spellings: Sequence[str] = ()
    """That the list has of the campaign; see `spelled`."""


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

    def spelling(self, campaign: str) -> str:
        """Return how a campaign is spelled here; as it is asked for where it is not here."""
        key = campaign_key(campaign)
        return next(
            (name for name in self.campaigns if name and campaign_key(name) == key), campaign
        )


def spelled(connection: Connection, wanted: Wanted) -> Wanted:
    """Return what is wanted with each spelling of its campaign that the list has."""
    if wanted.campaign in ("", NOBODY):
        return wanted
    there = select(Worklist.campaign).where(Worklist.campaign.is_not(None)).distinct()
    names, key = connection.execute(there).scalars(), campaign_key(wanted.campaign)
    return replace(wanted, spellings=[name for name in names if name and campaign_key(name) == key])


def choices(connection: Connection, wanted: Wanted, as_of: datetime) -> Choice:
    """Return how many leads wait, by all that one can choose by, in one walk over the list."""
    alike = (
        select(*(getattr(Worklist, name) for name in _CHOICES), func.count().label("leads"))
        .where(Worklist.handed <= as_of)
        .group_by(*(getattr(Worklist, name) for name in _CHOICES))
        .cte("alike")
        .prefix_with("MATERIALIZED")
    )
    counts = union_all(*(_counts(alike, name, wanted) for name in (*_CHOICES, "")))
    found: dict[str, dict[str | None, int]] = {name: {} for name in (*_CHOICES, "")}
    for name, value, leads in connection.execute(counts):
        found[name][value] = leads
    found["campaign"] = _joined(found["campaign"])
    owners, campaigns, grades = (_in_order(found[name]) for name in _CHOICES)
    chosen = sum(n for grade, n in grades.items() if wanted.grade in ("", grade or NOBODY))
    return Choice(owners, campaigns, grades, chosen, found[""].get(None, 0))


_CHOICES = ("owner", "campaign", "grade")


def _counts(alike: CTE, name: str, wanted: Wanted) -> Select[str, str | None, int]:
    """Count leads by what one can choose by, beside the other two; by no name: all of them."""
    leads = cast(func.sum(alike.c.leads), Integer)
    if not name:
        return select(literal(""), null(), func.coalesce(leads, 0))
    others = _chosen(replace(wanted, **{name: ""}), alike.c)
    column = alike.c[name]
    return select(literal(name), column, leads).where(*others).group_by(column)


def _joined(counts: Mapping[str | None, int]) -> dict[str | None, int]:
    """Return the leads of each campaign, all its spellings together."""
    found: dict[str, dict[str, int]] = {}
    for name, leads in counts.items():
        if name is not None:
            found.setdefault(campaign_key(name), {})[name] = leads
    joined: dict[str | None, int] = {usual(part): sum(part.values()) for part in found.values()}
    return joined | ({None: counts[None]} if None in counts else {})


def _in_order(counts: Mapping[str | None, int]) -> dict[str | None, int]:
    return dict(sorted(counts.items(), key=lambda one: _place(one[0])))


def _place(name: str | None) -> tuple[bool, str, str]:
    """Return what puts names in the order of the alphabet, whatever their case; nothing last."""
    return name is None, (name or "").casefold(), name or ""


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


def _chosen(wanted: Wanted, columns: Any = Worklist.__table__.c) -> list[ColumnElement[bool]]:
    return [_is(columns[name], name, wanted) for name in _CHOICES if getattr(wanted, name)]


def _is(column: ColumnElement[str | None], name: str, wanted: Wanted) -> ColumnElement[bool]:
    value = getattr(wanted, name)
    if value == NOBODY:
        return column.is_(None)
    return (
        column.in_(wanted.spellings) if name == "campaign" and wanted.spellings else column == value
    )


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
    """Return of how many leads sales has said something on a day that it did not take back."""
    midnight = day.replace(hour=0, minute=0, second=0, microsecond=0)
    ends = midnight + timedelta(days=1)
    that_day = select(Disposition.lead).where(Disposition.at >= midnight, Disposition.at < ends)
    said = standing(Disposition.lead.in_(that_day)).c
    return connection.execute(
        select(func.count(func.distinct(said.lead))).where(
            said.at >= midnight, said.at < ends, said.origin != "export", said.code != "open"
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
