"""The REST service: score leads, say which model does it, say whether it is ready."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import structlog
from fastapi import FastAPI, HTTPException, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, RedirectResponse

from features.agreement import Agreement
from features.errors import LeadqError
from features.store.database import Store
from serving.bodies import items_of
from serving.desk import add_desk
from serving.intake import add_intake
from serving.problems import MEDIA_TYPE, Problem, install
from serving.registry import LoadedModel
from serving.replies import ModelReply, ScoreReply, Status, openapi_example, score_records
from serving.stored import OpenedStore
from serving.why import Load

log = structlog.get_logger()

Loader = Callable[[], LoadedModel]
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "content": {MEDIA_TYPE: {}}, "description": description}
    for status, description in {
        400: "The body is not JSON.",
        413: "The body is too large, or holds too many leads.",
        422: "The body or the query does not have the form that is asked for.",
        503: "No verified model is loaded.",
    }.items()
}


class Service:
    """What the routes share: the loaded model, or why there is none."""

    def __init__(self, load: Loader) -> None:
        self._load = load
        self._lock = threading.Lock()
        self.model: LoadedModel | None = None
        self.trouble = "the model is being loaded"

    def start(self) -> None:
        """Load and verify the champion; without one the service is alive and not ready."""
        with self._lock:
            try:
                self.model = self._load()
                log.info("model loaded", version=self.model.version)
            except LeadqError as error:
                self.trouble = str(error)
                log.error("no model loaded", reason=self.trouble)

    def ready(self) -> LoadedModel:
        """Return the model, or answer 503."""
        if self.model is None:
            raise HTTPException(503, self.trouble)
        return self.model


@dataclass(frozen=True)
class Backing:
    """What stands behind the service beside the model."""

    open_store: Callable[[], Store]
    """Opens the store; called once, and again while it fails."""
    load_version: Load
    """Gives an older model, to explain why a score changed."""
    rejects: Path
    """The folder of rows that were set aside."""
    agreement: Agreement | None = None
    """Reads what comes in; None: that of the model."""


def build(load: Loader, backing: Backing | None = None) -> FastAPI:
    """Build the service.

    Args:
        load: fetches and verifies the model to serve; called once at start.
        backing: the store and what goes with it; without one, leads are scored and nothing is kept.

    """
    service = Service(load)
    store = OpenedStore(backing.open_store) if backing else None

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(service.start)
        if store is not None:
            await run_in_threadpool(store.start)
        _use_example_of(app, service)
        yield
        if store is not None:
            store.close()

    app = FastAPI(
        title="leadq",
        summary="How likely a lead is to buy, and why.",
        version="1",
        lifespan=lifespan,
    )
    install(app)
    _add_routes(app, service, store)
    if store is not None and backing is not None:

        def agreement() -> Agreement:
            return backing.agreement or service.ready().artefact.scorer.agreement

        add_intake(app, store, agreement)
        add_desk(
            app, store, agreement, lambda: service.model, backing.load_version, backing.rejects
        )
    return app


def _add_routes(app: FastAPI, service: Service, store: OpenedStore | None) -> None:
    @app.post(
        "/v1/score",
        response_model=ScoreReply,
        responses=_PROBLEMS,
        openapi_extra={"requestBody": {"required": True, "content": _BODY}},
        summary="Score one lead or many",
    )
    async def score(
        request: Request,
        reasons: Annotated[int, Query(ge=0, le=50, description="Reasons for each lead.")] = 5,
    ) -> JSONResponse:
        """Return probability, grade and reasons of each lead, in the order of the input.

        Send `{"leads": [{...}, ...]}` or one bare lead. A lead that cannot be scored has `error`
        in its place; the others are scored all the same.
        """
        model = service.ready()
        records = await items_of(request, "leads")
        return JSONResponse(await run_in_threadpool(score_records, model, records, reasons))

    @app.get("/", include_in_schema=False)
    async def root() -> RedirectResponse:
        """Lead whoever opens the address to the documentation."""
        return RedirectResponse("/docs")

    @app.get("/healthz", summary="Is the service alive?")
    async def healthz() -> Status:
        """Answer as long as the process runs."""
        return Status(status="alive")

    @app.get("/readyz", responses={503: _PROBLEMS[503]}, summary="Can it score?")
    async def readyz() -> Status:
        """Answer 200 once a verified model is loaded, and 503 with the reason until then."""
        service.ready()
        return Status(status="ready")

    @app.get("/v1/model", responses={503: _PROBLEMS[503]}, summary="Which model scores?")
    async def model() -> ModelReply:
        """Tell the model's version, agreement, fields and how it did on later leads."""
        loaded = service.ready()
        agreed = loaded.artefact.scorer.agreement
        return ModelReply.of(loaded, await store.standing_of(agreed) if store else None)


_BODY: dict[str, Any] = {
    "application/json": {
        "schema": {
            "type": "object",
            "description": 'Either {"leads": [lead, ...]} or one lead: its fields by name.',
            "properties": {"leads": {"type": "array", "items": {"type": "object"}}},
        }
    }
}


def _use_example_of(app: FastAPI, service: Service) -> None:
    """Show a synthetic lead of the loaded model in the documentation, so that it can be pasted."""
    if service.model is not None:
        example = {"leads": [openapi_example(service.model)]}
        schema = app.openapi()
        body = schema["paths"]["/v1/score"]["post"]["requestBody"]["content"]["application/json"]
        body["example"] = example
