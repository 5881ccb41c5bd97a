"""The day of a rep: whom to call, why, and one click to say what became of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event, select

from features.agreement import Agreement
from features.store.database import Store, open_store
from features.store.handoffs import Handover, hand_over
from features.store.tables import Disposition, Note, Score
from serving.api import Backing, build
from serving.erasing import Aside
from serving.pages.sessions import Sessions
from serving.worklist import clock_of, part_of
from tests.features.store.making import NOW, agreed, some_leads
from tests.lives import Fixed
from tests.serving.pages.signing import (
    BROWSER,
    HOST,
    SECRET,
    clock,
    key_for,
    pages,
    sign_in,
    token_in,
)
from tests.serving.small import small_model

HTMX = {"HX-Request": "true"}
BAD = '<script>alert(1)</script> \u202e"=HYPERLINK("x")'


@pytest.fixture
def url(tmp_path: Path, sqlite_store: Path) -> str:
    (tmp_path / "store.db").write_bytes(sqlite_store.read_bytes())
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = open_store(url)
    yield opened
    opened.close()


@pytest.fixture
def client(url: str, tmp_path: Path, store: Store) -> Iterator[TestClient]:
    with pages(url, tmp_path, small_model(), an_agreement(), now=clock()) as client:
        sign_in(client, key_for(store, "Kim", "sales"))
        yield client


def an_agreement(**sections: Any) -> Agreement:
    persona = {
        "name": "Makers",
        "all": [{"field": "industry", "is": ["Software"]}],
        "material": "https://example.com/makers",
    }
    return agreed(**{"personas": [persona], "capacity": {"leads_per_day": 2}} | sections)


def recently(hours: float = 1) -> datetime:
    return NOW - timedelta(hours=hours)


def hand(store: Store, *ids: str, at: datetime | None = None, owner: str = "Kim", **f: Any) -> None:
    handovers = [Handover(at or recently(), owner, "north")] * len(ids)
    leads = some_leads(*ids, **f)
    store.write(lambda c: hand_over(c, leads, agreed(), handovers, recently(0)))


def words(store: Store) -> list[tuple[Any, ...]]:
    told = select(Disposition.code, Disposition.by, Disposition.value, Disposition.return_on)
    with store.reading() as connection:
        return [tuple(row) for row in connection.execute(told.order_by(Disposition.key))]


def press(client: TestClient, lead: str, saw: str | None = None, **fields: str) -> Any:
    """Press a button as the page of the queue has it."""
    page = client.get("/queue").text
    seen = saw or re.search(r'name="seen" value="([\d-]+)"', page)[1]  # type: ignore[index]
    sent = {"token": token_in(page), "seen": seen, **fields}
    return client.post(f"/leads/{lead}/words", data=sent, headers=HTMX)


def test_an_empty_queue_says_what_to_do_next(client: TestClient) -> None:
    assert "leadq handoff FILE" in client.get("/queue").text


def test_leads_stand_by_the_model_with_reasons_that_add_up(
    client: TestClient, store: Store
) -> None:
    hand(store, "cold", visits="1")
    hand(store, "hot", visits="19", industry="Software")
    page = client.get("/queue").text
    assert page.index("<bdi>hot</bdi>") < page.index("<bdi>cold</bdi>")
    assert "visits: <bdi>19</bdi>" in page
    table = page[page.index("How it adds up") : page.index("</details>")]
    average, *parts, whole = re.findall(r'number">([+−]?[\d.]+)', table)
    added = float(average) + sum(float(part.replace("−", "-")) for part in parts)
    assert round(added, 1) == float(whole)


def test_who_looks_at_the_queue_writes_nothing(client: TestClient, store: Store) -> None:
    leads = some_leads("a")
    store.write(lambda c: hand_over(c, leads, agreed(), [Handover(recently())], recently(0)))
    page = client.get("/queue").text
    assert ("<bdi>a</bdi>" in page, "visits: <bdi>" in page) == (True, True)
    with store.reading() as connection:
        assert connection.execute(select(Score.lead)).all() == []


def test_the_next_step_names_the_material_of_the_persona(client: TestClient, store: Store) -> None:
    hand(store, "a", industry="Software")
    page = client.get("/queue").text
    assert 'href="https://example.com/makers"' in page
    assert "<bdi>Makers</bdi>" in page


def test_what_is_new_since_yesterday_is_told(client: TestClient, store: Store) -> None:
    hand(store, "a", at=recently(48), visits="3")
    hand(store, "a", at=recently(1), visits="17")
    page = client.get("/queue").text
    assert re.search(
        r"Since yesterday:</strong> <bdi>visits</bdi> <bdi>3</bdi> → <bdi>17</bdi>", page
    )


def test_markup_of_a_lead_is_shown_as_text(client: TestClient, store: Store) -> None:
    hand(store, BAD, industry=BAD, campaign=BAD, owner=BAD)
    page = client.get("/queue").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    path = re.search(r'href="(/leads/[^"]+)"', page)[1]  # type: ignore[index]
    assert "<script>alert" not in client.get(path).text


def test_what_is_chosen_stands_in_the_address(client: TestClient, store: Store) -> None:
    hand(store, "mine")
    hand(store, "other", owner="Lee")
    client.get("/queue")
    page = client.get("/queue?owner=Kim").text
    assert "<bdi>mine</bdi>" in page
    assert "<bdi>other</bdi>" not in page
    assert '<option value="Lee">Lee (1)</option>' in page
    assert "1 of 2 leads wait" in page
    assert "<bdi>other</bdi>" in client.get("/queue?owner=Lee&page=99").text
    assert "Nothing waits here" in client.get("/queue?owner=nobody+at+all").text


def test_the_calls_of_the_day_end_where_the_capacity_does(client: TestClient, store: Store) -> None:
    hand(store, "a", "b", "c")
    page = client.get("/queue").text
    assert "Beyond the 2 calls left today" in page
    assert page.count('class="card lead later"') == 1
    press(client, "c", code="lost")
    assert "1 of 2 calls left" in client.get("/queue").text


def test_one_click_answers_and_another_takes_it_back(client: TestClient, store: Store) -> None:
    hand(store, "a")
    done = press(client, "a", code="lost")
    assert done.status_code == 200
    assert "<strong>Lost</strong>" in done.text
    assert "<bdi>a</bdi>" not in client.get("/queue").text
    seen = re.search(r'name="seen" value="([\d-]+)"', done.text)[1]  # type: ignore[index]
    back = client.post(
        "/leads/a/words",
        data={"token": token_in(done.text), "seen": seen, "code": "open"},
        headers=HTMX,
    )
    assert "Contacted" in back.text
    assert [word[:2] for word in words(store)] == [("lost", "Kim"), ("open", "Kim")]


def test_a_step_leads_to_the_next_one(client: TestClient, store: Store) -> None:
    hand(store, "a")
    assert "Accepted <kbd>c</kbd>" in press(client, "a", code="contacted").text
    assert "Qualified <kbd>c</kbd>" in press(client, "a", code="accepted").text


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"code": "not_ready"}, "needs the day to come back"),
        ({"code": "in_contract", "return_on": "soon"}, "is no day"),
        ({"code": "in_contract", "return_on": "2001-01-01"}, "lies before the feedback"),
        ({"code": "won"}, "needs what it is worth"),
        ({"code": "won", "value": "nan"}, "a sum of money"),
        ({"code": "won", "value": "much"}, "is no number"),
        ({"code": "gone"}, "say one of"),
    ],
)
def test_an_answer_that_lacks_its_follow_up_is_refused_in_words(
    client: TestClient, store: Store, fields: dict[str, str], says: str
) -> None:
    hand(store, "a")
    reply = press(client, "a", **fields)
    assert (reply.status_code, reply.headers["hx-retarget"]) == (422, "#notice")
    assert says in reply.text
    assert words(store) == []


def test_an_answer_keeps_its_follow_up(client: TestClient, store: Store) -> None:
    hand(store, "a", "b")
    day = (recently() + timedelta(days=90)).date()
    press(client, "b", code="not_ready", return_on=day.isoformat())
    press(client, "a", code="won", value="1200.5")
    assert words(store) == [("not_ready", "Kim", None, day), ("won", "Kim", 1200.5, None)]


def test_the_second_of_two_reps_is_told_who_said_what(client: TestClient, store: Store) -> None:
    hand(store, "a")
    saw = re.search(r'name="seen" value="([\d-]+)"', client.get("/queue").text)[1]  # type: ignore[index]
    press(client, "a", saw, code="lost")
    hand(store, "b")
    second = press(client, "a", saw, code="won", value="5")
    assert second.status_code == 409
    assert "<bdi>Kim</bdi>: lost today" in second.text
    assert [word[0] for word in words(store)] == ["lost"]


def test_without_scripts_a_form_leads_back_to_the_list(client: TestClient, store: Store) -> None:
    hand(store, "a")
    page = client.get("/queue").text
    seen = re.search(r'name="seen" value="([\d-]+)"', page)[1]  # type: ignore[index]
    sent = {"token": token_in(page), "seen": seen, "code": "lost", "back": "/queue?page=1"}
    reply = client.post("/leads/a/words", data=sent)
    assert (reply.status_code, reply.headers["location"]) == (303, "/queue?page=1")
    again = client.post("/leads/a/words", data=sent)
    assert again.status_code == 409
    assert "nothing of yours was written" in again.text


def test_a_note_stands_beside_the_campaign_and_on_the_lead(
    client: TestClient, store: Store
) -> None:
    hand(store, "a")
    token = token_in(client.get("/queue").text)
    sent = {"token": token, "text": "All ask for the <b>price</b>"}
    assert client.post("/leads/a/notes", data=sent, headers=HTMX).status_code == 200
    with store.reading() as connection:
        rows = connection.execute(select(Note.campaign, Note.by, Note.text)).all()
    assert rows == [("Spring fair", "Kim", "All ask for the <b>price</b>")]
    assert "All ask for the &lt;b&gt;price&lt;/b&gt;" in client.get("/leads/a").text


def test_who_only_reads_can_change_nothing(client: TestClient, store: Store) -> None:
    hand(store, "a")
    sign_in(client, key_for(store, "Board", "read"))
    page = client.get("/queue").text
    assert "Not ready" not in page
    sent = {"token": token_in(page), "seen": "1-0", "code": "lost"}
    assert client.post("/leads/a/words", data=sent).status_code == 403
    assert words(store) == []


def test_a_lead_drawn_by_lot_is_told_once_it_is_answered(client: TestClient, store: Store) -> None:
    at = recently()
    given = {"at": at, "model": "1", "agreement": "1", "probability": 0.1, "grade": "D"}
    hand(store, "a", at=at)
    with store._engine.begin() as connection:  # the lane of a hand-off, as the queue draws it
        connection.execute(Score.__table__.insert(), [{"lead": 1, "lane": "exploration", **given}])
    from features.store.worklist import refresh

    store.write(lambda c: refresh(c, [1]))
    assert "by lot" not in client.get("/queue").text
    assert "drawn by lot" in press(client, "a", code="lost").text


def test_the_clock_runs_to_the_first_touch_and_then_to_the_answer() -> None:
    handed = NOW - timedelta(hours=20)
    first = clock_of(handed, None, agreed(), NOW)
    assert (first.what, first.left, first.is_soon) == ("first touch", timedelta(hours=4), True)
    assert clock_of(NOW - timedelta(hours=25), None, agreed(), NOW).is_late
    answer = clock_of(handed, NOW, agreed(), NOW)
    assert (answer.what, answer.due) == ("answer", handed + timedelta(days=14))


def test_a_page_of_the_queue_takes_as_many_statements_whatever_its_length(store: Store) -> None:
    from features.store.listed import Wanted

    def statements() -> int:
        seen: list[str] = []

        def note(*args: Any) -> None:
            seen.append(args[2])

        event.listen(store._engine, "before_cursor_execute", note)
        part_of(store, agreed(), small_model(), Wanted(), 1, recently(0))
        event.remove(store._engine, "before_cursor_execute", note)
        return len([text for text in seen if text.startswith(("SELECT", "WITH", "INSERT"))])

    hand(store, "first")
    few = statements()
    hand(store, *(f"lead-{i}" for i in range(400)))
    assert statements() == few == 5


def test_without_agreement_and_model_the_page_says_which_commands_are_missing(
    url: str, tmp_path: Path
) -> None:
    backing = Backing(lambda: open_store(url), Aside(tmp_path, tmp_path / "spool"))
    shell = build(Fixed(None, "none yet"), backing, sessions=Sessions(SECRET, None))
    with TestClient(shell, base_url=HOST, headers=BROWSER) as client:
        client.get("/")
        reply = client.get("/queue")
    assert reply.status_code == 503
    assert "Not ready yet" in reply.text
    assert "leadq init EXPORT" in reply.text
    assert "leadq train EXPORT" in reply.text
