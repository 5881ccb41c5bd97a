"""The service put together: what is followed, what answers, and what stands behind it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import structlog
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from features.agreement import Agreement
from features.home import ServeSettings
from features.store.database import Store
from serving.access import Access
from serving.champion import RETRY_AFTER, Live
from serving.doors import ALONE, HEALTH, PAGES, READY, SCOPES, SCORE, Doors, Named
from serving.erasing import Aside
from serving.inbound import Inbound
from serving.later import Later
from serving.logs import RequestLog
from serving.metrics import Gauge, Metrics
from serving.pages.sessions import Sessions
from serving.problems import where
from serving.replies import Status
from serving.scoring import Scoring
from serving.shell import Answer, Shell
from serving.spool import Spool
from serving.stored import OpenedStore
from serving.tally import Tally
from serving.watch import Watch

log = structlog.get_logger()

_PAUSE = 0.2
"""Seconds between two looks at what was scored."""
_LOOKED_AT = 10
"""Leads at most in one look: about a hundredth of a worker's time."""
_LEAVE_EVERY = 5
"""Looks between two times that counts are left for other workers."""


@dataclass(frozen=True)
class Backing:
    """What stands behind the service beside the model."""

    open_store: Callable[[], Store]
    """Opens the store; called once, and again while it fails."""
    aside: Aside
    """The folders that hold leads' data beside the store."""
    agreement: Agreement | None = None
    """Reads what comes in; None: that of the model."""


def build(
    live: Live,
    backing: Backing | None = None,
    *,
    settings: ServeSettings | None = None,
    access: Access | None = None,
    spool: Spool | None = None,
    folder: Path | None = None,
    sessions: Sessions | None = None,
    inbound: Inbound | None = None,
    settled: Callable[[], None] = lambda: None,
    now: Callable[[], datetime] | None = None,
) -> Shell:
    """Build the service.

    Args:
        live: gives the model to serve; started and stopped with the service.
        backing: the store and what goes with it; without one, leads are scored and nothing is kept.
        settings: how much is taken at once.
        access: checks keys; started and stopped with the service; None lets everybody in.
        spool: keeps scores until the store has them; None keeps none.
        folder: where workers leave their counts for one another; None: there is one worker.
        sessions: knows who is signed in to the pages; None: there are no pages.
        inbound: verifies signed messages; None: nobody is let in by a signature.
        settled: called once all routes are there, a moment after the first score can be given.
        now: gives this moment (UTC) to pages, report and campaigns; None: the clock does.

    """
    limits = settings or ServeSettings()
    store = OpenedStore(backing.open_store) if backing else None
    tally, watch, requests = Tally(), Watch(), RequestLog(limits.log, None)
    metrics = Metrics(tally, watch, lambda: live.model, partial(_gauges, live, spool), folder)
    doors = Doors(_routes(backing is not None, sessions is not None))

    def app() -> ASGIApp:
        from serving.routes import Parts, app_of

        if store is not None:
            store.start()
        parts = Parts(
            live,
            metrics,
            limits,
            store,
            backing.aside if backing else None,
            backing.agreement if backing else None,
            sessions,
            has_keys=access is not None,
            now=now,
        )
        return app_of(parts, doors.named)

    @asynccontextmanager
    async def life() -> AsyncIterator[None]:
        await asyncio.to_thread(live.start)
        if access is not None:
            await asyncio.to_thread(access.start)
        if spool is not None:
            spool.start()
        aside = asyncio.create_task(_beside(metrics, watch))
        yield
        aside.cancel()
        if spool is not None:
            spool.close()
        live.stop()
        metrics.leave()
        requests.flush()
        if access is not None:
            access.close()
        if store is not None:
            store.close()

    later = Later(app, life, settled)
    scoring = Scoring(live.ready, limits, tally, watch, spool)
    answers = {SCORE: scoring.answer, **_health(live, later)}
    return Shell(later, doors, answers, limits, tally, requests, access, sessions, inbound)


def _routes(has_store: bool, has_pages: bool) -> list[Named]:
    """Return the routes that a service has, by what stands behind it."""
    if not has_store:
        return [named for named in SCOPES if named[1] in ALONE]
    return [*SCOPES, *(PAGES if has_pages else ())]


def _health(live: Live, later: Later) -> dict[str, Answer]:
    """Return what answers whether the service lives, and whether it can score."""

    async def alive(_content: bytes, _query: bytes) -> tuple[bytes, int | None]:
        return _dumped(Status(status="alive")), None

    async def ready(_content: bytes, _query: bytes) -> tuple[bytes, int | None]:
        version = live.ready().version
        if later.trouble:
            raise HTTPException(503, later.trouble, {"Retry-After": RETRY_AFTER})
        detail = live.trouble or None
        return _dumped(Status(status="ready", model_version=version, detail=detail)), None

    return {HEALTH: alive, READY: ready}


def _dumped(status: Status) -> bytes:
    return status.model_dump_json(exclude_none=True).encode()


async def _beside(metrics: Metrics, watch: Watch) -> None:
    """Look at a few of the leads that were scored, and leave the counts for other workers."""
    for turn in itertools.count():
        await asyncio.sleep(_PAUSE)
        try:
            if turn % _LEAVE_EVERY == 0:
                metrics.leave()
            for _ in range(_LOOKED_AT):
                if not watch.look():
                    break
                await asyncio.sleep(0)
        # A lead that cannot be looked at must not end the counting of all others.
        except Exception as error:
            log.error("counting failed", reason=where(error))


def _gauges(live: Live, spool: Spool | None) -> list[Gauge]:
    found = [
        Gauge("leadq_model_swaps", "Champions taken since the start.", live.swaps),
        Gauge("leadq_model_refusals", "Champions refused since the start.", live.refusals),
    ]
    if spool is not None:
        waits = spool.waiting()
        found += [
            Gauge("leadq_spool_scores", "Scores that are not in the store yet.", waits.scores),
            Gauge("leadq_spool_bytes", "Their size.", waits.bytes),
            Gauge("leadq_spool_oldest_seconds", "Wait of the oldest.", waits.oldest_seconds),
            Gauge(
                "leadq_spool_troubles",
                "How often work on the spool was broken off and begun again.",
                waits.troubles,
            ),
            Gauge("leadq_spool_dropped", "Scores for which there was no room.", waits.dropped),
            Gauge("leadq_spool_set_aside", "Lines that no store took.", waits.set_aside),
        ]
    return found
