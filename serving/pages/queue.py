"""The queue: whom sales calls today, why, and one click to say what became of it."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import Response

from serving.pages.behind import Behind
from serving.pages.render import show


def add_queue(app: FastAPI, behind: Behind) -> None:
    """Add the routes."""

    @app.get("/queue", include_in_schema=False)
    async def queue(request: Request) -> Response:
        return show(request, "queue.html")
