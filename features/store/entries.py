"""Leads come in: each once, with a snapshot of what was known at that moment."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from features.agreement import Agreement
from features.cells import Cell, text_of
from features.leads import Leads
from features.store.tables import Lead, Snapshot

Origin = Literal["handoff", "export", "score"]

CHUNK = 5000
"""Leads in one statement; SQLite takes 32,766 parameters and PostgreSQL 65,535."""


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

    Args:
        connection: of a write.
        leads: ids must be distinct.
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
    return Entered(keys, snapshots)


def keys_of(connection: Connection, ids: Sequence[str]) -> dict[str, int]:
    """Return the keys of those of the leads that the store knows."""
    found: dict[str, int] = {}
    for start in range(0, len(ids), CHUNK):
        some = select(Lead.id, Lead.key).where(Lead.id.in_(ids[start : start + CHUNK]))
        found.update(connection.execute(some).all())
    return found


def _parts(leads: Leads) -> Iterator[tuple[int, Leads]]:
    if len(leads) <= CHUNK:
        yield 0, leads
        return
    for start in range(0, len(leads), CHUNK):
        yield start, leads.take(range(start, min(start + CHUNK, len(leads))))


def _keys(connection: Connection, leads: Leads, agreement: Agreement, now: datetime) -> list[int]:
    known = keys_of(connection, leads.ids)
    rows = [i for i, id_ in enumerate(leads.ids) if id_ not in known]
    if rows:
        names = agreement.columns
        columns = {
            role: leads.column(name) if name else [None] * len(leads)
            for role, name in (("campaign", names.campaign), ("source", names.source))
        }
        added = [
            {
                "id": leads.ids[i],
                "created": leads.created[i],
                "campaign": storable(text_of(columns["campaign"][i])) or None,
                "source": storable(text_of(columns["source"][i])) or None,
                "added": now,
            }
            for i in rows
        ]
        # Another writer may have added some of them meanwhile.
        new = _insert(connection)(Lead).on_conflict_do_nothing(index_elements=["id"])
        connection.execute(new, added)
        known |= keys_of(connection, [leads.ids[i] for i in rows])
    return [known[id_] for id_ in leads.ids]


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


def digest_of(text: str) -> str:
    """Return a short digest of a text, in hex (BLAKE2b, 16 bytes)."""
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def storable(text: str) -> str:
    """Return a text that every database takes: no NUL, no half of a surrogate pair."""
    if "\x00" not in text and text.isascii():
        return text
    return (
        text.replace("\x00", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    )


def _insert(connection: Connection) -> Any:
    """Return the insert of the connection's dialect, which can pass over what is there."""
    return postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
