"""Feedback from sales: held against what is known of the leads, kept once, never lost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, delete, func, select

from features.agreement import Agreement
from features.leads import Fault
from features.store.bulk import Columns, among, insert_columns
from features.store.keys import CHUNK, keys_of, stay_named, stay_unknown
from features.store.said import Said, fault_before, fault_of
from features.store.tables import Disposition, Handoff, Waiting

Origin = Literal["rest", "file", "page", "export"]
Kept = Literal["stored", "repeated", "waiting"]


def keep(
    connection: Connection,
    said: Sequence[Said],
    agreement: Agreement,
    origin: Origin,
    now: datetime,
) -> list[Kept | Fault]:
    """Write feedback down; return for each what became of it, in the order of the input.

    The same words again are `repeated` and add nothing. Feedback on a lead that is not known yet
    is `waiting` until the lead arrives (`apply_waiting`). What cannot be is a fault, and not kept.
    """
    told = {"agreement": agreement.label, "origin": origin, "received": now}
    stay_named(connection)
    stay_unknown(connection)
    results: list[Kept | Fault] = []
    for start in range(0, len(said), CHUNK):
        results += _keep(connection, said[start : start + CHUNK], told, now)
    return results


def _keep(
    connection: Connection, said: Sequence[Said], told: dict[str, Any], now: datetime
) -> list[Kept | Fault]:
    keys = keys_of(connection, sorted({item.id for item in said}))
    handed = _first_handoffs(connection, list(keys.values()))
    seen = _digests(connection, list(keys.values()))
    waiting = _waiting_digests(connection, sorted({i.id for i in said if i.id not in keys}))
    results: list[Kept | Fault] = []
    rows: list[dict[str, Any]] = []
    asides: list[dict[str, Any]] = []
    for item in said:
        key, digest = keys.get(item.id), item.digest
        fault = fault_of(item, now) or fault_before(item, handed.get(key) if key else None)
        if fault:
            results.append(fault)
        elif key is None:
            if (item.id, digest) not in waiting:
                asides.append(_aside(item, digest) | told)
            waiting.add((item.id, digest))
            results.append("waiting")
        elif (key, digest) in seen:
            results.append("repeated")
        else:
            seen.add((key, digest))
            rows.append(_row(item, key, digest) | told)
            results.append("stored")
    if rows:
        # In one order for all writers, so that none waits for another that waits for it.
        rows.sort(key=lambda row: (row["lead"], row["digest"]))
        insert_columns(connection, Disposition, _columns(rows))
    if asides:
        asides.sort(key=lambda row: (row["lead_id"], row["digest"]))
        insert_columns(connection, Waiting, _columns(asides))
    return results


def apply_waiting(connection: Connection, ids: Sequence[str]) -> int:
    """Write down what was said of leads before they arrived; return how much that was.

    What turns out to lie before the hand-off goes on waiting, as it would have been refused had
    the hand-off come first: the order of arrival changes nothing.
    """
    applied = 0
    for start in range(0, len(ids), CHUNK):
        some = select(Waiting).where(among(connection, Waiting.lead_id, ids[start : start + CHUNK]))
        rows = connection.execute(some).all()
        if not rows:
            continue
        keys = keys_of(connection, sorted({row.lead_id for row in rows}))
        handed = _first_handoffs(connection, list(keys.values()))
        said = [(Said.of(json.loads(row.said)), row) for row in rows]
        due = [(i, row) for i, row in said if not fault_before(i, handed.get(keys[i.id]))]
        if due:
            added = [
                _row(item, keys[item.id], row.digest)
                | {"agreement": row.agreement, "origin": row.origin, "received": row.received}
                for item, row in due
            ]
            insert_columns(connection, Disposition, _columns(added), if_absent=True)
            done = among(connection, Waiting.key, [row.key for _, row in due])
            connection.execute(delete(Waiting).where(done))
        applied += len(due)
    return applied


def waiting_count(connection: Connection, id_: str | None = None) -> int:
    """Return how much feedback waits for its lead; of one lead where its id is given."""
    waiting = select(func.count()).select_from(Waiting)
    if id_ is not None:
        waiting = waiting.where(Waiting.lead_id == id_)
    return connection.execute(waiting).scalar_one()


def _columns(rows: Sequence[dict[str, Any]]) -> Columns:
    return {name: [row[name] for row in rows] for name in rows[0]}


def _row(said: Said, key: int, digest: str) -> dict[str, Any]:
    return {
        "lead": key,
        "at": said.at,
        "code": said.code,
        "by": said.by,
        "value": said.value,
        "reason": said.reason,
        "return_on": said.return_on,
        "digest": digest,
    }


def _aside(said: Said, digest: str) -> dict[str, Any]:
    return {"lead_id": said.id, "digest": digest, "said": json.dumps(said.as_dict())}


def _first_handoffs(connection: Connection, keys: Sequence[int]) -> dict[int, datetime]:
    rows = (
        select(Handoff.lead, func.min(Handoff.at))
        .where(Handoff.lead.in_(keys))
        .group_by(Handoff.lead)
    )
    return dict(connection.execute(rows).all())


def _digests(connection: Connection, keys: Sequence[int]) -> set[tuple[int, str]]:
    rows = select(Disposition.lead, Disposition.digest).where(Disposition.lead.in_(keys))
    return {(lead, digest) for lead, digest in connection.execute(rows)}


def _waiting_digests(connection: Connection, ids: Sequence[str]) -> set[tuple[str, str]]:
    rows = select(Waiting.lead_id, Waiting.digest).where(Waiting.lead_id.in_(ids))
    return {(lead, digest) for lead, digest in connection.execute(rows)}
