"""The app that is built beside the first scores."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from typing import Any, cast

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.routing import compile_path

from features.store.database import Store
from serving import doors, routes
from serving.api import build
from serving.champion import Live
from serving.metrics import Metrics
from serving.stored import OpenedStore
from tests.lives import Fixed
from tests.serving.small import small_model

LEAD = {"id": "web-1", "industry": "Software", "visits": 3}
FIRST_SCORE = """
import asyncio, json, sys
from serving.api import build
from tests.lives import Fixed
from tests.serving.small import small_model

async def main():
    shell = build(Fixed(small_model()))
    sent = []
    async def receive():
        return {"type": "http.request", "body": b'{"id": "web-1", "visits": 3}'}
    async def send(message):
        sent.append(message)
    headers = [(b"content-type", b"application/json")]
    score = {"type": "http", "method": "POST", "path": "/v1/score", "query_string": b""}
    await shell({**score, "headers": headers}, receive, send)
    print(sent[0]["status"], json.loads(sent[1]["body"])["results"][0]["id"])
    print(*{name.partition(".")[0] for name in sys.modules})

asyncio.run(main())
"""


def test_the_first_score_is_answered_before_the_app_is_imported() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FIRST_SCORE], capture_output=True, text=True, check=True
    )

    answer, modules = done.stdout.splitlines()
    assert answer == "200 web-1"
    assert {"fastapi", "jinja2", "alembic"} & set(modules.split()) == set()


def test_who_asks_for_more_than_scores_waits_until_it_is_there() -> None:
    with TestClient(build(Fixed(small_model()))) as client:
        reply = client.get("/v1/model")

    assert reply.status_code == 200


def test_an_app_that_cannot_be_built_is_told_to_everybody_and_scores_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("Jane Doe")

    monkeypatch.setattr(routes, "app_of", fail)
    with TestClient(build(Fixed(small_model()))) as client:
        asked, ready = client.get("/v1/model"), client.get("/readyz")
        score, alive = client.post("/v1/score", json=LEAD), client.get("/healthz")

    assert (asked.status_code, ready.status_code) == (503, 503)
    assert "cannot be built" in asked.json()["detail"]
    assert "cannot be built" in ready.json()["detail"]
    assert (score.status_code, alive.status_code) == (200, 200)
    told = "".join(capsys.readouterr())
    assert told.count("cannot be built") == 1
    assert "RuntimeError at test_later.py" in told
    assert "Jane" not in told + asked.text + ready.text


def test_an_app_with_a_route_that_has_no_door_cannot_be_built(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def with_one_more(app: FastAPI, live: Live, store: None, metrics: Metrics) -> None:
        app.get("/secrets")(lambda: {})

    parts = routes.Parts(Fixed(small_model()), None, None)  # type: ignore[arg-type]
    monkeypatch.setattr(routes, "_add_own", with_one_more)
    with pytest.raises(LookupError, match=r"secrets.*say in serving/doors.py"):
        routes.app_of(parts, doors.SCOPES)


@pytest.mark.parametrize("path", [path for _, path in [*doors.SCOPES, *doors.PAGES] if "{" in path])
def test_a_door_takes_the_paths_that_its_route_takes(path: str) -> None:
    theirs, _, _ = compile_path(path)
    tried = [path.replace("{", "a").replace("}", end) for end in ("", "/", "/b/c", "\n", "/words")]

    assert [bool(theirs.match(at)) for at in tried] == [
        bool(doors.pattern_of(path).match(at)) for at in tried
    ]


def test_who_waits_for_the_store_at_a_page_holds_up_nobody_at_the_api() -> None:
    async def ask() -> str:
        held, store = threading.Event(), OpenedStore(lambda: cast(Store, object()))
        pages = store.beside()
        waiting = [asyncio.ensure_future(pages.use(lambda _: held.wait(20))) for _ in range(9)]
        await asyncio.sleep(0)
        found = await asyncio.wait_for(store.use(lambda _: "an answer"), 10)
        held.set()
        await asyncio.gather(*waiting)
        return found

    assert asyncio.run(ask()) == "an answer"
