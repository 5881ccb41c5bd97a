"""A service without keys answers under the names of this machine alone.

A page in a browser on this machine could otherwise reach it by a name of its own that leads here
(DNS rebinding).
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Send

from serving.problems import MEDIA_TYPE, problem

NAMES = ("localhost", "127.0.0.1", "[::1]")
_PORT = re.compile(r":\d+$")


class Here:
    """Lets requests to this machine through, and answers the others with a problem."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        if scope["type"] != "http" or _host_of(scope) in NAMES:
            await self._app(scope, receive, send)
            return
        told = problem(
            400,
            f"without keys the service answers to {', '.join(NAMES)} alone; call it so, or start "
            "it with keys",
        )
        content = told.model_dump_json(exclude_none=True)
        await Response(content, 400, media_type=MEDIA_TYPE)(scope, receive, send)


def _host_of(scope: MutableMapping[str, Any]) -> str:
    host: bytes = dict(scope["headers"]).get(b"host", b"")
    return _PORT.sub("", host.decode("latin-1")).lower()
