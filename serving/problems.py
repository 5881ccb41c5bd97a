"""Errors of the API as problem details (RFC 9457); they never repeat a lead's content."""

from __future__ import annotations

import traceback
from http import HTTPStatus
from pathlib import Path
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.responses import Response

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"


class Problem(BaseModel):
    """A problem: its kind, a short title, the HTTP status, and what to do about it."""

    type: str = Field("about:blank", description="A name for the kind of problem.")
    title: str
    status: int
    detail: str = Field(description="What was wrong, where, and the cure.")
    field: str | None = Field(None, description="The lead's field that caused it.")


def problem(status: int, detail: str, field: str | None = None) -> Problem:
    """Build a problem with the status's own title."""
    return Problem(
        type="about:blank",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        field=field,
    )


def install(app: FastAPI) -> None:
    """Make every error of the app a problem document."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_middleware(BaseHTTPMiddleware, dispatch=_unexpected)


def _reply(status: int, detail: str, headers: Any = None) -> JSONResponse:
    content = problem(status, detail).model_dump(exclude_none=True)
    return JSONResponse(content, status, headers=headers, media_type=MEDIA_TYPE)


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101  # what it is registered for
    return _reply(error.status_code, str(error.detail), error.headers)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101  # what it is registered for
    faults = [f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors()]
    return _reply(422, "; ".join(faults))


async def _unexpected(request: Request, call_next: RequestResponseEndpoint) -> Response:
    """Answer 500 and log where it failed; the exception's own words could hold a lead's data."""
    try:
        return await call_next(request)
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}"
        log.error("request failed", reason=where)
        return _reply(500, "leadq failed on this request; its log says where")
