"""Hand-offs and feedback may come in any order, twice, and from many at once."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Select, delete, func, select

from features.files import open_table
from features.leads import History
from features.store.database import Store, open_store
from features.store.dataset import training_set
from features.store.exports import keep_export
from features.store.intake import take_feedback, take_handoffs
from features.store.recycle import recycled
from features.store.said import Said
from features.store.scores import Given, keep_scores
from features.store.states import words
from features.store.tables import Disposition, Handoff, Lead, Row, Score, Snapshot, Waiting
from tests.features.making import a_file
from tests.features.store.making import MONDAY, NOW, agreed, hand, say, some_leads

DAY = timedelta(days=1)


class Handed(NamedTuple):
    id: str
    at: datetime = MONDAY


class Scored(NamedTuple):
    id: str
    at: datetime


class Exported(NamedTuple):
    id: str
    code: str
    at: datetime


Event = Said | Handed | Scored | Exported
EVENTS: list[Event] = [
    # Handed over alone: what lies before waits, up to a day too early is taken.
    *(Handed("a"), Handed("b"), Handed("c")),
    Said("a", "contacted", MONDAY),
    Said("a", "not_ready", MONDAY + DAY, reason="later"),
    Said("a", "won", MONDAY + DAY, value=9.0),
    Said("b", "lost", MONDAY + 2 * DAY, "kim"),
    Said("b", "won", MONDAY - 20 * DAY, value=5.0),
    Said("c", "lost", MONDAY - timedelta(hours=20)),
    Said("nobody", "lost", MONDAY),
    # Scored before the first word of sales, and handed over only after it.
    Scored("scored", MONDAY - 9 * DAY),
    Said("scored", "not_ready", MONDAY - 5 * DAY),
    Handed("scored"),
    Said("scored", "lost", MONDAY + DAY),
    # Scored only after it; and scored alone.
    Scored("late", MONDAY + 3 * DAY),
    Said("late", "not_ready", MONDAY - 5 * DAY, "kim", None, "no", MONDAY.date()),
    Handed("late"),
    Said("late", "lost", MONDAY + DAY),
    Scored("alone", MONDAY + 3 * DAY),
    Said("alone", "lost", MONDAY - 5 * DAY),
    # Handed over twice, with a word before each, and read from an export that says otherwise.
    Handed("twice", MONDAY + 30 * DAY),
    Handed("twice"),
    Said("twice", "unreachable", MONDAY + DAY),
    Said("twice", "won", MONDAY - 20 * DAY),
    Exported("twice", "lost", MONDAY + 40 * DAY),
]


def happen(store: Store, event: Event) -> None:
    match event:
        case Said():
            say(store, event)
        case Handed(id_, at):
            hand(store, id_, at=at)
        case Scored(id_, at):
            keep_scores(store, some_leads(id_), Given("1", [0.5], ["B"]), agreed(), at)
        case Exported(id_, code, at):
            told = History(some_leads(id_), [code], [MONDAY], [float("nan")])  # type: ignore[list-item]
            keep_export(store, told, agreed(), at)


class State(NamedTuple):
    """What stands in the store, without what only tells the order of arrival."""

    words: list[Any]
    waiting: list[Any]
    counting: list[Any]
    labels: list[Any]
    recycled: list[Any]
    counts: list[int]


def state(store: Store) -> State:
    with store.reading() as connection:
        counting = words(NOW)
        learned = training_set(connection, agreed(), NOW)

        def rows(query: Select[Any]) -> list[Any]:
            return sorted(tuple(map(str, row)) for row in connection.execute(query))

        word = (Disposition.at, Disposition.code, Disposition.by, Disposition.value)
        return State(
            rows(select(Lead.id, *word, Disposition.reason, Disposition.return_on).join(Lead)),
            rows(select(Waiting.lead_id, Waiting.said)),
            rows(select(Lead.id, counting.c.code).join(counting, counting.c.lead == Lead.key)),
            sorted(
                zip(
                    learned.leads.ids,
                    learned.leads.created,
                    learned.dispositions,
                    map(str, learned.closed),
                    strict=True,
                )
            ),
            [(lead.id, lead.due) for lead in recycled(connection, agreed(), NOW, NOW.date())],
            [len(rows(select(t.key))) for t in (Lead, Handoff, Snapshot, Score, Disposition)],
        )


def empty(store: Store) -> None:
    tables = reversed(Row.metadata.sorted_tables)
    store.write(lambda c: [c.execute(delete(table)) for table in tables])


def after(store: Store, events: Sequence[Event]) -> State:
    empty(store)
    for event in events:
        happen(store, event)
    return state(store)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(order=st.permutations(EVENTS), again=st.sets(st.sampled_from(range(len(EVENTS)))))
def test_any_order_and_repetition_ends_in_the_same_state(
    store: Store, order: list[Event], again: set[int]
) -> None:
    in_time = after(store, sorted(EVENTS, key=lambda event: event.at))
    assert after(store, [*order, *(EVENTS[i] for i in sorted(again))]) == in_time


def test_a_word_has_its_place_or_waits_by_what_is_known_of_its_lead(store: Store) -> None:
    found = after(store, EVENTS)
    assert [(row[0], row[2]) for row in found.words] == [
        ("a", "contacted"), ("a", "not_ready"), ("a", "won"), ("alone", "lost"), ("b", "lost"),
        ("c", "lost"), ("late", "lost"), ("scored", "not_ready"), ("scored", "lost"),
        ("twice", "lost"), ("twice", "unreachable"),
    ]  # fmt: skip
    assert [row[0] for row in found.waiting] == ["b", "late", "nobody", "twice"]


@pytest.mark.parametrize("lead", ["scored", "late"])
def test_each_order_of_score_hand_off_and_words_around_it_is_alike(store: Store, lead: str) -> None:
    events = [event for event in EVENTS if event.id == lead]
    in_time = after(store, sorted(events, key=lambda event: event.at))
    assert [after(store, order) for order in permutations(events)] == [in_time] * 24


def test_eight_who_bring_the_same_files_at_once_bring_them_once(
    store: Store, store_url: str, tmp_path: Path
) -> None:
    ids = [f"l{i}" for i in range(300)]
    handed = "id,at\n" + "".join(f"{id_},2026-03-02\n" for id_ in ids)
    said = "id,at,code\n" + "".join(f"{id_},2026-03-05,lost\n" for id_ in ids[::-1])
    handoffs = a_file(tmp_path, handed, "handoffs.csv")
    feedback = a_file(tmp_path, said, "feedback.csv")

    def bring(worker: int) -> int:
        own = open_store(store_url)
        takes = [(take_handoffs, handoffs), (take_feedback, feedback)]
        accounts = [
            take(own, open_table(file), agreed(), NOW, lambda _: None)
            for take, file in (takes if worker % 2 else takes[::-1])
        ]
        own.close()
        return sum(account.refused for account in accounts)

    with ThreadPoolExecutor(8) as pool:
        refused = sum(pool.map(bring, range(8)))

    with store.reading() as connection:
        counts = [
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (Lead, Handoff, Disposition, Waiting)
        ]
    assert refused == 0
    assert counts == [300, 300, 300, 0]
