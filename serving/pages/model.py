"""The model's page: what the champion, or one before it, knows, is worth and does not know."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import FastAPI, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from features.errors import ModelError
from features.store.database import Store
from features.store.texts import storable
from serving.artefact import LoadedModel
from serving.known import told
from serving.matured import matured
from serving.pages.behind import Behind
from serving.pages.render import show
from serving.record import Load

REGISTERED = "leadq"
"""The name of the model in MLflow's registry."""
_OTHERS = 6
"""Earlier champions that a page leads to, the newest."""


def add_model(app: FastAPI, behind: Behind, load: Load) -> None:
    """Add the route; `load` gives those that were champion before."""
    store, model, now = behind.store, behind.model, behind.now

    @app.get("/model", include_in_schema=False)
    async def page(request: Request) -> Response:
        """Show the champion, or the one before it that the address names."""
        champion = model()
        if champion is None:
            return show(request, "model.html", champion=None)
        asked = storable(request.query_params.get("version", champion.version))
        shown = champion
        if asked != champion.version:
            shown = await store.use(lambda opened: _earlier(opened, asked, load))
        found, history = await store.use(lambda opened: matured(opened, shown, now()))
        watched = await run_in_threadpool(behind.watched) if shown is champion else None
        versions = dict.fromkeys([*(past.model for past in history), champion.version])
        return show(
            request,
            "model.html",
            champion=champion,
            shown=shown,
            others=[version for version in versions if version != shown.version][-_OTHERS:],
            sections=told(shown, found, history, watched),
            link=_link(behind.mlflow, shown.version),
        )


def _earlier(store: Store, version: str, load: Load) -> LoadedModel:
    try:
        return load(store, version)
    except ModelError as error:
        raise HTTPException(404, "no such version was champion, or its files are gone") from error


def _link(mlflow: str, version: str) -> str:
    """Return where MLflow shows a version; empty where there is none."""
    if not mlflow.startswith(("https://", "http://")):
        return ""
    return f"{mlflow.rstrip('/')}/#/models/{REGISTERED}/versions/{quote(version, safe='')}"
