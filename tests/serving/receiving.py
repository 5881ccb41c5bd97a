"""A receiver of webhooks on this machine, as a CRM would run it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Received(NamedTuple):
    """A request that came."""

    path: str
    headers: dict[str, str]
    """By their name in lower case."""
    body: str


class Receiver:
    """What came, and what is answered to it."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/leadq"
        self.came: list[Received] = []
        self.answers: list[int] = []
        """The next ones; then 204."""
        self.extra: dict[str, str] = {}
        """Headers of the answers."""

    @property
    def ids(self) -> list[str]:
        """The names of the events that came."""
        return [one.headers["webhook-id"] for one in self.came]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver on a free port; it ends with the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.came.append(Received(self.path, headers, self.rfile.read(length).decode()))
            self.send_response(receiver.answers.pop(0) if receiver.answers else 204)
            for name, value in receiver.extra.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing is to be told."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver = Receiver(server.server_port)
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
