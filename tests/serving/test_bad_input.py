"""Whatever is sent has an answer that the documentation names, and never a 500."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.home import ServeSettings
from features.store.database import open_store
from serving.api import Backing, build
from serving.erasing import Aside
from tests.lives import Fixed
from tests.serving.small import small_model

ROUTES = ("/v1/score", "/v1/handoffs", "/v1/feedback")
NAMES = st.sampled_from(
    ["id", "at", "leads", "handoffs", "feedback", "fields", "code", "by", "value", "reason",
     "return_on", "owner", "team", "created", "industry", "visits", "", "\0", "\ud800"]
)  # fmt: skip
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**18, max_value=10**60),
    st.floats(),
    st.text(st.characters(), max_size=20),
    st.sampled_from(["won", "lost", "2026-03-01", "\ud800", "\0", "=1+1", "NaN", "1e999"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
BODIES = st.dictionaries(NAMES, VALUES, max_size=6) | st.fixed_dictionaries(
    {}, optional={many: st.lists(VALUES, max_size=3) for many in ("leads", "handoffs", "feedback")}
)
SETTINGS = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder: Path = tmp_path_factory.mktemp("bad")
    backing = Backing(
        lambda: open_store(f"sqlite:///{folder / 'store.db'}"), Aside(folder, folder / "spool")
    )
    app = build(Fixed(small_model()), backing, settings=ServeSettings(log="none"))
    with TestClient(app) as client:
        yield client


@pytest.fixture(scope="module")
def documented(client: TestClient) -> dict[str, set[int]]:
    paths = client.get("/openapi.json").json()["paths"]
    return {route: {int(s) for s in paths[route]["post"]["responses"]} for route in ROUTES}


def check(client: TestClient, documented: dict[str, set[int]], route: str, body: bytes) -> None:
    reply = client.post(route, content=body)

    assert reply.status_code < 500, reply.text
    assert reply.status_code in documented[route]
    told = json.loads(reply.text, parse_constant=pytest.fail)
    if reply.status_code != 200:
        assert {"type", "title", "status", "detail"} <= set(told)


@pytest.mark.parametrize("route", ROUTES)
@SETTINGS
@given(body=BODIES)
def test_any_json_has_a_documented_answer(client, documented, route: str, body: Any) -> None:
    check(client, documented, route, json.dumps(body).encode())


@pytest.mark.parametrize("route", ROUTES)
@SETTINGS
@given(body=st.binary(max_size=60))
def test_any_bytes_have_a_documented_answer(client, documented, route: str, body: bytes) -> None:
    check(client, documented, route, body)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("levels", [30, 200, 900, 100_000])
def test_a_body_of_any_depth_has_an_answer(client, documented, route: str, levels: int) -> None:
    deep = b"[" * levels + b"]" * levels
    nested = b'{"a":' * levels + b"1" + b"}" * levels

    for body in (deep, nested, b'{"id": "a", "fields": {"x": ' + nested + b"}}"):
        check(client, documented, route, body)


@pytest.mark.parametrize("id_", [["a", "b"], ["a"], {"a": 1}])
def test_an_id_that_is_a_list_or_an_object_costs_its_own_lead_alone(client, id_: Any) -> None:
    for others in ([], [{"id": "c"}]):
        reply = client.post("/v1/score", json={"leads": [{"id": id_}, *others]})
        bad, *good = reply.json()["results"]
        assert (bad["id"], bad["error"]["status"]) == (None, 422)
        assert [result["id"] for result in good] == [other["id"] for other in others]
