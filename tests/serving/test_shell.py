"""What every request passes before and after it is answered."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from starlette.exceptions import HTTPException

from features.home import ServeSettings
from serving import routes, scoring
from serving.bodies import read_items
from tests.serving.asking import LEAD, service

PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(service(log="none")) as client:
        yield client


def probability(reply: Any) -> float:
    assert reply.status_code == 200, reply.text
    found: float = reply.json()["results"][0]["probability"]
    return found


class Keys:
    """Knows one key, which is for scores alone."""

    def check(self, authorization: str | None, scope: str) -> Any:
        if authorization != "Bearer right":
            raise HTTPException(401, "send a key", {"WWW-Authenticate": "Bearer"})
        if scope != "score":
            raise HTTPException(403, "not for this")
        return SimpleNamespace(name="lq_abc")

    def start(self, *_: Any) -> None: ...

    def close(self) -> None: ...


def test_a_sane_request_id_comes_back_and_another_is_replaced(client) -> None:
    sane = client.get("/healthz", headers={"X-Request-Id": "crm-17.b_2"})
    odd = client.get("/healthz", headers={"X-Request-Id": "<b>\x7f" + "x" * 99})
    none = client.get("/healthz")

    assert sane.headers["x-request-id"] == "crm-17.b_2"
    assert len({odd.headers["x-request-id"], none.headers["x-request-id"]}) == 2
    assert "<" not in odd.headers["x-request-id"]


@pytest.mark.parametrize(("path", "status"), [("/healthz", 200), ("/v1/nothing", 404)])
def test_every_answer_has_an_id_and_is_not_to_be_cached(client, path: str, status: int) -> None:
    reply = client.get(path)

    assert reply.status_code == status
    assert reply.headers["x-request-id"]
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Encoding": "gzip"},
        {"Content-Encoding": "br", "Content-Type": "application/json"},
    ],
)
def test_another_kind_of_body_is_refused_unread(client, headers: dict[str, str]) -> None:
    reply = client.post("/v1/score", content=b"\x1f\x8b", headers=headers)

    assert (reply.status_code, reply.headers["content-type"]) == (415, PROBLEM)


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "application/vnd.crm+json"])
def test_json_is_taken_under_each_of_its_names(client, kind: str) -> None:
    reply = client.post("/v1/score", content=json.dumps(LEAD), headers={"Content-Type": kind})

    assert reply.status_code == 200


def test_a_body_in_pieces_is_one_body(client) -> None:
    text = json.dumps(LEAD).encode()

    whole = client.post("/v1/score", content=text)
    pieces = client.post("/v1/score", content=iter([text[:9], text[9:20], text[20:]]))

    assert whole.content == pieces.content


def test_a_body_in_pieces_is_refused_once_it_is_too_large() -> None:
    with TestClient(service(body_bytes=100)) as client:
        reply = client.post("/v1/score", content=iter([b" " * 60, b" " * 60]))

    assert (reply.status_code, reply.headers["content-type"]) == (413, PROBLEM)


@pytest.mark.parametrize(
    ("lead", "field"),
    [
        ({**LEAD, "industry": "x" * 101}, "industry"),
        ({**LEAD, "industry": 'a "quoted" word, ' * 6}, "industry"),
        ({**LEAD, "x" * 101: 1}, "x" * 100),
        ({**LEAD, **{f"f{i}": 1 for i in range(20)}}, None),
        ({**LEAD, "industry": [[[[["x"]]]]]}, "industry"),
        ({**LEAD, "industry": [{"a": "x" * 101}]}, "industry"),
    ],
)
def test_a_lead_that_is_too_large_costs_only_itself(lead: Any, field: str | None) -> None:
    with TestClient(service(text=100, fields=20, depth=4)) as client:
        reply = client.post("/v1/score", json={"leads": [LEAD, lead, LEAD]})

    first, bad, last = reply.json()["results"]
    assert (bad["error"]["status"], bad["error"].get("field")) == (413, field)
    assert first == last
    assert first["probability"] > 0


@pytest.mark.parametrize(
    "content",
    [
        '{"id": "a", "industry": %s}' % ("9" * 5000),
        '{"id": "a", "industry": "%s"}' % ("\u2222" * 101),
        '{"id": "a", "%s": NaN}' % ("\u2222" * 101),
    ],
    ids=["digits", "value", "name"],
)
def test_a_text_that_is_too_long_is_refused_however_it_is_spelled(content: str) -> None:
    with TestClient(service(text=100)) as client:
        replies = [client.post("/v1/score", content=content.encode(c)) for c in ("utf8", "utf-16")]

    errors = [reply.json()["results"][0]["error"] for reply in replies]
    assert [error["status"] for error in errors] == [413, 413]


@given(lengths=st.lists(st.integers(0, 14), min_size=1, max_size=8), limit=st.integers(4, 10))
def test_the_longest_text_of_a_body_decides_wherever_it_stands(
    lengths: list[int], limit: int
) -> None:
    lead = {f"{i}": "x" * length for i, length in enumerate(lengths)}

    found = read_items(json.dumps(lead).encode(), "leads", ServeSettings(text=limit))

    assert bool(found.faults) == (max(lengths) > limit)


def test_many_leads_are_scored_as_each_of_them_alone(client) -> None:
    leads = [{"id": str(i), "industry": "Trade", "visits": i} for i in range(205)]
    leads[7] = {"id": "7", "visits": "x" * 30_000}
    leads[103] = {"visits": 3}

    many = client.post("/v1/score", json={"leads": leads}).json()["results"]
    alone = [client.post("/v1/score", json=lead).json()["results"][0] for lead in leads]

    assert many == alone


def test_between_many_leads_the_processor_is_offered_to_whoever_waits(
    client, monkeypatch: pytest.MonkeyPatch
) -> None:
    offers: list[str] = []
    monkeypatch.setattr(os, "sched_yield", lambda: offers.append(threading.current_thread().name))

    client.post("/v1/score", json={"leads": [LEAD] * 100})
    from_many, offers[:] = offers.copy(), []
    client.post("/v1/score", json=LEAD)

    assert len(from_many) > 5
    assert all(name.startswith("many") for name in from_many)
    assert offers == []


@pytest.mark.parametrize(
    "value",
    ["NaN", "Infinity", "-Infinity", "1e999", "1" * 400, "-" + "9" * 40, '"\\ud800"', "[1,[2]]"],
)
def test_an_odd_value_has_an_answer(client, value: str) -> None:
    reply = client.post("/v1/score", content=f'{{"id": "a", "visits": {value}}}')

    assert reply.status_code == 200
    json.loads(reply.text, parse_constant=pytest.fail)


def test_an_integer_of_any_length_stays_the_same_id(client) -> None:
    number = 123456789012345678901234567890

    reply = client.post("/v1/score", content=f'{{"id": {number}, "visits": 1}}')

    assert reply.json()["results"][0]["id"] == str(number)


def test_an_integer_that_is_too_long_for_python_costs_no_other_lead(client) -> None:
    long = f'{{"leads": [{{"id": "a", "visits": {"9" * 5000}}}, {{"id": "b", "visits": 3}}]}}'

    reply = client.post("/v1/score", content=long)

    assert [result["id"] for result in reply.json()["results"]] == ["a", "b"]


def test_the_least_integer_that_orjson_would_change_stays_the_same_id(client) -> None:
    reply = client.post("/v1/score", content=b'{"id": -9223372036854775809, "visits": 1}')

    assert reply.json()["results"][0]["id"] == "-9223372036854775809"


def test_the_last_of_two_equal_keys_counts(client) -> None:
    twice = client.post("/v1/score", content=b'{"id": "a", "visits": 1, "visits": 9}')
    once = client.post("/v1/score", content=b'{"id": "a", "visits": 9}')

    assert probability(twice) == probability(once)


@pytest.mark.parametrize(
    "query", ["reasons=-1", "reasons=51", "reasons=x", "reasons=", "reasons=²"]
)
def test_reasons_that_are_no_number_are_refused(client, query: str) -> None:
    reply = client.post(f"/v1/score?{query}", json=LEAD)

    assert reply.status_code == 422


def test_head_is_answered_as_get_without_a_body(client) -> None:
    reply = client.head("/healthz")

    assert (reply.status_code, reply.content) == (200, b"")


@pytest.mark.parametrize(
    ("path", "allowed"), [("/v1/score", "OPTIONS, POST"), ("/v1/model", "GET, HEAD, OPTIONS")]
)
def test_options_and_wrong_methods_name_the_right_ones(client, path: str, allowed: str) -> None:
    asked, wrong = client.options(path), client.patch(path)

    assert (asked.status_code, asked.headers["allow"], asked.content) == (204, allowed, b"")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, allowed)


def test_nothing_but_health_is_open_without_a_key() -> None:
    shell = service(Keys())
    with TestClient(shell) as client:
        found = {
            path: client.request("POST" if path == "/v1/score" else "GET", path).status_code
            for path in ("/docs", "/openapi.json", "/metrics", "/v1/model", "/v1/score",
                         "/healthz", "/readyz")
        }  # fmt: skip

    assert {path for path, status in found.items() if status != 401} == {"/healthz", "/readyz"}


def test_a_key_opens_what_it_is_for() -> None:
    headers = {"Authorization": "Bearer right"}
    with TestClient(service(Keys())) as client:
        assert client.post("/v1/score", json=LEAD, headers=headers).status_code == 200
        assert client.get("/v1/model", headers=headers).status_code == 403
        refused = client.post("/v1/score", json=LEAD)

    assert refused.headers["www-authenticate"] == "Bearer"
    assert refused.json()["detail"] == "send a key"


def test_the_log_names_the_request_and_nothing_of_the_lead(capsys) -> None:
    headers = {"Authorization": "Bearer right", "X-Request-Id": "r-1"}
    with TestClient(service(Keys())) as client:
        client.post("/v1/score", json={"id": "Jane Doe", "industry": "Elm Street"}, headers=headers)
        client.get("/v1/leads/jane@example.com/history")

    printed = capsys.readouterr().err
    line = json.loads(next(line for line in printed.splitlines() if "r-1" in line))
    assert (line["route"], line["status"], line["items"], line["key"]) == (
        "/v1/score", 200, 1, "lq_abc",
    )  # fmt: skip
    assert not {"Jane", "jane", "Elm"} & set(printed.replace("/", " ").split())
    assert "jane" not in printed


@pytest.mark.parametrize(("which", "lines"), [("all", 2), ("failed", 1), ("none", 0)])
def test_the_log_has_the_requests_that_were_asked_for(capsys, monkeypatch, which, lines) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("Jane Doe")

    monkeypatch.setattr(scoring, "replied", fail)
    with TestClient(service(log=which)) as client:
        client.get("/healthz")
        assert client.post("/v1/score", json=LEAD).status_code == 500

    printed = capsys.readouterr()
    assert printed.err.count('"event":"request"') == lines
    assert "Jane" not in printed.err + printed.out


def test_a_failure_within_the_app_is_a_problem_too(monkeypatch, capsys) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("Jane Doe")

    monkeypatch.setattr(routes, "page_of", fail)
    with TestClient(service()) as client:
        reply = client.get("/docs")

    assert (reply.status_code, reply.headers["content-type"]) == (500, PROBLEM)
    assert reply.headers["x-request-id"]
    assert "Jane" not in reply.text + "".join(capsys.readouterr())


def test_a_route_without_a_scope_cannot_be_built(monkeypatch) -> None:
    monkeypatch.setattr("serving.doors.SCOPES", {("GET", "/healthz"): None})

    with pytest.raises(LookupError, match=r"say in serving/doors\.py who may use it"):
        service()


def test_the_documentation_needs_nothing_from_elsewhere(client) -> None:
    page = client.get("/docs").text

    assert "POST /v1/score" in page
    assert "<script" not in page
    assert "http" not in page.replace("httpx", "").replace("HTTP", "")


def test_every_route_documents_what_the_shell_may_answer(client) -> None:
    paths = client.get("/openapi.json").json()["paths"]

    for path, methods in paths.items():
        for method, told in methods.items():
            common = set() if path == "/healthz" else {"500", "503"}
            wanted = common | ({"408", "413", "415", "422"} if method == "post" else set())
            assert wanted <= set(told["responses"]), (path, method)
