"""Erasure from everything that this machine keeps: store, spool and rows that were set aside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from features.store import erasure
from features.store.database import Store
from serving.drain import empty, forget


@dataclass(frozen=True)
class Aside:
    """The folders of a home that hold leads' data beside the store."""

    rejects: Path
    """Rows of files that were set aside."""
    spool: Path
    """Scores that wait for the store."""


def erase_leads(
    store: Store,
    aside: Aside,
    ids: Sequence[str],
    who: str,
    now: datetime,
    progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Erase leads' data; return of how many leads anything was known.

    What waits is brought to the store first, so that it cannot come there after the erasure. A
    score that is given later makes a new lead, as any lead that is sent again does.

    Raises:
        StoreError: when the store cannot be reached, what waits cannot be brought there, or the
            disk still holds what was deleted; the same call again clears it.

    """
    empty(store, aside.spool, lambda: now)
    # First, because what is erased from the store is not found among the expired any more.
    removed = erasure.scrub(aside.rejects, ids) + forget(aside.spool, ids)
    erased = erasure.erase(store, ids, who, now, progress)
    return len(erased) or min(removed, 1)
