"""The alignment report as a page: the same figures, and what both heads write down."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from features.store.database import Store, open_store
from features.store.tables import Audit, Decision, SideAnswer
from tests.features.store.making import NOW
from tests.features.store.past import drawn
from tests.serving.pages.signing import clock, key_for, pages, send, sign_in
from tests.serving.raw_rows import agreed, reported

PAGE = "/alignment?week=2026-W20"
SOON = (NOW + timedelta(days=9)).date().isoformat()


@pytest.fixture
def url(tmp_path: Path, sqlite_store: Path) -> str:
    (tmp_path / "store.db").write_bytes(sqlite_store.read_bytes())
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = open_store(url)
    drawn(0).keep(opened)
    yield opened
    opened.close()


@pytest.fixture
def client(url: str, store: Store, tmp_path: Path) -> Iterator[TestClient]:
    with pages(url, tmp_path, agreement=agreed(), now=clock()) as client:
        yield client


def test_the_page_shows_the_figures_of_the_report(client: TestClient, store: Store) -> None:
    sign_in(client, key_for(store, "Kim", "read"))
    page = client.get(PAGE).text
    whole = reported(store).funnel[0]
    assert f"</dt><dd><b>{whole.leads:,}</b>" in page
    assert f"<b>{whole.won:,}</b>" in page
    assert "At the meeting" not in page


def test_good_leads_that_nobody_called_lead_to_their_pages(
    client: TestClient, store: Store
) -> None:
    sign_in(client, key_for(store, "Kim", "read"))
    page = client.get(PAGE).text
    named = [lead.id for lead in reported(store).missed]
    assert named
    for lead in named:
        assert f'<a href="/leads/{quote(lead, safe="")}"><bdi>{lead}</bdi></a>' in page
        assert client.get(f"/leads/{quote(lead, safe='')}").status_code == 200


def test_a_decision_is_written_down_shown_and_done(client: TestClient, store: Store) -> None:
    sign_in(client, key_for(store, "Kim", "sales"))
    told = {"text": "Call <b>A</b> leads first", "owner": "kim", "due": SOON}
    fields = {**told, "consequence": "fewer leads", "back": PAGE}
    reply = send(client, "/alignment/decisions", PAGE, **fields)
    assert (reply.status_code, reply.headers["location"]) == (303, PAGE)
    assert "Call &lt;b&gt;A&lt;/b&gt; leads first" in client.get(PAGE).text

    assert send(client, "/alignment/decisions/1/done", PAGE).status_code == 303
    with store.reading() as connection:
        decision = connection.execute(select(Decision.by, Decision.done_at)).one()
        acts = connection.execute(select(Audit.act).order_by(Audit.key)).scalars().all()
    assert decision.by == "Kim"
    assert decision.done_at is not None
    assert acts[-2:] == ["decide", "done"]


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("text", "", "the decision: say it"),
        ("owner", "x" * 300, "who does it"),
        ("due", "soon", "by which day"),
        ("due", "2001-01-01", "has passed"),
    ],
)
def test_what_is_no_decision_is_refused_in_words(
    client: TestClient, store: Store, field: str, value: str, why: str
) -> None:
    sign_in(client, key_for(store, "Kim", "sales"))
    fields = {"text": "Call", "owner": "kim", "due": SOON, "consequence": "none", field: value}
    refused = send(client, "/alignment/decisions", PAGE, **fields)
    assert refused.status_code == 422
    assert why in refused.text


def test_each_side_answers_for_itself_and_may_think_again(client: TestClient, store: Store) -> None:
    sign_in(client, key_for(store, "Lee", "marketing"))
    week = {"week": "2026-W20", "comment": "slow"}
    other = send(client, "/alignment/answers", PAGE, side="sales", mark="1", **week)
    assert other.status_code == 403
    for mark in ("2", "4"):
        own = send(client, "/alignment/answers", PAGE, side="marketing", mark=mark, **week)
        assert own.status_code == 303
    assert (
        send(client, "/alignment/answers", PAGE, side="marketing", mark="6", **week).status_code
        == 422
    )
    with store.reading() as connection:
        rows = connection.execute(select(SideAnswer.side, SideAnswer.mark, SideAnswer.by)).all()
    assert [tuple(row) for row in rows] == [("marketing", 4, "Lee")]


def test_who_may_only_read_writes_nothing(client: TestClient, store: Store) -> None:
    sign_in(client, key_for(store, "Head", "read"))
    assert send(client, "/alignment/decisions", PAGE, text="x").status_code == 403


def test_the_report_is_given_as_a_file(client: TestClient, store: Store) -> None:
    sign_in(client, key_for(store, "Kim", "read"))
    pdf = client.get("/alignment/file?week=2026-W20&kind=pdf")
    assert pdf.content.startswith(b"%PDF-")
    assert pdf.headers["content-disposition"] == 'attachment; filename="alignment-2026-W20.pdf"'
    assert client.get("/alignment/file?week=2026-W20&kind=exe").status_code == 404
    assert client.get("/alignment?week=2026-W99").status_code == 404
