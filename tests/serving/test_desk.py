"""Leads looked up over REST: who comes back, one lead's story, erasure."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from features.agreement import Agreement
from features.home import Home, SpoolSettings
from features.leads import Leads
from features.store.database import Store, open_store
from features.store.scores import Given, keep_scores
from serving.api import Backing, build
from serving.artefact import LoadedModel
from serving.drain import empty
from serving.erasing import Aside
from serving.spool import Spool
from tests.features.making import nightly_of
from tests.features.store.making import MONDAY
from tests.lives import Fixed
from tests.serving.spooling import ids_of_scores
from training.promotion import catch_up
from training.registry import load_champion
from training.train import Training


@pytest.fixture(scope="module")
def model(trained: tuple[Home, Training]) -> LoadedModel:
    return load_champion(trained[0])


@pytest.fixture
def client(
    trained: tuple[Home, Training], model: LoadedModel, agreement: Agreement, store_url: str,
    store: Store, tmp_path: Path,
) -> Iterator[TestClient]:  # fmt: skip
    catch_up(trained[0], store, MONDAY)
    rejects = tmp_path / "rejects"
    rejects.mkdir()
    aside = Aside(rejects, tmp_path / "spool")
    backing = Backing(lambda: open_store(store_url), aside, agreement)
    with TestClient(build(Fixed(model), backing)) as client:
        yield client


@pytest.fixture
def night(crm: Path, agreement: Agreement) -> Leads:
    (leads,), _ = nightly_of(crm / "nightly.csv", agreement)
    return leads


def _score(store: Store, leads: Leads, model: LoadedModel, day: int) -> None:
    scorer = model.artefact.scorer
    scores = scorer.score(leads, 0)
    given = Given(model.version, [s.probability for s in scores], [s.grade for s in scores])
    keep_scores(store, leads, given, scorer.agreement, MONDAY.replace(day=day))


def _back(client: TestClient, id_: str) -> None:
    client.post("/v1/handoffs", json={"id": id_, "at": "2026-03-02", "owner": "kim"})
    said = {"id": id_, "code": "unreachable", "at": "2026-03-03", "reason": "three calls"}
    assert client.post("/v1/feedback", json=said).json()["stored"] == 1


def test_a_lead_that_comes_back_is_listed_with_history_and_score(
    client: TestClient, store: Store, night: Leads, model: LoadedModel
) -> None:
    _score(store, night, model, 1)
    _back(client, night.ids[0])
    reply = client.get("/v1/recycled").json()
    (lead,) = reply["leads"]
    assert (reply["total"], lead["id"], lead["owner"]) == (1, night.ids[0], "kim")
    assert lead["due"] == "2026-04-02"
    assert 0 < lead["score"]["probability"] < 1
    assert [event["what"] for event in lead["history"]] == ["handed over", "unreachable"]


def test_all_that_come_back_are_counted_where_few_are_shown(client: TestClient) -> None:
    for id_ in ("a", "b", "c"):
        _back(client, id_)
    reply = client.get("/v1/recycled", params={"limit": 2}).json()
    assert (reply["total"], [lead["id"] for lead in reply["leads"]]) == (3, ["a", "b"])


def test_a_leads_story_tells_what_moved_its_score(
    client: TestClient, store: Store, night: Leads, model: LoadedModel
) -> None:
    lead = night.take([0])
    _score(store, lead, model, 1)
    changed = Leads(lead.ids, {**lead.columns, "form_type": ["Newsletter"]}, lead.created)
    _score(store, changed, model, 5)
    _back(client, lead.ids[0])
    story = client.get(f"/v1/leads/{lead.ids[0]}/history").json()
    assert [word["code"] for word in story["words"]] == ["unreachable"]
    assert len(story["scores"]) == 2
    (change,) = story["changes"]
    assert [part["field"] for part in change["data"]] == ["form_type"]
    assert change["data"][0]["log_odds"] == pytest.approx(change["log_odds"], abs=1e-9)


def test_an_erased_lead_is_gone_from_every_answer(
    client: TestClient, store: Store, night: Leads, model: LoadedModel
) -> None:
    _score(store, night, model, 1)
    _back(client, night.ids[0])
    erased = client.delete(f"/v1/leads/{night.ids[0]}")
    assert (erased.status_code, erased.headers.get("content-type")) == (204, None)
    assert client.get(f"/v1/leads/{night.ids[0]}/history").status_code == 404
    assert client.delete(f"/v1/leads/{night.ids[0]}").status_code == 404
    assert night.ids[0] not in client.get("/v1/recycled").text


def test_an_id_that_no_database_takes_is_one_that_nobody_knows(client: TestClient) -> None:
    assert client.get("/v1/leads/a%00b/history").status_code == 404
    assert client.delete("/v1/leads/a%00b").status_code == 404


def test_a_lead_that_nobody_knows_is_a_problem_that_does_not_repeat_its_id(
    client: TestClient,
) -> None:
    reply = client.get("/v1/leads/mrs-smith/history")
    assert reply.status_code == 404
    assert reply.headers["content-type"] == "application/problem+json"
    assert "smith" not in reply.text


def test_an_id_may_hold_slashes(client: TestClient) -> None:
    _back(client, "crm/2026/7")
    assert client.get("/v1/leads/crm/2026/7/history").json()["id"] == "crm/2026/7"


def test_a_score_is_kept_and_stands_in_the_leads_history(
    model: LoadedModel, agreement: Agreement, store: Store, store_url: str, tmp_path: Path,
    trained: tuple[Home, Training],
) -> None:  # fmt: skip
    catch_up(trained[0], store, MONDAY)
    aside = Aside(tmp_path / "rejects", tmp_path / "spool")
    backing = Backing(lambda: open_store(store_url), aside, agreement)
    spool = Spool(aside.spool, SpoolSettings(), time.time)
    leads = [{"id": "a", "shoe_size": 43}, {"id": "a"}, {"industry": "x"}]
    leads += [{"id": f"lead-{n}"} for n in range(40)]
    with TestClient(build(Fixed(model), backing, spool=spool)) as client:
        given = client.post("/v1/score?reasons=0", json={"leads": leads}).json()["results"]
        empty(store, aside.spool, lambda: MONDAY)
        told = client.get("/v1/leads/a/history").json()["scores"]
        assert "leadq_spool_dropped 0.0" in client.get("/metrics").text
        assert client.delete("/v1/leads/lead-7").status_code == 204
    assert [score["probability"] for score in told] == [
        given[0]["probability"], given[1]["probability"],
    ]  # fmt: skip
    found = [id_.startswith("erased") for id_ in ids_of_scores(store)]
    assert (len(found), found.count(True)) == (42, 1)


def test_a_spool_that_is_full_and_refuses_answers_503(model: LoadedModel, tmp_path: Path) -> None:
    settings = SpoolSettings(megabytes=1, when_full="refuse")
    spool = Spool(tmp_path, settings, time.time)
    (tmp_path / "aside").mkdir()
    (tmp_path / "aside" / "old").write_bytes(b"x" * 1_000_000)
    with TestClient(build(Fixed(model), spool=spool)) as client:
        reply = client.post("/v1/score", json={"id": "a"})
    assert (reply.status_code, "Retry-After" in reply.headers) == (503, True)


def test_moments_say_that_they_are_utc(client: TestClient) -> None:
    _back(client, "a")
    (handed,) = client.get("/v1/leads/a/history").json()["handoffs"]
    assert handed["at"] == "2026-03-02T00:00:00Z"
    assert client.get("/v1/recycled").json()["leads"][0]["said_at"].endswith("Z")


def test_a_path_names_the_methods_of_its_own_route(client: TestClient) -> None:
    assert client.options("/v1/leads/a/history").headers["allow"] == "GET, HEAD, OPTIONS"
    assert client.options("/v1/leads/a").headers["allow"] == "DELETE, OPTIONS"
