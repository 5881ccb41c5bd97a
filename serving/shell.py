"""What every request passes: an id, the clock, limits, keys, counts, a line in the log.

One plain ASGI callable around the FastAPI app. `POST /v1/score` is answered inside it without
the framework, whose routing takes longer than the model.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from typing import Any

import structlog
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Send

from features.home import ServeSettings
from features.store.api_keys import Scope
from serving.access import Access, Caller, RefusedError
from serving.bodies import FORM, JSON, BodyReader, GoneError, check_kind
from serving.doors import Door, Doors
from serving.inbound import SIGNER, Inbound
from serving.logs import RequestLog
from serving.pages.sessions import Sessions, need_same_host
from serving.problems import UNEXPECTED, refusal, where
from serving.tally import Tally

log = structlog.get_logger()

Answer = Callable[[bytes, bytes], Awaitable[tuple[bytes, int | None]]]
"""Takes body and query string; returns the reply as JSON, and how many items it holds if any."""

GONE = 499
"""Counted where the caller left before the answer (nginx's number)."""
_UNKNOWN = "unknown"
"""Stands in metrics and log for paths that lead nowhere: they could hold anything."""
_SANE_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_NO_STORE, _NO_SNIFF = (b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")
_BUSY = {"Retry-After": "1"}
_FORM_BYTES, _SIGNED_BYTES = 1 << 16, 1 << 20


class Call:
    """One request on its way."""

    __slots__ = (
        *("began", "caller", "door", "here", "id", "items", "method", "received", "sent"),
        *("is_signed", "status"),
    )

    def __init__(self, id_: bytes, method: str) -> None:
        self.began = time.perf_counter()
        self.id = id_
        self.method = method
        self.door: Door | None = None
        self.here = "/"
        """The page that was asked for, with what was asked of it."""
        self.caller: Caller | None = None
        self.is_signed = False
        """Whether it says so; its body is still to be held against the signature."""
        self.status = 0
        """0 until an answer has begun."""
        self.items: int | None = None
        self.received = 0
        self.sent = 0


class Shell:
    """The service as the server sees it.

    Args:
        app: answers whatever `answers` does not.
        doors: which routes there are.
        answers: by route, what is answered without the app.
        limits: how much is taken.
        tally: where requests are counted.
        requests: the log of requests.
        access: checks keys; None lets everybody in.
        sessions: knows who is signed in to the pages; needed where there are pages.
        inbound: verifies signed messages; None: nobody is let in by a signature.

    """

    def __init__(
        self,
        app: ASGIApp,
        doors: Doors,
        answers: Mapping[str, Answer],
        limits: ServeSettings,
        tally: Tally,
        requests: RequestLog,
        access: Access | None = None,
        sessions: Sessions | None = None,
        inbound: Inbound | None = None,
    ) -> None:
        self._app = app
        self.doors = doors
        self._answers = answers
        self._limits = limits
        self._bodies = BodyReader(limits)
        self._tally = tally
        self._requests = requests
        self._access = access
        self._sessions = sessions
        self._inbound = inbound
        self._prefix = secrets.token_hex(4)
        self._numbers = itertools.count(1)
        self._late: set[asyncio.Future[None]] = set()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request, or pass on what is none."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        call = Call(self._id_of(headers), scope["method"])
        self._tally.in_flight += 1
        try:
            await self._answer(call, scope, headers, receive, send)
        finally:
            self._tally.in_flight -= 1
            self._note(call)

    def _id_of(self, headers: Mapping[bytes, bytes]) -> bytes:
        given = headers.get(b"x-request-id")
        if given is not None and _SANE_ID.fullmatch(given):
            return given
        return b"%s-%x" % (self._prefix.encode(), next(self._numbers))

    async def _answer(
        self,
        call: Call,
        scope: MutableMapping[str, Any],
        headers: Mapping[bytes, bytes],
        receive: Receive,
        send: Send,
    ) -> None:
        try:
            if call.method == "OPTIONS" and (methods := self.doors.methods(scope["path"])):
                await _send(call, send, 204, b"", None, [(b"allow", ", ".join(methods).encode())])
                return
            door = self._enter(call, scope, headers)
            content = await self._body(call, door, headers, receive)
            if call.is_signed and self._inbound is not None:
                self._let_in_signed(call, scope, self._inbound.check(headers, content))
            answer = self._answers.get(door.route)
            if answer is None:
                await self._by_app(call, scope, content, receive, send)
            else:
                reply, call.items = await answer(content, scope["query_string"])
                await _send(call, send, 200, reply)
        except HTTPException as error:
            detail, told = str(error.detail), error.headers
            await self._refuse(call, send, error.status_code, detail, headers, told)
        except GoneError:
            call.status = GONE
        except Exception as error:
            log.error("request failed", reason=where(error), request=call.id.decode())
            await self._refuse(call, send, 500, UNEXPECTED, headers)

    async def _refuse(
        self,
        call: Call,
        send: Send,
        status: int,
        detail: str,
        asked: Mapping[bytes, bytes],
        told: Mapping[str, str] | None = None,
    ) -> None:
        """Answer with a refusal, unless another answer has begun."""
        if call.status:
            return
        here = call.here if call.door is not None and call.door.is_page else None
        session_of = self._sessions.of if self._sessions is not None else None
        is_lost = call.door is not None and call.door.keeps
        given = refusal(status, detail, asked, None, here, is_lost, session_of)
        lines = {**(told or {}), **given.headers}
        extra = [(k.lower().encode(), v.encode()) for k, v in lines.items()]
        await _send(call, send, given.status, given.content, given.media_type.encode(), extra)

    def _enter(
        self, call: Call, scope: MutableMapping[str, Any], headers: Mapping[bytes, bytes]
    ) -> Door:
        """Find the door and see whether the caller may pass it, before any of the body is read."""
        path: str = scope["path"]
        method = "GET" if call.method == "HEAD" else call.method
        door = call.door = self.doors.find(method, path)
        if door is None:
            raise self._no_door(call, path)
        if door.page is not None:
            self._enter_page(call, door.page, scope, headers)
        elif door.scope is not None:
            self._need_room()
            if self._inbound is not None and self._inbound.is_meant(door.route, headers):
                call.is_signed = True
            elif self._access is not None:
                key = headers.get(b"authorization")
                given = None if key is None else key.decode("latin-1")
                try:
                    call.caller = self._access.check(given, door.scope)
                except RefusedError as refused:
                    call.caller = refused.caller
                    raise
                scope.setdefault("state", {})["caller"] = call.caller
            elif b"origin" in headers:
                # A page from elsewhere may make a browser on this machine send, though not read.
                raise HTTPException(403, "without keys no page in a browser may send anything")
        return door

    def _let_in_signed(self, call: Call, scope: MutableMapping[str, Any], name: bytes) -> None:
        """Let a signed message in; its name stands for the idempotency key."""
        call.caller = SIGNER
        scope.setdefault("state", {})["caller"] = SIGNER
        others = [header for header in scope["headers"] if header[0] != b"idempotency-key"]
        scope["headers"] = [*others, (b"idempotency-key", name)]

    def _enter_page(
        self,
        call: Call,
        scopes: Sequence[Scope],
        scope: MutableMapping[str, Any],
        headers: Mapping[bytes, bytes],
    ) -> None:
        """See whether who is signed in may open a page, and that it is a page that sends."""
        self._need_room()
        if call.method not in ("GET", "HEAD"):
            need_same_host(headers)
        elif query := scope["query_string"].decode("latin-1"):
            call.here = f"{scope['path']}?{query}"
        else:
            call.here = scope["path"]
        if scopes and self._sessions is not None:
            session = self._sessions.enter(headers, scopes)
            call.caller = session.caller
            scope.setdefault("state", {})["session"] = session

    def _need_room(self) -> None:
        if self._tally.in_flight > self._limits.at_once:
            raise HTTPException(503, "too many requests at once; send it again later", _BUSY)

    def _no_door(self, call: Call, path: str) -> HTTPException:
        methods = self.doors.methods(path)
        if not methods:
            return HTTPException(404, "there is no such path; /docs lists those that there are")
        allow = {"Allow": ", ".join(methods)}
        return HTTPException(405, f"send {' or '.join(methods)} to this path", allow)

    async def _body(
        self, call: Call, door: Door, headers: Mapping[bytes, bytes], receive: Receive
    ) -> bytes:
        if not door.takes_body:
            return b""
        check_kind(headers, self._limits, JSON if door.page is None else FORM)
        content = await self._bodies.read(receive, _most(call, door))
        call.received = len(content)
        return content

    async def _by_app(
        self,
        call: Call,
        scope: MutableMapping[str, Any],
        content: bytes,
        receive: Receive,
        send: Send,
    ) -> None:
        """Let the app answer, for no longer than the limits allow."""
        is_late = False

        async def relay(message: MutableMapping[str, Any]) -> None:
            if is_late:
                return
            if message["type"] == "http.response.start":
                call.status = message["status"]
                given = message.get("headers", ())
                message["headers"] = [*given, *_headers(call, given)]
            else:
                call.sent += len(message.get("body", b""))
                if call.method == "HEAD":
                    message["body"] = b""
            await send(message)

        inner = {**scope, "method": "GET"} if call.method == "HEAD" else scope
        task = asyncio.ensure_future(self._app(inner, _once(content, receive), relay))
        done, _ = await asyncio.wait({task}, timeout=self._limits.seconds)
        if done or call.status:
            await task
            return
        is_late = True
        self._let_finish(task, call)
        raise HTTPException(
            503,
            f"not answered within {self._limits.seconds:g} s and may still be done; send it again",
            _BUSY,
        )

    def _let_finish(self, task: asyncio.Future[None], call: Call) -> None:
        """Count a request that was given up as long as it is worked on."""
        self._tally.in_flight += 1

        def finished(task: asyncio.Future[None]) -> None:
            self._tally.in_flight -= 1
            self._late.discard(task)
            if not task.cancelled() and (error := task.exception()):
                log.error("request failed", reason=where(error), request=call.id.decode())

        self._late.add(task)
        task.add_done_callback(finished)

    def _note(self, call: Call) -> None:
        seconds = time.perf_counter() - call.began
        status = call.status or GONE
        route = call.door.route if call.door else _UNKNOWN
        method = call.method if call.door else _UNKNOWN
        self._tally.answered(method, route, status, seconds)
        self._requests.note(call, method, route, status, seconds)


def _most(call: Call, door: Door) -> int | None:
    """Return how large a body may be whose sender is not known before it is read."""
    if door.page is not None:
        return _FORM_BYTES
    return _SIGNED_BYTES if call.is_signed else None


def _headers(call: Call, given: Iterable[tuple[bytes, bytes]] = ()) -> list[tuple[bytes, bytes]]:
    """Return what every answer has; one may be kept where its route says so."""
    may_be_kept = any(name == b"cache-control" for name, _ in given)
    return [(b"x-request-id", call.id), _NO_SNIFF, *([] if may_be_kept else [_NO_STORE])]


def _once(content: bytes, receive: Receive) -> Receive:
    """Give a body that was read already, and then what else the server says."""
    waiting = [{"type": "http.request", "body": content, "more_body": False}]

    async def replay() -> MutableMapping[str, Any]:
        return waiting.pop() if waiting else await receive()

    return replay


async def _send(
    call: Call,
    send: Send,
    status: int,
    content: bytes,
    media_type: bytes | None = b"application/json",
    extra: list[tuple[bytes, bytes]] | None = None,
) -> None:
    call.status = status
    call.sent = len(content)
    headers = [*_headers(call), *(extra or ())]
    if media_type is not None:
        headers += [(b"content-type", media_type), (b"content-length", b"%d" % len(content))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if call.method == "HEAD" else content})
