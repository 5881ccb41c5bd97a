"""The REST service: score leads, say which model does it, say whether it is ready."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog
from fastapi import FastAPI, HTTPException
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, PlainTextResponse, Response

from features.agreement import Agreement
from features.home import ServeSettings
from features.store.database import Store
from serving.access import Access
from serving.alignment.service import add_report
from serving.campaign_desk import CampaignDesk, add_campaigns
from serving.champion import RETRY_AFTER, Live
from serving.described import describe, page_of
from serving.desk import add_desk
from serving.doors import Doors
from serving.erasing import Aside
from serving.inbound import Inbound
from serving.intake import add_intake
from serving.logs import RequestLog
from serving.metrics import CONTENT_TYPE, Gauge, Metrics
from serving.pages.added import add_pages
from serving.pages.behind import Behind
from serving.pages.sessions import Sessions
from serving.problems import documented, install, where
from serving.published import remembering
from serving.replies import ModelReply, Status
from serving.scoring import SCORE, Scoring
from serving.shell import Shell
from serving.spend import add_spend
from serving.spool import Spool
from serving.stored import OpenedStore
from serving.tally import Tally
from serving.watch import Watch

log = structlog.get_logger()

NO_AGREEMENT = (
    "there is no agreement yet, neither agreement.toml where leadq serve was started nor that of a "
    "model. Write one with: leadq init EXPORT; make the first model with: leadq train EXPORT. The "
    "service takes the model by itself, and agreement.toml when it is started again"
)
_AGAIN = {"Retry-After": RETRY_AFTER}
_PAUSE = 0.2
"""Seconds between two looks at what was scored."""
_LOOKED_AT = 10
"""Leads at most in one look: about a hundredth of a worker's time."""
_MOST_MODELS = 4
"""Older models that are held in memory to explain why scores changed."""
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

    """
    limits = settings or ServeSettings()
    store = OpenedStore(backing.open_store) if backing else None
    tally, watch, requests = Tally(), Watch(), RequestLog(limits.log, None)
    metrics = Metrics(tally, watch, lambda: live.model, partial(_gauges, live, spool), folder)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(live.start)
        if access is not None:
            await run_in_threadpool(access.start)
        if store is not None:
            await run_in_threadpool(store.start)
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

    app = FastAPI(
        title="leadq",
        summary="How likely a lead is to buy, and why.",
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    install(app)
    _add_routes(app, live, store, metrics)
    if store is not None and backing is not None:

        def agreement() -> Agreement:
            if backing.agreement is not None:
                return backing.agreement
            if live.model is None:
                raise HTTPException(503, f"{NO_AGREEMENT} ({live.trouble})", _AGAIN)
            return live.model.artefact.scorer.agreement

        add_intake(app, store, agreement, limits)
        add_spend(app, store, agreement, limits)
        load = remembering(_MOST_MODELS)
        add_desk(app, store, agreement, lambda: live.model, backing.aside, load)
        add_report(app, store, agreement)
        campaigns = CampaignDesk()
        add_campaigns(app, store, agreement, lambda: live.model, campaigns)
        if sessions is not None:
            behind = Behind(
                store,
                agreement,
                lambda: live.model,
                sessions,
                campaigns,
                watched=lambda: metrics.fields(metrics.state()),
                mlflow=limits.mlflow,
            )
            add_pages(app, behind, load)
    scoring = Scoring(live.ready, limits, tally, watch, spool)
    answers = {SCORE: scoring.answer}
    describe(app, lambda: live.model, has_keys=access is not None)
    return Shell(app, Doors(app), answers, limits, tally, requests, access, sessions, inbound)


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


def _add_routes(app: FastAPI, live: Live, store: OpenedStore | None, metrics: Metrics) -> None:
    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        """Describe all routes on one page, which needs nothing from elsewhere."""
        return HTMLResponse(page_of(app.openapi()))

    @app.get(
        "/metrics",
        response_class=PlainTextResponse,
        responses=documented(),
        summary="Counts for Prometheus",
    )
    async def counts() -> Response:
        """Tell latency, errors, scores, the model, and how leads differ from the training."""
        found = None if store is None else await store.webhooks()
        up = None if store is None else found is not None
        page = await run_in_threadpool(metrics.page, metrics.state(), up, found)
        return Response(page, media_type=CONTENT_TYPE)

    @app.get("/healthz", response_model_exclude_none=True, summary="Is the service alive?")
    async def healthz() -> Status:
        """Answer as long as the process runs."""
        return Status(status="alive")

    @app.get(
        "/readyz",
        responses=documented(),
        response_model_exclude_none=True,
        summary="Can it score?",
    )
    async def readyz() -> Status:
        """Answer 200 once a verified model is loaded, and 503 with the reason until then.

        `detail` says why a newer champion does not score, where there is one.
        """
        version = live.ready().version
        return Status(status="ready", model_version=version, detail=live.trouble or None)

    @app.get("/v1/model", responses=documented(), summary="Which model scores?")
    async def model() -> ModelReply:
        """Tell the model's version, agreement, fields and how it did on later leads."""
        loaded = live.ready()
        agreed = loaded.artefact.scorer.agreement
        return ModelReply.of(loaded, await store.standing_of(agreed) if store else None)
