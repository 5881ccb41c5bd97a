"""The model's page: what the champion knows, what it is worth, what it does not know."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from serving.known import matured, told
from serving.pages.behind import Behind
from serving.pages.render import show

REGISTERED = "leadq"
"""The name of the model in MLflow's registry."""


def add_model(app: FastAPI, behind: Behind) -> None:
    """Add the route."""
    store, model, now = behind.store, behind.model, behind.now

    @app.get("/model", include_in_schema=False)
    async def page(request: Request) -> Response:
        """Show the champion."""
        champion = model()
        if champion is None:
            return show(request, "model.html", champion=None)
        found, history = await store.use(lambda opened: matured(opened, champion, now()))
        fields = await run_in_threadpool(behind.watched)
        return show(
            request,
            "model.html",
            champion=champion,
            sections=told(champion, found, history, fields),
            link=_link(behind.mlflow, champion.version),
        )


def _link(mlflow: str, version: str) -> str:
    """Return where MLflow shows a version; empty where there is none."""
    if not mlflow.startswith(("https://", "http://")):
        return ""
    return f"{mlflow.rstrip('/')}/#/models/{REGISTERED}/versions/{quote(version, safe='')}"
