"""The pages of marketing: campaigns with what-if, and the leads that come back."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from html import escape
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Connection, Engine, delete, event, func, insert, select, update

from features.simulate import Settings
from features.store.database import Store, open_store
from features.store.lead_states import draw
from features.store.tables import Disposition, Handoff, Lead, Note, Snapshot, Spend
from serving.pages import recycled
from serving.pages.recycled import _SHOWN
from tests.features.store.making import agreed
from tests.features.store.simulated import filled
from tests.serving.pages.signing import clock, key_for, pages, sign_in

EVIL = "<script>alert(1)</script>"
FORMULA = '=HYPERLINK("http://example.org")'


TODAY = datetime.combine(Settings.end, time(12)) + timedelta(days=1)


@pytest.fixture
def url(tmp_path: Path, sqlite_store: Path) -> str:
    (tmp_path / "store.db").write_bytes(sqlite_store.read_bytes())
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = open_store(url)
    filled(opened, leads=600, months=6)
    yield opened
    opened.close()


@pytest.fixture
def client(url: str, store: Store, tmp_path: Path) -> Iterator[TestClient]:
    with pages(url, tmp_path, now=clock(TODAY)) as client:
        sign_in(client, key_for(store, "Mia", "marketing"))
        yield client


def largest(store: Store) -> str:
    """The campaign that brought most leads."""
    most = select(Lead.campaign).where(Lead.campaign.is_not(None)).group_by(Lead.campaign)
    with store.reading() as connection:
        rows = connection.execute(most.order_by(func.count().desc(), Lead.campaign)).scalars()
        return str(rows.first())


def test_the_page_shows_the_figures_that_rest_gives(client: TestClient) -> None:
    page = client.get("/campaigns?days=3000").text
    assert "<b>600</b>" in page
    assert "Where budget matters most" in page
    assert 'aria-current="page">Campaigns' in page


def test_somebody_of_sales_sees_recycled_leads_and_no_campaigns(
    url: str, store: Store, tmp_path: Path
) -> None:
    with pages(url, tmp_path, now=clock(TODAY)) as client:
        sign_in(client, key_for(store, "Kim", "sales"))
        assert client.get("/campaigns").status_code == 403
        assert client.get("/recycled").status_code == 200


def test_a_small_campaign_is_shown_where_there_are_few(store: Store, client: TestClient) -> None:
    lately = Lead.created >= TODAY - timedelta(days=90)
    with store.reading() as connection:
        keys = connection.execute(select(Lead.key)).scalars().all()
        one = connection.execute(select(Lead.key).where(lately).limit(1)).scalar_one()

    def rename(connection: Connection) -> None:
        connection.execute(update(Lead).values(campaign="Fair"))
        connection.execute(update(Lead).where(Lead.key == one).values(campaign="Walk"))
        connection.execute(delete(Spend))
        draw(connection, keys)

    store.write(rename)
    page = client.get("/campaigns").text
    assert "<bdi>Walk</bdi>" in page
    assert "more in the CSV file" not in page


def test_a_slider_is_answered_without_a_script_and_as_a_part(
    client: TestClient, store: Store
) -> None:
    asked = {"days": "3000", "campaign": largest(store), "percent": "150"}
    whole = client.get("/campaigns", params=asked).text
    part = client.get("/campaigns/what-if", params=asked).text
    assert "Marginal is not average" in whole
    assert part.lstrip().startswith('<section id="what-if-answer"')
    assert re.search(r"[+-]\d+\.\d wins", part)
    assert "Marginal is not average" in part


def test_a_slider_of_no_known_campaign_moves_nothing(client: TestClient) -> None:
    asked = {"campaign": EVIL, "percent": "900"}
    assert "Move a slider" in client.get("/campaigns/what-if", params=asked).text


@pytest.mark.parametrize("asked", ["days=x", "days=0", "days=99999", "percent=-1&campaign=x"])
def test_an_odd_address_shows_a_page_all_the_same(client: TestClient, asked: str) -> None:
    assert client.get(f"/campaigns?{asked}").status_code == 200


def test_leads_are_not_counted_by_a_name_of_a_person(client: TestClient) -> None:
    assert client.get("/campaigns?by=email").status_code == 404


def draw_all(store: Store) -> None:
    """Draw the lines of all leads anew, after they were changed by hand."""
    store.write(lambda c: draw(c, list(c.execute(select(Lead.key).order_by(Lead.key)).scalars())))


def test_markup_in_names_reasons_and_notes_is_shown_as_text(
    client: TestClient, store: Store
) -> None:
    name = largest(store)
    note = {"campaign": EVIL, "text": f"{EVIL}\u202e", "by": EVIL, "at": TODAY}
    store.write(
        lambda c: c.execute(update(Lead).where(Lead.campaign == name).values(campaign=EVIL))
    )
    store.write(lambda c: c.execute(update(Lead).values(created=TODAY - timedelta(days=9))))
    draw_all(store)
    store.write(lambda c: c.execute(insert(Note), [note]))
    page = client.get("/campaigns?days=3000").text
    assert EVIL not in page
    assert "&lt;script&gt;" in page


def test_the_file_is_safe_to_open_in_a_spreadsheet(client: TestClient, store: Store) -> None:
    name = largest(store)
    store.write(
        lambda c: c.execute(update(Lead).where(Lead.campaign == name).values(campaign=FORMULA))
    )
    draw_all(store)
    reply = client.get("/campaigns/file?days=3000")
    assert reply.headers["content-type"].startswith("text/csv")
    cells = [row[0] for row in csv.reader(io.StringIO(reply.text))]
    assert f"'{FORMULA}" in cells


def test_the_statements_of_a_page_are_few(client: TestClient) -> None:
    seen: list[str] = []

    def listen(*told: Any) -> None:
        seen.append(told[2])

    event.listen(Engine, "before_cursor_execute", listen)
    client.get("/campaigns?days=3000")
    first = len(seen)
    client.get("/recycled")
    event.remove(Engine, "before_cursor_execute", listen)
    assert first <= 8
    assert len(seen) - first <= 12


def come_back(store: Store, days: int, leads: int, start: int = 0) -> None:
    """Let leads come back some days from now, those from `start` on."""
    at = TODAY - timedelta(days=40)
    with store.reading() as connection:
        keys = (
            connection.execute(select(Lead.key).order_by(Lead.key).offset(start).limit(leads))
            .scalars()
            .all()
        )
    rows = [
        {
            "lead": key,
            "at": at,
            "code": "not_ready",
            "by": "kim",
            "reason": FORMULA,
            "return_on": (TODAY + timedelta(days=days)).date(),
            "origin": "rest",
            "received": at,
            "digest": f"back {key}",
        }
        for key in keys
    ]
    if not start:
        store.write(lambda c: c.execute(delete(Disposition)))
        store.write(lambda c: c.execute(delete(Handoff)))
    store.write(lambda c: c.execute(insert(Disposition), rows))
    draw_all(store)


def test_leads_stand_by_week_and_reason(client: TestClient, store: Store) -> None:
    come_back(store, 0, 3)
    page = client.get("/recycled").text
    assert "3 leads come back this week, 0 next week" in page
    assert "Not ready yet" in page


def test_a_lead_that_comes_back_is_called_as_people_call_it(
    client: TestClient, store: Store, url: str, tmp_path: Path
) -> None:
    come_back(store, 0, 1)
    columns = {"id": "id", "outcome": "status", "created": "created", "called": "company"}
    with store.reading() as connection:
        word = connection.execute(select(Disposition.lead)).scalar_one()
        id_ = connection.execute(select(Lead.id).where(Lead.key == word)).scalar_one()
    fields = json.dumps({"company": EVIL})
    store.write(lambda c: c.execute(update(Snapshot).values(fields=fields)))
    agreement = agreed(columns=columns)
    with pages(url, tmp_path, now=clock(TODAY), agreement=agreement) as other:
        sign_in(other, key_for(store, "Max", "marketing"))
        page = other.get("/recycled").text
    assert f"<bdi>{escape(EVIL)}</bdi></a> <small" in page
    assert f"<bdi>{id_}</bdi></a></th>" in client.get("/recycled").text


def test_leads_that_are_due_after_next_week_are_not_shown(client: TestClient, store: Store) -> None:
    come_back(store, 15, 3)
    assert "No lead comes back in these two weeks" in client.get("/recycled").text


def test_a_long_list_is_cut_and_the_file_has_all(client: TestClient, store: Store) -> None:
    come_back(store, 0, _SHOWN + 20)
    assert "20 more in the CSV file" in client.get("/recycled").text
    listed = list(csv.reader(io.StringIO(client.get("/recycled/file?week=this").text)))
    assert len(listed) == 1 + _SHOWN + 20
    assert listed[1][6] == f"'{FORMULA}"


def test_a_file_of_many_parts_holds_each_lead_once_in_order(
    client: TestClient, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recycled, "_AT_ONCE", 3)
    come_back(store, -1, 30)
    come_back(store, 0, 10, start=30)
    listed = list(csv.reader(io.StringIO(client.get("/recycled/file?week=this").text)))
    assert [row[0] for row in listed].count("id") == 1
    assert len({row[0] for row in listed[1:]}) == len(listed) - 1 == 40
    assert [row[3] for row in listed[1:]] == sorted(row[3] for row in listed[1:])
