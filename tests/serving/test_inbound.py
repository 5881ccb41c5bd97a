"""Signed messages come in without a key, through a real server, and once."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from sqlalchemy import func, select
from standardwebhooks import Webhook
from starlette.exceptions import HTTPException

from features.home import ServeSettings
from features.store.database import Store, open_store
from features.store.hooks import inbound_secret
from features.store.tables import Waiting
from serving.access import Access
from serving.api import Backing, build
from serving.erasing import Aside
from serving.inbound import Inbound
from serving.wire import Wire
from tests.features.store.making import agreed
from tests.lives import Fixed
from tests.serving.test_wire import Served

SECRET = b"s" * 32
WORD = b'{"id": "web-1", "code": "won", "at": "2026-03-02T09:00:00Z"}'
Reply = tuple[int, dict[str, Any]]


@pytest.fixture(scope="module")
def url(sqlite_store: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("inbound") / "store.db"
    path.write_bytes(sqlite_store.read_bytes())
    return f"sqlite:///{path}"


@pytest.fixture(scope="module")
def port(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("aside")
    backing = Backing(lambda: open_store(url), Aside(folder, folder / "spool"), agreed())
    access = Access(SECRET, 100.0, folder / "keys.json", lambda: open_store(url))
    shell = build(
        Fixed(None, "none yet"),
        backing,
        settings=ServeSettings(log="none"),
        access=access,
        inbound=Inbound(SECRET, 100.0),
    )
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(shell, http=Wire, ws="none", lifespan="on", log_level="critical")
        server = Served(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join()


def signed(
    name: str = "m-1", body: bytes = WORD, at: datetime | None = None, secret: bytes = SECRET
) -> dict[str, str]:
    moment = at or datetime.now(UTC)
    signature = Webhook(inbound_secret(secret)).sign(name, moment, body.decode())
    return {
        "webhook-id": name,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": signature,
    }


def send(
    port: int, headers: dict[str, str], body: bytes = WORD, path: str = "/v1/feedback"
) -> Reply:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", path, body, {"content-type": "application/json"} | headers)
    reply = connection.getresponse()
    content = json.loads(reply.read())
    connection.close()
    return reply.status, content


def waiting(store: Store) -> int:
    with store.reading() as connection:
        return connection.execute(select(func.count()).select_from(Waiting)).scalar_one()


def test_a_signed_message_is_taken_without_a_key_and_a_replay_is_answered_as_before(
    port: int, url: str
) -> None:
    headers = signed()
    first, again = send(port, headers), send(port, headers)

    assert first[0] == 200, first
    assert again == first
    store = open_store(url)
    assert waiting(store) == 1
    store.close()


def test_another_body_under_the_name_of_a_message_is_refused(port: int) -> None:
    other = WORD.replace(b"won", b"lost")
    send(port, signed("m-2"))

    assert send(port, signed("m-2", other), other)[0] == 409


def test_leads_may_be_handed_over_by_a_signature(port: int) -> None:
    body = b'{"id": "web-2", "at": "2026-03-02T09:00:00Z", "fields": {"visits": 3}}'

    assert send(port, signed("m-3", body), body, "/v1/handoffs")[0] == 200


OLD, NEW = timedelta(minutes=-6), timedelta(days=1)


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": "nonsense"},
        {"webhook-signature": "v1,Ü"},
        {"webhook-id": "another"},
        {"webhook-id": ""},
        {"webhook-timestamp": "soon"},
        signed(at=datetime.now(UTC) + OLD),
        signed(at=datetime.now(UTC) + NEW),
        signed(secret=b"t" * 32),
        signed(body=WORD.replace(b"won", b"lost")),
    ],
    ids=[
        *("wrong", "no signature", "no ascii", "another name", "no name", "no time", "old"),
        *("of tomorrow", "another secret", "another body"),
    ],
)
def test_a_signature_that_is_not_right_opens_nothing(port: int, changed: dict[str, str]) -> None:
    status, told = send(port, signed() | changed)

    assert status == 401
    assert "leadq hooks inbound" in told["detail"]


def test_a_body_that_is_no_text_is_refused_like_a_wrong_signature(port: int) -> None:
    assert send(port, signed(), b"\xff\xfe")[0] == 401


@pytest.mark.parametrize("path", ["/v1/score", "/v1/spend"])
def test_a_signature_opens_no_other_route(port: int, path: str) -> None:
    assert send(port, signed(), WORD, path)[0] == 401


def test_a_wrong_key_beside_a_right_signature_is_a_wrong_key(port: int) -> None:
    assert send(port, signed() | {"authorization": "Bearer leadq_nothing"})[0] == 401


def test_messages_have_a_rate() -> None:
    inbound = Inbound(SECRET, 1.0, lambda: 0.0)
    headers = {name.encode(): value.encode() for name, value in signed().items()}

    assert inbound.check(headers, WORD) == b"m-1"
    with pytest.raises(HTTPException) as refused:
        inbound.check(headers, WORD)
    assert refused.value.status_code == 429
