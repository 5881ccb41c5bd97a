"""Whatever a page writes stands in the audit log, with the key of who wrote it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from features.store.database import Store
from features.store.tables import Audit
from serving.doors import PAGES
from tests.features.store.making import agreed
from tests.serving.pages.signing import clock, key_for, pages, sign_in, token_in
from tests.serving.pages.test_queue import hand, recently

LATER = (recently(0) + timedelta(days=9)).date().isoformat()
DECISION = {"text": "call A first", "owner": "Kim", "due": LATER, "consequence": "fewer leads"}
WEEK = recently(0).strftime("%G-W%V")
WRITES: list[tuple[str, str, str, dict[str, str], str]] = [
    ("/leads/{lead:path}/words", "/leads/a/words", "/leads/a", {"code": "contacted"}, "word"),
    ("/leads/{lead:path}/notes", "/leads/a/notes", "/leads/a", {"text": "good fair"}, "note"),
    ("/alignment/decisions", "/alignment/decisions", "/alignment", DECISION, "decide"),
    ("/alignment/decisions/{key}/done", "/alignment/decisions/1/done", "/alignment", {}, "done"),
    ("/alignment/answers", "/alignment/answers", "/alignment",
     {"side": "sales", "week": WEEK, "mark": "4"}, "answer"),
    ("/sign-out", "/sign-out", "/queue", {}, "sign out"),
]  # fmt: skip


@pytest.fixture
def client(store: Store, store_url: str, tmp_path: Path) -> Iterator[TestClient]:
    with pages(store_url, tmp_path, agreement=agreed(), now=clock()) as client:
        yield client


def acts(store: Store) -> list[Any]:
    with store.reading() as connection:
        return [*connection.execute(select(Audit.who, Audit.act).order_by(Audit.key)).all()]


def test_each_form_leaves_its_line(client: TestClient, store: Store) -> None:
    key = key_for(store, "Kim", "sales")
    hand(store, "a", at=recently(1))
    sign_in(client, key)
    assert acts(store)[-1] == (key[:14], "sign in")
    for _, path, page, fields, act in WRITES:
        before = acts(store)
        shown = client.get(page).text
        seen = shown.partition('name="seen" value="')[2].partition('"')[0]
        told = {"token": token_in(shown), "seen": seen, **fields}
        assert client.post(path, data=told).status_code in (200, 303), path
        assert acts(store) == [*before, (key[:14], act)]


def test_no_form_was_forgotten() -> None:
    """Signing in is told above, and by `test_signing_in`."""
    forms = {path for method, path in PAGES if method == "POST"}
    assert forms - {"/sign-in", "/sign-in/once"} == {route for route, *_ in WRITES}
