"""Each hand-off's line says what its history says, in whatever order that came in."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select

from features.store.database import Store, engine_of, open_store
from features.store.drawn import HandoffState
from features.store.feedback import Origin, keep
from features.store.handoff_states import draw, worked
from features.store.moments import midnight, seconds
from features.store.said import Said
from features.store.schema import upgrade
from features.store.tables import Handoff
from tests.features.store.making import MONDAY, NOW, agreed, hand, lost, say
from tests.features.store.past import drawn
from tests.features.store.test_lead_states import lines as states
from tests.features.store.test_lead_states import live_through, score

HOUR = timedelta(hours=1)


def lines(store: Store) -> list[dict[str, Any]]:
    with store.reading() as connection:
        rows = connection.execute(select(HandoffState.__table__).order_by(HandoffState.handoff))
        return [dict(row) for row in rows.mappings()]


def test_drawn_anew_the_lines_are_the_same(store: Store) -> None:
    live_through(store)
    before = lines(store)
    assert len(before) == 5
    keys = sorted({line["lead"] for line in before})
    store.write(lambda c: draw(c, keys))
    assert lines(store) == before


def test_an_older_store_gets_the_lines_that_its_events_make(empty_url: str) -> None:
    store = open_store(empty_url)
    drawn(0).keep(store)
    handoffs, leads = lines(store), states(store)
    store.close()

    engine = engine_of(empty_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE hindsight_scores")
        connection.exec_driver_sql("DROP TABLE handoff_states")
        connection.exec_driver_sql("DROP INDEX ix_dispositions_taken_back")
        for column in ("sal", "sql", "opportunity"):
            connection.exec_driver_sql(f"DROP INDEX ix_lead_states_{column}")
            connection.exec_driver_sql(f"ALTER TABLE lead_states DROP COLUMN {column}")
        # Until then a step that was taken back was counted.
        taken_back = "SELECT lead FROM dispositions WHERE code = 'open' AND origin = 'page'"
        connection.exec_driver_sql(
            f"UPDATE lead_states SET accepted = 1 WHERE lead IN ({taken_back})"
        )
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0006'")
    upgrade(engine)
    engine.dispose()
    again = open_store(empty_url)
    assert lines(again) == handoffs
    assert states(again) == leads
    again.close()


def test_what_was_taken_back_was_never_said(store: Store) -> None:
    hand(store, "a")
    by_page = partial(keep, agreement=agreed(), origin="page", now=NOW)
    said = [Said("a", "accepted", MONDAY + HOUR), Said("a", "open", MONDAY + 2 * HOUR)]
    store.write(lambda c: by_page(c, said))
    (line,) = lines(store)
    assert (line["touched"], line["accepted"]) == (None, None)
    (state,) = states(store)
    assert (state["stepped"], state["accepted"], state["sal"]) == (None, 0, None)

    say(store, lost("a", 1))
    assert lines(store)[0]["touched"] == MONDAY + timedelta(days=1)


def test_what_an_export_said_last_is_taken_back_and_not_what_sales_said_before(
    store: Store,
) -> None:
    hand(store, "a")
    one, five, six = (MONDAY + timedelta(days=n) for n in (1, 5, 6))
    _come(store, "accepted", one, "page", one)
    _come(store, "lost", five, "export", five)
    _come(store, "open", six, "page", six)
    (line,) = lines(store)
    assert (line["accepted"], line["answered"]) == (one, None)
    (state,) = states(store)
    assert (state["accepted"], state["sal"]) == (1, one)


def test_a_word_that_comes_after_a_taking_back_stands_though_it_was_said_before(
    store: Store,
) -> None:
    hand(store, "a")
    ten, eleven, twelve = (MONDAY + n * HOUR for n in (1, 2, 3))
    _come(store, "accepted", ten, "page", ten)
    _come(store, "open", twelve, "page", twelve)
    _come(store, "contacted", eleven, "rest", twelve + HOUR)
    (line,) = lines(store)
    assert (line["touched"], line["accepted"]) == (eleven, None)


def _come(store: Store, code: str, at: datetime, origin: Origin, now: datetime) -> None:
    said = Said("a", code, at)
    store.write(lambda c: keep(c, [said], agreed(), origin, now))


def test_open_in_a_file_takes_nothing_back(store: Store) -> None:
    hand(store, "a")
    say(store, Said("a", "accepted", MONDAY + HOUR), Said("a", "open", MONDAY + 2 * HOUR))
    assert lines(store)[0]["accepted"] == MONDAY + HOUR


def test_the_newest_score_up_to_the_hand_off_stands_on_its_line(store: Store) -> None:
    hand(store, "a")
    score(store, "a", 0.4, MONDAY - 2 * HOUR)
    assert lines(store)[0]["probability"] == 0.4
    score(store, "a", 0.3, MONDAY + HOUR)
    score(store, "a", 0.9, MONDAY - 3 * HOUR)
    assert lines(store)[0]["probability"] == 0.4
    score(store, "a", 0.7, MONDAY - HOUR)
    assert lines(store)[0]["probability"] == 0.7


def test_a_line_tells_what_was_known_at_an_earlier_moment(store: Store) -> None:
    hand(store, "a")
    hand(store, "a", at=MONDAY + timedelta(days=40))
    say(store, Said("a", "contacted", MONDAY + HOUR), lost("a", 41))

    def known(as_of: datetime) -> list[tuple[Any, ...]]:
        w = worked(MONDAY, as_of, as_of).c
        with store.reading() as connection:
            rows = connection.execute(select(w.again, w.touched, w.answered).order_by(w.at))
            return [tuple(row) for row in rows]

    assert known(MONDAY + HOUR) == [(False, None, None)]
    assert known(MONDAY + 2 * HOUR) == [(False, MONDAY + HOUR, None)]
    later = MONDAY + timedelta(days=41)
    assert known(later) == [(True, MONDAY + HOUR, None), (False, None, None)]
    assert known(later + HOUR) == [(True, MONDAY + HOUR, None), (False, later, later)]


def test_midnight_and_seconds_are_the_same_on_each_database(store: Store) -> None:
    at = datetime(2026, 3, 2, 9, 30, 15, 250_000)
    hand(store, "a", at=at)
    with store.reading() as connection:
        day, span = connection.execute(
            select(midnight(Handoff.at), seconds(Handoff.at, midnight(Handoff.at)))
        ).one()

    assert day == datetime(2026, 3, 2)
    assert span == pytest.approx(9.5 * 3600 + 15.25, abs=0.001)
