"""Feedback from sales: checked against the agreement, kept once, never lost."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, delete, func, insert, select

from features.agreement import Agreement
from features.cells import key_of
from features.leads import Fault
from features.sections import DISPOSITIONS, STEPS
from features.store.entries import CHUNK, digest_of, keys_of
from features.store.tables import Disposition, Handoff, Waiting

Origin = Literal["rest", "file", "page", "export"]
Kept = Literal["stored", "repeated", "waiting"]

MAX_REASON = 2000
"""Characters of a reason; more is a pasted mail, not a reason."""
_GRACE = timedelta(days=1)
"""A date without its hour may lie up to a day before the hand-off, or ahead of the clock."""
_WITH_VALUE = ("won", "opportunity")
_WITH_RETURN = ("not_ready", "in_contract", "unreachable")


@dataclass(frozen=True)
class Said:
    """What sales says of a lead: what became of it, or how far it is."""

    id: str
    code: str
    at: datetime
    by: str | None = None
    value: float | None = None
    reason: str | None = None
    return_on: date | None = None

    @property
    def digest(self) -> str:
        """The same for the same words, so that a replay is known as one."""
        return digest_of(json.dumps(asdict(self), default=str, sort_keys=True))


class Refused(NamedTuple):
    """Feedback that cannot be kept, with the reason and the cure."""

    fault: Fault


def code_of(word: str, agreement: Agreement) -> str | None:
    """Return the disposition or step that a word means: its own name, or the CRM's word for it."""
    key = key_of(word.strip())
    if key in (*DISPOSITIONS, *STEPS):
        return key
    meanings = {key_of(value): disposition for value, disposition in agreement.raw_outcomes()}
    return meanings.get(key)


def fault_of(said: Said, now: datetime) -> Fault | None:
    """Return what is wrong with feedback by itself, or None."""
    if said.at > now + _GRACE:
        return Fault("at", said.at.isoformat(), f"lies after now ({now:%Y-%m-%d %H:%M} UTC)")
    if said.value is not None:
        if not math.isfinite(said.value) or said.value < 0:
            return Fault("value", str(said.value), "a value is a sum of money, 0 or more")
        if said.code not in _WITH_VALUE:
            what = " or ".join(_WITH_VALUE)
            reason = f"a lead that is {said.code} has no value; leave it empty, or say {what}"
            return Fault("value", str(said.value), reason)
    if said.return_on is not None:
        if said.code not in _WITH_RETURN:
            what = ", ".join(_WITH_RETURN)
            reason = f"only {what} come back; leave it empty for {said.code}"
            return Fault("return_on", said.return_on.isoformat(), reason)
        if said.return_on < said.at.date():
            reason = f"lies before the feedback itself ({said.at:%Y-%m-%d})"
            return Fault("return_on", said.return_on.isoformat(), reason)
    if said.reason and len(said.reason) > MAX_REASON:
        return Fault("reason", said.reason[:40] + "...", f"is over {MAX_REASON:,} characters")
    return None


def keep(
    connection: Connection,
    said: Sequence[Said],
    agreement: Agreement,
    origin: Origin,
    now: datetime,
) -> list[Kept | Refused]:
    """Write feedback down; return for each what became of it, in the order of the input.

    The same words again are `repeated` and add nothing. Feedback on a lead that is not known yet
    is `waiting` until the lead arrives (`apply_waiting`).
    """
    told = {"agreement": agreement.label, "origin": origin, "received": now}
    results: list[Kept | Refused] = []
    for start in range(0, len(said), CHUNK):
        results += _keep(connection, said[start : start + CHUNK], told, now)
    return results


def _keep(
    connection: Connection, said: Sequence[Said], told: dict[str, Any], now: datetime
) -> list[Kept | Refused]:
    keys = keys_of(connection, sorted({item.id for item in said}))
    handed = _first_handoffs(connection, list(keys.values()))
    seen = _digests(connection, list(keys.values()))
    waiting = _waiting_digests(connection, sorted({i.id for i in said if i.id not in keys}))
    results: list[Kept | Refused] = []
    rows: list[dict[str, Any]] = []
    asides: list[dict[str, Any]] = []
    for item in said:
        key, digest = keys.get(item.id), item.digest
        fault = fault_of(item, now) or _too_early(item, handed.get(key) if key else None)
        if fault:
            results.append(Refused(fault))
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
        connection.execute(insert(Disposition), rows)
    if asides:
        connection.execute(insert(Waiting), asides)
    return results


def apply_waiting(connection: Connection, ids: Sequence[str]) -> int:
    """Write down what was said of leads before they arrived; return how much that was.

    What turns out to lie before the hand-off is kept all the same: nobody is there to be told.
    """
    if not connection.execute(select(func.count()).select_from(Waiting)).scalar_one():
        return 0
    applied = 0
    for start in range(0, len(ids), CHUNK):
        part = ids[start : start + CHUNK]
        rows = connection.execute(select(Waiting).where(Waiting.lead_id.in_(part))).all()
        keys = keys_of(connection, [row.lead_id for row in rows])
        said = [(_read(row.said), row) for row in rows]
        if said:
            connection.execute(
                insert(Disposition),
                [
                    _row(item, keys[item.id], row.digest)
                    | {"agreement": row.agreement, "origin": row.origin, "received": row.received}
                    for item, row in said
                ],
            )
            connection.execute(delete(Waiting).where(Waiting.key.in_([r.key for _, r in said])))
        applied += len(said)
    return applied


def _too_early(said: Said, handed: datetime | None) -> Fault | None:
    if handed is None or said.at >= handed - _GRACE:
        return None
    reason = f"lies before the lead was handed over ({handed:%Y-%m-%d %H:%M})"
    return Fault("at", said.at.isoformat(), reason)


def _row(said: Said, key: int, digest: str) -> dict[str, Any]:
    row = asdict(said) | {"lead": key, "digest": digest}
    del row["id"]
    return row


def _aside(said: Said, digest: str) -> dict[str, Any]:
    return {"lead_id": said.id, "digest": digest, "said": json.dumps(asdict(said), default=str)}


def _read(text: str) -> Said:
    raw = json.loads(text)
    returns = raw["return_on"]
    return Said(
        **raw
        | {
            "at": datetime.fromisoformat(raw["at"]),
            "return_on": date.fromisoformat(returns) if returns else None,
        }
    )


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
