"""The floor of the serving benchmark: FastAPI takes a request and gives a fixed answer."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response

app = FastAPI()


@app.post("/")
async def echo(request: Request) -> Response:
    """Read the body and answer."""
    await request.body()
    return Response(b"{}", media_type="application/json")
