"""What campaigns cost, over REST."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from features.store.database import Store, open_store
from features.store.tables import Audit, Spend
from serving.api import build
from tests.features.store.making import agreed
from tests.serving.test_intake import NO_MODEL, PROBLEM, backing

FAIR = {"campaign": "Fair", "date": "2026-03-02", "amount": 10}


@pytest.fixture
def client(store_url: str) -> Iterator[TestClient]:
    with TestClient(build(NO_MODEL, backing(lambda: open_store(store_url), agreed()))) as client:
        yield client


def send(client: TestClient, *items: Any, key: str | None = None) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return client.post("/v1/spend", json={"spend": list(items)}, headers=headers)


def test_each_item_is_answered_by_itself(client: TestClient, store: Store) -> None:
    reply = send(client, FAIR, {"campaign": "Fair", "date": "2026-03-03"}, FAIR).json()
    assert [item["result"] for item in reply["results"]] == ["stored", "refused", "repeated"]
    assert reply["results"][1]["error"]["field"] == "amount"
    assert (reply["read"], reply["stored"], reply["repeated"], reply["refused"]) == (3, 1, 1, 1)
    with store.reading() as connection:
        assert connection.execute(select(Spend.amount)).scalars().all() == [10.0]


def test_a_correction_names_who_sent_it(client: TestClient, store: Store) -> None:
    send(client, FAIR)
    assert send(client, FAIR | {"amount": 11}).json()["replaced"] == 1
    with store.reading() as connection:
        (row,) = connection.execute(select(Audit)).all()
    assert (row.who, row.what) == ("rest", "Fair, 2026-03-02: 10.00 became 11.00")


def test_a_request_sent_again_is_answered_as_before(client: TestClient) -> None:
    first = send(client, FAIR, key="k1")
    assert send(client, FAIR, key="k1").json() == first.json()
    other = send(client, FAIR | {"amount": 2}, key="k1")
    assert other.status_code == 409
    assert other.headers["content-type"] == PROBLEM


def test_a_body_that_is_no_list_is_a_problem(client: TestClient) -> None:
    reply = client.post("/v1/spend", json={"spend": "much"})
    assert (reply.status_code, reply.headers["content-type"]) == (422, PROBLEM)


def test_a_value_that_is_refused_is_not_repeated(client: TestClient) -> None:
    reply = send(client, {"campaign": "Fair", "date": "2026-03-02", "amount": "anna@example.org"})
    assert "anna" not in reply.text
