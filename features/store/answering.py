"""An answer of sales to what it saw: written only where nobody has said anything meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, insert, select

from features.agreement import Agreement
from features.leads import Fault
from features.store.audit import audit
from features.store.drawn import Worklist
from features.store.feedback import keep
from features.store.keys import stay_named, stay_unknown
from features.store.said import Said
from features.store.tables import Disposition, Handoff, Lead, Note


@dataclass(frozen=True)
class Done:
    """What somebody else did with the lead since it was looked at."""

    at: datetime
    what: str
    by: str | None


@dataclass(frozen=True)
class Answer:
    """What became of an answer."""

    key: int
    """Of the lead."""
    seen: str
    """The newest hand-off and word now."""
    meanwhile: tuple[Done, ...] = ()
    """What others did: then nothing was written."""
    fault: Fault | None = None
    """What is wrong with it: then nothing was written."""
    lane: str | None = None
    """In which lane of the queue the lead was; no longer a secret once it is answered."""


def answer(
    connection: Connection, said: Said, agreement: Agreement, seen: str, who: str, now: datetime
) -> Answer | None:
    """Write what sales says of a lead, unless something happened since it was looked at.

    Args:
        connection: of a write.
        said: the answer, by name.
        agreement: whose words it uses.
        seen: the newest hand-off and word that were shown; see `features.store.listed.Line`.
        who: for the audit log.
        now: this moment.

    Returns:
        None where the store does not know the lead.

    """
    # In the order of every other write: first these locks, then those of rows.
    stay_named(connection)
    stay_unknown(connection)
    lead = select(Lead.key).where(Lead.id == said.id, Lead.erased.is_(None))
    # As `worklist` holds it: whoever has written a word on it may go on to draw its line.
    key = connection.execute(lead.with_for_update(key_share=True)).scalar_one_or_none()
    if key is None:
        return None
    now_seen = newest(connection, key)
    if now_seen != seen:
        return Answer(key, now_seen, tuple(_since(connection, key, seen)))
    lane = connection.execute(select(Worklist.lane).where(Worklist.lead == key)).scalar()
    (result,) = keep(connection, [said], agreement, "page", now)
    if isinstance(result, Fault):
        return Answer(key, now_seen, fault=result)
    audit(connection, "word", f"{said.code} on lead {key}", who, now)
    return Answer(key, newest(connection, key), lane=lane)


def newest(connection: Connection, key: int) -> str:
    """Return the newest hand-off and word of a lead, so that an answer tells what it answers."""
    handoff = select(func.max(Handoff.key)).where(Handoff.lead == key).scalar_subquery()
    word = select(func.max(Disposition.key)).where(Disposition.lead == key).scalar_subquery()
    found = connection.execute(select(handoff, word)).one()
    return f"{found[0] or 0}-{found[1] or 0}"


def _since(connection: Connection, key: int, seen: str) -> Sequence[Done]:
    """Return what happened to a lead after what was seen; where that cannot be read, the last."""
    first, _, second = seen.partition("-")
    handoff, word = (int(part) if part.isdecimal() else 0 for part in (first[:18], second[:18]))
    words = select(Disposition.at, Disposition.code, Disposition.by).where(
        Disposition.lead == key, Disposition.key > word
    )
    passed = select(Handoff.at, Handoff.owner).where(Handoff.lead == key, Handoff.key > handoff)
    found = [Done(at, code, by) for at, code, by in connection.execute(words)]
    found += [Done(at, "handed over", owner) for at, owner in connection.execute(passed)]
    # Where an erasure or an earlier hand-off took words away, nothing is newer.
    return sorted(found, key=lambda done: done.at) or [Done(datetime.min, "changed", None)]


def add_note(
    connection: Connection, lead_id: str, text: str, by: str, who: str, now: datetime
) -> bool:
    """Leave a note on a lead for the campaign that brought it; return whether the lead is known."""
    stay_named(connection)
    row = connection.execute(
        select(Lead.key, Lead.campaign).where(Lead.id == lead_id, Lead.erased.is_(None))
    ).one_or_none()
    if row is None:
        return False
    note = {"campaign": row.campaign, "lead": row.key, "text": text, "by": by, "at": now}
    connection.execute(insert(Note), [note])
    audit(connection, "note", f"on lead {row.key}", who, now)
    return True
