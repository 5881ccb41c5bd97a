"""Feedback from sales: held against what is known of the leads, kept once, never lost.

A word has its place once its lead is known, and waits until then. Where the lead was handed over,
it must not lie before everything that is known of it: such a word waits too, for an earlier
hand-off. Whatever comes in looks again at the words of its leads, so that the state is the same in
every order of arrival.

    known of the lead                       a word of 2026-03-02
    nothing                                 waits
    handed over on 2026-06-01               waits
    scored on 2026-02-20, the same hand-off has its place
    scored on 2026-02-20, no hand-off       has its place
    read from an export of 2026-11-22       has its place, until the same hand-off comes in
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, delete, func, select

from features.agreement import Agreement
from features.leads import Fault
from features.store.bulk import Columns, among, insert_columns
from features.store.keys import CHUNK, keys_of, stay_named, stay_unknown
from features.store.said import GRACE, Early, Said, early, fault_of
from features.store.tables import Disposition, Handoff, Lead, Snapshot, Waiting
from features.store.worklist import refresh

Origin = Literal["rest", "file", "page", "export"]
Kept = Literal["stored", "repeated", "waiting"]
Result = Kept | Early | Fault
"""What became of an item: kept, too early and waiting, or refused."""


def keep(
    connection: Connection,
    said: Sequence[Said],
    agreement: Agreement,
    origin: Origin,
    now: datetime,
) -> list[Result]:
    """Write feedback down; return for each what became of it, in the order of the input.

    The same words again are `repeated` and add nothing. Feedback on a lead that is not known yet
    is `waiting` until the lead arrives (`apply_waiting`), and so is what lies too `Early`. What
    cannot be is a fault, and not kept.
    """
    told = {"agreement": agreement.label, "origin": origin, "received": now}
    stay_named(connection)
    stay_unknown(connection)
    results: list[Result] = []
    for start in range(0, len(said), CHUNK):
        results += _keep(connection, said[start : start + CHUNK], told, now)
    return results


def _keep(
    connection: Connection, said: Sequence[Said], told: dict[str, Any], now: datetime
) -> list[Result]:
    keys = keys_of(connection, sorted({item.id for item in said}))
    since = _handed_since(connection, list(keys.values()))
    seen = _digests(connection, list(keys.values()))
    too_early = [early(item, since.get(keys.get(item.id, 0))) for item in said]
    aside = {i.id for i, e in zip(said, too_early, strict=True) if e or i.id not in keys}
    waiting = _waiting_digests(connection, sorted(aside))
    results: list[Result] = []
    rows: list[dict[str, Any]] = []
    asides: list[dict[str, Any]] = []
    for item, reason in zip(said, too_early, strict=True):
        key, digest = keys.get(item.id), item.digest
        if fault := fault_of(item, now):
            results.append(fault)
        elif key is None or reason:
            if (item.id, digest) not in waiting:
                asides.append(_aside(item, digest) | told)
            waiting.add((item.id, digest))
            results.append(reason or "waiting")
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
        refresh(connection, [row["lead"] for row in rows])
    if asides:
        asides.sort(key=lambda row: (row["lead_id"], row["digest"]))
        insert_columns(connection, Waiting, _columns(asides))
    return results


def apply_waiting(connection: Connection, ids: Sequence[str]) -> int:
    """Give what was said of leads before they arrived its place; return how much that was."""
    applied = 0
    for start in range(0, len(ids), CHUNK):
        some = select(Waiting).where(among(connection, Waiting.lead_id, ids[start : start + CHUNK]))
        rows = connection.execute(some).all()
        if not rows:
            continue
        keys = keys_of(connection, sorted({row.lead_id for row in rows}))
        since = _handed_since(connection, list(keys.values()))
        said = [(Said.of(json.loads(row.said)), row) for row in rows]
        due = [(i, row) for i, row in said if not early(i, since.get(keys[i.id]))]
        if due:
            added = [
                _row(item, keys[item.id], row.digest)
                | {"agreement": row.agreement, "origin": row.origin, "received": row.received}
                for item, row in due
            ]
            insert_columns(connection, Disposition, _columns(added), if_absent=True)
            refresh(connection, [row["lead"] for row in added])
            done = among(connection, Waiting.key, [row.key for _, row in due])
            connection.execute(delete(Waiting).where(done))
        applied += len(due)
    return applied


def set_early_aside(connection: Connection, ids: Sequence[str]) -> int:
    """Let what was said too early of leads that are handed over now wait; return how much it was.

    It was stored while nobody knew of a hand-off; had that come first, it would have waited.
    """
    found = 0
    for start in range(0, len(ids), CHUNK):
        some = among(connection, Lead.id, ids[start : start + CHUNK])
        known = select(func.min(Snapshot.at)).where(Snapshot.lead == Lead.key).scalar_subquery()
        told = (
            select(Lead.id, Disposition, known.label("since"))
            .join(Disposition, Disposition.lead == Lead.key)
            .where(some, Disposition.origin != "export", Disposition.at < known)
        )
        rows = [row for row in connection.execute(told).all() if row.at < row.since - GRACE]
        if rows:
            asides = [
                _aside(_said(row), row.digest)
                | {"agreement": row.agreement, "origin": row.origin, "received": row.received}
                for row in rows
            ]
            insert_columns(connection, Waiting, _columns(asides), if_absent=True)
            done = among(connection, Disposition.key, [row.key for row in rows])
            connection.execute(delete(Disposition).where(done))
        found += len(rows)
    return found


class WaitingWord(NamedTuple):
    """A word of sales that has no place yet."""

    id: str
    code: str
    at: datetime
    received: datetime
    is_early: bool
    """Whether its lead is known, so that it waits for an earlier hand-off alone."""


def waiting_words(connection: Connection) -> list[WaitingWord]:
    """List the words of sales that wait, the longest waiting first."""
    rows = (
        select(Waiting.said, Waiting.received, Lead.key)
        .outerjoin(Lead, Lead.id == Waiting.lead_id)
        .order_by(Waiting.received, Waiting.lead_id, Waiting.key)
    )
    return [_waiting_word(*row) for row in connection.execute(rows)]


def _waiting_word(told: str, received: datetime, key: int | None) -> WaitingWord:
    said = Said.of(json.loads(told))
    return WaitingWord(said.id, said.code, said.at, received, key is not None)


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
        "told": said.told,
        "digest": digest,
    }


def _said(row: Any) -> Said:
    told = (row.by, row.value, row.reason, row.return_on, row.told)
    return Said(row.id, row.code, row.at, *told)


def _aside(said: Said, digest: str) -> dict[str, Any]:
    return {"lead_id": said.id, "digest": digest, "said": json.dumps(said.as_dict())}


def _handed_since(connection: Connection, keys: Sequence[int]) -> dict[int, datetime]:
    """Return since when each lead that was ever handed over is known, in whichever way."""
    handed = select(Handoff.lead).where(among(connection, Handoff.lead, keys))
    rows = (
        select(Snapshot.lead, func.min(Snapshot.at))
        .where(Snapshot.lead.in_(handed))
        .group_by(Snapshot.lead)
    )
    return dict(connection.execute(rows).all())


def _digests(connection: Connection, keys: Sequence[int]) -> set[tuple[int, str]]:
    rows = select(Disposition.lead, Disposition.digest).where(Disposition.lead.in_(keys))
    return {(lead, digest) for lead, digest in connection.execute(rows)}


def _waiting_digests(connection: Connection, ids: Sequence[str]) -> set[tuple[str, str]]:
    rows = select(Waiting.lead_id, Waiting.digest).where(Waiting.lead_id.in_(ids))
    return {(lead, digest) for lead, digest in connection.execute(rows)}
