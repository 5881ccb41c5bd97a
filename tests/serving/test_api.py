"""The REST service, as a CRM developer meets it."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from features.home import ServeSettings
from serving import scoring
from serving.api import build
from serving.scorer import sigmoid
from tests.lives import Fixed
from training.registry import load_champion

PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def client(trained) -> Iterator[TestClient]:
    with TestClient(build(Fixed(load_champion(trained[0])))) as client:
        yield client


@pytest.fixture(scope="module")
def lead(crm: Path) -> dict[str, str]:
    with (crm / "nightly.csv").open() as file:
        row = next(csv.DictReader(file))
    return {name: value for name, value in row.items() if value}


def results(reply: Any) -> list[dict[str, Any]]:
    assert reply.status_code == 200, reply.text
    found: list[dict[str, Any]] = reply.json()["results"]
    return found


def test_a_bare_lead_is_scored_with_reasons_that_add_up(client, lead) -> None:
    (result,) = results(client.post("/v1/score?reasons=3", json=lead))

    total = result["base_log_odds"] + result["rest_log_odds"]
    total += sum(reason["log_odds"] for reason in result["reasons"])
    assert len(result["reasons"]) == 3
    assert sigmoid(total) == pytest.approx(result["probability"], abs=1e-12)


def test_the_reply_names_model_and_agreement(client, lead, agreement) -> None:
    reply = client.post("/v1/score", json=lead).json()

    assert (reply["model_version"], reply["agreement_version"]) == ("1", agreement.label)


def test_the_probability_lies_in_its_interval(client, lead) -> None:
    (result,) = results(client.post("/v1/score", json=lead))

    assert 0 < result["probability_low"] < result["probability"] < result["probability_high"] < 1


def test_results_come_in_the_order_of_the_leads(client, lead) -> None:
    leads = [{**lead, "id": f"lead-{i}"} for i in (3, 1, 2)]

    found = results(client.post("/v1/score", json={"leads": leads}))

    assert [result["id"] for result in found] == ["lead-3", "lead-1", "lead-2"]


def test_a_lead_that_cannot_be_scored_has_an_error_in_its_place(client, lead) -> None:
    leads = [lead, "no object", {**lead, "created_at": "the day before"}, {"industry": "x"}, lead]

    found = results(client.post("/v1/score", json={"leads": leads}))

    assert [result.get("error", {}).get("status") for result in found] == [
        None, 422, 422, 422, None,
    ]  # fmt: skip
    assert found[0] == found[4]


def test_an_error_does_not_repeat_the_value(client, lead) -> None:
    secret = {**lead, "created_at": "Jane Doe, 12 Elm Street"}

    reply = client.post("/v1/score", json=secret)

    assert "Jane" not in reply.text
    assert results(reply)[0]["error"]["field"] == "created_at"


def test_a_number_scores_as_its_text_does(client, lead) -> None:
    as_text = {**lead, "visits": "7", "employees": "1250"}
    as_number = {**lead, "visits": 7, "employees": 1250.0}

    one, other = results(client.post("/v1/score", json={"leads": [as_text, as_number]}))

    assert one["probability"] == other["probability"]


@pytest.mark.parametrize(
    ("field", "value", "warning"),
    [
        ("shoe_size", 43, "shoe_size: is not in the agreement"),
        ("industry", "Alchemy", "industry: was rare or absent in training"),
        ("employees", "many", "employees: is not a number"),
    ],
)
def test_warnings_name_what_is_odd(client, lead, field: str, value: Any, warning: str) -> None:
    (result,) = results(client.post("/v1/score", json={**lead, field: value}))

    assert any(found.startswith(warning) for found in result["warnings"])


def test_a_missing_field_that_matters_is_named(client, lead) -> None:
    bare, full = results(client.post("/v1/score", json={"leads": [{"id": "1"}, lead]}))

    assert missed(bare) & set(lead)
    assert not missed(full) & set(lead)


def missed(result: dict[str, Any]) -> set[str]:
    """The fields that a result says it misses."""
    words = ": is missing and would have mattered"
    return {w.removesuffix(words) for w in result["warnings"] if w.endswith(words)}


def test_a_placeholder_counts_as_missing_without_a_remark(client, lead) -> None:
    chosen = {**lead, "industry": "Select"}
    absent = {k: v for k, v in lead.items() if k != "industry"}

    one, other = results(client.post("/v1/score?reasons=0", json={"leads": [chosen, absent]}))

    assert one["probability"] == other["probability"]
    assert not any(w.startswith("industry: was rare") for w in one["warnings"])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{not json", 400),
        (b"", 400),
        (b"\xff\xfe", 400),
        (b"[1, 2]", 422),
        (b'"text"', 422),
        (b'{"leads": {"id": 1}}', 422),
        (b"[" * 100_000, 400),
    ],
)
def test_a_body_of_another_form_is_a_problem_document(client, body: bytes, status: int) -> None:
    reply = client.post("/v1/score", content=body)

    assert (reply.status_code, reply.headers["content-type"]) == (status, PROBLEM)


def test_no_leads_give_no_results(client) -> None:
    assert results(client.post("/v1/score", json={"leads": []})) == []


@pytest.mark.parametrize("reasons", ["-1", "51", "many"])
def test_reasons_out_of_range_are_refused(client, lead, reasons: str) -> None:
    reply = client.post(f"/v1/score?reasons={reasons}", json=lead)

    assert (reply.status_code, reply.headers["content-type"]) == (422, PROBLEM)


def test_a_body_that_is_too_large_is_refused(trained) -> None:
    with TestClient(limited(trained, body_bytes=100)) as client:
        assert client.post("/v1/score", content=b" " * 101).status_code == 413


def test_too_many_leads_are_refused(trained) -> None:
    with TestClient(limited(trained, items=2)) as client:
        assert client.post("/v1/score", json={"leads": [{}, {}, {}]}).status_code == 413


def limited(trained: Any, **limits: Any) -> Any:
    return build(Fixed(load_champion(trained[0])), settings=ServeSettings(**limits))


def test_an_unknown_route_is_a_problem_document(client) -> None:
    reply = client.get("/v1/nothing")

    assert (reply.status_code, reply.headers["content-type"]) == (404, PROBLEM)


def test_the_documented_example_works_when_pasted(client) -> None:
    schema = client.get("/openapi.json").json()
    body = schema["paths"]["/v1/score"]["post"]["requestBody"]["content"]["application/json"]

    (result,) = results(client.post("/v1/score", json=body["example"]))

    assert result.get("error") is None


def test_the_model_tells_its_version_fields_and_figures(client) -> None:
    reply = client.get("/v1/model").json()

    assert reply["model_version"] == "1"
    assert reply["facts"]["evaluation"]["roc_auc"] > 0.6
    assert "industry" in reply["fields"]


def test_a_ready_service_says_so(client) -> None:
    assert client.get("/healthz").json() == {"status": "alive"}
    assert client.get("/readyz").json() == {"status": "ready", "model_version": "1"}


def test_without_a_model_the_service_is_alive_and_not_ready(lead) -> None:
    with TestClient(build(Fixed(None, "no model is champion"))) as client:
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code == 503
        assert "no model is champion" in client.post("/v1/score", json=lead).json()["detail"]


def test_an_unexpected_failure_hides_the_lead(client, lead, monkeypatch, capsys) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError(f"cannot digest {lead['email']}")

    monkeypatch.setattr(scoring, "replied", fail)
    reply = client.post("/v1/score", json=lead)

    printed = "".join(capsys.readouterr())
    assert (reply.status_code, reply.headers["content-type"]) == (500, PROBLEM)
    assert lead["email"] not in reply.text + printed
    assert "RuntimeError at test_api.py" in printed


def test_replies_are_json_that_any_parser_reads(client, lead) -> None:
    body = json.dumps({**lead, "employees": float("nan"), "visits": float("inf")})

    reply = client.post("/v1/score", content=body)

    json.loads(reply.text, parse_constant=pytest.fail)


@pytest.mark.parametrize(
    "body",
    [
        '{"id": "a", "industry": ' + "[" * 700 + "]" * 700 + "}",
        '{"id": "a", "unknown": ' + "[" * 700 + "]" * 700 + "}",
        r'{"id": "\ud800"}',
        r'{"id": "a", "\ud800": 1}',
        r'{"id": "a", "industry": "\ud800"}',
        '{"id": "a", "created_at": "' + "1 " * 12_000 + '"}',
    ],
)
def test_a_wicked_lead_costs_only_itself(client, lead, body: str) -> None:
    good = json.dumps(lead)

    found = results(client.post("/v1/score", content=f'{{"leads": [{body}, {good}]}}'))

    assert found[1]["probability"] is not None
