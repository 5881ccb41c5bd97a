"""Deliveries: events on their way to hooks, and the dead letters.

A delivery is taken by moving the moment at which it is due, so that one sender has it at a time.
A sender that dies in between leaves it to be sent again: at least once, under the same name.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, delete, exists, func, or_, select, update

from features.store.tables import Delivery, Hook

HELD = timedelta(minutes=1)
"""For so long a delivery belongs to the one who took it; longer than a try may last."""
KEPT_FOR = timedelta(days=30)
"""How long it is known that something was delivered."""
DEAD_FOR = timedelta(days=60)
"""How long after its event a dead letter can be put back."""
MOST_DEAD = 100_000
"""Dead letters that are kept; of more the oldest are forgotten."""


class Letter(NamedTuple):
    """A delivery that was taken to be sent."""

    key: int
    event: str
    body: str
    tries: int
    """With this one."""


class DeadLetter(NamedTuple):
    """A delivery that was given up."""

    key: int
    hook: int
    event: str
    at: datetime
    tries: int
    error: str | None


class Standing(NamedTuple):
    """How many deliveries are on their way, and how many were given up."""

    waiting: int
    dead: int


_IS_DEAD = (Delivery.due.is_(None), Delivery.delivered.is_(None))
_IS_LIVE = exists().where(Hook.key == Delivery.hook, Hook.removed.is_(None))


def hooks_due(connection: Connection, now: datetime) -> list[int]:
    """Return the hooks for which something is to be sent now."""
    due = select(Delivery.hook).where(Delivery.due <= now, _IS_LIVE).distinct()
    return list(connection.execute(due.order_by(Delivery.hook)).scalars())


def take(connection: Connection, hook: int, now: datetime) -> Letter | None:
    """Take the delivery to a hook that is due for longest, or None where none is."""
    due = select(Delivery.key, Delivery.event, Delivery.body, Delivery.tries).where(
        Delivery.hook == hook, Delivery.due <= now, _IS_LIVE
    )
    first = due.order_by(Delivery.due, Delivery.key).limit(1)
    row = connection.execute(first.with_for_update(of=Delivery, skip_locked=True)).one_or_none()
    if row is None:
        return None
    tries = row.tries + 1
    held = update(Delivery).where(Delivery.key == row.key)
    connection.execute(held.values(due=now + HELD, tries=tries))
    return Letter(row.key, row.event, row.body, tries)


def mark_delivered(connection: Connection, letter: Letter, now: datetime) -> None:
    """Write down that a delivery arrived; what it said is needed no more."""
    done = {"delivered": now, "due": None, "body": "", "error": None}
    connection.execute(update(Delivery).where(Delivery.key == letter.key).values(**done))


def mark_failed(connection: Connection, letter: Letter, error: str, due: datetime | None) -> None:
    """Write down why a try failed and when the next one is due; None: it is given up."""
    open_ = update(Delivery).where(Delivery.key == letter.key, Delivery.delivered.is_(None))
    connection.execute(open_.values(error=error, due=due))


def dead_letters(connection: Connection) -> list[DeadLetter]:
    """Return the deliveries that were given up, the oldest first."""
    told = (Delivery.key, Delivery.hook, Delivery.event, Delivery.at)
    rows = select(*told, Delivery.tries, Delivery.error).where(*_IS_DEAD, _IS_LIVE)
    return [DeadLetter(*row) for row in connection.execute(rows.order_by(Delivery.key))]


def put_back(connection: Connection, now: datetime) -> int:
    """Let all dead letters be sent again, as if for the first time; return how many."""
    again = update(Delivery).where(*_IS_DEAD, _IS_LIVE).values(due=now, tries=0)
    return connection.execute(again).rowcount


def standing(connection: Connection) -> dict[int, Standing]:
    """Count by hook what is on its way and what was given up; hooks without either are absent."""
    counts = (
        select(Delivery.hook, func.count(Delivery.due), func.count())
        .where(Delivery.delivered.is_(None), _IS_LIVE)
        .group_by(Delivery.hook)
    )
    rows = connection.execute(counts)
    return {hook: Standing(waiting, every - waiting) for hook, waiting, every in rows}


def total(connection: Connection) -> Standing:
    """Count the same over all hooks."""
    counts = standing(connection).values()
    return Standing(sum(one.waiting for one in counts), sum(one.dead for one in counts))


def forget_old(connection: Connection, now: datetime) -> None:
    """Forget what was delivered or given up long ago, and what waits for a hook that was removed.

    That a lead's return was told stays for as long as it may be found again: `KEPT_FOR` from the
    day on which it was due.
    """
    is_old = Delivery.delivered < now - KEPT_FOR
    is_past = Delivery.at < now - 2 * KEPT_FOR
    is_done = or_(~Delivery.event.startswith("recycled"), ~_IS_LIVE, is_past)
    connection.execute(delete(Delivery).where(is_old, is_done))
    connection.execute(delete(Delivery).where(Delivery.delivered.is_(None), ~_IS_LIVE))
    connection.execute(delete(Delivery).where(*_IS_DEAD, Delivery.at < now - DEAD_FOR))
    dead = select(Delivery.key).where(*_IS_DEAD).order_by(Delivery.key.desc())
    too_many = connection.execute(dead.offset(MOST_DEAD).limit(1)).scalar_one_or_none()
    if too_many is not None:
        connection.execute(delete(Delivery).where(*_IS_DEAD, Delivery.key <= too_many))
