"""Leads come in: each once, with a snapshot of what was known at that moment."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, bindparam, func, insert, or_, select, update

from features.agreement import Agreement
from features.cells import Cell, text_of
from features.leads import Leads
from features.store.feedback import apply_waiting
from features.store.keys import CHUNK, arrive, insert_new, keys_of
from features.store.tables import Lead, Snapshot
from features.store.texts import MAX_NAME, digest_of, storable

Origin = Literal["handoff", "export", "score"]
_FACTS = ("created", "campaign", "source")


class Entered(NamedTuple):
    """The keys of leads and of their snapshots, in the order of the input."""

    leads: list[int]
    snapshots: list[int]


def enter(
    connection: Connection,
    leads: Leads,
    agreement: Agreement,
    at: Sequence[datetime],
    origin: Origin,
    now: datetime,
) -> Entered:
    """Add leads that are new, and a snapshot of each that says more than its last one.

    Feedback that waited for them is applied; that of a hand-off is, once the hand-off is there.

    Args:
        connection: of a write.
        leads: those of an export or a scoring have distinct ids.
        agreement: says which columns are campaign and source, and which tell the outcome.
        at: the moment of which each lead's fields tell, one for each lead.
        origin: where they come from. A hand-off has a snapshot of its own each time.
        now: when this is written down.

    """
    keys: list[int] = []
    snapshots: list[int] = []
    for start, part in _parts(leads):
        found = _keys(connection, part, agreement, now)
        keys += found
        moments = at[start : start + len(part)]
        snapshots += _snapshots(connection, found, part, agreement, moments, origin)
    if origin != "handoff":
        apply_waiting(connection, leads.ids)
    return Entered(keys, snapshots)


def _parts(leads: Leads) -> Iterator[tuple[int, Leads]]:
    if len(leads) <= CHUNK:
        yield 0, leads
        return
    for start in range(0, len(leads), CHUNK):
        yield start, leads.take(range(start, min(start + CHUNK, len(leads))))


def _keys(connection: Connection, leads: Leads, agreement: Agreement, now: datetime) -> list[int]:
    known, rows = keys_of(connection, leads.ids), _rows(leads, agreement)
    new = [row | {"added": now} for row in rows if row["id"] not in known]
    _fill_in(connection, [row for row in rows if row["id"] in known])
    if new:
        arrive(connection)
        # Another writer may have added some of them meanwhile.
        connection.execute(insert_new(connection, Lead), new)
        known |= keys_of(connection, [row["id"] for row in new])
    return [known[id_] for id_ in leads.ids]


def _rows(leads: Leads, agreement: Agreement) -> list[dict[str, Any]]:
    names = agreement.columns
    campaigns, sources = (
        [storable(text_of(cell))[:MAX_NAME] or None for cell in leads.column(name)]
        if name
        else [None] * len(leads)
        for name in (names.campaign, names.source)
    )
    return [
        {"id": id_, "created": created, "campaign": campaign, "source": source}
        for id_, created, campaign, source in zip(
            leads.ids, leads.created, campaigns, sources, strict=True
        )
    ]


def _fill_in(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Add what was not known of leads when they arrived; what was known stays."""
    lacking = or_(Lead.created.is_(None), Lead.campaign.is_(None), Lead.source.is_(None))
    some = select(Lead.id, Lead.created, Lead.campaign, Lead.source).where(
        Lead.id.in_([row["id"] for row in rows]), lacking
    )
    lacks = {row.id: row for row in connection.execute(some)}
    added = [
        {"of": row["id"], **{f"new_{name}": row[name] for name in _FACTS}}
        for row in rows
        if (known := lacks.get(row["id"]))
        and any(getattr(known, name) is None and row[name] is not None for name in _FACTS)
    ]
    if added:
        filled = {n: func.coalesce(getattr(Lead, n), bindparam(f"new_{n}")) for n in _FACTS}
        change = update(Lead).where(Lead.id == bindparam("of")).values(filled)
        connection.execute(change, added)


def _snapshots(
    connection: Connection,
    keys: list[int],
    leads: Leads,
    agreement: Agreement,
    at: Sequence[datetime],
    origin: Origin,
) -> list[int]:
    texts = _fields(leads, agreement)
    digests = [digest_of(text) for text in texts]
    last = {} if origin == "handoff" else _last_snapshots(connection, keys)
    found = [
        last[key][0] if key in last and last[key][1] == digest else None
        for key, digest in zip(keys, digests, strict=True)
    ]
    rows = [
        {"lead": key, "at": moment, "origin": origin, "digest": digest, "fields": text}
        for key, moment, digest, text, same in zip(keys, at, digests, texts, found, strict=True)
        if same is None
    ]
    if rows:
        added = insert(Snapshot).returning(Snapshot.key, sort_by_parameter_order=True)
        new = iter(connection.execute(added, rows).scalars())
        return [next(new) if key is None else key for key in found]
    return [key for key in found if key is not None]


def _last_snapshots(connection: Connection, keys: list[int]) -> dict[int, tuple[int, str]]:
    newest = (
        select(Snapshot.lead, func.max(Snapshot.key).label("key"))
        .where(Snapshot.lead.in_(keys))
        .group_by(Snapshot.lead)
        .subquery()
    )
    rows = select(Snapshot.lead, Snapshot.key, Snapshot.digest).join(
        newest, Snapshot.key == newest.c.key
    )
    return {lead: (key, digest) for lead, key, digest in connection.execute(rows)}


def _fields(leads: Leads, agreement: Agreement) -> list[str]:
    """Return what is known of each lead as JSON: by name, without what is missing."""
    names = agreement.columns
    beside = {names.id, names.outcome, names.closed}
    columns = sorted((name, leads.column(name)) for name in leads.columns if name not in beside)
    return [
        json.dumps(
            {name: cells[i] for name, cells in columns if cells[i] is not None}, ensure_ascii=True
        )
        for i in range(len(leads))
    ]


def fields_of(snapshot: str) -> dict[str, Cell]:
    """Read the fields of a snapshot."""
    fields: dict[str, Cell] = json.loads(snapshot)
    return fields
