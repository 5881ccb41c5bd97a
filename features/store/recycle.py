"""Recycled leads: those that were not ready, bound or not reached, and when they come back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import Connection, Subquery, and_, case, func, or_, select

from features.agreement import Agreement
from features.cells import Cell
from features.sections import Recycle
from features.store.bulk import among
from features.store.entries import NO_FIELDS, fields_of, newest_snapshots
from features.store.keys import CHUNK
from features.store.lead_states import known_at
from features.store.moments import days_later, later, midnight
from features.store.states import RECYCLED, stands
from features.store.tables import Disposition, Handoff, Lead, Snapshot


class Event(NamedTuple):
    """Something that happened to a lead: a hand-off, or a word of sales."""

    at: datetime
    what: str
    by: str | None


class Due(NamedTuple):
    """A lead whose time comes again, and the word that says so."""

    key: int
    id: str
    word: int
    """The key of the word."""
    code: str
    said: datetime
    return_on: date | None
    due: date


@dataclass(frozen=True)
class Recycled:
    """A lead whose time comes again."""

    id: str
    campaign: str | None
    code: str
    """not_ready, in_contract or unreachable."""
    said: datetime
    reason: str | None
    due: date
    """The day from which marketing may take it up again."""
    return_on: date | None
    """The day that sales named: when to ask again, or when the contract ends."""
    owner: str | None
    history: tuple[Event, ...]
    fields: dict[str, Cell]
    """As last known."""
    team: str | None = None
    """Of the owner."""


def due_leads(
    connection: Connection,
    agreement: Agreement,
    as_of: datetime,
    until: date,
    since: date = date.min,
) -> list[Due]:
    """Find the leads that come back by a day, the longest due first.

    A lead that was handed over again since, or that sales took up again by itself, is back
    already and not listed.

    Args:
        connection: of a reading.
        agreement: its delays.
        as_of: this moment; a word that is dated ahead does not count yet.
        until: the last day, inclusive.
        since: the first day.

    """
    back = _coming_back(connection, agreement.recycle, as_of, until).c
    rows = (
        select(back.key, back.id, back.word, back.code, back.said, back.return_on, back.due)
        .where(back.due >= since)
        .order_by(back.due, back.id)
    )
    return [Due(*row) for row in connection.execute(rows)]


class DuePart(NamedTuple):
    """Leads that come back within one span of days for one reason."""

    span: int
    """The place of its end among those that were asked for."""
    code: str
    total: int
    leads: tuple[Due, ...]
    """The first of them, the longest due first."""


def due_parts(
    connection: Connection, agreement: Agreement, as_of: datetime, ends: Sequence[date], most: int
) -> list[DuePart]:
    """Count the leads that come back, and name the first of each part.

    Args:
        connection: of a reading.
        agreement: its delays.
        as_of: as for `due_leads`.
        ends: the last days of the spans, rising; the first one takes in all that came before.
        most: how many leads of each part are named.

    """
    back = _coming_back(connection, agreement.recycle, as_of, ends[-1]).c
    span = case(*((back.due <= end, n) for n, end in enumerate(ends)))
    place = func.row_number().over(partition_by=(span, back.code), order_by=(back.due, back.id))
    ranked = (
        select(span.label("span"), func.count().over(partition_by=(span, back.code)).label("total"))
        .add_columns(back.key, back.id, back.word, back.code, back.said, back.return_on, back.due)
        .add_columns(place.label("place"))
        .subquery()
    )
    shown = [column for column in ranked.c if column.name != "place"]
    rows = select(*shown).where(ranked.c.place <= most)
    found: dict[tuple[int, str], list[Due]] = {}
    totals: dict[tuple[int, str], int] = {}
    for n, total, *due in connection.execute(rows.order_by(ranked.c.due, ranked.c.id)):
        lead = Due(*due)
        found.setdefault((n, lead.code), []).append(lead)
        totals[n, lead.code] = total
    return [DuePart(*part, totals[part], tuple(leads)) for part, leads in found.items()]


def due_of(connection: Connection, agreement: Agreement, key: int, as_of: datetime) -> date | None:
    """Return the day on which a lead comes back, as `due_leads` lists it; None: it does not."""
    back = _coming_back(connection, agreement.recycle, as_of, date.max).c
    return connection.execute(select(back.due).where(back.key == key)).scalar_one_or_none()


def _coming_back(connection: Connection, rules: Recycle, as_of: datetime, until: date) -> Subquery:
    """Select the leads that come back by a day, each with the day.

    A contract's end is met ahead, by the agreed days; every other named day holds as it is. Where
    sales named none, the agreed delay counts from the day of the word.

    Example, with the default rules: in_contract until 2027-03-31 comes back on 2027-01-30;
    not_ready said on 2026-03-02 without a date on 2026-05-31.
    """
    s = known_at(connection, as_of).c
    ahead = case((s.code == "in_contract", -rules.in_contract_ahead_days), else_=0)
    after = {"unreachable": rules.unreachable_after_days}
    delay = case(after, value=s.code, else_=rules.not_ready_after_days)
    named = later(days_later(s.said, 0), days_later(s.return_on, ahead))
    due = case((s.return_on.is_not(None), named), else_=days_later(s.said, delay)).label("due")
    rows = (
        select(Lead.key, Lead.id, s.word, s.code, s.said, s.return_on, due)
        .join(Lead, Lead.key == s.lead)
        .where(s.erased == 0, s.code.in_(RECYCLED))
        .where(or_(s.stepped.is_(None), s.stepped <= s.said))
        .where(or_(s.handed.is_(None), s.said >= s.handed, s.said == midnight(s.handed)))
        .subquery()
    )
    return select(rows).where(rows.c.due <= until).subquery("coming_back")


def with_history(connection: Connection, due: Sequence[Due]) -> list[Recycled]:
    """Add what is known of leads that come back and what happened to them, in their order."""
    keys = [lead.key for lead in due]
    told = _told(connection, [lead.word for lead in due])
    owners, events = owners_of(connection, keys), _events(connection, keys)
    fields = latest_fields(connection, keys)
    nobody = (None, None)
    return [
        Recycled(
            lead.id,
            told[lead.word][0],
            lead.code,
            lead.said,
            told[lead.word][1],
            lead.due,
            lead.return_on,
            owners.get(lead.key, nobody)[0],
            tuple(events.get(lead.key, ())),
            fields.get(lead.key, {}),
            owners.get(lead.key, nobody)[1],
        )
        for lead in due
    ]


def recycled(
    connection: Connection, agreement: Agreement, as_of: datetime, until: date
) -> list[Recycled]:
    """List the leads that come back by a day with all there is to tell; see `due_leads`."""
    return with_history(connection, due_leads(connection, agreement, as_of, until))


def _told(connection: Connection, keys: Sequence[int]) -> dict[int, tuple[str | None, str | None]]:
    """Return the campaign and the reason of each word."""
    rows = (
        select(Disposition.key, Lead.campaign, Disposition.reason)
        .join(Lead, Lead.key == Disposition.lead)
        .where(among(connection, Disposition.key, keys))
    )
    return {key: (campaign, reason) for key, campaign, reason in connection.execute(rows)}


def latest_fields(connection: Connection, keys: Sequence[int]) -> dict[int, dict[str, Cell]]:
    """Return what is known of leads by their newest snapshot that tells anything."""
    found: dict[int, dict[str, Cell]] = {}
    for start in range(0, len(keys), CHUNK):
        told = among(connection, Snapshot.lead, keys[start : start + CHUNK])
        newest = newest_snapshots(told, Snapshot.fields != NO_FIELDS)
        rows = select(Snapshot.lead, Snapshot.fields).where(Snapshot.key.in_(newest))
        found |= {lead: fields_of(text) for lead, text in connection.execute(rows)}
    return found


def owners_of(
    connection: Connection, keys: Sequence[int]
) -> dict[int, tuple[str | None, str | None]]:
    """Return who had each lead last, and of which team."""
    found: dict[int, tuple[str | None, str | None]] = {}
    for start in range(0, len(keys), CHUNK):
        some = Handoff.lead.in_(keys[start : start + CHUNK])
        last = (
            select(Handoff.lead, func.max(Handoff.at).label("at"))
            .where(some)
            .group_by(Handoff.lead)
            .subquery()
        )
        of_last = and_(Handoff.lead == last.c.lead, Handoff.at == last.c.at)
        rows = select(Handoff.lead, Handoff.owner, Handoff.team).join(last, of_last)
        found |= {lead: (owner, team) for lead, owner, team in connection.execute(rows)}
    return found


def _events(connection: Connection, keys: Sequence[int]) -> dict[int, list[Event]]:
    found: dict[int, list[Event]] = {}
    for start in range(0, len(keys), CHUNK):
        part = keys[start : start + CHUNK]
        said = select(Disposition.lead, Disposition.at, Disposition.code, Disposition.by)
        passed = select(Handoff.lead, Handoff.at, Handoff.owner)
        for lead, at, owner in connection.execute(passed.where(Handoff.lead.in_(part))):
            found.setdefault(lead, []).append(Event(at, "handed over", owner))
        of_them = Disposition.lead.in_(part)
        for lead, at, code, by in connection.execute(said.where(of_them, stands(of_them))):
            found.setdefault(lead, []).append(Event(at, code, by))
    for events in found.values():
        events.sort(key=lambda event: (event.at, event.what))
    return found
