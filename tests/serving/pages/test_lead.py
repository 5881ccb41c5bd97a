"""One record of a lead that both sides see."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from features.store.database import Store, open_store
from features.store.feedback import keep
from features.store.said import Said
from features.store.scores import Given, keep_scores
from features.store.spend import Spent, book
from serving.learnable import learnable
from serving.scorekeeper import score_listed
from tests.features.store.making import agreed, some_leads
from tests.serving.pages.signing import clock, key_for, pages, sign_in
from tests.serving.pages.test_queue import hand, recently
from tests.serving.small import small_model


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
    columns = {"id": "id", "outcome": "status", "campaign": "campaign"}
    agreement = agreed(columns=columns | {"nurture": "drip", "product": "asked"})
    with pages(url, tmp_path, small_model(), agreement, now=clock()) as client:
        sign_in(client, key_for(store, "Lee", "marketing"))
        yield client


def say(store: Store, *said: Said) -> None:
    store.write(lambda c: keep(c, said, agreed(), "rest", recently(0)))


def test_a_lead_that_nobody_knows_is_told_as_a_page(client: TestClient) -> None:
    reply = client.get("/leads/nobody")
    assert reply.status_code == 404
    assert "hand it over first" in reply.text
    assert '<a href="/campaigns">Campaigns</a>' in reply.text


def test_both_sides_see_hand_offs_words_and_scores_on_one_line_of_time(
    client: TestClient, store: Store
) -> None:
    hand(store, "a", at=recently(72))
    say(store, Said("a", "contacted", recently(48), by="Kim"))
    say(store, Said("a", "not_ready", recently(24), by="Kim", reason="budget next year"))
    page = client.get("/leads/a").text
    order = [
        page.index(f"<strong>{what}</strong>") for what in ("Not ready", "Contacted", "Handed over")
    ]
    assert order == sorted(order)
    assert "<bdi>budget next year</bdi>" in page
    assert "Comes back on" in page


def test_what_was_known_at_the_hand_off_stands_beside_what_is_known_now(
    client: TestClient, store: Store
) -> None:
    hand(store, "a", at=recently(72), visits="3")
    page = client.get("/leads/a").text
    assert "What was known at the hand-off</h2>" in page
    assert "<dt><bdi>visits</bdi></dt><dd><bdi>3</bdi></dd>" in page


def test_what_was_heard_of_otherwise_is_not_said_to_be_known_at_the_hand_off(
    client: TestClient, store: Store
) -> None:
    given = Given("1", [0.2], ["B"])
    keep_scores(store, some_leads("a"), given, agreed(), recently(1))
    page = client.get("/leads/a").text
    assert "What is known of it</h2>" in page
    assert "What was known at the hand-off</h2>" not in page


def test_both_sides_in_contact_at_once_are_warned(client: TestClient, store: Store) -> None:
    hand(store, "a", drip="Spring letters", asked="Seats")
    page = client.get("/leads/a").text
    assert "Both sides are in contact." in page
    assert "asked about <bdi>Seats</bdi>" in page
    say(store, Said("a", "lost", recently(0)))
    assert "Both sides are in contact." not in client.get("/leads/a").text


def test_what_a_lead_of_the_campaign_has_cost_is_told(client: TestClient, store: Store) -> None:
    hand(store, "a", "b")
    at = recently(0)
    store.write(lambda c: book(c, [Spent("Spring fair", at.date(), 90.0)], "test", at))
    assert "a lead of this campaign has cost 45" in client.get("/leads/a").text


def test_spend_is_found_however_it_spells_the_campaign(client: TestClient, store: Store) -> None:
    hand(store, "a", campaign="Spring fair")
    hand(store, "b", campaign="Fall fair")
    at = recently(0)
    spent = [Spent("spring_fair", at.date(), 30.0), Spent("Spring-Fair", at.date(), 30.0)]
    store.write(lambda c: book(c, spent, "test", at))
    assert "a lead of this campaign has cost 60" in client.get("/leads/a").text
    assert "has cost" not in client.get("/leads/b").text


def test_a_lead_has_cost_the_same_under_each_spelling(client: TestClient, store: Store) -> None:
    """Also where other spellings, of leads alone, are of the same campaign."""
    hand(store, "a", campaign="Spring fair")
    hand(store, "b", "c", campaign="spring_fair")
    hand(store, "d", campaign="SPRING-FAIR")
    hand(store, "e", campaign="Springfair")
    at = recently(0)
    store.write(lambda c: book(c, [Spent("Spring fair", at.date(), 80.0)], "test", at))
    for id_ in ("a", "b", "d"):
        assert "a lead of this campaign has cost 20" in client.get(f"/leads/{id_}").text


def test_marketing_sees_a_lead_and_cannot_answer_for_sales(
    client: TestClient, store: Store
) -> None:
    hand(store, "a")
    assert "/leads/a/words" not in client.get("/leads/a").text


def test_the_score_is_shown_over_time_with_why_it_changed(client: TestClient, store: Store) -> None:
    for days, visits in ((3, "2"), (1, "18")):
        hand(store, "a", at=recently(24 * days), visits=visits)
        score_listed(store, small_model(str(days)), recently(24 * days - 1))
    page = client.get("/leads/a").text
    assert "Score over time" in page
    assert "within 2 days." in page
    assert "This cannot be split: a model is gone" in page


def test_what_is_missing_is_asked_for_by_what_it_would_change() -> None:
    model = small_model()
    (visits,) = learnable(model, "a", {"industry": "Trade"})
    # A decile is the mean of ten neighbours, which here are not all the same.
    assert (visits.field, visits.if_low, visits.if_high) == ("visits", "1.5", "17.4")
    assert visits.low < 0.1 < 0.4 < visits.high
    assert learnable(model, "a", {"visits": 3.0, "industry": "Trade"}) == []
