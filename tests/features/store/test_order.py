"""Hand-offs and feedback may come in any order, twice, and from many at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select

from features.files import open_table
from features.store.database import Store, open_store
from features.store.intake import take_feedback, take_handoffs
from features.store.said import Said
from features.store.states import words
from features.store.tables import Disposition, Handoff, Lead, Row, Waiting
from tests.features.making import a_file
from tests.features.store.making import MONDAY, NOW, agreed, hand, say

Event = str | Said
EVENTS: list[Event] = [
    *("a", "b", "c"),
    Said("a", "contacted", MONDAY),
    Said("a", "not_ready", MONDAY + timedelta(days=1), reason="later"),
    Said("a", "won", MONDAY + timedelta(days=1), value=9.0),
    Said("b", "lost", MONDAY + timedelta(days=2), "kim"),
    Said("b", "won", MONDAY - timedelta(days=20), value=5.0),
    Said("c", "lost", MONDAY - timedelta(hours=20)),
    Said("nobody", "lost", MONDAY),
]


def happen(store: Store, event: Event) -> None:
    if isinstance(event, Said):
        say(store, event)
    else:
        hand(store, event)


def state(store: Store) -> tuple[list[tuple[str, datetime, str]], list[tuple[str, str]]]:
    """What stands in the store, and the word that counts for each lead."""
    with store.reading() as connection:
        kept = select(Lead.id, Disposition.at, Disposition.code).join(Lead)
        counting = words(NOW)
        counts = select(Lead.id, counting.c.code).join(counting, counting.c.lead == Lead.key)
        return (
            sorted(tuple(row) for row in connection.execute(kept)),
            sorted(tuple(row) for row in connection.execute(counts)),
        )


def empty(store: Store) -> None:
    tables = reversed(Row.metadata.sorted_tables)
    store.write(lambda c: [c.execute(delete(table)) for table in tables])


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(order=st.permutations(EVENTS), again=st.sets(st.sampled_from(range(len(EVENTS)))))
def test_any_order_and_repetition_ends_in_the_same_state(
    store: Store, order: list[Event], again: set[int]
) -> None:
    empty(store)
    for event in [*order, *(EVENTS[i] for i in sorted(again))]:
        happen(store, event)

    kept, counting = state(store)
    assert [(id_, code) for id_, _, code in kept] == [
        ("a", "contacted"), ("a", "not_ready"), ("a", "won"), ("b", "lost"), ("c", "lost"),
    ]  # fmt: skip
    assert counting == [("a", "won"), ("b", "lost"), ("c", "lost")]


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
