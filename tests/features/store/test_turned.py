"""Outcomes known at a moment beside those that count now."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from features.store.database import Store
from features.store.exports import keep_export
from features.store.feedback import keep
from features.store.said import Said
from features.store.turned import Turned, turned_since
from tests.features.store.making import MONDAY, NOW, agreed, hand, lost, say
from tests.features.store.test_exports import WEEK, an_export

DAY = timedelta(days=1)
LATER = NOW + 2 * WEEK


def _turned(store: Store) -> Turned:
    with store.reading() as connection:
        return turned_since(connection, NOW, LATER)


def test_an_export_that_says_otherwise_turns_what_was_known(store: Store) -> None:
    keep_export(store, an_export(["won", "won", "lost", "lost", "open"]), agreed(), NOW)
    keep_export(
        store, an_export(["won", "lost", "won", "unqualified", "won"]), agreed(), NOW + WEEK
    )

    assert _turned(store) == Turned(1, 1, 1, 1)


def test_a_word_with_an_old_time_turns_what_was_known_when_it_came(store: Store) -> None:
    hand(store, "a")
    say(store, lost("a", 3))
    late = [Said("a", "won", MONDAY + 3 * DAY)]
    store.write(lambda c: keep(c, late, agreed(), "file", NOW + WEEK))

    assert _turned(store) == Turned(0, 0, 1, 0)


def test_a_lost_lead_that_is_won_later_is_news(store: Store) -> None:
    hand(store, "a", "b")
    say(store, lost("a", 3), lost("b", 3))
    later = [Said("a", "won", NOW + DAY)]
    store.write(lambda c: keep(c, later, agreed(), "rest", NOW + WEEK))

    assert _turned(store) == Turned(0, 0, 0, 1)


def test_a_win_of_an_export_is_news_by_its_closing_date_alone(store: Store) -> None:
    keep_export(store, an_export(["lost"] * 4), agreed(), NOW)
    closed = [NOW, NOW + DAY, None, MONDAY]
    told = replace(an_export(["won"] * 4), closed=closed)
    keep_export(store, told, agreed(), NOW + WEEK)

    assert _turned(store) == Turned(0, 0, 3, 0)


def test_a_win_that_is_lost_turns_whatever_its_day(store: Store) -> None:
    hand(store, "a")
    say(store, Said("a", "won", MONDAY + 3 * DAY))
    later = [lost("a", (NOW - MONDAY).days + 2)]
    store.write(lambda c: keep(c, later, agreed(), "rest", NOW + WEEK))

    assert _turned(store) == Turned(0, 1, 0, 0)


def test_a_lead_handed_over_again_has_a_new_chance_and_turns_nothing(store: Store) -> None:
    hand(store, "a", "b")
    say(store, lost("a", 3), lost("b", 3))
    hand(store, "a", at=MONDAY + 60 * DAY)
    later = [Said("a", "won", MONDAY + 62 * DAY)]
    store.write(lambda c: keep(c, later, agreed(), "file", NOW + WEEK))

    assert _turned(store) == Turned(0, 0, 0, 1)


def test_what_is_no_decision_turns_nothing(store: Store) -> None:
    keep_export(store, an_export(["won", "lost", "not_ready"]), agreed(), NOW)
    keep_export(store, an_export(["open", "not_ready", "won"]), agreed(), NOW + WEEK)

    assert _turned(store) == Turned(0, 0, 0, 0)
