"""The store as the routes use it: opened once, tried again while it does not answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

import structlog
from anyio import CapacityLimiter, to_thread
from starlette.exceptions import HTTPException

from features.agreement import Agreement
from features.errors import StoreError
from features.store.agreements import standing
from features.store.database import Store
from features.store.deliveries import Standing, total

log = structlog.get_logger()
T = TypeVar("T")

RETRY_AFTER = "10"
"""Seconds after which a caller may try a store again that is down."""
_AT_ONCE = 7
"""Requests that use the store at the same time; the others wait without holding up scores. Pages
and the API have so many each, and together no more than a store has connections (15)."""
_SLOW = 2.0
"""Seconds after which a store is said not to answer."""


class OpenedStore:
    """A store that all routes share. It may be down while scores go on."""

    def __init__(self, open_it: Callable[[], Store]) -> None:
        self._open = open_it
        self._lock = threading.Lock()
        self._store: Store | None = None
        self._places = CapacityLimiter(_AT_ONCE)

    def beside(self) -> OpenedStore:
        """Return the same store with places of its own: who waits there holds up nobody here."""
        return OpenedStore(self._opened)

    async def use(self, work: Callable[[Store], T]) -> T:
        """Return what `work` returns, or answer 503 where the store does not do what is asked."""
        try:
            return await to_thread.run_sync(lambda: work(self._opened()), limiter=self._places)
        except StoreError as error:
            log.error("the store failed", reason=str(error))
            raise HTTPException(
                503,
                "the store does not answer and nothing was kept; send it again later",
                {"Retry-After": RETRY_AFTER},
            ) from error

    async def webhooks(self) -> Standing | None:
        """Count the webhooks that wait and were given up; None: the store is slow or down."""

        def look(store: Store) -> Standing:
            with store.reading() as connection:
                return total(connection)

        look_up = asyncio.ensure_future(self.use(look))
        # One that is not waited for any longer may fail as it likes.
        look_up.add_done_callback(lambda task: task.cancelled() or task.exception())
        done, _ = await asyncio.wait({look_up}, timeout=_SLOW)
        return look_up.result() if done and look_up.exception() is None else None

    async def standing_of(self, agreement: Agreement) -> str | None:
        """Say who signed an agreement; None where the store does not answer."""

        def read(store: Store) -> str:
            with store.reading() as connection:
                return standing(connection, agreement).sentence

        try:
            return await self.use(read)
        except HTTPException:
            return None

    def _opened(self) -> Store:
        with self._lock:
            if self._store is None:
                self._store = self._open()
            return self._store

    def start(self) -> None:
        """Open the store before it is asked for; where it does not answer, go on without."""
        try:
            self._opened()
        except StoreError as error:
            log.error("no store yet", reason=str(error))

    def close(self) -> None:
        """Let go of the store."""
        if self._store is not None:
            self._store.close()
