"""Recycled leads come back when their time has come, and not before."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.event import listen

from features.cells import Cell
from features.sections import Recycle
from features.store import recycle
from features.store.database import Store
from features.store.entries import fields_of
from features.store.erasure import erase
from features.store.exports import keep_export
from features.store.recycle import (
    Event,
    Recycled,
    due_leads,
    due_of,
    due_parts,
    recycled,
    with_history,
)
from features.store.said import Said
from tests.features.store.making import MONDAY, NOW, agreed, hand, lost, say
from tests.features.store.test_exports import an_export

DAY = timedelta(days=1)


def _listed(store: Store, until: date, as_of: datetime = NOW) -> list[Recycled]:
    with store.reading() as connection:
        return recycled(connection, agreed(), as_of, until)


def due_on(code: str, said: date, return_on: date | None, rules: Recycle) -> date:
    """The day on which a lead comes back, in plain Python."""
    if return_on is not None:
        ahead = rules.in_contract_ahead_days if code == "in_contract" else 0
        return max(said, return_on - timedelta(days=ahead))
    delay = rules.unreachable_after_days if code == "unreachable" else rules.not_ready_after_days
    return said + timedelta(days=delay)


@pytest.mark.parametrize(
    ("code", "return_on", "due"),
    [
        ("not_ready", None, date(2026, 5, 31)),
        ("not_ready", date(2026, 4, 1), date(2026, 4, 1)),
        ("in_contract", date(2027, 3, 31), date(2027, 1, 30)),
        ("in_contract", date(2026, 3, 20), date(2026, 3, 2)),
        ("in_contract", None, date(2026, 5, 31)),
        ("unreachable", None, date(2026, 4, 1)),
    ],
)
def test_each_reason_has_its_own_day_of_return(
    store: Store, code: str, return_on: date | None, due: date
) -> None:
    hand(store, "a")
    say(store, Said("a", code, MONDAY, return_on=return_on))
    with store.reading() as connection:
        assert due_of(connection, agreed(), 1, NOW) == due
    assert due_on(code, MONDAY.date(), return_on, Recycle()) == due


def test_a_lead_is_listed_from_its_day_on_with_what_is_known_of_it(store: Store) -> None:
    hand(store, "a", visits="7")
    say(store, Said("a", "contacted", MONDAY + DAY, by="kim"))
    say(store, Said("a", "not_ready", MONDAY + 2 * DAY, by="kim", reason="budget in May"))
    due = date(2026, 6, 2)
    assert _listed(store, due - DAY) == []
    (lead,) = _listed(store, due)
    assert (lead.id, lead.campaign, lead.owner, lead.due) == ("a", "Spring fair", "kim", due)
    assert lead.reason == "budget in May"
    assert lead.fields["visits"] == "7"
    assert [event.what for event in lead.history] == ["handed over", "contacted", "not_ready"]


def test_the_longest_due_comes_first(store: Store) -> None:
    hand(store, "a", "b")
    say(store, Said("a", "not_ready", MONDAY), Said("b", "unreachable", MONDAY))
    assert [lead.id for lead in _listed(store, NOW.date())] == ["b", "a"]


def test_the_first_of_many_cost_as_much_as_few(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [f"l{i:03}" for i in range(300)]
    hand(store, *ids)
    say(store, *(Said(id_, "unreachable", MONDAY) for id_ in ids))
    statements, told = [], []

    def snapshot_read(text: str) -> dict[str, Cell]:
        told.append(text)
        return fields_of(text)

    def event_read(*about: Any) -> Event:
        told.append(about)
        return Event(*about)

    monkeypatch.setattr(recycle, "fields_of", snapshot_read)
    monkeypatch.setattr(recycle, "Event", event_read)
    with store.reading() as connection:
        listen(connection, "before_cursor_execute", lambda *about: statements.append(about[2]))
        due = due_leads(connection, agreed(), NOW, NOW.date())
        shown = with_history(connection, due[:10])
    assert (len(due), [lead.id for lead in shown]) == (300, ids[:10])
    # Of each lead that is shown its snapshot, its hand-off and its word are read.
    assert (len(statements), len(told)) == (7, 10 * 3)


def test_a_lead_that_is_back_in_work_or_decided_is_not_listed(store: Store) -> None:
    hand(store, "again", "called", "lost", "still")
    say(store, *(Said(i, "unreachable", MONDAY) for i in ("again", "called", "lost", "still")))
    hand(store, "again", at=MONDAY + 40 * DAY)
    say(store, Said("called", "contacted", MONDAY + DAY), lost("lost", 5))
    assert [lead.id for lead in _listed(store, NOW.date())] == ["still"]


def test_a_word_that_is_dated_ahead_does_not_count_yet(store: Store) -> None:
    hand(store, "a")
    say(store, Said("a", "unreachable", NOW + timedelta(hours=1), return_on=NOW.date()))
    assert _listed(store, NOW.date()) == []
    assert len(_listed(store, NOW.date(), NOW + timedelta(hours=2))) == 1


def test_the_order_in_which_words_arrive_changes_nothing(store: Store) -> None:
    hand(store, "a", "b")
    say(store, Said("a", "not_ready", MONDAY), Said("a", "in_contract", MONDAY))
    say(store, Said("b", "in_contract", MONDAY), Said("b", "not_ready", MONDAY))
    assert [lead.code for lead in _listed(store, NOW.date())] == ["in_contract", "in_contract"]


def test_an_erased_lead_does_not_come_back(store: Store) -> None:
    hand(store, "a", "b")
    say(store, Said("a", "unreachable", MONDAY), Said("b", "unreachable", MONDAY))
    erase(store, ["a"], "dpo", NOW)
    assert [lead.id for lead in _listed(store, NOW.date())] == ["b"]


def test_a_word_of_which_only_the_day_is_told_answers_the_hand_off_of_that_day(
    store: Store,
) -> None:
    hand(store, "day", "hour")
    say(store, Said("day", "unreachable", MONDAY.replace(hour=0)))
    say(store, Said("hour", "unreachable", MONDAY.replace(hour=8)))
    assert [lead.id for lead in _listed(store, NOW.date())] == ["day"]


def test_what_is_known_of_a_lead_is_of_the_latest_moment_whatever_was_told_last(
    store: Store,
) -> None:
    hand(store, "a", at=MONDAY + 5 * DAY, visits="9")
    hand(store, "a", at=MONDAY, visits="1")
    say(store, Said("a", "unreachable", MONDAY + 6 * DAY))
    assert [lead.fields["visits"] for lead in _listed(store, NOW.date())] == ["9"]


def test_the_day_that_sales_named_counts_where_an_export_says_the_same_without_it(
    store: Store,
) -> None:
    for i, id_ in enumerate("abcd"):
        named = date(2026, 6, 1 + i)
        keep_export(store, an_export(["not_ready"] * 4), agreed(), NOW)
        hand(store, id_)
        say(store, Said(id_, "not_ready", MONDAY, return_on=named))
    assert [lead.return_on and lead.return_on.day for lead in _listed(store, NOW.date())] == [
        1, 2, 3, 4,
    ]  # fmt: skip


def test_leads_that_came_back_before_a_day_are_left_out(store: Store) -> None:
    hand(store, "a", "b", "c")
    say(
        store,
        Said("a", "not_ready", MONDAY, return_on=date(2026, 5, 1)),
        Said("b", "not_ready", MONDAY, return_on=date(2026, 6, 1)),
        Said("c", "unreachable", MONDAY),
    )
    with store.reading() as connection:
        every = due_leads(connection, agreed(), NOW, NOW.date())
        late = due_leads(connection, agreed(), NOW, NOW.date(), date(2026, 5, 15))

    assert {lead.id for lead in every} == {"a", "b", "c"}
    assert [lead.id for lead in late] == [lead.id for lead in every if lead.due.month >= 6] == ["b"]


def test_the_database_finds_the_same_days_as_the_rule(store: Store) -> None:
    lot, ids = random.Random(0), [f"l{i:02}" for i in range(60)]
    hand(store, *ids, at=MONDAY)
    said = [
        Said(
            id_,
            lot.choice(("not_ready", "in_contract", "unreachable")),
            MONDAY + lot.random() * 50 * DAY,
            return_on=lot.choice((None, MONDAY.date() + timedelta(days=lot.randrange(60, 200)))),
        )
        for id_ in ids
    ]
    say(store, *said)
    rules = agreed().recycle
    expected = {one.id: due_on(one.code, one.at.date(), one.return_on, rules) for one in said}
    with store.reading() as connection:
        found = due_leads(connection, agreed(), NOW, date(2027, 12, 31))
        parts = due_parts(connection, agreed(), NOW, [date(2026, 5, 31), date(2027, 12, 31)], 5)
    assert {lead.id: lead.due for lead in found} == expected
    assert sum(part.total for part in parts) == 60
    for part in parts:
        alike = [lead for lead in found if lead.code == part.code]
        of_span = [lead for lead in alike if (lead.due > date(2026, 5, 31)) == part.span]
        assert (part.total, list(part.leads)) == (len(of_span), of_span[:5])
