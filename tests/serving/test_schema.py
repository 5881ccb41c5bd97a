"""schemathesis against the running service: every route, alone and in sequences."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from benchmarks.fuzz import Service, environment, schemathesis, service
from features.home import Home
from features.store.database import open_store
from tests.features.store.making import MONDAY
from training.promotion import catch_up
from training.train import Training


@pytest.fixture(scope="module")
def at(
    trained: tuple[Home, Training], agreement_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """`leadq serve` with keys, a trained model and a store of its own."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "home").mkdir()
    store = open_store(f"sqlite:///{folder / 'home' / 'store.db'}")
    catch_up(trained[0], store, MONDAY)
    store.close()
    shutil.copy(agreement_file, folder)
    with service(folder, environment(folder / "home")) as running:
        yield running


@pytest.fixture(scope="module")
def report(at: Service) -> dict[str, Any]:
    return schemathesis(at, "--generation-deterministic", "--max-examples", "10")


def test_no_reply_is_one_that_the_description_does_not_name(report: dict[str, Any]) -> None:
    assert report["failures"] + report["errors"] == []
    assert report["exit_code"] == 0
    assert report["test_cases"]["generated"] > 200
    assert report["operations"]["tested"] == report["operations"]["total"]


def test_the_links_lead_from_a_score_to_an_erasure(at: Service) -> None:
    with httpx2.Client(base_url=at.url, headers={"Authorization": f"Bearer {at.key}"}) as client:
        told = client.get("/openapi.json").json()["paths"]["/v1/score"]["post"]
        links = told["responses"]["200"]["links"]
        (scored,) = client.post("/v1/score", json={"id": "linked"}).json()["results"]
        path = f"/v1/leads/{scored['id']}"
        for route, link in (("handoffs", "handOver"), ("feedback", "say")):
            item = links[link]["requestBody"] | {"id": scored["id"]}
            assert client.post(f"/v1/{route}", json=item).json()["stored"] == 1
        story = client.get(f"{path}/history").json()
        assert [word["code"] for word in story["words"]] == ["won"]
        assert client.delete(path).status_code == 204
        assert client.get(f"{path}/history").status_code == 404


CANARY = "Canaria"


@pytest.mark.parametrize("route", ["score", "handoffs", "feedback"])
@pytest.mark.parametrize(
    "value", [CANARY, [CANARY], {CANARY: CANARY}, f"{CANARY}\ud800", f"\0{CANARY}", CANARY * 4000]
)
def test_what_is_sent_stands_neither_in_the_log_nor_in_a_refusal(
    at: Service, route: str, value: Any
) -> None:
    fields = ("id", "at", "created_at", "code", "by", "value", "reason", "return_on", "owner",
              "team", "fields", "email", "phone", "employees", "company", "deal_value")  # fmt: skip
    whole = {"id": "a", "at": "2026-03-02", "code": "won", "fields": {"email": value}}
    headers = {"Authorization": f"Bearer {at.key}"}
    with httpx2.Client(base_url=at.url, headers=headers) as client:
        for field in fields:
            body = json.dumps({**whole, field: value})
            reply = client.post(f"/v1/{route}", content=body, headers={"Idempotency-Key": field})
            told = reply.json()
            refused = [told] if reply.status_code > 299 else told["results"]
            errors = [each.get("error", each if "detail" in each else {}) for each in refused]
            assert CANARY not in json.dumps(errors), field
        for path in (f"/v1/leads/un{CANARY}/history", f"/v1/recycled?limit={CANARY}", f"/{CANARY}"):
            assert CANARY not in client.get(path).text
        client.post(f"/v1/{route}", content=f'{{"id": {CANARY}', headers={"X-Request-Id": "last"})
    assert CANARY not in _log(at.folder)


def _log(folder: Path) -> str:
    """What the service has printed, once the last request is told there."""
    (file,) = folder.glob("server-*.log")
    for _ in range(100):
        if '"last"' in (text := file.read_text()):
            return text
        time.sleep(0.05)
    raise AssertionError("the log does not tell the last request")
