"""Errors of the API as problem details (RFC 9457); they never repeat a lead's content."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlsplit, urlunsplit

import orjson
from pydantic import BaseModel, Field

if TYPE_CHECKING:
    from serving.pages.sessions import Session

MEDIA_TYPE = "application/problem+json"
UNEXPECTED = "leadq failed on this request; its log says where"
_HTML = "text/html; charset=utf-8"

Documented = dict[int | str, dict[str, Any]]
SessionOf = Callable[[Mapping[bytes, bytes]], "Session | None"]
"""Finds by the headers of a request who is signed in."""

_ALWAYS = {
    401: "No key was sent, or one that is not known or has run out.",
    403: "The key is not for this.",
    429: "The key was used too often; `Retry-After` says when it may be again.",
    500: "leadq failed; its log says where.",
    503: "The service or what stands behind it is not ready, or has too much to do; "
    "`Retry-After` says when to try again.",
}
_WITH_A_BODY = {
    400: "The body is not JSON.",
    408: "The body did not come in time.",
    413: "The body is too large, or holds too many items, fields or characters.",
    415: "The body is of another kind than JSON, or is encoded.",
    422: "The body or a parameter does not have the form that is asked for.",
}
WITH_A_BODY = tuple(_WITH_A_BODY)
"""Statuses of every route that takes a body."""


class Problem(BaseModel):
    """A problem: its kind, a short title, the HTTP status, and what to do about it."""

    type: str = Field("about:blank", description="A name for the kind of problem.")
    title: str
    status: int
    detail: str = Field(description="What was wrong, where, and the cure.")
    field: str | None = Field(None, description="The field that caused it.")


def problem(status: int, detail: str, field: str | None = None) -> Problem:
    """Build a problem with the status's own title."""
    return Problem(
        type="about:blank",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        field=field,
    )


def documented(*statuses: int, **others: str) -> Documented:
    """Describe the problems that a route answers with, for its documentation.

    Args:
        statuses: those beside the ones that every route may answer with.
        others: statuses with a meaning of the route's own, as `_404="There is no such lead."`.

    """
    told = {**_ALWAYS, **{status: _WITH_A_BODY[status] for status in statuses}}
    told |= {int(name[1:]): description for name, description in others.items()}
    return {
        status: {"model": Problem, "content": {MEDIA_TYPE: {}}, "description": told[status]}
        for status in sorted(told)
    }


def where(error: BaseException) -> str:
    """Say where the program failed; the error's own words could hold a lead's data."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}"


class Refusal(NamedTuple):
    """A refusal as it is sent: a problem to programs, a page to browsers."""

    status: int
    content: bytes
    media_type: str
    headers: Mapping[str, str]


def refusal(
    status: int,
    detail: str,
    asked: Mapping[bytes, bytes],
    field: str | None = None,
    here: str | None = None,
    is_lost: bool = False,
    session_of: SessionOf | None = None,
) -> Refusal:
    """Return a refusal in the form that was asked for.

    Args:
        status: of HTTP.
        detail: what was wrong, and the cure.
        asked: the headers of the request.
        field: that caused it.
        here: the page that was asked for: who is not signed in is led to the way in, and back.
        is_lost: whether something was sent that is not kept.
        session_of: finds who is signed in, for a whole page: it leads them to the other pages.

    """
    is_part = b"hx-request" in asked
    if not is_part and b"text/html" not in asked.get(b"accept", b""):
        told = problem(status, detail, field).model_dump(exclude_none=True)
        return Refusal(status, orjson.dumps(told), MEDIA_TYPE, {})
    from serving.pages import render

    if here is not None and status == 401:
        way_in = _way_in(here, is_lost, asked)
        lead = {"HX-Redirect": way_in} if is_part else {"Location": way_in}
        return Refusal(401 if is_part else 303, b"", _HTML, {**render.HEADERS, **lead})
    session = None if is_part or session_of is None else session_of(asked)
    content = render.refusal(status, detail, is_part, session).encode()
    swap = {"HX-Retarget": "#notice", "HX-Reswap": "innerHTML"} if is_part else {}
    return Refusal(status, content, _HTML, {**render.HEADERS, **swap})


def _way_in(here: str, is_lost: bool, asked: Mapping[bytes, bytes]) -> str:
    """Return where to sign in, and then go back to the page on which somebody was.

    What they sent from it was not kept, and they shall know.
    """
    if is_lost or b"hx-request" in asked:
        seen = asked.get(b"hx-current-url") or asked.get(b"referer") or b""
        with suppress(ValueError):
            page = urlsplit(seen.decode("latin-1"))
            here = urlunsplit(("", "", page.path, page.query, "")) or here
    return f"/sign-in?next={quote(here, safe='')}{'&sent=yes' if is_lost else ''}"
