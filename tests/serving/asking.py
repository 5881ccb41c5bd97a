"""A small service, and how tests talk to it below HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

from features.home import ServeSettings
from serving.api import build
from serving.shell import Shell
from tests.lives import Fixed
from tests.serving.small import small_model

LEAD = {"id": "web-1", "industry": "Software", "visits": 3}


def service(access: Any = None, **limits: Any) -> Shell:
    return build(Fixed(small_model()), settings=ServeSettings(**limits), access=access)


async def talk(shell: Shell, method: str, path: str, body: list[dict[str, Any]]) -> list[Any]:
    """Send messages of a body to a service, and return what it says; it waits after the last."""
    sent: list[Any] = []
    messages = iter(body)

    async def receive() -> dict[str, Any]:
        for message in messages:
            return message
        return await asyncio.Event().wait()  # type: ignore[return-value]

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": method, "path": path, "query_string": b"", "headers": [],
        "http_version": "1.1", "scheme": "http", "raw_path": path.encode(), "root_path": "",
    }  # fmt: skip
    await shell(scope, receive, send)  # type: ignore[arg-type]
    return sent
