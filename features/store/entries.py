"""Leads come in: each once, with a snapshot of what was known at that moment."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, bindparam, func, or_, select, update

from features.agreement import Agreement
from features.cells import Cell, text_of
from features.coded import coded, each
from features.leads import Leads
from features.store.bulk import Columns, among, insert_columns, new_keys
from features.store.feedback import apply_waiting
from features.store.keys import arrive, keys_of, stay_named
from features.store.tables import Lead, Snapshot
from features.store.texts import MAX_NAME, digest_of, json_of, storable
from features.store.worklist import refresh

Origin = Literal["handoff", "export", "score"]
_FACTS = ("created", "campaign", "source")
_MOST = 20_000
"""Leads whose snapshots are held in memory at once."""
_COMMA = ", "
NO_FIELDS = "{}"
"""The snapshot of a hand-off that told nothing of its lead."""


class Entered(NamedTuple):
    """The keys of leads and of their snapshots, in the order of the input."""

    leads: list[int]
    snapshots: list[int]


class Known(NamedTuple):
    """What is known of some leads, as the store keeps it."""

    ids: Sequence[str]
    created: Sequence[datetime | None]
    campaign: Sequence[str | None]
    source: Sequence[str | None]
    fields: Sequence[str]
    """Of each lead as JSON: by name, in the order of the names, without what is missing."""


def enter(
    connection: Connection,
    leads: Leads,
    agreement: Agreement,
    at: Sequence[datetime],
    origin: Origin,
    now: datetime,
) -> Entered:
    """Add leads that are new, and a snapshot of each that says more than its last one.

    A hand-off has a snapshot of its own each time, and exports and scores add theirs beside those:
    so what is kept is the same whichever comes in first.

    Feedback that waited for them is applied; that of a hand-off is, once the hand-off is there.

    Args:
        connection: of a write.
        leads: those of an export or a scoring have distinct ids.
        agreement: says which columns are campaign and source, and which tell the outcome.
        at: the moment of which each lead's fields tell, one for each lead.
        origin: where they come from.
        now: when this is written down.

    """
    entered = Entered([], [])
    for start, part in _parts(leads):
        moments = at[start : start + len(part)]
        keys, snapshots = enter_known(connection, _known(part, agreement), moments, origin, now)
        entered.leads.extend(keys)
        entered.snapshots.extend(snapshots)
    return entered


def enter_known(
    connection: Connection, known: Known, at: Sequence[datetime], origin: Origin, now: datetime
) -> Entered:
    """Do the same for leads that are given as the store keeps them; see `enter`.

    A lead may come several times, in the order of `at`.
    """
    stay_named(connection)
    arrive(connection)
    keys = _keys(connection, known, now)
    snapshots = _snapshots(connection, keys, known.fields, at, origin)
    if origin != "handoff":
        apply_waiting(connection, known.ids)
    return Entered(keys, snapshots)


def _parts(leads: Leads) -> Iterator[tuple[int, Leads]]:
    if len(leads) <= _MOST:
        yield 0, leads
        return
    for start in range(0, len(leads), _MOST):
        yield start, leads.take(range(start, min(start + _MOST, len(leads))))


def _known(leads: Leads, agreement: Agreement) -> Known:
    names = agreement.columns
    campaign, source = (
        each(leads.column(name), name_of) if name else [None] * len(leads)
        for name in (names.campaign, names.source)
    )
    return Known(leads.ids, leads.created, campaign, source, _fields(leads, agreement))


def name_of(value: Cell) -> str | None:
    """Return a cell as the name of a campaign or a source, as every database can index it."""
    return storable(text_of(value))[:MAX_NAME] or None


def _keys(connection: Connection, known: Known, now: datetime) -> list[int]:
    there = keys_of(connection, known.ids)
    facts: dict[str, Sequence[Any]] = {name: getattr(known, name) for name in _FACTS}
    new = [i for i, id_ in enumerate(known.ids) if id_ not in there]
    old = [i for i, id_ in enumerate(known.ids) if id_ in there]
    told = {known.ids[i]: tuple(fact[i] for fact in facts.values()) for i in old}
    if filled := _fill_in(connection, told):
        refresh(connection, [there[id_] for id_ in filled])
    if new:
        columns: Columns = {
            "key": new_keys(connection, Lead, len(new)),
            "id": [known.ids[i] for i in new],
            **{name: [fact[i] for i in new] for name, fact in facts.items()},
            "added": [now] * len(new),
        }
        # Another writer may have added some of them meanwhile.
        insert_columns(connection, Lead, columns, if_absent=True)
        there |= keys_of(connection, columns["id"])
    return [there[id_] for id_ in known.ids]


def _fill_in(connection: Connection, told: dict[str, tuple[Any, ...]]) -> list[str]:
    """Add what was not known of leads when they arrived, and return of which; the rest stays."""
    if not told:
        return []
    lacking = or_(*(getattr(Lead, name).is_(None) for name in _FACTS))
    some = select(Lead.id, *(getattr(Lead, name) for name in _FACTS)).where(
        among(connection, Lead.id, list(told)), lacking
    )
    added = [
        {"of": id_, **{f"new_{n}": new for n, new in zip(_FACTS, told[id_], strict=True)}}
        for id_, *known in connection.execute(some).all()
        if any(a is None and b is not None for a, b in zip(known, told[id_], strict=True))
    ]
    if added:
        filled = {n: func.coalesce(getattr(Lead, n), bindparam(f"new_{n}")) for n in _FACTS}
        change = update(Lead).where(Lead.id == bindparam("of")).values(filled)
        connection.execute(change, added)
    return [row["of"] for row in added]


def _snapshots(
    connection: Connection,
    keys: Sequence[int],
    fields: Sequence[str],
    at: Sequence[datetime],
    origin: Origin,
) -> list[int]:
    digests = [digest_of(text) for text in fields]
    newest = {} if origin == "handoff" else _last_snapshots(connection, keys)
    said = {lead: digest for lead, (_, digest) in newest.items()}
    rows = []
    for i, (lead, digest) in enumerate(zip(keys, digests, strict=True)):
        if origin == "handoff" or said.get(lead) != digest:
            said[lead] = digest
            rows.append(i)
    added = new_keys(connection, Snapshot, len(rows)) if rows else []
    columns: Columns = {
        "key": added,
        "lead": [keys[i] for i in rows],
        "at": [at[i] for i in rows],
        "origin": [origin] * len(rows),
        "digest": [digests[i] for i in rows],
        "fields": [fields[i] for i in rows],
    }
    insert_columns(connection, Snapshot, columns)
    new = dict(zip(rows, added, strict=True))
    last = {lead: snapshot for lead, (snapshot, _) in newest.items()}
    found = []
    for i, lead in enumerate(keys):
        last[lead] = new.get(i) or last[lead]
        found.append(last[lead])
    return found


def _last_snapshots(connection: Connection, keys: Sequence[int]) -> dict[int, tuple[int, str]]:
    beside = Snapshot.origin != "handoff"
    newest = newest_snapshots(among(connection, Snapshot.lead, keys), beside)
    rows = select(Snapshot.lead, Snapshot.key, Snapshot.digest).where(Snapshot.key.in_(newest))
    return {lead: (key, digest) for lead, key, digest in connection.execute(rows).all()}


def newest_snapshots(*which: ColumnElement[bool]) -> Select[tuple[int]]:
    """Select the key of each lead's newest snapshot, among those for which all conditions hold.

    The newest is the one that tells of the latest moment: a hand-off may be told late.
    """
    newest = func.row_number().over(
        partition_by=Snapshot.lead, order_by=(Snapshot.at.desc(), Snapshot.key.desc())
    )
    ranked = select(Snapshot.key, newest.label("place")).where(*which).subquery()
    return select(ranked.c.key).where(ranked.c.place == 1)


def _fields(leads: Leads, agreement: Agreement) -> list[str]:
    """Return what is known of each lead as JSON: by name, without what is missing.

    Each distinct cell is written once, and the rows are put together from the pieces.
    """
    names = agreement.columns
    beside = {names.id, names.outcome, names.closed}
    pieces = [
        _pieces(name, leads.column(name)) for name in sorted(leads.columns) if name not in beside
    ]
    if not pieces:
        return [NO_FIELDS] * len(leads)
    return ["{" + "".join(row)[: -len(_COMMA)] + "}" for row in zip(*pieces, strict=True)]


def _pieces(name: str, cells: Sequence[Cell]) -> list[str]:
    column, head = coded(cells), json_of(name) + ": "
    texts = ["" if c is None else head + json_of(c) + _COMMA for c in column.values]
    return [texts[code] for code in column.codes.tolist()]


def fields_of(snapshot: str) -> dict[str, Cell]:
    """Read the fields of a snapshot."""
    fields: dict[str, Cell] = json.loads(snapshot)
    return fields
