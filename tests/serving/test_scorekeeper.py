"""Leads of the queue are scored once, beside those who look at it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, func, select

from features.errors import StoreError
from features.store.database import Store
from features.store.drawn import Worklist
from features.store.promotions import Champion, write_down
from features.store.scores import GivenScore
from features.store.tables import Score
from features.store.unscored import Wants, add_wanted
from serving import scorekeeper, worklist
from serving.artefact import LoadedModel
from serving.scorekeeper import Scorekeeper, score_listed
from tests.features.store.making import MONDAY, NOW, hand
from tests.lives import Fixed
from tests.serving.small import small_model


def scores(store: Store) -> list[str]:
    with store.reading() as connection:
        return list(connection.execute(select(Score.model).order_by(Score.key)).scalars())


def keeper_of(store: Store, model: LoadedModel | None = None) -> Scorekeeper:
    return Scorekeeper(Fixed(model), lambda: store, lambda: NOW)


def test_a_lead_that_is_handed_over_is_scored_once(store: Store) -> None:
    keeper = keeper_of(store, small_model())
    hand(store, "a", "b")
    for _ in range(3):
        keeper.step()
    assert scores(store) == ["1", "1"]


def test_another_champion_scores_anew(store: Store) -> None:
    hand(store, "a")
    keeper_of(store, small_model()).step()
    keeper_of(store, small_model("2")).step()
    assert scores(store) == ["1", "2"]


def test_a_model_of_a_registry_made_anew_scores_anew_under_the_same_version(store: Store) -> None:
    first, second = small_model(), replace(small_model(), digest="of another model")
    for model in (first, second):
        champion = Champion(model.version, model.digest)
        store.write(lambda c, it=champion: write_down(c, it, "promote", "by hand", "kim", NOW))
        hand(store, "a")
        keeper = keeper_of(store, model)
        for _ in range(3):
            keeper.step()
    assert scores(store) == ["1", "1"]


def test_a_lead_whose_score_another_clock_has_dated_ahead_is_scored_once(store: Store) -> None:
    hand(store, "a")
    score_listed(store, small_model(), NOW + timedelta(hours=1))
    keeper = keeper_of(store, small_model("2"))
    for _ in range(3):
        keeper.step()
    assert scores(store) == ["1", "2"]


def test_of_two_services_only_the_one_with_the_champion_scores(store: Store) -> None:
    one, other = small_model(), small_model("2")
    champion = Champion(other.version, other.digest)
    store.write(lambda c: write_down(c, champion, "promote", "by hand", "kim", NOW))
    hand(store, "a")
    keepers = [keeper_of(store, one), keeper_of(store, other)]
    for _ in range(3):
        for keeper in keepers:
            keeper.step()
    assert scores(store) == ["2"]


def test_where_nothing_has_happened_the_list_is_not_looked_through(store: Store) -> None:
    keeper, statements = keeper_of(store, small_model()), list[str]()
    hand(store, "a")
    for _ in range(3):
        keeper.step()

    def note(*told: Any) -> None:
        statements.append(told[2])

    event.listen(store._engine, "before_cursor_execute", note)
    keeper.step()
    event.remove(store._engine, "before_cursor_execute", note)
    assert len([text for text in statements if text.startswith("SELECT")]) == 1


def test_more_leads_than_fit_at_once_are_scored_one_part_after_the_other(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scorekeeper, "AT_ONCE", 2)
    hand(store, "a", "b", "c")
    keeper = keeper_of(store, small_model())
    assert [keeper.step() for _ in range(2)] == [0.0, 0.5]
    assert len(scores(store)) == 3


def test_a_lead_that_cannot_be_scored_is_tried_again_only_once_more_is_known(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def none(model: Any, leads: Any, reasons: int) -> list[None]:
        tried.extend(id_ for id_, _ in leads)
        return [None] * len(leads)

    monkeypatch.setattr(scorekeeper, "scores_of", none)
    hand(store, "a")
    keeper = keeper_of(store, small_model())
    for _ in range(3):
        keeper.step()
    assert tried == ["a"]
    hand(store, "a", at=MONDAY + timedelta(days=1))
    keeper.step()
    assert tried == ["a", "a"]


def test_what_another_keeper_scored_meanwhile_is_not_scored_twice(store: Store) -> None:
    hand(store, "a")
    score_listed(store, small_model(), NOW)
    late = GivenScore("a", None, None, None, "{}", NOW, "1", "1-x", 0.5, "A")
    assert store.write(lambda c: add_wanted(c, Wants("1", False), [late], [], NOW)) == 0


def test_without_a_model_nothing_is_scored_and_without_a_store_it_is_said_once(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    hand(store, "a")
    assert keeper_of(store).step() < 1

    def down() -> Store:
        raise StoreError("connection refused")

    lost = Scorekeeper(Fixed(small_model()), down, lambda: NOW)
    assert [lost.step() for _ in range(2)] == [10.0, 10.0]
    with store.reading() as connection:
        unscored = select(func.count()).where(Worklist.model.is_(None))
        assert connection.execute(unscored).scalar_one() == 1


def test_the_score_of_the_list_is_that_of_the_page(store: Store) -> None:
    hand(store, "a")
    score_listed(store, small_model(), NOW)
    with store.reading() as connection:
        kept = connection.execute(select(Worklist.probability)).scalar_one()
    (shown,) = worklist.scores_of(small_model(), [("a", {"visits": "3"})], 0)
    assert shown is not None
    assert kept == pytest.approx(shown.probability)
