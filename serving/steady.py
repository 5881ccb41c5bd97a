"""Work on the store that goes on whatever fails, in a thread of its own."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable

import structlog

from features.errors import LeadqError
from features.store.database import Store
from serving.problems import where

log = structlog.get_logger()


class Steady(ABC):
    """What the threads of the keeper are: they work, rest, and tell once what fails.

    Args:
        open_it: opens the store; called again while it fails.

    """

    def __init__(self, open_it: Callable[[], Store]) -> None:
        self._open = open_it
        self._store: Store | None = None
        self._troubles: dict[str, str] = {}

    def start(self) -> None:
        """Work from now on, until the process ends."""
        name = type(self).__name__.lower()
        threading.Thread(target=self._go_on, name=name, daemon=True).start()

    def _go_on(self) -> None:
        while True:
            time.sleep(self.step())

    @abstractmethod
    def step(self) -> float:
        """Do some of what waits; return after how many seconds to look again."""

    def _tried(self, what: str, work: Callable[[Store], int]) -> int | None:
        """Return what `work` returns, or None where it fails, and log why once.

        Args:
            what: is not done then.
            work: on the store.

        """
        try:
            self._store = self._store or self._open()
            count = work(self._store)
        except LeadqError as error:
            trouble = str(error)
        except Exception as error:
            # A thread that ends would do nothing more.
            trouble = where(error)
        else:
            self._troubles.pop(what, None)
            return count
        if trouble != self._troubles.get(what):
            log.error(what, reason=trouble)
        self._troubles[what] = trouble
        return None
