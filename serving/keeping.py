"""A keeper beside the service: started with it, started again where it dies, ended with it."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

log = structlog.get_logger()

_RESTART_SECONDS = 1.0
_END_SECONDS = 20
"""How long the keeper may take to bring what is left, when the service ends."""
_CODE = "import os; os.nice(10); from serving.keeper import main; main()"
"""It steps back before it imports anything: a worker that starts beside it goes first."""


@contextmanager
def keeping() -> Iterator[None]:
    """Run a keeper beside this process, a new one where it dies; it ends with the block."""
    ended = threading.Event()
    started = [_start()]

    def watch() -> None:
        while True:
            started[0].wait()
            if ended.is_set():
                return
            started[0].communicate()
            log.error("the keeper of scores died and is started again")
            if ended.wait(_RESTART_SECONDS):
                return
            try:
                started[0] = _start()
            except OSError as error:
                # No memory or no process is left for it; nobody else would try again.
                log.error("the keeper of scores cannot be started", reason=str(error.strerror))

    watcher = threading.Thread(target=watch, name="keeper", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        try:
            # One that died a moment ago has no standard input any more.
            if started[0].poll() is None:
                started[0].communicate(timeout=_END_SECONDS)
        except subprocess.TimeoutExpired:
            # What it has not brought waits for the next start.
            started[0].kill()


def _start() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", _CODE], stdin=subprocess.PIPE)  # noqa: S603
