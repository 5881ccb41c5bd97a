"""Hand-offs: a lead is passed from marketing to sales, as it is known at that moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from features.agreement import Agreement
from features.cells import Cell, text_of
from features.errors import UsageError
from features.leads import Fault, Faults, Leads, admit
from features.rules import route_of
from features.spreadsheet import saved_moment
from features.store.entries import enter
from features.store.feedback import apply_waiting
from features.store.keys import CHUNK
from features.store.said import GRACE
from features.store.tables import Handoff, Lead
from features.store.texts import MAX_NAME, fault_of_id, storable

_OWN = ("id", "at", "owner", "team")
"""What a hand-off consists of beside the lead's fields."""


@dataclass(frozen=True)
class Handover:
    """To whom a lead was handed, and when."""

    at: datetime
    owner: str | None = None
    team: str | None = None


def own_names(columns: Sequence[str], agreement: Agreement) -> dict[str, str]:
    """Return the columns of a file that tell of the hand-off itself, with what they tell.

    Raises:
        UsageError: when no column tells the id.

    """
    found = {name.casefold(): name for name in reversed(columns) if name.casefold() in _OWN}
    if agreement.columns.id in columns:
        found["id"] = agreement.columns.id
    if "id" not in found:
        raise UsageError(
            f"no column for the id among {', '.join(columns)}; hand-offs have the columns "
            f"{', '.join(_OWN)}, and the lead's fields"
        )
    return {name: own for own, name in found.items()}


def read_handovers(
    columns: Mapping[str, Sequence[Cell]], agreement: Agreement, faults: Faults, now: datetime
) -> tuple[Leads, list[Handover]]:
    """Read rows of cells as leads and their hand-offs.

    Args:
        columns: `id`, `at`, `owner`, `team`; all others are fields. The id is needed.
        agreement: what the fields mean, and who gets a lead whose owner is not named.
        faults: filled with the rows that cannot be handed over; their hand-offs are of no use.
        now: when a lead was handed over of which no time is told.

    """
    names = agreement.columns
    fields = {name: cells for name, cells in columns.items() if name not in _OWN}
    leads = admit({**fields, names.id: columns["id"]}, agreement, faults, need_created=False)
    told = {name: columns[name] for name in _OWN if name in columns}
    handovers = []
    for i, id_ in enumerate(leads.ids):
        if reason := fault_of_id(id_):
            faults.setdefault(i, Fault("id", leads.ids[i][:MAX_NAME], reason))
        at, owner, team = (told[n][i] if n in told else None for n in ("at", "owner", "team"))
        try:
            when = now if at is None else saved_moment(at, agreement.export.day_first)
        except ValueError as error:
            reason = str(error).removeprefix(f"{text_of(at)!r} ")
            faults.setdefault(i, Fault("at", at, reason))
            when = now
        handover = Handover(when, _name(owner), _name(team))
        if fault := _fault_of(handover, leads.created[i], now):
            faults.setdefault(i, fault)
        handovers.append(handover)
    return leads, _routed(leads, handovers, agreement)


def _name(cell: Cell) -> str | None:
    return storable(text_of(cell)) or None


def _fault_of(handover: Handover, created: datetime | None, now: datetime) -> Fault | None:
    at = handover.at
    if at > now + GRACE:
        return Fault("at", at.isoformat(), f"lies after now ({now:%Y-%m-%d %H:%M} UTC)")
    if created is not None and at < created - GRACE:
        reason = f"lies before the lead was created ({created:%Y-%m-%d %H:%M})"
        return Fault("at", at.isoformat(), reason)
    for name, text in (("owner", handover.owner), ("team", handover.team)):
        if text and len(text) > MAX_NAME:
            return Fault(name, f"{text[:40]}...", f"is over {MAX_NAME} characters")
    return None


def _routed(leads: Leads, handovers: list[Handover], agreement: Agreement) -> list[Handover]:
    """Give the leads of which no owner is named to those of the agreed routes."""
    if not agreement.routes:
        return handovers
    names = {rule.field for route in agreement.routes for rule in route.all}
    columns = {name: leads.column(name) for name in names}
    routed = []
    for i, handover in enumerate(handovers):
        if handover.owner is None:
            lead = {name: cells[i] for name, cells in columns.items()}
            if route := route_of(lead, agreement):
                team = handover.team or route.team or None
                handover = Handover(handover.at, route.owner, team)
        routed.append(handover)
    return routed


def hand_over(
    connection: Connection,
    leads: Leads,
    agreement: Agreement,
    handovers: Sequence[Handover],
    now: datetime,
) -> list[bool]:
    """Write hand-offs down with their snapshots; return which of them were new.

    A hand-off of the same lead at the same moment is the same hand-off, and is kept as it was. A
    lead that is handed over again later has a new one, with a snapshot of its own.
    """
    known = _known_handoffs(connection, leads.ids)
    new: list[bool] = []
    for id_, handover in zip(leads.ids, handovers, strict=True):
        new.append((id_, handover.at) not in known)
        known.add((id_, handover.at))
    rows = [i for i, is_new in enumerate(new) if is_new]
    if rows:
        fresh, passed = leads.take(rows), [handovers[i] for i in rows]
        moments = [handover.at for handover in passed]
        entered = enter(connection, fresh, agreement, moments, "handoff", now)
        added = [
            {"lead": lead, "snapshot": snapshot, **asdict(handover)}
            for lead, snapshot, handover in zip(*entered, passed, strict=True)
        ]
        connection.execute(insert(Handoff), added)
        apply_waiting(connection, sorted(set(fresh.ids)))
    return new


def _known_handoffs(connection: Connection, ids: Sequence[str]) -> set[tuple[str, datetime]]:
    found: set[tuple[str, datetime]] = set()
    for start in range(0, len(ids), CHUNK):
        some = (
            select(Lead.id, Handoff.at)
            .join(Handoff, Handoff.lead == Lead.key)
            .where(Lead.id.in_(ids[start : start + CHUNK]))
        )
        found |= {(id_, at) for id_, at in connection.execute(some)}
    return found
