"""Hooks: addresses that are told of events, and what they are told.

An event becomes one delivery for each hook that wants it, written in the transaction of what it
tells of: neither is there without the other. No text of a person or of sales is in it.
"""

from __future__ import annotations

import hmac
import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from hashlib import sha256
from typing import Any, Literal, NamedTuple, get_args

from sqlalchemy import Connection, Row, delete, func, insert, or_, select, update
from sqlalchemy.orm import aliased

from features.agreement import Agreement
from features.errors import UsageError
from features.store.audit import audit
from features.store.bulk import Columns, among, insert_columns
from features.store.deliveries import KEPT_FOR
from features.store.keys import CHUNK, stay_named
from features.store.recycle import Due, due_leads
from features.store.tables import Delivery, Hook, Lead, Score

Kind = Literal["score", "recycled", "promotion", "night"]
KINDS: tuple[Kind, ...] = get_args(Kind)
TYPES: dict[Kind, str] = {
    "score": "score.graded",
    "recycled": "lead.recycled",
    "promotion": "model.promoted",
    "night": "night.done",
}
"""What the receiver reads as the type of the event."""
GRADES = "ABCD"
MAX_URL = 2000


@dataclass(frozen=True)
class KnownHook:
    """An address that is told of events."""

    key: int
    url: str
    events: tuple[Kind, ...]
    grades: str
    """Of which a score is told, such as AB."""
    created: datetime
    removed: datetime | None

    def wants(self, news: News) -> bool:
        """Whether it is told of an event: from the day on which the hook was made."""
        is_of_interest = news.grade is None or news.grade in self.grades
        return news.kind in self.events and is_of_interest and news.at.date() >= self.created.date()


class News(NamedTuple):
    """Something that hooks may be told of."""

    kind: Kind
    event: str
    """Its name, the same whoever finds it and however often."""
    at: datetime
    data: dict[str, Any]
    lead: int | None = None
    """The key of the lead that it tells of."""
    grade: str | None = None
    """Of a score."""

    @property
    def body(self) -> str:
        """The message as it is sent (Standard Webhooks: type, timestamp, data)."""
        at = f"{self.at.isoformat(timespec='seconds')}Z"
        return json.dumps({"type": TYPES[self.kind], "timestamp": at, "data": self.data})


def secret_of(hook: KnownHook, secret: bytes) -> str:
    """Return the secret by which the messages to a hook are signed, as Standard Webhooks writes it.

    It is derived, so the store holds none. It hangs on the address too: whoever writes another one
    into the store gets messages that the receiver's secret does not verify.
    """
    made_of = "\n".join(("hook", str(hook.key), hook.created.isoformat(), hook.url))
    return f"whsec_{b64encode(hmac.digest(secret, made_of.encode(), 'sha256')).decode()}"


def inbound_secret(secret: bytes) -> str:
    """Return the secret by which others sign what they send to us, as Standard Webhooks writes it.

    It is derived, so nothing stands anywhere but `LEADQ_SECRET`.
    """
    return f"whsec_{b64encode(hmac.digest(secret, b'inbound', 'sha256')).decode()}"


def events_of(text: str) -> tuple[Kind, ...]:
    """Read kinds of events joined by commas.

    Raises:
        UsageError: when there is none, or one that does not exist.

    """
    said = {word.strip() for word in text.split(",")} - {""}
    if (odd := sorted(said - set(KINDS))) or not said:
        fault = f"{', '.join(odd)}: no event" if odd else "a hook needs an event"
        raise UsageError(f"{fault}; say some of {', '.join(KINDS)}")
    return tuple(kind for kind in KINDS if kind in said)


def grades_of(text: str) -> str:
    """Read grades such as AB.

    Raises:
        UsageError: when there is none, or one that does not exist.

    """
    said = set(text.upper()) - set(", ")
    if not said or said - set(GRADES):
        raise UsageError(f"{text}: no grades; say some of {GRADES}, such as AB")
    return "".join(sorted(said))


def add_hook(
    connection: Connection,
    url: str,
    events: Sequence[Kind],
    grades: str,
    who: str,
    now: datetime,
) -> KnownHook:
    """Make a hook.

    Args:
        connection: of a write.
        url: where messages go.
        events: some of `KINDS`.
        grades: of which a score is told.
        who: makes it, for the audit log.
        now: from when on it is told.

    Raises:
        UsageError: when the address is too long, or a hook goes there already: the receiver could
            not tell which of two secrets a message is signed by.

    """
    if len(url) > MAX_URL:
        raise UsageError(f"the address has {len(url):,} characters; at most {MAX_URL:,}")
    if same := [hook.key for hook in live_hooks(connection) if hook.url == url]:
        raise UsageError(
            f"hook {same[0]} goes to this address already; to change it, remove it first: "
            f"leadq hooks remove {same[0]}"
        )
    row = {"url": url, "events": ",".join(events), "grades": grades, "created": now}
    key: int = connection.execute(insert(Hook).values(**row).returning(Hook.key)).scalar_one()
    audit(connection, "hook add", f"hook {key}: {', '.join(events)}; grades {grades}", who, now)
    return KnownHook(key, url, tuple(events), grades, now, None)


def remove_hook(connection: Connection, key: int, who: str, now: datetime) -> KnownHook:
    """Remove a hook with all that waits for it, and return it as it was.

    Raises:
        UsageError: when there is no such hook.

    """
    hook = next((hook for hook in known_hooks(connection) if hook.key == key), None)
    if hook is None:
        raise UsageError(f"{key}: there is no such hook; see them with: leadq hooks list")
    if hook.removed is None:
        connection.execute(update(Hook).where(Hook.key == key).values(removed=now))
        audit(connection, "hook remove", f"hook {key}", who, now)
    connection.execute(delete(Delivery).where(Delivery.hook == key, Delivery.delivered.is_(None)))
    return hook


def known_hooks(connection: Connection) -> list[KnownHook]:
    """Return all hooks there have been, the oldest first."""
    return [_known(row) for row in connection.execute(select(Hook.__table__).order_by(Hook.key))]


def live_hooks(connection: Connection) -> list[KnownHook]:
    """Return the hooks that are told of events."""
    rows = select(Hook.__table__).where(Hook.removed.is_(None)).order_by(Hook.key)
    return [_known(row) for row in connection.execute(rows)]


def _known(row: Row[Any]) -> KnownHook:
    values = row._asdict()
    return KnownHook(**values | {"events": tuple(values["events"].split(","))})


def tell(connection: Connection, news: Sequence[News], now: datetime) -> None:
    """Write one delivery for each hook that wants an event; what it was told once is passed over.

    Args:
        connection: of the write that makes the news.
        news: what happened.
        now: from when on they are sent.

    """
    rows = [(hook.key, one) for hook in live_hooks(connection) for one in news if hook.wants(one)]
    columns: Columns = {
        "hook": [hook for hook, _ in rows],
        "event": [one.event for _, one in rows],
        "lead": [one.lead for _, one in rows],
        "body": [one.body for _, one in rows],
        "at": [one.at for _, one in rows],
        "tries": [0] * len(rows),
        "due": [now] * len(rows),
    }
    insert_columns(connection, Delivery, columns, if_absent=True)


def tell_promotion(
    connection: Connection, model: str, digest: str, before: str | None, now: datetime
) -> None:
    """Tell of a new champion, in the transaction that makes it one."""
    data = {"model_version": model, "digest": digest, "before": before}
    event = _event("promotion", model, digest, now)
    tell(connection, [News("promotion", event, now, data)], now)


def tell_night(connection: Connection, data: dict[str, Any], now: datetime) -> None:
    """Tell of a night that came to its end; see `serving.night.Night.told`."""
    tell(connection, [News("night", _event("night", now), now, data)], now)


def tell_scores(
    connection: Connection, leads: Sequence[int], first: datetime, last: datetime, now: datetime
) -> None:
    """Tell of scores by which leads came into another grade, in the transaction that keeps them.

    What counts is the grade of the score before, by the moment at which each was given.

    Args:
        connection: of the write, after the scores.
        leads: whose scores.
        first: the earliest moment of the scores, inclusive.
        last: the latest moment, inclusive.
        now: this moment.

    """
    hooks = [hook for hook in live_hooks(connection) if "score" in hook.events]
    if not hooks:
        return
    grades, keys = set("".join(hook.grades for hook in hooks)), sorted(set(leads))
    earlier = aliased(Score)
    before = (
        select(earlier.grade)
        .where(earlier.lead == Score.lead, earlier.at < Score.at)
        .order_by(earlier.at.desc(), earlier.key.desc())
        .limit(1)
        .scalar_subquery()
    )
    told = (Lead.id, Score.lead, Score.at, Score.model, Score.probability, Score.grade)
    for start in range(0, len(keys), CHUNK):
        some = among(connection, Score.lead, keys[start : start + CHUNK])
        given = (
            select(*told, before.label("before"))
            .join(Lead, Lead.key == Score.lead)
            .where(some, Score.at.between(first, last), Score.grade.in_(grades))
            .subquery()
        )
        moved = or_(given.c.before.is_(None), given.c.before != given.c.grade)
        found = connection.execute(select(given).where(moved).order_by(given.c.at, given.c.lead))
        tell(connection, [_of_score(row) for row in found], now)


def _of_score(row: Row[Any]) -> News:
    data = {
        "lead": row.id,
        "grade": row.grade,
        "grade_before": row.before,
        "probability": row.probability,
        "model_version": row.model,
    }
    event = _event("score", row.id, row.at, row.model)
    return News("score", event, row.at, data, row.lead, row.grade)


def find_recycled(connection: Connection, agreement: Agreement, now: datetime) -> list[News]:
    """Find the leads whose time has come again and of which some hook has not been told.

    Args:
        connection: of a reading.
        agreement: its delays.
        now: leads that are due by this day are found, and no more than `KEPT_FOR` before it.

    """
    hooks = [hook for hook in live_hooks(connection) if "recycled" in hook.events]
    if not hooks:
        return []
    begin = max(min(hook.created for hook in hooks), now - KEPT_FOR)
    since = begin.date()
    due = due_leads(connection, agreement, now, now.date(), since)
    scores = _last_scores(connection, [lead.key for lead in due])
    news = [_of_recycled(lead, scores.get(lead.key)) for lead in due]
    told = select(Delivery.hook, Delivery.event).where(
        Delivery.event.startswith("recycled"), Delivery.at >= datetime.combine(since, time.min)
    )
    known = {(hook, event) for hook, event in connection.execute(told)}
    return [
        one
        for one in news
        if any(hook.wants(one) and (hook.key, one.event) not in known for hook in hooks)
    ]


def tell_recycled(connection: Connection, news: Sequence[News], now: datetime) -> None:
    """Tell of leads that `find_recycled` found, but for those that were erased since."""
    stay_named(connection)
    keys = [one.lead for one in news]
    named = select(Lead.key).where(among(connection, Lead.key, keys), Lead.erased.is_(None))
    there = set(connection.execute(named).scalars()) if keys else set()
    tell(connection, [one for one in news if one.lead in there], now)


def _last_scores(connection: Connection, keys: Sequence[int]) -> dict[int, Row[Any]]:
    found: dict[int, Row[Any]] = {}
    newest = func.row_number().over(
        partition_by=Score.lead, order_by=(Score.at.desc(), Score.key.desc())
    )
    told = (Score.lead, Score.model, Score.probability, Score.grade)
    for start in range(0, len(keys), CHUNK):
        some = among(connection, Score.lead, keys[start : start + CHUNK])
        ranked = select(*told, newest.label("place")).where(some).subquery()
        rows = connection.execute(select(ranked).where(ranked.c.place == 1))
        found |= {row.lead: row for row in rows}
    return found


def _of_recycled(lead: Due, score: Row[Any] | None) -> News:
    data = {
        "lead": lead.id,
        "code": lead.code,
        "due": lead.due.isoformat(),
        "grade": score and score.grade,
        "probability": score and score.probability,
        "model_version": score and score.model,
    }
    event = _event("recycled", lead.id, lead.said, lead.due)
    return News("recycled", event, datetime.combine(lead.due, time.min), data, lead.key)


def _event(kind: Kind, *made_of: str | datetime | date) -> str:
    """Name an event by what it is made of."""
    text = "\n".join(one if isinstance(one, str) else one.isoformat() for one in made_of)
    return f"{kind}_{sha256(text.encode()).hexdigest()[:32]}"
