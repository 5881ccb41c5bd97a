"""Work that one process at a time may do: it holds a lease, and renews it while it works.

A process that dies leaves its lease behind, and the next one takes over when it has run out. A
process that was only asleep finds its lease gone when it wants to go on, and must not.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta

from sqlalchemy import Connection, insert, select, update

from features.errors import LeadqError, StoreError
from features.store.database import Store
from features.store.tables import Job

LEASE = timedelta(seconds=90)
"""For so long a process counts as alive that has not been heard of."""
_BEAT = 6
"""A lease is renewed so many times before it could run out."""
Clock = Callable[[], datetime]


class HeldError(LeadqError):
    """Another process does this work already."""


class Lease:
    """The right to do a kind of work."""

    def __init__(self, store: Store, key: int, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self.key = key
        self.result = "done"
        """What is written down when the work comes to its end."""

    def renew(self) -> None:
        """Hold the lease for its whole time again.

        Raises:
            StoreError: when another process has taken over; then nothing more may be done.

        """
        now = self._clock()
        held = update(Job).where(Job.key == self.key, Job.ended.is_(None))
        beat = held.values(heartbeat=now, lease_until=now + LEASE)
        if not self._store.write(lambda connection: connection.execute(beat).rowcount):
            raise StoreError(
                "this process was silent for too long, and another one has taken over its work; "
                "it stops here and makes no model champion"
            )


@contextmanager
def lease(store: Store, kind: str, worker: str, clock: Clock) -> Iterator[Lease]:
    """Hold the lease of a kind of work until the block ends, whichever way.

    Args:
        store: where leases are written down.
        kind: of the work.
        worker: who does it, as others shall read it.
        clock: gives this moment; those of all machines must agree to within `LEASE`.

    Raises:
        HeldError: when another process holds it; the message says who, and since when.

    """
    taken = Lease(store, store.write(lambda c: _take(c, kind, worker, clock())), clock)
    done = threading.Event()
    beats = threading.Thread(target=_beat, args=(taken, done), daemon=True)
    beats.start()
    result = "failed"
    try:
        yield taken
        result = taken.result
    finally:
        done.set()
        beats.join()
        ended = update(Job).where(Job.key == taken.key, Job.ended.is_(None))
        store.write(lambda c: c.execute(ended.values(ended=clock(), result=result)))


def last_done(connection: Connection, kind: str) -> datetime | None:
    """Return when the last work of a kind that came to its end was begun."""
    newest = select(Job.started).where(Job.kind == kind, Job.result == "done")
    found: datetime | None = connection.execute(
        newest.order_by(Job.started.desc()).limit(1)
    ).scalar_one_or_none()
    return found


def _take(connection: Connection, kind: str, worker: str, now: datetime) -> int:
    running = select(Job.key, Job.worker, Job.started, Job.lease_until).where(
        Job.kind == kind, Job.ended.is_(None)
    )
    holder = connection.execute(running.with_for_update()).one_or_none()
    if holder is not None:
        if holder.lease_until > now:
            raise HeldError(
                f"{holder.worker} has been doing this since {holder.started:%Y-%m-%d %H:%M} UTC; "
                f"if that process is dead, its lease ends at {holder.lease_until:%H:%M:%S}"
            )
        lost = update(Job).where(Job.key == holder.key)
        connection.execute(lost.values(ended=now, result="lost"))
    new = {"kind": kind, "worker": worker, "started": now, "heartbeat": now}
    added = insert(Job).values(**new, lease_until=now + LEASE).returning(Job.key)
    return int(connection.execute(added).scalar_one())


def _beat(held: Lease, done: threading.Event) -> None:
    while not done.wait(LEASE.total_seconds() / _BEAT):
        # The store may be back at the next beat. Whether another process has taken over, the work
        # itself finds out, when it renews the lease before it changes anything.
        with suppress(StoreError):
            held.renew()
