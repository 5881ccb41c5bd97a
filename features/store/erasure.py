"""Erasure: a person's data leaves the store; that there was a lead, and its end, stays counted."""

from __future__ import annotations

import csv
import functools
import json
import os
import re
import secrets
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, String, cast, delete, func, literal, select, union_all, update

from features.files import Reject
from features.store.audit import audit
from features.store.database import Store
from features.store.drawn import LeadState, Worklist
from features.store.entries import NO_FIELDS
from features.store.hindsight import HindsightScore
from features.store.keys import forget
from features.store.lead_states import draw
from features.store.meetings import forget_names
from features.store.tables import (
    Decision,
    Delivery,
    Disposition,
    Handoff,
    Lead,
    Note,
    Reply,
    Score,
    SideAnswer,
    Snapshot,
    Waiting,
)

_TOUCHED = (
    *(Lead, LeadState, Snapshot, Disposition, Waiting, Reply, Delivery, Note, Worklist),
    *(Decision, SideAnswer, HindsightScore),
)
"""The tables that erasure writes to."""


@dataclass(frozen=True)
class Erased:
    """What was erased of one lead."""

    snapshots: int
    words: int
    """Words of sales whose reason and author were removed; what they say stays."""
    waiting: int


def erase(
    store: Store,
    ids: Sequence[str],
    who: str,
    now: datetime,
    progress: Callable[[int], None] = lambda _: None,
) -> dict[str, Erased]:
    """Erase leads' data; return how much that was of each of which anything was known.

    A lead keeps its campaign, its moments, scores and dispositions under a name that leads
    nowhere; its fields, its id, reasons and authors are gone, and id and e-mail address also from
    what meetings wrote down, unless other leads name that address too: then it is a colleague's. It
    teaches no model any more.

    Raises:
        StoreError: when the store cannot be reached, or the disk still holds what was deleted;
            the same call again clears it.

    """
    erased: dict[str, Erased] = {}
    for n, id_ in enumerate(ids, 1):
        done = store.write(functools.partial(_erase, id_=id_, who=who, now=now))
        if done is not None:
            erased[id_] = done
        progress(n)
    # Also where nothing was found: the call before may have been stopped between the two.
    store.forget_deleted(tuple(table.__tablename__ for table in _TOUCHED))
    return erased


def _erase(connection: Connection, id_: str, who: str, now: datetime) -> Erased | None:
    forget(connection)
    waiting = connection.execute(delete(Waiting).where(Waiting.lead_id == id_)).rowcount
    # Replies kept for a replay repeat ids; JSON escapes them as it did when they were written.
    connection.execute(delete(Reply).where(Reply.reply.contains(json.dumps(id_), autoescape=True)))
    key = connection.execute(select(Lead.key).where(Lead.id == id_)).scalar_one_or_none()
    forget_names(
        connection,
        {id_, *_addresses(connection, key)},
        lambda found: found.lower() != id_.lower() and _is_anothers(connection, key, found),
    )
    if key is None:
        if not waiting:
            return None
        audit(connection, "erase", "one lead", who, now)
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
    connection.execute(delete(Delivery).where(Delivery.lead == key))
    connection.execute(delete(Note).where(Note.lead == key))
    connection.execute(delete(Worklist).where(Worklist.lead == key))
    connection.execute(delete(HindsightScore).where(HindsightScore.lead == key))
    draw(connection, [key])
    audit(connection, "erase", "one lead", who, now)
    return Erased(snapshots, words, waiting)


def _addresses(connection: Connection, key: int | None) -> set[str]:
    """Return the e-mail addresses of a lead, by which meetings may have named it."""
    rows = connection.execute(select(Snapshot.fields).where(Snapshot.lead == key)).scalars()
    told = [value for fields in rows for value in json.loads(fields or "{}").values()]
    return {text for text in map(str, told) if re.fullmatch(r"\S+@\S+", text)}


def _is_anothers(connection: Connection, key: int | None, address: str) -> bool:
    """Tell whether other leads name an address too, as they do a colleague's who owns them."""
    named = Snapshot.fields.icontains(json.dumps(address)[1:-1], autoescape=True)
    others = select(Snapshot.key).where(Snapshot.lead != key, named)
    return connection.execute(others.limit(1)).first() is not None


def expired(connection: Connection, days: int, now: datetime) -> list[str]:
    """Return the ids of leads about which nothing has happened for longer than `days`.

    Also those that never arrived and whose feedback has waited for longer.
    """
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
    leads = select(Lead.id).where(Lead.erased.is_(None), Lead.added < before, *quiet)
    unknown = (
        select(Waiting.lead_id)
        .where(Waiting.lead_id.not_in(select(Lead.id)))
        .group_by(Waiting.lead_id)
        .having(func.max(Waiting.received) < before)
    )
    return sorted(connection.execute(union_all(leads, unknown)).scalars())


def scrub(folder: Path, ids: Collection[str]) -> int:
    """Remove the rows of the leads from the rejects in a folder; return how many.

    A row is a lead's by its id, or by the value that was refused. A line that could not be split
    into fields stands there whole, and is taken to pieces. What a killed run left half written is
    looked through too.
    """
    named = {pieces for id_ in ids if (pieces := _pieces(id_))}
    removed = 0
    for path in _files(folder):
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        kept = [row for row in rows if named.isdisjoint(_names(row, named))]
        if len(kept) == len(rows):
            continue
        written = path.stat()
        work = path.with_name(f".{path.name}.new")
        with work.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(kept)
        # What is left is as old as it was: `remove_expired` goes by that.
        os.utime(work, ns=(written.st_atime_ns, written.st_mtime_ns))
        work.replace(path)
        removed += len(rows) - len(kept)
    return removed


def remove_expired(folder: Path, days: int, now: datetime) -> int:
    """Remove the files of rejects that were written more than `days` ago; return how many."""
    before = (now - timedelta(days=days)).replace(tzinfo=UTC).timestamp()
    old = [path for path in _files(folder) if path.stat().st_mtime < before]
    for path in old:
        path.unlink()
    return len(old)


def _files(folder: Path) -> list[Path]:
    """Return the files of rejects, also those that a killed run did not finish."""
    return sorted(folder.glob("*.rejects.csv*"))


def _names(reject: Sequence[str], named: Collection[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    """Yield what may be one of the ids in a row, in pieces; its line is a number as some are."""
    cells = dict(zip(Reject._fields, reject, strict=False))
    value = cells.get("value", "")
    yield _pieces(value)
    yield _pieces(cells.get("id", ""))
    if not cells.get("field"):
        pieces = _pieces(value)
        for length in {len(name) for name in named}:
            for start in range(len(pieces) - length + 1):
                yield pieces[start : start + length]


def _pieces(text: str) -> tuple[str, ...]:
    """Return a text without what separates the fields of a line, or marks it as text."""
    return tuple(piece for piece in re.split(r"[\s\"',;|]+", text) if piece)
