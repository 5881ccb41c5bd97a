"""Erasure: a person's data leaves the store; that there was a lead, and its end, stays counted."""

from __future__ import annotations

import csv
import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, String, cast, delete, func, insert, literal, select, update

from features.store.database import Store
from features.store.entries import NO_FIELDS
from features.store.tables import (
    Audit,
    Disposition,
    Handoff,
    Lead,
    Reply,
    Score,
    Snapshot,
    Waiting,
)

_TOUCHED = (Lead, Snapshot, Disposition, Waiting, Reply)
"""The tables that erasure writes to."""


@dataclass(frozen=True)
class Erased:
    """What was erased of one lead."""

    snapshots: int
    words: int
    """Words of sales whose reason and author were removed; what they say stays."""
    waiting: int


def erase(store: Store, id_: str, who: str, now: datetime) -> Erased | None:
    """Erase a lead's data and return how much that was, or None where nothing is known of it.

    The lead keeps its campaign, its moments, scores and dispositions under a name that leads
    nowhere; its fields, its id, reasons and authors are gone. It teaches no model any more.
    """
    done = store.write(lambda connection: _erase(connection, id_, who, now))
    if done is not None:
        store.forget_deleted(tuple(table.__tablename__ for table in _TOUCHED))
    return done


def _erase(connection: Connection, id_: str, who: str, now: datetime) -> Erased | None:
    waiting = connection.execute(delete(Waiting).where(Waiting.lead_id == id_)).rowcount
    # Replies kept for a replay repeat ids; JSON escapes them as it did when they were written.
    connection.execute(delete(Reply).where(Reply.reply.contains(json.dumps(id_), autoescape=True)))
    key = connection.execute(select(Lead.key).where(Lead.id == id_)).scalar_one_or_none()
    if key is None:
        if not waiting:
            return None
        _note(connection, who, now)
        return Erased(0, 0, waiting)
    connection.execute(
        update(Lead).where(Lead.key == key).values(id=f"erased-{secrets.token_hex(8)}", erased=now)
    )
    snapshots = connection.execute(
        update(Snapshot).where(Snapshot.lead == key).values(fields=NO_FIELDS, digest="")
    ).rowcount
    # The digest is made of what was said and of whom.
    words = connection.execute(
        update(Disposition)
        .where(Disposition.lead == key)
        .values(
            reason=None, by=None, digest=literal("erased-").concat(cast(Disposition.key, String))
        )
    ).rowcount
    _note(connection, who, now)
    return Erased(snapshots, words, waiting)


def _note(connection: Connection, who: str, now: datetime) -> None:
    row = {"at": now, "who": who, "act": "erase", "what": "one lead"}
    connection.execute(insert(Audit), [row])


def expired(connection: Connection, days: int, now: datetime) -> list[str]:
    """Return the ids of leads about which nothing has happened for longer than `days`."""
    last = [
        select(func.max(moment)).where(lead == Lead.key).scalar_subquery()
        for lead, moment in (
            (Snapshot.lead, Snapshot.at),
            (Handoff.lead, Handoff.at),
            (Disposition.lead, Disposition.at),
            (Score.lead, Score.at),
        )
    ]
    before = now - timedelta(days=days)
    quiet = [func.coalesce(moment < before, True) for moment in last]
    rows = select(Lead.id).where(Lead.erased.is_(None), Lead.added < before, *quiet)
    return list(connection.execute(rows.order_by(Lead.id)).scalars())


def scrub(folder: Path, id_: str) -> int:
    """Remove the rows that name a lead from the CSV files in a folder; return how many."""
    removed = 0
    for path in sorted(folder.glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        kept = [row for row in rows if id_ not in row and f"'{id_}" not in row]
        if len(kept) == len(rows):
            continue
        work = path.with_name(f".{path.name}.new")
        with work.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(kept)
        work.replace(path)
        removed += len(rows) - len(kept)
    return removed
