"""What FastAPI answers: every route but scores and health, which the shell answers itself.

It is slow to import and needed by no score, so a worker builds it beside the first of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException
from starlette.routing import Route

from features.agreement import Agreement
from features.home import ServeSettings
from serving.alignment.service import add_report
from serving.campaign_desk import CampaignDesk, add_campaigns
from serving.champion import RETRY_AFTER, Live
from serving.described import describe, page_of
from serving.desk import add_desk
from serving.doors import Named
from serving.erasing import Aside
from serving.intake import add_intake
from serving.metrics import CONTENT_TYPE, Metrics
from serving.pages.added import add_pages
from serving.pages.behind import Behind, utc_now
from serving.pages.sessions import Sessions
from serving.problems import UNEXPECTED, documented, refusal
from serving.published import remembering
from serving.replies import ModelReply
from serving.spend import add_spend
from serving.stored import OpenedStore

NO_AGREEMENT = (
    "there is no agreement yet, neither agreement.toml where leadq serve was started nor that of a "
    "model. Write one with: leadq init EXPORT; make the first model with: leadq train EXPORT. The "
    "service takes the model by itself, and agreement.toml when it is started again"
)
_AGAIN = {"Retry-After": RETRY_AFTER}
_MOST_MODELS = 4
"""Older models that are held in memory to explain why scores changed."""


@dataclass(frozen=True)
class Parts:
    """What the routes use."""

    live: Live
    metrics: Metrics
    limits: ServeSettings
    store: OpenedStore | None = None
    """None: leads are scored and nothing is kept."""
    aside: Aside | None = None
    """The folders that hold leads' data beside the store; there where the store is."""
    agreement: Agreement | None = None
    """Reads what comes in; None: that of the model."""
    sessions: Sessions | None = None
    """Knows who is signed in to the pages; None: there are no pages."""
    has_keys: bool = False
    now: Callable[[], datetime] | None = None
    """Gives this moment (UTC) to pages, report and campaigns; None: the clock does."""


def app_of(parts: Parts, doors: Collection[Named]) -> FastAPI:
    """Build the app.

    Args:
        parts: what its routes use.
        doors: the routes that it must have, those that the shell answers among them.

    Raises:
        LookupError: when it has others: a route without a door would never be asked, and a door
            without a route would lead nowhere.

    """
    app = FastAPI(
        title="leadq",
        summary="How likely a lead is to buy, and why.",
        version="1",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _unexpected)
    _add_own(app, parts.live, parts.store, parts.metrics)
    if parts.store is not None and parts.aside is not None:
        _add_desks(app, parts, parts.store, parts.aside)
    describe(app, lambda: parts.live.model, has_keys=parts.has_keys)
    if odd := sorted(_routes_of(app) ^ set(doors)):
        raise LookupError(f"{odd}: say in serving/doors.py who may use it")
    return app


def _routes_of(app: FastAPI) -> set[Named]:
    routes = [route for route in app.routes if isinstance(route, Route)]
    return {(m, route.path) for route in routes for m in (route.methods or set()) - {"HEAD"}}


def _add_desks(app: FastAPI, parts: Parts, store: OpenedStore, aside: Aside) -> None:
    live, limits, load = parts.live, parts.limits, remembering(_MOST_MODELS)

    def agreement() -> Agreement:
        if parts.agreement is not None:
            return parts.agreement
        if live.model is None:
            raise HTTPException(503, f"{NO_AGREEMENT} ({live.trouble})", _AGAIN)
        return live.model.artefact.scorer.agreement

    add_intake(app, store, agreement, limits)
    add_spend(app, store, agreement, limits)
    add_desk(app, store, agreement, lambda: live.model, aside, load)
    now = parts.now or utc_now
    add_report(app, store, agreement, now)
    campaigns = CampaignDesk()
    add_campaigns(app, store, agreement, lambda: live.model, campaigns, now)
    if parts.sessions is not None:
        behind = Behind(
            store.beside(),
            agreement,
            lambda: live.model,
            parts.sessions,
            campaigns,
            watched=lambda: parts.metrics.fields(parts.metrics.state()),
            mlflow=limits.mlflow,
            now=now,
        )
        add_pages(app, behind, load)


def _add_own(app: FastAPI, live: Live, store: OpenedStore | None, metrics: Metrics) -> None:
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

    @app.get("/v1/model", responses=documented(), summary="Which model scores?")
    async def model() -> ModelReply:
        """Tell the model's version, agreement, fields and how it did on later leads."""
        loaded = live.ready()
        agreed = loaded.artefact.scorer.agreement
        return ModelReply.of(loaded, await store.standing_of(agreed) if store else None)


def _reply(
    request: Request,
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    field: str | None = None,
) -> Response:
    session = getattr(request.state, "session", None)
    asked = dict(request.headers.raw)
    told = refusal(status, detail, asked, field, session_of=lambda _: session)
    given = {**(headers or {}), **told.headers}
    return Response(told.content, told.status, given, told.media_type)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # what it is registered for
    return _reply(request, error.status_code, str(error.detail), error.headers)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  # what it is registered for
    faults = [(".".join(str(p) for p in e["loc"]), e["msg"]) for e in error.errors()]
    detail = "; ".join(f"{name}: {message}" for name, message in faults)
    return _reply(request, 422, detail, field=faults[0][0] if faults else None)


async def _unexpected(request: Request, error: Exception) -> Response:
    """Answer 500. Starlette raises the error again; the shell logs where it came from."""
    return _reply(request, 500, UNEXPECTED)
