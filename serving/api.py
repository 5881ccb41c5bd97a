"""The REST service: score leads, say which model does it, say whether it is ready."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse

from features.agreement import Agreement
from features.home import ServeSettings
from features.store.database import Store
from serving.access import Access
from serving.champion import Live
from serving.described import describe, page_of
from serving.desk import add_desk
from serving.doors import Doors
from serving.intake import add_intake
from serving.logs import RequestLog
from serving.problems import documented, install
from serving.replies import ModelReply, Status
from serving.scoring import SCORE, Scoring, Spool
from serving.shell import Shell
from serving.stored import OpenedStore
from serving.tally import Tally


@dataclass(frozen=True)
class Backing:
    """What stands behind the service beside the model."""

    open_store: Callable[[], Store]
    """Opens the store; called once, and again while it fails."""
    rejects: Path
    """The folder of rows that were set aside."""
    agreement: Agreement | None = None
    """Reads what comes in; None: that of the model."""


def build(
    live: Live,
    backing: Backing | None = None,
    *,
    settings: ServeSettings | None = None,
    access: Access | None = None,
    spool: Spool | None = None,
) -> Shell:
    """Build the service.

    Args:
        live: gives the model to serve; started and stopped with the service.
        backing: the store and what goes with it; without one, leads are scored and nothing is kept.
        settings: how much is taken at once.
        access: checks keys, which it reads from the store; None lets everybody in.
        spool: keeps scores until the store has them; None keeps none.

    """
    limits = settings or ServeSettings()
    store = OpenedStore(backing.open_store) if backing else None
    tally, requests = Tally(), RequestLog(limits.log, None)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(live.start)
        if store is not None:
            await run_in_threadpool(store.start)
            if access is not None:
                await run_in_threadpool(access.start, store.opened)
        yield
        live.stop()
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
    )
    install(app)
    _add_routes(app, live, store)
    if store is not None and backing is not None:

        def agreement() -> Agreement:
            return backing.agreement or live.ready().artefact.scorer.agreement

        add_intake(app, store, agreement, limits)
        add_desk(app, store, agreement, lambda: live.model, backing.rejects)
    scoring = Scoring(live.ready, limits, tally, spool)
    answers = {SCORE: scoring.answer}
    describe(app, lambda: live.model, has_keys=access is not None)
    return Shell(app, Doors(app), answers, limits, tally, requests, access)


def _add_routes(app: FastAPI, live: Live, store: OpenedStore | None) -> None:
    @app.get("/", include_in_schema=False)
    async def root() -> RedirectResponse:
        """Lead whoever opens the address to the documentation."""
        return RedirectResponse("/docs")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        """Describe all routes on one page, which needs nothing from elsewhere."""
        return HTMLResponse(page_of(app.openapi()))

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
