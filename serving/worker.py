"""How workers of the service are run, and how each begins."""

from __future__ import annotations

import gc
import sys

import uvicorn
from starlette.types import ASGIApp

from features.home import Home
from serving.keeping import keeping
from serving.tally import begin

_SWITCH_SECONDS = 0.0001
"""After so long a thread that computes lets the event loop have the interpreter: half of what a
lead alone takes."""
_STOP_SECONDS = 30
"""How long requests may take to end when the service is stopped."""
_GARBAGE = 20_000
"""So many more objects are made than let go before garbage is looked for: a request of many leads
holds some thousands at once, and none of them is garbage."""
_CONNECTIONS = 2048
"""That may wait to be taken up."""


def begin_to_start() -> None:
    """Look for no garbage for now: what a start makes is none, and to look takes a tenth of it."""
    gc.disable()


def service() -> ASGIApp:
    """Build the service as the environment says: what each worker does when it starts."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    begin_to_start()
    from serving.composed import from_environment

    return from_environment(_settle)


def _settle() -> None:
    """Collect garbage from now on, but not among what a worker has imported, which stays."""
    gc.freeze()
    gc.set_threshold(_GARBAGE)
    gc.enable()


def run(home: Home, host: str, port: int) -> None:
    """Serve until told to stop; workers that die are started again, and so is the keeper."""
    begin(home.folder("metrics"))
    with keeping():
        _serve(home, host, port)


def _serve(home: Home, host: str, port: int) -> None:
    if home.serve.workers > 1:
        _settle()  # The workers are other processes.
    uvicorn.run(
        "serving.worker:service",
        factory=True,
        host=host,
        port=port,
        workers=home.serve.workers,
        http="serving.wire:Wire",
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        # leadq asks nothing of X-Forwarded-*, so nobody can gain anything by making them up.
        proxy_headers=False,
        backlog=_CONNECTIONS,
        timeout_graceful_shutdown=_STOP_SECONDS,
    )
