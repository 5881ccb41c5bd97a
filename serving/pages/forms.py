"""What a form sends: names and texts, read without a library of its own."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from fastapi import HTTPException, Request

from serving.pages.render import session_of
from serving.pages.sessions import need_token

_MOST = 200
"""Fields of a form."""


async def fields_of(request: Request) -> Mapping[str, str]:
    """Return what a form sends, by name; empty fields are left out, spaces around cut off.

    Raises:
        HTTPException: 422 where it is no form.

    """
    try:
        told = parse_qsl((await request.body()).decode(), max_num_fields=_MOST, errors="strict")
    except ValueError as error:
        raise HTTPException(422, "this form cannot be read; open the page again") from error
    return {name: text.strip() for name, text in told if text.strip()}


async def signed_fields_of(request: Request) -> Mapping[str, str]:
    """Do the same for somebody who is signed in, with the token of their session.

    Raises:
        HTTPException: 403 where the form is of another session, 422 where it is none.

    """
    fields = await fields_of(request)
    need_token(session_of(request), request.headers.get("x-csrf-token") or fields.get("token", ""))
    return fields


def inside(path: str | None) -> str:
    """Return a path of this service to go on to; whatever leads elsewhere leads to the start."""
    try:
        parts = urlsplit(path or "/")
    except ValueError:
        return "/"
    is_plain = not parts.scheme and not parts.netloc and (path or "/").startswith("/")
    return path if path and is_plain and "\\" not in path and not path.startswith("//") else "/"
