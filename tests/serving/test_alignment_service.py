"""The alignment report over REST."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from features.store.database import Store, open_store
from serving.alignment.files import as_json
from serving.api import Backing, build
from serving.erasing import Aside
from tests.features.store.past import drawn
from tests.lives import Fixed
from tests.serving.raw_rows import agreed, reported


@pytest.fixture
def client(store_url: str, store: Store, tmp_path: Path) -> Iterator[TestClient]:
    drawn(0).keep(store)
    backing = Backing(partial(open_store, store_url), Aside(tmp_path, tmp_path), agreed())
    with TestClient(build(Fixed(None), backing)) as client:
        yield client


def test_rest_tells_the_figures_of_the_report(client: TestClient, store: Store) -> None:
    told = client.get("/v1/report", params={"week": "2026-W20"})
    assert told.status_code == 200
    assert told.json() == as_json(reported(store))


@pytest.mark.parametrize(
    ("asked", "status", "why"),
    [
        ({"week": "2026-11"}, 422, "pattern"),
        ({"month": "soon"}, 422, "pattern"),
        ({"month": "2026-13"}, 404, "is no week and no month"),
        ({"week": "0001-W01"}, 404, "is no week and no month from 1900 on"),
        ({"month": "0999-12"}, 404, "is no week and no month from 1900 on"),
        ({"week": "2026-W20", "month": "2026-05"}, 404, "say a week or a month, not both"),
        ({"week": "2999-W01"}, 404, "has not begun"),
    ],
)
def test_what_is_no_period_is_refused_with_the_cure(
    client: TestClient, asked: dict[str, str], status: int, why: str
) -> None:
    refused = client.get("/v1/report", params=asked)
    assert refused.status_code == status
    assert why in refused.json()["detail"]
