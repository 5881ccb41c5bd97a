"""Leads counted by campaign in the database, held against the same counted one by one."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, insert, select

from features.store import campaigns
from features.store.database import Store
from features.store.erasure import erase
from features.store.lead_states import draw
from features.store.said import Said
from features.store.spend import Spent, book
from features.store.tables import Disposition, Lead, Note, Score, Snapshot
from tests.features.store.making import MONDAY, NOW, hand, lost, say

DAY = timedelta(days=1)
SINCE = datetime(2026, 1, 1)


def groups(store: Store, by: str = "campaign", horizon: int = 90) -> list[campaigns.LeadGroup]:
    with store.reading() as connection:
        return campaigns.lead_groups(connection, SINCE, NOW, horizon, by)


def score(store: Store, id_: str, probability: float, grade: str, at: datetime = MONDAY) -> None:
    with store.reading() as connection:
        key = connection.execute(select(Lead.key).where(Lead.id == id_)).scalar_one()
    row = {"lead": key, "at": at, "model": "1", "agreement": "1-x", "grade": grade}
    row |= {"probability": probability, "expected_value": 100 * probability}
    store.write(lambda c: c.execute(insert(Score), [row]))
    store.write(lambda c: draw(c, [key]))


def test_leads_alike_are_counted_together_with_their_first_scores(store: Store) -> None:
    hand(store, "a", "b", "c")
    for id_ in ("a", "b"):
        score(store, id_, 0.5, "A")
        score(store, id_, 0.1, "D", MONDAY + DAY)
    found = {(g.grade, g.state): (g.leads, g.probability, g.square) for g in groups(store)}
    assert found == {("A", "open"): (2, 1.0, 0.5), (None, "open"): (1, 0.0, 0.0)}


def test_a_win_at_the_end_of_the_horizon_is_late_and_one_just_before_is_not(store: Store) -> None:
    hand(store, "a", "b", created="2026-03-01")
    end = datetime(2026, 3, 1) + 90 * DAY
    say(store, Said("a", "won", end), Said("b", "won", end - timedelta(seconds=1)))
    assert Counter(g.state for g in groups(store)) == {"won": 1, "won late": 1}


def test_an_export_counts_from_when_it_says_that_the_lead_was_won(store: Store) -> None:
    hand(store, "a", created="2026-03-01")
    with store.reading() as connection:
        key = connection.execute(select(Lead.key)).scalar_one()
    row = {"lead": key, "at": NOW - DAY, "code": "won", "origin": "export", "received": NOW}
    row |= {"closed": datetime(2026, 3, 9), "digest": "x"}
    store.write(lambda c: c.execute(insert(Disposition), [row]))
    store.write(lambda c: draw(c, [key]))
    assert [g.state for g in groups(store)] == ["won"]


def test_accepted_are_leads_with_a_step_beyond_contact_and_won_ones(store: Store) -> None:
    hand(store, "a", "b", "c", "d")
    say(
        store,
        Said("a", "contacted", MONDAY),
        Said("b", "qualified", MONDAY),
        lost("b"),
        Said("c", "won", MONDAY + DAY),
        Said("d", "unqualified", MONDAY + DAY),
    )
    found = {g.state: g.accepted for g in groups(store)}
    assert found == {"open": False, "lost": True, "won": True, "unqualified": False}


def test_what_is_said_later_and_erased_leads_are_not_seen(store: Store) -> None:
    hand(store, "a", "b")
    say(store, Said("a", "won", NOW + timedelta(hours=1)))
    erase(store, ["b"], "dpo", NOW)
    assert [(g.state, g.leads) for g in groups(store)] == [("open", 1)]


def test_values_of_wins_are_summed_once(store: Store) -> None:
    hand(store, "a", "b")
    say(store, Said("a", "won", MONDAY, value=30.0), Said("b", "won", MONDAY, value=40.0))
    (found,) = groups(store)
    assert (found.value, found.valued, found.value_square) == (70.0, 2, 2500.0)


def score_all(store: Store) -> None:
    """Score each lead on its only snapshot."""
    with store.reading() as connection:
        snapshots = dict(connection.execute(select(Snapshot.lead, Snapshot.key)).all())
    row = {"at": MONDAY, "model": "1", "agreement": "1-x", "grade": "A", "probability": 0.5}
    rows = [row | {"lead": lead, "snapshot": key} for lead, key in snapshots.items()]
    store.write(lambda c: c.execute(insert(Score), rows))
    store.write(lambda c: draw(c, sorted(snapshots)))


def test_leads_are_grouped_by_a_field_as_it_was_when_first_scored(store: Store) -> None:
    hand(store, "a", "b", visits="7")
    score_all(store)
    assert [(g.name, g.leads) for g in groups(store, "visits")] == [("7", 2)]


def test_a_field_is_read_whatever_its_text_holds(store: Store) -> None:
    texts = ["plain", 'a "quoted" word', "back\\slash", "Größe", 'it says "visits": "9"', "7,5"]
    for n, text in enumerate(texts):
        hand(store, f"lead-{n}", visits=text)
    hand(store, "typed", visits=7)
    hand(store, "empty", visits="")
    hand(store, "none", visits=None)
    hand(store, "other", other='"visits": "8"')
    score_all(store)
    names = [g.name for g in groups(store, "visits")]
    assert sorted(map(str, names)) == sorted([*texts, "7", "", "None", "3"])


@pytest.mark.parametrize("name", ["Größe", 'a"b', "a\\b", "a.b", "b"])
def test_a_field_is_read_whatever_its_name_holds(store: Store, name: str) -> None:
    hand(store, "one", **{'"' + name: "wrong", name: "x"})
    hand(store, "two", **{name: "y, " + name})
    score_all(store)
    assert sorted(str(g.name) for g in groups(store, name)) == ["x", "y, " + name]


def test_reasons_are_those_of_the_words_that_count(store: Store) -> None:
    hand(store, "a", "b")
    say(store, lost("a", 1, reason="price"), lost("a", 2, reason="time"), lost("b", 1))
    with store.reading() as connection:
        found = campaigns.reasons_of(connection, SINCE, NOW)
    assert sorted(found, key=str) == [
        ("Spring fair", "lost", "time", 1),
        ("Spring fair", "lost", None, 1),
    ]


def test_costs_are_added_up_between_two_days_both_included(store: Store) -> None:
    days = [date(2026, 3, day) for day in (1, 2, 3, 4)]
    store.write(lambda c: book(c, [Spent("Fair", d, 1.5, 2) for d in days], "kim", NOW))
    with store.reading() as connection:
        assert campaigns.costs(connection, days[1], days[2]) == [("Fair", 3.0, 4)]


def test_notes_are_told_newest_first(store: Store) -> None:
    rows = [
        {"campaign": "Fair", "text": str(i), "by": "kim", "at": MONDAY + i * DAY} for i in (1, 2)
    ]
    store.write(lambda c: c.execute(insert(Note), rows))
    with store.reading() as connection:
        assert [n.text for n in campaigns.notes(connection, SINCE, NOW)] == ["2", "1"]


@pytest.mark.parametrize("leads", [1, 30])
def test_readings_are_as_many_statements_however_many_leads_there_are(
    store: Store, leads: int
) -> None:
    hand(store, *(f"lead {i}" for i in range(leads)))
    statements: list[Any] = []
    with store.reading() as connection:
        event.listen(connection, "before_cursor_execute", lambda *told: statements.append(told))
        campaigns.lead_groups(connection, SINCE, NOW, 90)
        campaigns.reasons_of(connection, SINCE, NOW)
        campaigns.costs(connection, SINCE.date(), NOW.date())
        campaigns.notes(connection, SINCE, NOW)
        campaigns.newest(connection)
    # Two of the five also ask what is dated ahead.
    assert len(statements) == 7
