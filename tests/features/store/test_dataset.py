"""The training set as of a moment, read back from the store."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

from features.leads import PROPENSITY, History, Leads
from features.store.database import Store
from features.store.dataset import new_outcomes, training_set
from features.store.erasure import erase
from features.store.exports import keep_export
from features.store.handoffs import Handover, hand_over
from features.store.said import Said
from features.store.scores import Given, keep_scores
from tests.features.store.making import MONDAY, NOW, agreed, hand, lost, say, some_leads
from tests.features.store.test_exports import VALUED, an_export

LATER = NOW + timedelta(days=1)


def read(store: Store, moment: datetime = LATER, agreement: Any = None) -> History:
    with store.reading() as connection:
        return training_set(connection, agreement or agreed(), moment)


def told(history: History) -> list[tuple[str, str, datetime | None]]:
    return list(zip(history.leads.ids, history.dispositions, history.closed, strict=True))


def test_an_export_comes_back_as_it_was(store: Store) -> None:
    export = an_export(["won", "lost", "not_ready", "open"], size="12", note="a; b ü")
    keep_export(store, export, agreed(), NOW)
    back = read(store)
    assert told(back) == told(export)
    assert back.leads.created == export.leads.created
    names = ("id", "size", "note", "visits", "campaign")
    assert all(list(back.leads.column(n)) == list(export.leads.column(n)) for n in names)


def test_an_outcome_without_a_date_comes_back_without_one(store: Store) -> None:
    keep_export(store, an_export(["won"], None), agreed(), NOW)
    assert told(read(store)) == [("a", "won", None)]


def test_a_lead_is_known_as_it_was_when_it_was_handed_over(store: Store) -> None:
    keep_export(store, an_export(["open"], visits="1"), agreed(), NOW - timedelta(days=200))
    hand(store, "a", visits="2")
    keep_export(store, an_export(["open"], visits="9"), agreed(), NOW)
    assert list(read(store).leads.column("visits")) == ["2"]


def test_a_hand_off_that_tells_nothing_is_read_with_what_was_known_before_it(
    store: Store,
) -> None:
    for visits, days in (("1", 200), ("9", 0)):
        given = an_export(["open"], visits=visits)
        keep_export(store, given, agreed(), NOW - timedelta(days=days))
    bare = Leads(["a"], {"id": ["a"]}, [None])
    handovers = [Handover(MONDAY, "kim")]
    store.write(lambda c: hand_over(c, bare, agreed(), handovers, NOW))
    assert list(read(store).leads.column("visits")) == ["1"]


def test_a_hand_off_that_came_before_anything_was_known_is_read_with_what_came_first(
    store: Store,
) -> None:
    bare = Leads(["a"], {"id": ["a"]}, [None])
    store.write(lambda c: hand_over(c, bare, agreed(), [Handover(MONDAY, "kim")], NOW))
    keep_export(store, an_export(["lost"], visits="9"), agreed(), NOW)
    back = read(store)
    assert list(back.leads.column("visits")) == ["9"]
    assert back.dispositions == ["lost"]


def test_a_second_hand_off_that_tells_nothing_is_read_with_what_the_first_one_told(
    store: Store,
) -> None:
    hand(store, "a", visits="2")
    bare, again = Leads(["a"], {"id": ["a"]}, [None]), Handover(MONDAY + timedelta(days=30))
    store.write(lambda c: hand_over(c, bare, agreed(), [again], NOW))
    assert list(read(store).leads.column("visits")) == ["2", "2"]


def test_a_lead_that_was_never_handed_over_is_known_as_it_first_was(store: Store) -> None:
    for visits, days in (("1", 200), ("9", 0)):
        given = an_export(["open"], visits=visits)
        keep_export(store, given, agreed(), NOW - timedelta(days=days))
    assert list(read(store).leads.column("visits")) == ["1"]


def test_the_last_word_counts_whatever_order_the_words_came_in(store: Store) -> None:
    words = [Said("x", "won", MONDAY), lost("x", 5), Said("x", "contacted", NOW)]
    for n, order in enumerate(permutations(words)):
        hand(store, f"lead-{n}")
        for word in order:
            say(store, Said(f"lead-{n}", word.code, word.at))
    assert set(read(store).dispositions) == {"lost"}


def test_of_two_words_of_one_moment_the_one_further_along_counts(store: Store) -> None:
    for n, order in enumerate(permutations(("won", "lost", "not_ready"))):
        hand(store, f"lead-{n}")
        for code in order:
            say(store, Said(f"lead-{n}", code, NOW))
    assert set(read(store).dispositions) == {"won"}


def test_steps_leave_a_lead_open(store: Store) -> None:
    hand(store, "a")
    say(store, Said("a", "qualified", NOW))
    assert told(read(store)) == [("a", "open", None)]


def test_a_lead_handed_over_again_is_a_new_chance_with_its_own_outcome(store: Store) -> None:
    again = MONDAY + timedelta(days=90)
    hand(store, "a", visits="2")
    say(store, Said("a", "not_ready", MONDAY + timedelta(days=3)))
    hand(store, "a", at=again, visits="7")
    say(store, Said("a", "won", again + timedelta(days=2)))
    back = read(store)
    assert [code for _, code, _ in told(back)] == ["not_ready", "won"]
    assert list(back.leads.column("visits")) == ["2", "7"]
    assert back.leads.created == [datetime(2026, 3, 1), again]


def test_what_happens_at_the_moment_or_later_is_not_seen(store: Store) -> None:
    hand(store, "a")
    hand(store, "b", at=NOW - timedelta(hours=1))
    say(store, lost("a", 3))
    assert told(read(store, MONDAY + timedelta(days=3))) == [("a", "open", None)]
    assert len(read(store, MONDAY)) == 0


def test_an_erased_lead_teaches_nothing(store: Store) -> None:
    hand(store, "a", "b")
    erase(store, ["a"], "kim", NOW)
    assert read(store).leads.ids == ["b"]


def test_the_sum_that_sales_named_is_the_value_of_the_win(store: Store) -> None:
    hand(store, "a", "b", value="5")
    say(store, Said("a", "won", NOW, value=900.0))
    assert list(read(store, agreement=VALUED).leads.column("value")) == [900.0, "5"]


def test_the_chance_of_the_queue_stands_beside_the_lead(store: Store) -> None:
    given = Given("1", [0.1], ["D"], lane=["explore"], propensity=[0.05])
    keep_scores(store, some_leads("a"), given, agreed(), MONDAY - timedelta(hours=1))
    hand(store, "a", "b")
    assert list(read(store).leads.column(PROPENSITY)) == [0.05, 1.0]


def test_each_hand_off_has_the_chance_by_which_the_queue_drew_it(store: Store) -> None:
    for days, lane, chance in ((0, "model", 1.0), (90, "exploration", 0.05)):
        at = MONDAY + timedelta(days=days)
        given = Given("1", [0.1], ["D"], lane=[lane], propensity=[chance])
        keep_scores(store, some_leads("a"), given, agreed(), at)
        hand(store, "a", at=at)
    hand(store, "a", at=MONDAY + timedelta(days=100))
    assert list(read(store).leads.column(PROPENSITY)) == [1.0, 0.05, 1.0]


def test_a_day_without_its_hour_belongs_to_the_hand_off_of_that_day(store: Store) -> None:
    again = MONDAY + timedelta(days=90)
    hand(store, "a")
    hand(store, "a", at=again)
    say(store, Said("a", "lost", again.replace(hour=0)))
    assert read(store).dispositions == ["open", "lost"]


def test_leads_of_other_columns_are_read_together(store: Store, monkeypatch: Any) -> None:
    monkeypatch.setattr("features.store.dataset._CHUNK", 1)
    keep_export(store, an_export(["open"], old="x"), agreed(), NOW)
    hand(store, "b", new="y")
    back = read(store).leads
    assert (list(back.column("old")), list(back.column("new"))) == (["x", None], [None, "y"])


def _new(store: Store, since: datetime, learned_until: datetime | None = None) -> int:
    with store.reading() as connection:
        return new_outcomes(connection, since, learned_until)


def test_what_an_export_had_already_told_is_not_new_when_sales_says_it_later(store: Store) -> None:
    hand(store, "a", "b")
    say(store, lost("a", 3), lost("b", 30))
    before = NOW - timedelta(days=1)
    assert _new(store, before) == 2
    assert _new(store, before, MONDAY + timedelta(days=10)) == 1
    assert _new(store, before, MONDAY + timedelta(days=30)) == 0


def test_an_outcome_whose_time_was_still_to_come_at_the_training_is_new(store: Store) -> None:
    hand(store, "a")
    say(store, Said("a", "lost", NOW + timedelta(hours=9)))
    with store.reading() as connection:
        assert new_outcomes(connection, NOW + timedelta(hours=1)) == 1
        assert new_outcomes(connection, NOW + timedelta(hours=10)) == 0


def test_an_outcome_is_not_new_where_the_store_had_told_it_alike_and_new_where_it_changed(
    store: Store,
) -> None:
    keep_export(store, an_export(["lost", "lost"]), agreed(), NOW - timedelta(days=2))
    say(store, lost("a", 3), Said("b", "won", MONDAY))
    assert _new(store, NOW - timedelta(days=1)) == 1
