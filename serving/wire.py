"""uvicorn's reading of HTTP with limits that it lacks, for a service in the open.

- Headers have a size and a time; uvicorn reads them without end.
- A caller who has said all and closes its half of the connection gets an answer.
- What is no HTTP is answered by a problem as well.
- Who does not read an answer is let go; uvicorn waits for ever.
- Connections have an upper number; of those beyond it each is told to come again later.
- One timer for each connection watches all its requests, where uvicorn sets one for each request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http import HTTPStatus

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.problems import MEDIA_TYPE, problem

NO_MORE: Mapping[str, str] = {}
HEAD_BYTES = 64_000
HEAD_SECONDS = 10.0
IDLE_SECONDS = 75.0
"""How long a connection may rest; proxies keep theirs for 60 s, so they close first."""
UNREAD_SECONDS = 60.0
"""How long an answer may lie unread; it holds memory, and a place among the requests."""
MOST_SECONDS = "1"
"""After which one who found no place may try again."""
_LOOK_SECONDS = 2.5


class Wire(HttpToolsProtocol):
    """One connection."""

    most = 800
    """Connections that a worker holds open; a worker sets it when it starts."""
    _is_over = False
    """Whether it is one too many."""
    _head = 0
    """Bytes of a request that has not begun yet: its headers are not whole."""
    _since = 0.0
    """Since when the next request is waited for."""
    _is_waiting = True
    _unread = 0
    """Bytes of answers that the caller had not taken at the last look."""
    _moved = 0.0
    """When some of them were taken last."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to watch the connection."""
        super().connection_made(transport)
        self._since = self.loop.time()
        self._is_over = len(self.connections) > self.most
        self._look_again()

    def connection_lost(self, exc: Exception | None) -> None:
        """Watch it no longer."""
        self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, and refuse headers without end and whoever finds no place."""
        if self._is_over:
            again = {"retry-after": MOST_SECONDS}
            self._refuse(503, "too many connections; send it again later", again)
            return
        if self._is_waiting and not self._head:
            self._since = self.loop.time()
        super().data_received(data)
        if self._is_waiting:
            self._head += len(data)
            if self._head > HEAD_BYTES:
                self._refuse(431, f"the headers are over {HEAD_BYTES:,} bytes; send fewer")

    def on_headers_complete(self) -> None:
        """Note that a request has begun."""
        self._is_waiting, self._head = False, 0
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """Go on with the next request, as uvicorn does, but without a timer for each."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._is_waiting, self._since = True, self.loop.time()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Answer before the connection is closed, if there is a whole request to be answered."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete or cycle.more_body:
            return False
        cycle.keep_alive = False
        return True

    def send_400_response(self, msg: str) -> None:
        """Say that this is no HTTP; its words stay out of the answer."""
        self._refuse(400, "this is no HTTP request that can be read")

    def _look_again(self) -> None:
        self._timer = self.loop.call_later(_LOOK_SECONDS, self._look)

    def _look(self) -> None:
        """Close a connection that rests for too long, or that sends or reads too slowly."""
        if self._is_over:
            self.transport.close()
            return
        unread, now = self.transport.get_write_buffer_size(), self.loop.time()
        if not unread or unread != self._unread:
            self._unread, self._moved = unread, now
        elif now - self._moved >= UNREAD_SECONDS:
            self.transport.abort()
            return
        waited = self.loop.time() - self._since
        if self._is_waiting and self._head and waited >= HEAD_SECONDS:
            self._refuse(408, f"the headers did not come within {HEAD_SECONDS:g} s; send it again")
        elif self._is_waiting and waited >= IDLE_SECONDS:
            self.transport.close()
        elif not self.transport.is_closing():
            self._look_again()

    def _refuse(self, status: int, detail: str, more: Mapping[str, str] = NO_MORE) -> None:
        """Answer without having understood the request, and close."""
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete:
            content = orjson.dumps(problem(status, detail).model_dump(exclude_none=True))
            told = "".join(f"{name}: {value}\r\n" for name, value in more.items())
            head = (
                f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: {MEDIA_TYPE}\r\n"
                f"content-length: {len(content)}\r\n{told}connection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + content)
        self.transport.close()
