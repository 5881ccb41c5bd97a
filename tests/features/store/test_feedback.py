"""Feedback: kept once, in any order, waiting for its lead where it must."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from datetime import date, timedelta
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import func, select

from features.leads import Fault
from features.store import feedback
from features.store.database import Store
from features.store.feedback import WaitingWord, waiting_words
from features.store.said import Early, Said
from features.store.scores import Given, keep_scores
from features.store.tables import Disposition, Handoff, Snapshot, Waiting
from tests.features.store.making import MONDAY, NOW, agreed, hand, lost, say, some_leads


def _count(store: Store, table: type) -> int:
    with store.reading() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def test_the_same_words_again_add_nothing(store: Store) -> None:
    hand(store, "a")
    assert say(store, lost("a"), lost("a")) == ["stored", "repeated"]
    assert say(store, lost("a")) == ["repeated"]
    assert _count(store, Disposition) == 1


def test_a_correction_is_a_new_row(store: Store) -> None:
    hand(store, "a")
    say(store, lost("a"))
    assert say(store, Said("a", "won", MONDAY + timedelta(days=4), value=900.0)) == ["stored"]
    assert _count(store, Disposition) == 2


def test_words_on_an_unknown_lead_wait_until_it_arrives(store: Store) -> None:
    assert say(store, lost("a"), lost("a"), lost("b")) == ["waiting"] * 3
    assert _count(store, Waiting) == 2
    hand(store, "a")
    assert _count(store, Waiting) == 1
    assert say(store, lost("a")) == ["repeated"]


def test_a_hand_off_told_twice_is_one_and_a_later_one_has_its_own_snapshot(store: Store) -> None:
    assert hand(store, "a", "b") == [True, True]
    assert hand(store, "a", "c") == [False, True]
    assert hand(store, "a", at=MONDAY + timedelta(days=90)) == [True]
    assert _count(store, Handoff) == _count(store, Snapshot) == 4


@pytest.mark.parametrize(
    ("said", "field"),
    [
        (lost("a", 900), "at"),
        (lost("a", value=10.0), "value"),
        (Said("a", "won", MONDAY, value=-1.0), "value"),
        (Said("a", "won", MONDAY, value=float("inf")), "value"),
        (lost("a", return_on=date(2026, 9, 1)), "return_on"),
        (Said("a", "not_ready", MONDAY, return_on=date(2026, 1, 1)), "return_on"),
        (lost("a", reason="x" * 2001), "reason"),
    ],
)
def test_what_cannot_be_is_told_and_its_neighbours_are_kept(
    store: Store, said: Said, field: str
) -> None:
    hand(store, "a", "b")
    refused, kept = say(store, said, lost("b"))
    assert isinstance(refused, Fault)
    assert refused.field == field
    assert kept == "stored"


def test_a_word_from_before_the_hand_off_waits_for_an_earlier_one_and_says_why(
    store: Store,
) -> None:
    hand(store, "a", at=MONDAY + timedelta(days=90))
    (result,) = say(store, lost("a"))
    assert isinstance(result, Early)
    assert result.reason.startswith("lies before the lead was first handed over or scored (2026-05")
    assert (_count(store, Disposition), _count(store, Waiting)) == (0, 1)
    hand(store, "a")
    assert say(store, lost("a")) == ["repeated"]
    assert _count(store, Waiting) == 0


def test_what_waits_is_listed_with_what_it_waits_for(store: Store) -> None:
    hand(store, "a")
    say(store, lost("nobody"), lost("a"), lost("a", -30))
    with store.reading() as connection:
        assert waiting_words(connection) == [
            WaitingWord("a", "lost", MONDAY - timedelta(days=30), NOW, is_early=True),
            WaitingWord("nobody", "lost", MONDAY + timedelta(days=3), NOW, is_early=False),
        ]


def test_a_word_that_comes_in_beside_the_hand_off_after_it_does_not_stay(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_scores(store, some_leads("a"), Given("1", [0.5], ["B"]), agreed(), NOW)
    looked_up = feedback._handed_since
    with ThreadPoolExecutor() as pool:

        def slowly(*about: Any) -> Any:
            known = looked_up(*about)
            wait([pool.submit(hand, store, "a", at=MONDAY + timedelta(days=90))], timeout=0.3)
            return known

        monkeypatch.setattr(feedback, "_handed_since", slowly)
        assert say(store, lost("a")) == ["stored"]
        monkeypatch.undo()
    assert (_count(store, Disposition), _count(store, Waiting)) == (0, 1)


def test_any_order_of_arrival_ends_in_the_same_rows(store: Store) -> None:
    words = [lost("x", 3), Said("x", "contacted", MONDAY), Said("x", "won", MONDAY, value=1.0)]
    for n, order in enumerate(permutations(words)):
        id_ = f"lead-{n}"
        for k, item in enumerate(order):
            if k == n % 3:
                hand(store, id_)
            say(store, Said(id_, item.code, item.at, value=item.value))
    with store.reading() as connection:
        rows = connection.execute(
            select(Disposition.lead, Disposition.code).order_by(Disposition.lead, Disposition.code)
        ).all()
    assert [code for _, code in rows] == ["contacted", "lost", "won"] * 6
