"""What sales did with hand-offs, added up by the database, is what its rows say."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from features.store.database import Store
from features.store.health import passed
from features.store.moments import midnight, seconds
from features.store.tables import Handoff
from features.store.worked import worked
from tests.features.store.making import MONDAY, NOW, hand, lost, say
from tests.features.store.past import START, drawn


@pytest.mark.parametrize("seed", range(3))
def test_the_database_finds_what_the_rows_say(store: Store, seed: int) -> None:
    drawn(seed).keep(store)
    since, as_of = START + timedelta(days=20), START + timedelta(days=200)
    found = worked(since, as_of, as_of).c
    rows = select(found.at, found.team, found.touched, found.answered)

    with store.reading() as connection:
        by_rows = passed(connection, since, as_of)
        by_database = connection.execute(rows).all()

    assert len(by_rows) > 100
    assert sorted(map(repr, by_database)) == sorted(
        repr((row.at, row.team, row.touched, row.answered)) for row in by_rows
    )


def test_midnight_and_seconds_are_the_same_on_each_database(store: Store) -> None:
    at = datetime(2026, 3, 2, 9, 30, 15, 250_000)
    hand(store, "a", at=at)
    with store.reading() as connection:
        day, span = connection.execute(
            select(midnight(Handoff.at), seconds(Handoff.at, midnight(Handoff.at)))
        ).one()

    assert day == datetime(2026, 3, 2)
    assert span == pytest.approx(9.5 * 3600 + 15.25, abs=0.001)


def test_the_second_hand_off_of_a_lead_ends_the_first(store: Store) -> None:
    hand(store, "a")
    hand(store, "a", at=MONDAY + timedelta(days=40))
    say(store, lost("a", 41))
    found = worked(MONDAY, NOW, NOW).c

    with store.reading() as connection:
        rows = connection.execute(select(found.again, found.answered).order_by(found.at)).all()

    assert [tuple(row) for row in rows] == [(True, None), (False, MONDAY + timedelta(days=41))]
