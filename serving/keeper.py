"""The keeper: a process beside the workers that brings their scores to the store, and webhooks out.

It ends when whoever started it closes its standard input, or dies: then it brings what is left.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import structlog

from features.errors import StoreError
from features.home import Home, Settings, SpoolSettings
from features.store.database import Store, open_store, open_to_look
from serving.cache import Cache
from serving.champion import Live
from serving.courier import Courier
from serving.drain import drain
from serving.logs import configure
from serving.problems import where
from serving.scorekeeper import Scorekeeper
from serving.segments import segments
from serving.spool import WRITER, size_of

log = structlog.get_logger()

_SECONDS = 0.25
"""Between two looks at the spool."""
_MOST_SECONDS = 8.0
"""Between two tries while the store does not answer."""
_FIRST_LOOK = 1000
"""Scores after which the database looks at its tables for the first time."""
_GROWTH = 4
"""It does so again each time they have become so many times as many."""
_BUSY = 1_500_000
"""Bytes, or about 1,500 scores: where more came since the last look, requests go first."""
_MUCH = 0.25
"""Of what the spool may hold: where so much waits, nothing is put off."""
_LATE = timedelta(seconds=30)
"""Nor is it for longer than this."""


class Keeper:
    """Brings scores to the store, and goes on where the store does not answer."""

    def __init__(
        self,
        folder: Path,
        open_it: Callable[[], Store],
        now: Callable[[], datetime],
        settings: SpoolSettings | None = None,
    ) -> None:
        """Choose the spool.

        Args:
            folder: of the spool.
            open_it: opens the store; called again while it fails.
            now: gives the moment, in UTC.
            settings: how much the spool may hold.

        """
        self._folder = folder
        self._much = _MUCH * (settings or SpoolSettings()).megabytes * 1_000_000
        self._size = 0
        self._all_at = now()
        """When all was brought, the last time."""
        self._open = open_it
        self._now = now
        self._store: Store | None = None
        self._wait = _SECONDS
        self._brought = 0
        self._look_at = _FIRST_LOOK
        self._synced: dict[Path, int] = {}
        self._troubles = 0

    def step(self, at_once: bool = False) -> float:
        """Bring all that waits; return after how many seconds to look again.

        While very many scores come in they are put off for a while, so that requests go first.

        Args:
            at_once: whether nothing is put off.

        """
        try:
            self._bring(at_once or self._is_pressed())
        except StoreError as error:
            self._later(str(error))
        except Exception as error:
            # Ended by it, the keeper would be started again and end again, with no word of why.
            self._troubles += 1
            self._later(where(error))
        else:
            if self._wait > _SECONDS:
                log.info("scores wait no more")
            self._wait, self._synced = _SECONDS, {}
        return self._wait

    def _later(self, reason: str) -> None:
        """Wait for longer each time, and have what waits written to the disk itself."""
        if self._wait == _SECONDS:
            log.error("scores wait for the store", reason=reason)
        self._wait = min(2 * self._wait, _MOST_SECONDS)
        with suppress(OSError):
            self._sync()
            if self._troubles:
                counts = b"%020d%020d" % (0, self._troubles)
                (self._folder / f"{WRITER}keeper").write_bytes(counts)

    def _bring(self, at_once: bool) -> None:
        for _ in segments(self._folder):  # Each turn brings one of them or more.
            if self._grown() > _BUSY and not at_once:
                return
            if self._store is None:
                self._store = self._open()
            if not any(done := drain(self._store, self._folder, self._now)):
                break
            self._grown()
            self._brought += done.stored
            if self._brought >= self._look_at:
                # Its own look, once a minute, may come too late for many that waited.
                self._store.look_at_tables()
                self._look_at = self._brought * _GROWTH
        self._all_at = self._now()

    def _grown(self) -> int:
        """Return by how many bytes the spool has grown since the last call."""
        size, self._size = self._size, sum(map(size_of, segments(self._folder)))
        return self._size - size

    def _is_pressed(self) -> bool:
        """Return whether too much waited at the last look, or was put off for too long.

        Or the store was away: much may come between looks that lie seconds apart.
        """
        too_long = abs(self._now() - self._all_at) > _LATE
        return self._wait > _SECONDS or self._size > self._much or too_long

    def _sync(self) -> None:
        """Have the disk itself take what must wait for longer: then a power cut loses less."""
        for path in segments(self._folder):
            size = path.stat().st_size
            if self._synced.get(path) != size:
                file = os.open(path, os.O_RDONLY)
                os.fsync(file)
                os.close(file)
                self._synced[path] = size

    def close(self) -> None:
        """Let go of the store."""
        if self._store is not None:
            self._store.close()


def main() -> None:
    """Keep the home that the environment names, until standard input ends."""
    # A Ctrl-C is meant for the service, which then lets the keeper bring what is left.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    configure()
    home = Home(Settings())
    keeper = Keeper(home.folder("spool"), lambda: open_store(home.store_url), _now, home.spool)
    Courier(home, lambda: open_store(home.store_url), _now).start()
    look = partial(open_to_look, home.store_url)
    live = Live(Cache(home.folder("models")), look, home.serve.poll)
    Scorekeeper(live, lambda: open_store(home.store_url), _now).start()
    while not select.select([sys.stdin], [], [], keeper.step())[0]:
        pass
    keeper.step(at_once=True)
    keeper.close()


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


if __name__ == "__main__":
    main()
