"""The app behind the shell, built beside the first scores, and the life of a worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import structlog
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.problems import where

log = structlog.get_logger()

_TROUBLE = "only scores are answered: the other routes cannot be built; look at the log"


class Later:
    """An ASGI app that is built in a thread, since it is slow to import and no score needs it.

    Who asks for it before it is there waits for it. Where it cannot be built, everybody who asks
    is told, `/readyz` too, and the log says where it failed; scores go on.
    """

    def __init__(
        self,
        build: Callable[[], ASGIApp],
        life: Callable[[], AbstractAsyncContextManager[None]],
        settled: Callable[[], None],
    ) -> None:
        """Prepare; nothing is built before the service runs, or before somebody asks.

        Args:
            build: builds the app; called once, in a thread.
            life: what is around all that the service does; entered at its start, left at its end.
            settled: called when the app is there, or is known not to come.

        """
        self.trouble = ""
        """Why there is no app; empty while it is built, and when it is there."""
        self._build = build
        self._life = life
        self._settled = settled
        self._app: asyncio.Future[ASGIApp] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Live through the life of the service, or let the app answer a request."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        try:
            # A caller who leaves does not end it for the others.
            app = await asyncio.shield(self._begun())
        except Exception as error:
            raise HTTPException(503, _TROUBLE, {"Retry-After": "60"}) from error
        await app(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        """Answer the server's messages of start and end (ASGI's lifespan protocol)."""
        await receive()
        said = "lifespan.startup"
        try:
            async with self._life():
                self._begun()
                await send({"type": f"{said}.complete"})
                await receive()
                said = "lifespan.shutdown"
                # A thread that is building cannot be stopped, and uses what the life holds.
                await asyncio.wait({self._begun()})
        except Exception as error:
            await send({"type": f"{said}.failed", "message": where(error)})
            raise
        await send({"type": f"{said}.complete"})

    def _begun(self) -> asyncio.Future[ASGIApp]:
        if self._app is None:
            self._app = asyncio.ensure_future(asyncio.to_thread(self._build))
            self._app.add_done_callback(self._tell)
        return self._app

    def _tell(self, built: asyncio.Future[ASGIApp]) -> None:
        if not built.cancelled() and (error := built.exception()):
            self.trouble = _TROUBLE
            log.error("the routes beside scores cannot be built", reason=where(error))
        self._settled()
