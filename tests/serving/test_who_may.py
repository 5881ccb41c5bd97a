"""Every route of the service, tried with every key that must not open it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from features.errors import StoreError
from features.store import api_keys
from features.store.api_keys import SCOPES, Scope, create
from features.store.database import Store, open_store
from features.store.tables import Audit
from serving import composed, worker
from serving.access import Access
from serving.api import Backing, build
from serving.erasing import Aside
from serving.shell import Shell
from tests.features.store.making import NOW, agreed
from tests.lives import Fixed

SECRET = b"s" * 32
LONG_AGO = datetime(2001, 1, 1)
PROBLEM = "application/problem+json"


def url_in(folder: Path) -> str:
    return f"sqlite:///{folder / 'store.db'}"


def built(url: str, folder: Path, access: Access | None) -> Shell:
    backing = Backing(lambda: open_store(url), Aside(folder, folder / "spool"), agreed())
    return build(Fixed(None, "none yet"), backing, access=access)


def routes(shell: Shell) -> list[tuple[str, str]]:
    """Method and path of everything that is answered; an app that has more cannot be built."""
    named = {(m, re.sub(r"{[^}]*}", "web-1", path)) for m, path in shell.doors.named}
    return sorted(named | {("HEAD", path) for method, path in named if method == "GET"})


def key(store: Store, *scopes: Scope, **options: Any) -> str:
    """A key as it is sent."""
    made = {"now": LONG_AGO, "expires": None} | options
    return store.write(lambda c: create(c, "CRM", scopes, secret=SECRET, who="kim", **made))


@pytest.fixture
def store(tmp_path: Path, sqlite_store: Path) -> Iterator[Store]:
    (tmp_path / "store.db").write_bytes(sqlite_store.read_bytes())
    opened = open_store(url_in(tmp_path))
    yield opened
    opened.close()


@pytest.fixture
def keys(store: Store) -> dict[str, str]:
    """A key for each scope, by its name, and some that are good for nothing any more."""
    found = {scope: key(store, scope) for scope in SCOPES}
    found["expired"] = key(store, *SCOPES, expires=datetime(2001, 1, 2))
    found["revoked"] = key(store, *SCOPES)
    store.write(lambda c: api_keys.revoke(c, found["revoked"], "kim", NOW))
    return found


@pytest.fixture
def shell(store: Store, keys: dict[str, str], tmp_path: Path) -> Shell:
    access = Access(SECRET, 10_000, tmp_path / "keys.json", partial(open_store, url_in(tmp_path)))
    return built(url_in(tmp_path), tmp_path, access)


@pytest.fixture
def client(shell: Shell) -> Iterator[TestClient]:
    with TestClient(shell, follow_redirects=False) as client:
        yield client


def headers(key: str | None) -> dict[str, str]:
    return {} if key is None else {"Authorization": f"Bearer {key}"}


def test_nothing_is_open_but_health(client: TestClient, shell: Shell) -> None:
    tried = {
        (method, path): client.request(method, path).status_code for method, path in routes(shell)
    }
    closed = {door for door, status in tried.items() if status == 401}
    assert {path for _, path in tried.keys() - closed} == {"/healthz", "/readyz"}
    assert ("DELETE", "/v1/leads/web-1") in closed


@pytest.mark.parametrize("kind", ["wrong", "unknown", "expired", "revoked"])
def test_no_route_takes_a_key_that_is_not_good(
    client: TestClient, shell: Shell, keys: dict[str, str], kind: str
) -> None:
    wrong = {"wrong": keys["admin"][:-64] + "0" * 64, "unknown": f"leadq_zzzzzzzz_{'0' * 64}"}
    sent = headers((wrong | keys)[kind])
    replies = {
        (method, path): client.request(method, path, headers=sent)
        for method, path in routes(shell)
        if path not in ("/healthz", "/readyz")
    }
    assert {reply.status_code for reply in replies.values()} == {401}
    for (method, _), reply in replies.items():
        assert reply.headers["www-authenticate"].startswith("Bearer")
        assert reply.headers["content-type"] == PROBLEM
        assert method == "HEAD" or keys["admin"][:14] not in reply.text


def test_each_route_takes_one_scope_and_refuses_the_others(
    client: TestClient, shell: Shell, keys: dict[str, str]
) -> None:
    for method, path in routes(shell):
        if path in ("/healthz", "/readyz"):
            continue
        tried = {
            scope: client.request(method, path, headers=headers(keys[scope])).status_code
            for scope in SCOPES
        }
        let_in = [scope for scope, status in tried.items() if status not in (401, 403, 429)]
        assert let_in == [wanted(method, path)], (method, path, tried)


def wanted(method: str, path: str) -> Scope:
    if path == "/v1/score":
        return "score"
    if path in ("/v1/handoffs", "/v1/feedback", "/v1/spend"):
        return "feedback"
    return "admin" if method == "DELETE" else "read"


def test_a_key_is_refused_before_its_body_is_looked_at(client: TestClient) -> None:
    reply = client.post("/v1/score", content=b"\xff not JSON", headers=headers("leadq_x"))
    assert reply.status_code == 401


def test_an_erasure_is_written_down_under_the_key(
    client: TestClient, store: Store, keys: dict[str, str]
) -> None:
    item = {"id": "web-1", "at": "2026-03-02", "fields": {}}
    handed = client.post("/v1/handoffs", json=item, headers=headers(keys["feedback"]))
    assert handed.json()["stored"] == 1
    erased = client.delete("/v1/leads/web-1", headers=headers(keys["admin"]))
    assert erased.status_code == 204
    with store.reading() as connection:
        who = connection.execute(select(Audit.who).where(Audit.act == "erase")).scalars().all()
    assert who == [keys["admin"][:14]]


def test_a_key_that_asks_too_often_is_told_when_to_come_back(
    store: Store, keys: dict[str, str], tmp_path: Path
) -> None:
    access = Access(SECRET, 0.001, tmp_path / "keys.json", partial(open_store, url_in(tmp_path)))
    with TestClient(built(url_in(tmp_path), tmp_path, access)) as client:
        client.get("/v1/recycled", headers=headers(keys["read"]))
        reply = client.get("/v1/recycled", headers=headers(keys["read"]))
    assert (reply.status_code, reply.headers["content-type"]) == (429, PROBLEM)
    assert 900 < int(reply.headers["retry-after"]) <= 1000


def test_the_log_names_a_key_that_may_not_by_its_prefix(
    client: TestClient, shell: Shell, keys: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    client.get("/v1/recycled", headers=headers(keys["score"]))
    client.get("/v1/recycled", headers=headers("leadq_zzzzzzzz_0"))
    shell._requests.flush()
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line[:1] == "{"]
    told = [(line["status"], line.get("key")) for line in lines if line["event"] == "request"]
    assert told == [(403, keys["score"][:14]), (401, None)]


def test_neither_log_nor_reply_holds_a_key(
    client: TestClient, keys: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    replies = [
        client.get("/v1/recycled", headers=headers(sent)).text
        for sent in (*keys.values(), keys["read"][:-1] + "x")
    ]
    told = "".join((*capsys.readouterr(), *replies))
    assert not [name for name, sent in keys.items() if sent[14:] in told]


def test_a_service_that_starts_while_the_store_is_down_knows_the_keys_of_before(
    client: TestClient, keys: dict[str, str], tmp_path: Path
) -> None:
    def down() -> Store:
        raise StoreError("no answer")

    access = Access(SECRET, 10_000, tmp_path / "keys.json", down)
    with TestClient(built("sqlite:////nowhere/store.db", tmp_path, access)) as again:
        tried = {
            name: again.get("/v1/recycled", headers=headers(sent)).status_code
            for name, sent in keys.items()
        }
    refused = dict.fromkeys(SCOPES, 403) | {"expired": 401, "revoked": 401}
    assert tried == {**refused, "read": 503}


def test_without_keys_everything_is_open(store: Store, tmp_path: Path) -> None:
    shell = built(url_in(tmp_path), tmp_path, None)
    with TestClient(shell, follow_redirects=False) as client:
        tried = {client.request(m, p).status_code for m, p in routes(shell)}
    assert not tried & {401, 403, 429}


def test_the_description_says_which_scope_a_route_needs(
    client: TestClient, keys: dict[str, str]
) -> None:
    described = client.get("/openapi.json", headers=headers(keys["read"])).json()
    assert described["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    paths = described["paths"]
    assert paths["/v1/score"]["post"]["security"] == [{"key": ["score"]}]
    assert paths["/v1/leads/{lead}"]["delete"]["security"] == [{"key": ["admin"]}]
    assert "security" not in paths["/healthz"]["get"]
    assert described["components"]["securitySchemes"]["signature"]["name"] == "webhook-signature"
    assert paths["/v1/feedback"]["post"]["security"] == [{"key": ["feedback"]}, {"signature": []}]
    assert paths["/v1/handoffs"]["post"]["security"] == [{"key": ["feedback"]}, {"signature": []}]
    assert paths["/v1/spend"]["post"]["security"] == [{"key": ["feedback"]}]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8000", 200),
        ("localhost", 200),
        ("[::1]:8000", 200),
        ("leads.example.com", 400),
        ("127.0.0.1.example.com", 400),
    ],
)
def test_without_keys_a_page_from_elsewhere_cannot_ask_by_a_name_of_its_own(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, status: int
) -> None:
    monkeypatch.setenv("LEADQ_HOME", str(tmp_path))
    monkeypatch.setenv("LEADQ_SERVE__KEYS", "false")
    monkeypatch.setattr(composed, "configure", lambda: None)
    with TestClient(worker.service()) as client:
        assert client.get("/healthz", headers={"Host": host}).status_code == status


def test_without_keys_no_page_in_a_browser_makes_it_send_anything(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADQ_HOME", str(tmp_path))
    monkeypatch.setenv("LEADQ_SERVE__KEYS", "false")
    monkeypatch.setattr(composed, "configure", lambda: None)
    word = b'{"id": "web-1", "code": "won"}'
    with TestClient(worker.service(), "http://127.0.0.1") as client:
        by_page = client.post("/v1/feedback", content=word, headers={"Origin": "https://e.com"})
        by_program = client.post("/v1/feedback", content=word)
    assert (by_page.status_code, by_program.status_code) == (403, 503)


def test_an_idempotency_key_is_the_callers_own(store: Store, tmp_path: Path) -> None:
    mine, other = key(store, "feedback"), key(store, "feedback")
    access = Access(SECRET, 100.0, tmp_path / "keys.json", lambda: open_store(url_in(tmp_path)))

    def say(caller: str, lead: str) -> Any:
        told = headers(caller) | {"Idempotency-Key": "the same"}
        return client.post("/v1/feedback", json={"id": lead, "code": "won"}, headers=told)

    with TestClient(built(url_in(tmp_path), tmp_path, access)) as client:
        first, theirs = say(mine, "a"), say(other, "b")
        again = say(mine, "a")

    assert (first.status_code, theirs.status_code) == (200, 200)
    assert theirs.json()["results"][0]["id"] == "b"
    assert again.json() == first.json()


def test_a_wrong_host_is_answered_by_a_problem(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADQ_HOME", str(tmp_path))
    monkeypatch.setenv("LEADQ_SERVE__KEYS", "false")
    monkeypatch.setattr(composed, "configure", lambda: None)
    with TestClient(worker.service()) as client:
        reply = client.get("/v1/model", headers={"Host": "leads.example.com"})

    assert reply.headers["content-type"] == PROBLEM
    assert (reply.json()["status"], "start it with keys" in reply.json()["detail"]) == (400, True)
