"""Answers to requests with an idempotency key: the same request again gets the same answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from features.errors import ReusedKeyError
from features.store.keys import insert_new
from features.store.tables import Reply

KEPT_FOR = timedelta(days=7)
"""How long an answer is kept: longer than anybody tries again."""
Answer = dict[str, Any]
Keeping = Callable[[Connection, str, datetime], Answer]
"""Keeps what was sent within a write, by who brings it and when, and returns the answer."""


def digest_of_request(route: str, body: object) -> str:
    """Return what tells a request from others; spacing and the order of keys do not."""
    text = json.dumps([route, body], sort_keys=True)
    return sha256(text.encode()).hexdigest()


def answer_once(
    connection: Connection,
    caller: str,
    key: str | None,
    request: str,
    now: datetime,
    answer: Callable[[], Answer],
) -> Answer:
    """Return the answer that was given under a key, or give one and keep it.

    Args:
        connection: of a write; the answer is kept if what `answer` writes is.
        caller: whose key it is; the same key of another caller is another one.
        key: as the caller chose it; None: nothing is kept.
        request: the digest of what was sent.
        now: answers older than `KEPT_FOR` are forgotten.
        answer: does what is asked.

    Raises:
        ReusedKeyError: when another request came under this key.

    """
    if key is None:
        return answer()
    connection.execute(delete(Reply).where(Reply.at < now - KEPT_FOR))
    name = f"{caller} {key}"
    given = connection.execute(select(Reply).where(Reply.key == name)).one_or_none()
    if given is None:
        content = answer()
        row = {"key": name, "request": request, "reply": json.dumps(content), "at": now}
        connection.execute(insert(Reply), [row])
        return content
    if given.request != request:
        raise ReusedKeyError(
            "this Idempotency-Key came before with another body; give every request its own key"
        )
    kept: Answer = json.loads(given.reply)
    return kept


def used_since(connection: Connection, kind: str, since: datetime) -> dict[str, datetime]:
    """Return what was used up since a moment of all that is named `KIND NAME`: names, and when."""
    rows = connection.execute(
        select(Reply.key, Reply.at).where(Reply.at >= since, Reply.key.startswith(f"{kind} "))
    )
    return {key.removeprefix(f"{kind} "): at for key, at in rows}


def use_up(connection: Connection, name: str, now: datetime) -> bool:
    """Use up what is good once; return whether it was still good.

    Args:
        connection: of a write.
        name: of what is used; it must be over by itself within `KEPT_FOR`.
        now: this moment.

    """
    row = {"key": name, "request": "", "reply": "{}", "at": now}
    return bool(connection.execute(insert_new(connection, Reply).values(row)).rowcount)
