"""Which leads wait to be called."""

from __future__ import annotations

from datetime import timedelta

from features.store.database import Store
from features.store.feedback import Said
from features.store.queue import called_on, waiting
from features.store.scores import Given, keep_scores
from tests.features.store.making import MONDAY, NOW, agreed, hand, lost, say, some_leads

DAY = timedelta(days=1)


def _score(store: Store, *ids: str, lane: str | None = None, days_ago: int = 1) -> None:
    lanes = None if lane is None else [lane] * len(ids)
    given = Given("1", [0.5] * len(ids), ["A"] * len(ids), lanes, [0.1] * len(ids))
    keep_scores(store, some_leads(*ids), given, agreed(), NOW - days_ago * DAY)


def _waiting(store: Store) -> list[tuple[str, bool]]:
    with store.reading() as connection:
        found = waiting(connection, agreed(), NOW, days=14)
    return [(lead.id, lead.is_back) for lead in found]


def test_leads_scored_lately_that_nobody_has_wait(store: Store) -> None:
    _score(store, "b", "a", "handed", "decided")
    _score(store, "old", days_ago=15)
    hand(store, "handed")
    say(store, lost("decided"))
    assert _waiting(store) == [("a", False), ("b", False)]


def test_a_lead_that_sales_works_without_a_hand_off_does_not_wait(store: Store) -> None:
    _score(store, "a", "called")
    say(store, Said("called", "contacted", MONDAY))
    assert _waiting(store) == [("a", False)]


def test_a_recycled_lead_waits_again_when_it_is_due(store: Store) -> None:
    _score(store, "back", "not yet")
    hand(store, "back", "not yet")
    say(store, Said("back", "unreachable", MONDAY), Said("not yet", "not_ready", NOW - DAY))
    assert _waiting(store) == [("back", True)]


def test_the_calls_of_a_day_are_counted_once_for_each_lead(store: Store) -> None:
    _score(store, "a", "b", lane="model", days_ago=0)
    _score(store, "c", days_ago=0)
    _score(store, "d", lane="exploration", days_ago=1)
    with store.reading() as connection:
        assert called_on(connection, NOW) == 2
        assert called_on(connection, NOW - DAY) == 1
