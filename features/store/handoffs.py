"""Hand-offs: a lead is passed from marketing to sales, as it is known at that moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from features.agreement import Agreement
from features.cells import Cell, cell, missing_as_none, text_of
from features.errors import UsageError
from features.leads import NESTED, Fault, Faults, Leads, admit
from features.rules import route_of
from features.spreadsheet import saved_moment
from features.store.entries import enter
from features.store.feedback import apply_waiting, set_early_aside
from features.store.keys import CHUNK
from features.store.said import GRACE, is_of_feedback
from features.store.tables import Handoff, Lead
from features.store.texts import MAX_NAME, fault_of_id, storable
from features.store.worklist import refresh

OWN = ("id", "at", "owner", "team")
"""What a hand-off consists of beside the lead's fields."""


@dataclass(frozen=True)
class Handover:
    """To whom a lead was handed, and when."""

    at: datetime
    owner: str | None = None
    team: str | None = None


@dataclass(frozen=True)
class Told:
    """Rows of cells that tell of hand-offs, in columns."""

    own: Mapping[str, Sequence[Cell]]
    """`id`, and where they are told `at`, `owner`, `team`."""
    fields: Mapping[str, Sequence[Cell]]
    """What is known of the leads."""


def own_columns(columns: Sequence[str], agreement: Agreement) -> dict[str, str]:
    """Return the columns of a file that tell of the hand-off itself, by what they tell.

    Raises:
        UsageError: when no column tells the id, or the file is none of hand-offs: what is taken
            for one stays in the store.

    """
    found = {name.casefold(): name for name in reversed(columns) if name.casefold() in OWN}
    if agreement.columns.id in columns:
        found["id"] = agreement.columns.id
    if "id" not in found:
        raise UsageError(
            f"no column for the id among {', '.join(columns)}; hand-offs have the columns "
            f"{', '.join(OWN)}, and the lead's fields"
        )
    _need_fields([name for name in columns if name not in found.values()], agreement)
    return found


def _need_fields(others: Sequence[str], agreement: Agreement) -> None:
    """Refuse columns beside `OWN` that are those of feedback, or none of which is agreed."""
    roles = agreement.columns
    known = {*agreement.fields, *roles.model_dump().values()}
    known |= {rule.field for route in agreement.routes for rule in route.all}
    cure = "take what sales says of leads with leadq feedback"
    for name in others:
        if is_of_feedback(name) and name not in known:
            raise UsageError(
                f"the column {name!r} is one of feedback, not of hand-offs; {cure}, or name the "
                "column under [fields] of the agreement where it is the lead's own"
            )
    # Of a lead that is handed over, nobody knows yet how it ends.
    told = known - {roles.outcome, roles.closed, roles.value}
    if others and agreement.fields and told.isdisjoint(others):
        raise UsageError(
            f"none of the columns {', '.join(others)} is a field of the agreement "
            f"{agreement.name!r}; hand-offs have the columns {', '.join(OWN)}, and the lead's "
            f"fields; {cure}"
        )


def told_by_items(items: Sequence[object], faults: Faults) -> Told:
    """Read the items of a request: objects of `OWN`, and the lead's own values under `fields`."""
    rows = [_row_of(item, i, faults) for i, item in enumerate(items)]
    names = dict.fromkeys(name for _, fields in rows for name in fields)
    return Told(
        {name: [own.get(name) for own, _ in rows] for name in OWN},
        {name: [fields.get(name) for _, fields in rows] for name in names},
    )


def _row_of(item: object, place: int, faults: Faults) -> tuple[dict[str, Cell], dict[str, Cell]]:
    if not isinstance(item, dict):
        faults[place] = Fault("", None, f"must be an object of {', '.join(OWN)} and fields")
        return {}, {}
    fields = item.get("fields")
    if not isinstance(fields, dict | None):
        faults[place] = Fault("fields", None, "must be an object: the lead's fields by name")
        fields = None
    for name in item.keys() - {*OWN, "fields"}:
        reason = "is no part of a hand-off; what is known of the lead stands under fields, beside "
        faults[place] = Fault(storable(name)[:MAX_NAME], None, reason + ", ".join(OWN))
    own = {name: item[name] for name in OWN if name in item}
    for name in (name for name, value in own.items() if isinstance(value, list) and value):
        faults[place] = Fault(name, None, NESTED)
    return _cells(own, place, faults), _cells(fields or {}, place, faults)


def _cells(values: Mapping[str, object], place: int, faults: Faults) -> dict[str, Cell]:
    cells: dict[str, Cell] = {}
    for name, value in values.items():
        try:
            cells[storable(name)] = cell(value)
        except (ValueError, OverflowError) as error:
            reason = "holds half a character" if isinstance(error, UnicodeError) else str(error)
            faults[place] = Fault(storable(name)[:MAX_NAME], None, reason)
    return cells


def read_handovers(
    told: Told,
    agreement: Agreement,
    faults: Faults,
    now: datetime,
    both_orders: bool = False,
) -> tuple[Leads, list[Handover]]:
    """Read what is told of hand-offs as leads and their hand-offs.

    Args:
        told: rows of cells.
        agreement: what the fields mean, and who gets a lead whose owner is not named.
        faults: filled with the rows that cannot be handed over; their hand-offs are of no use.
        now: when a lead was handed over of which no time is told.
        both_orders: whether the dates of a file are written in both orders.

    """
    columns = {**told.fields, agreement.columns.id: told.own["id"]}
    leads = admit(columns, agreement, faults, need_created=False)
    clean = missing_as_none(agreement.export.missing)
    own = {name: list(map(clean, cells)) for name, cells in told.own.items()}
    day_first = agreement.export.day_first
    handovers = []
    for i, id_ in enumerate(leads.ids):
        if reason := fault_of_id(id_):
            faults.setdefault(i, Fault("id", leads.ids[i][:MAX_NAME], reason))
        at, owner, team = (own[n][i] if n in own else None for n in ("at", "owner", "team"))
        try:
            when = now if at is None else saved_moment(at, day_first, both_orders)
        except ValueError as error:
            faults.setdefault(i, Fault("at", at, str(error)))
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
        ids = sorted(set(fresh.ids))
        apply_waiting(connection, ids)
        set_early_aside(connection, ids)
        refresh(connection, entered.leads)
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
