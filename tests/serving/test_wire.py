"""What only a real server shows: slow and broken connections, workers that die."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest
import uvicorn

from features.home import ServeSettings
from serving import wire
from serving.api import build
from serving.wire import Wire
from tests.lives import Fixed
from tests.serving.small import small_model

LEAD = b'{"id": "web-1", "industry": "Software", "visits": 3}'
LIMITS = ServeSettings(body_seconds=0.3, body_bytes=10_000, log="none")


class Served(uvicorn.Server):
    """A server in a thread of the test."""

    def install_signal_handlers(self) -> None:
        """The test keeps its own."""


@contextmanager
def served(limits: ServeSettings) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(
            build(Fixed(small_model()), settings=limits), http=Wire, ws="none", lifespan="on",
            log_level="critical", access_log=False, server_header=False,
        )  # fmt: skip
        server = Served(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with served(LIMITS) as port:
        yield port


def post(body: bytes, *headers: bytes, length: int | None = None) -> bytes:
    size = b"content-length: %d" % (len(body) if length is None else length)
    head = b"\r\n".join([b"POST /v1/score HTTP/1.1", b"host: x", size, *headers])
    return head + b"\r\n\r\n" + body


def talk(port: int, *parts: bytes, shut: bool = False, pause: float = 0.0) -> bytes:
    """Send parts, and read until the server closes or falls silent."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)
        if shut:
            connection.shutdown(socket.SHUT_WR)
        connection.settimeout(1.0)
        found = b""
        try:
            while piece := connection.recv(65536):
                found += piece
        except TimeoutError:
            pass
        return found


def status(reply: bytes) -> int:
    return int(reply.split(b" ", 2)[1])


def problem(reply: bytes) -> dict[str, Any]:
    head, _, body = reply.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    found: dict[str, Any] = json.loads(body)
    return found


def test_a_body_that_comes_too_slowly_is_answered_and_the_connection_closed(port: int) -> None:
    reply = talk(port, post(b'{"id"', length=500))

    assert (status(reply), problem(reply)["status"]) == (408, 408)
    assert b"connection: close" in reply.lower()


def test_a_body_in_slow_parts_within_the_time_is_taken() -> None:
    whole = post(LEAD, b"connection: close")

    with served(LIMITS.model_copy(update={"body_seconds": 60.0})) as port:
        assert status(talk(port, whole[:-20], whole[-20:-5], whole[-5:], pause=0.05)) == 200


def test_a_caller_who_has_said_all_and_half_closes_gets_an_answer(port: int) -> None:
    assert status(talk(port, post(LEAD), shut=True)) == 200


def test_a_caller_who_half_closes_within_the_body_is_let_go(port: int) -> None:
    assert talk(port, post(LEAD, length=500), shut=True) == b""


def test_a_body_that_is_announced_as_too_large_is_not_read(port: int) -> None:
    reply = talk(port, post(b"", b"expect: 100-continue", length=99_999_999))

    assert status(reply) == 413
    assert b"100 Continue" not in reply


def test_a_chunked_body_that_is_too_large_is_refused(port: int) -> None:
    head = b"POST /v1/score HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    chunk = b"1000\r\n" + b" " * 0x1000 + b"\r\n"

    assert status(talk(port, head, *[chunk] * 4)) == 413


def test_headers_without_end_are_refused(port: int) -> None:
    reply = talk(port, b"GET /healthz HTTP/1.1\r\n", *[b"x: " + b"y" * 30_000 + b"\r\n"] * 3)

    assert (status(reply), problem(reply)["status"]) == (431, 431)


def test_headers_that_come_too_slowly_are_given_up(port: int, monkeypatch) -> None:
    monkeypatch.setattr(wire, "HEAD_SECONDS", 0.05)
    monkeypatch.setattr(wire, "_LOOK_SECONDS", 0.1)

    assert status(talk(port, b"GET /healthz HTTP/1.1\r\nhost: x\r\n")) == 408


class Unread:
    """The other end of a connection, who takes nothing of what is written."""

    def __init__(self) -> None:
        self.left, self.is_let_go = 1000, False

    def get_write_buffer_size(self) -> int:
        return self.left

    def is_closing(self) -> bool:
        return self.is_let_go

    def abort(self) -> None:
        self.is_let_go = True


def test_who_does_not_read_an_answer_is_let_go_and_who_reads_slowly_is_not() -> None:
    at, line, other = [0.0], Wire.__new__(Wire), Unread()
    line.transport = cast(asyncio.Transport, other)  # type: ignore[assignment]
    line.loop = cast(asyncio.AbstractEventLoop, Clock(at))
    line._is_waiting = False

    def after(seconds: float, read: int) -> bool:
        at[0] += seconds
        other.left -= read
        line._look()
        return other.is_let_go

    reads = [after(40, read=100) for _ in range(5)]
    waits = [after(40, read=0) for _ in range(2)]

    assert (reads, waits) == ([False] * 5, [False, True])


class Clock:
    """A loop whose time is what a test says."""

    def __init__(self, at: list[float]) -> None:
        self._at = at

    def time(self) -> float:
        return self._at[0]

    def call_later(self, *_: object) -> None: ...


def test_a_connection_that_rests_is_closed(port: int, monkeypatch) -> None:
    monkeypatch.setattr(wire, "IDLE_SECONDS", 0.1)
    monkeypatch.setattr(wire, "_LOOK_SECONDS", 0.1)
    began = time.monotonic()

    reply = talk(port, b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")

    assert status(reply) == 200
    assert time.monotonic() - began < 0.9


@pytest.mark.parametrize(
    "said",
    [b"\x16\x03\x01\x02\x00\x01\x00", b"HELLO\r\n\r\n", b"GET /\xff HTTP/1.1\r\n\r\n",
     b"POST /v1/score HTTP/1.1\r\ncontent-length: -1\r\n\r\n"],
)  # fmt: skip
def test_what_is_no_http_is_a_problem(port: int, said: bytes) -> None:
    reply = talk(port, said)

    assert (status(reply), problem(reply)["status"]) == (400, 400)


def test_one_connection_carries_many_requests(port: int) -> None:
    reply = talk(port, post(LEAD), post(b"{"), post(LEAD, b"connection: close"), pause=0.05)

    assert [int(part.split(b" ")[0]) for part in reply.split(b"HTTP/1.1 ")[1:]] == [200, 400, 200]


def test_requests_sent_at_once_on_one_connection_are_answered_in_order(port: int) -> None:
    reply = talk(port, post(LEAD) + post(b"{") + post(LEAD, b"connection: close"))

    assert [int(part.split(b" ")[0]) for part in reply.split(b"HTTP/1.1 ")[1:]] == [200, 400, 200]


def test_no_header_names_the_server(port: int) -> None:
    assert b"\r\nserver:" not in talk(port, post(LEAD, b"connection: close")).lower()


def test_connections_beyond_the_limit_are_told_to_come_again(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Wire, "most", 2)
    held = [socket.create_connection(("127.0.0.1", port)) for _ in range(2)]
    time.sleep(0.1)

    refused = talk(port, post(LEAD))
    for one in held:
        one.close()
    time.sleep(0.1)

    assert status(refused) == 503
    assert b"retry-after: 1" in refused
    assert b"application/problem+json" in refused
    assert status(talk(port, post(LEAD), shut=True)) == 200
