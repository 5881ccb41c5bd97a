"""Hand-offs and feedback over REST, as a CRM developer sends them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from features.agreement import Agreement
from features.errors import StoreError
from features.store.database import Store, open_store
from features.store.tables import Disposition, Handoff, Lead, Reply, Waiting
from serving.api import Backing, build
from serving.erasing import Aside
from tests.features.store.making import agreed
from tests.lives import Fixed
from training.registry import load_champion

PROBLEM = "application/problem+json"
LOST = {"id": "a", "code": "lost", "at": "2026-03-05", "by": "kim"}


NO_MODEL = Fixed(None, "none yet")


def backing(open_it: Callable[[], Store], agreement: Agreement | None = None) -> Backing:
    return Backing(open_it, Aside(Path("rejects"), Path("spool")), agreement)


@pytest.fixture
def client(store_url: str) -> Iterator[TestClient]:
    routes = [{"owner": "eve", "team": "south", "all": [{"field": "visits", "at_least": 5.0}]}]
    app = build(NO_MODEL, backing(lambda: open_store(store_url), agreed(routes=routes)))
    with TestClient(app) as client:
        yield client


def hand(client: TestClient, *ids: str, at: str = "2026-03-02") -> None:
    client.post("/v1/handoffs", json={"handoffs": [{"id": id_, "at": at} for id_ in ids]})


def say(client: TestClient, *items: Any, key: str | None = None) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return client.post("/v1/feedback", json={"feedback": list(items)}, headers=headers)


def rows_of(store: Store, table: type) -> int:
    with store.reading() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def test_a_lead_is_handed_over_with_its_fields(client: TestClient, store: Store) -> None:
    item = {"id": "a", "at": "2026-03-02T09:00:00+01:00", "fields": {"visits": 7, "team": "red"}}

    reply = client.post("/v1/handoffs", json=item).json()

    with store.reading() as connection:
        handoff = connection.execute(select(Handoff.owner, Handoff.team)).one()
    assert reply["results"] == [{"id": "a", "result": "stored"}]
    assert tuple(handoff) == ("eve", "south")


def test_every_item_is_answered_by_itself_and_the_counts_add_up(client: TestClient) -> None:
    hand(client, "a")
    bad = {**LOST, "code": "sold for 12"}

    reply = say(client, LOST, bad, LOST, {**LOST, "id": "b"}, "what").json()

    words = [result["result"] for result in reply["results"]]
    assert words == ["stored", "refused", "repeated", "waiting", "refused"]
    assert reply["read"] == sum(
        reply[w] for w in ("stored", "repeated", "waiting", "refused")
    ) == 5  # fmt: skip
    assert reply["results"][1]["error"]["field"] == "code"
    assert "sold" not in json.dumps(reply)


def test_a_word_from_before_the_hand_off_is_told_to_wait_and_why(client: TestClient) -> None:
    hand(client, "a")

    (result,) = say(client, {**LOST, "at": "2026-01-05"}).json()["results"]

    assert result["result"] == "waiting"
    assert result["why"].startswith("lies before the lead was first handed over or scored (2026-")


@pytest.mark.parametrize(
    ("item", "field"),
    [
        ({"id": "a", "fields": []}, "fields"),
        ({"id": "a", "industry": "Software"}, "industry"),
        ({"id": "a", "fields": {"visits": {"total": 1}}}, "visits"),
        ({"id": "a", "fields": {"created": "Ann Example"}}, "created"),
        ({"id": "a", "at": "Ann Example"}, "at"),
        ({"at": "2026-03-02"}, "id"),
    ],
)
def test_a_hand_off_that_cannot_be_is_told_without_its_values(
    client: TestClient, item: dict[str, Any], field: str
) -> None:
    (result,) = client.post("/v1/handoffs", json=item).json()["results"]

    assert (result["result"], result["error"]["field"]) == ("refused", field)
    assert "Ann" not in json.dumps(result)


def test_the_same_key_and_body_get_the_same_reply(client: TestClient, store: Store) -> None:
    hand(client, "a")
    first = say(client, LOST, key="k1")

    again = say(client, dict(reversed(LOST.items())), key="k1")

    assert again.json() == first.json()
    assert first.json()["stored"] == 1
    assert rows_of(store, Disposition) == rows_of(store, Reply) == 1


def test_a_kept_reply_names_a_lead_as_the_store_does_and_goes_with_it(
    client: TestClient, store: Store
) -> None:
    reply = say(client, {**LOST, "id": " 4711.0 "}, key="k1").json()
    assert reply["results"] == [{"id": "4711", "result": "waiting"}]
    client.delete("/v1/leads/4711")
    assert rows_of(store, Reply) == 0


def test_a_text_that_no_database_takes_is_taken_without_it(
    client: TestClient, store: Store
) -> None:
    hand(client, "a")
    assert say(client, {**LOST, "reason": ["no\x00", "budget"]}).json()["stored"] == 1
    with store.reading() as connection:
        assert connection.execute(select(Disposition.reason)).scalar_one() == "no\ufffd;budget"


def test_the_same_key_with_another_body_is_a_conflict_and_adds_nothing(
    client: TestClient, store: Store
) -> None:
    hand(client, "a")
    say(client, LOST, key="k1")

    reply = say(client, {**LOST, "code": "won"}, key="k1")

    assert (reply.status_code, reply.headers["content-type"]) == (409, PROBLEM)
    assert rows_of(store, Disposition) == 1


def test_the_same_key_on_the_other_route_is_a_conflict(client: TestClient) -> None:
    headers = {"Idempotency-Key": "k1"}
    item = {"id": "a", "at": "2026-03-02"}
    client.post("/v1/handoffs", json=item, headers=headers)

    assert client.post("/v1/feedback", json=item, headers=headers).status_code == 409


TOO_MANY = '{"feedback": [' + "{}," * 10_000 + "{}]}"


@pytest.mark.parametrize(
    ("body", "status"), [("{", 400), ("[]", 422), ('{"feedback": {}}', 422), (TOO_MANY, 413)]
)
def test_a_body_of_another_form_is_a_problem(client: TestClient, body: str, status: int) -> None:
    reply = client.post("/v1/feedback", content=body)

    assert (reply.status_code, reply.headers["content-type"]) == (status, PROBLEM)


def test_more_names_of_fields_than_leads_have_are_refused(client) -> None:
    items = [{"id": str(i), "fields": {f"x{i}": 1, f"y{i}": 2}} for i in range(1001)]

    assert client.post("/v1/handoffs", json={"handoffs": items}).status_code == 413


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "\udfff\0", "💡"])
def test_odd_characters_are_kept_or_told_and_never_an_error(client: TestClient, text: str) -> None:
    hand(client, "a")
    items = [{**LOST, "reason": text}, {**LOST, "by": text}, {**LOST, "id": text}]
    leads = [{"id": text}, {"id": "c", "owner": text}, {"id": "d", "fields": {text: text}}]

    said = client.post("/v1/feedback", content=json.dumps({"feedback": items}))
    handed = client.post("/v1/handoffs", content=json.dumps({"handoffs": leads}))

    assert (said.status_code, handed.status_code) == (200, 200)
    assert said.json()["stored"] == 2


def test_a_lead_may_arrive_after_what_is_said_of_it(client: TestClient, store: Store) -> None:
    say(client, LOST)
    assert (rows_of(store, Waiting), rows_of(store, Disposition)) == (1, 0)

    hand(client, "a")

    assert (rows_of(store, Waiting), rows_of(store, Disposition)) == (0, 1)


def test_eight_clients_at_once_lose_nothing(client: TestClient, store: Store) -> None:
    def send(worker: int) -> list[int]:
        codes = []
        for n in range(5):
            ids = [f"own-{worker}-{n}", f"shared-{n}"]
            handoffs = [{"id": id_, "at": "2026-03-02"} for id_ in ids]
            said = [{**LOST, "id": id_} for id_ in reversed(ids)]
            codes.append(say(client, *said, key=f"{worker}-{n}").status_code)
            reply = client.post("/v1/handoffs", json={"handoffs": handoffs})
            codes.append(reply.status_code)
        return codes

    with ThreadPoolExecutor(8) as pool:
        codes = [code for codes in pool.map(send, range(8)) for code in codes]

    assert set(codes) == {200}
    assert rows_of(store, Lead) == rows_of(store, Handoff) == rows_of(store, Disposition) == 45
    assert rows_of(store, Waiting) == 0


def test_a_store_that_is_down_is_told_with_when_to_come_back() -> None:
    def down() -> Store:
        raise StoreError("postgresql://kim@secret-host/leads: refused")

    with TestClient(build(NO_MODEL, backing(down, agreed()))) as client:
        reply = client.post("/v1/feedback", json=LOST)
        alive = client.get("/healthz")

    assert (reply.status_code, reply.headers["content-type"]) == (503, PROBLEM)
    assert int(reply.headers["retry-after"]) > 0
    assert "secret-host" not in reply.text
    assert alive.status_code == 200


def test_a_store_that_comes_back_is_used_again(store_url: str) -> None:
    tries = iter([True, True, False])

    def open_it() -> Store:
        if next(tries):
            raise StoreError("down")
        return open_store(store_url)

    with TestClient(build(NO_MODEL, backing(open_it, agreed()))) as client:
        codes = [client.post("/v1/feedback", json=LOST).status_code for _ in range(3)]

    assert codes == [503, 200, 200]


def test_the_documented_examples_are_taken(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    for route, word in (("/v1/handoffs", "stored"), ("/v1/feedback", "stored")):
        body = paths[route]["post"]["requestBody"]["content"]["application/json"]["example"]
        assert client.post(route, json=body).json()["results"] == [{"id": "web-1", "result": word}]


def test_the_model_says_who_signed_its_agreement(trained, store_url: str) -> None:
    home, training = trained
    with TestClient(
        build(Fixed(load_champion(home)), backing(lambda: open_store(store_url)))
    ) as client:
        told = client.get("/v1/model").json()["agreement_standing"]

    label = training.scorer.agreement.label
    assert told == f"agreement {label} is an unsigned draft; sign it with: leadq sign"
