"""Each lead's line says what its history says, in whatever order that came in."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from features.store.database import Store, engine_of, open_store
from features.store.drawn import LeadState
from features.store.erasure import erase
from features.store.exports import keep_export
from features.store.lead_states import draw, known_at
from features.store.said import Said
from features.store.schema import upgrade
from features.store.scores import Given, keep_scores
from tests.features.store.making import MONDAY, NOW, agreed, hand, lost, say, some_leads
from tests.features.store.test_exports import an_export

DAY = timedelta(days=1)


def lines(store: Store) -> list[dict[str, Any]]:
    with store.reading() as connection:
        rows = connection.execute(sa.select(LeadState.__table__).order_by(LeadState.lead))
        return [dict(row) for row in rows.mappings()]


def score(store: Store, id_: str, chance: float, at: Any, model: str = "1") -> None:
    keep_scores(store, some_leads(id_), Given(model, [chance], ["A"]), agreed(), at)


def live_through(store: Store) -> None:
    """Let everything happen that changes a line, some of it out of order."""
    keep_export(store, an_export(["not_ready"] * 4), agreed(), NOW)
    hand(store, "a", "e")
    score(store, "e", 0.4, MONDAY + 2 * DAY)
    score(store, "e", 0.9, MONDAY + 3 * DAY)
    score(store, "e", 0.2, MONDAY + DAY)
    say(store, Said("e", "accepted", MONDAY + DAY), Said("a", "contacted", MONDAY + DAY))
    say(store, lost("e", 5, reason="price"), Said("e", "won", MONDAY + 2 * DAY, value=9.0))
    say(store, Said("waits", "in_contract", MONDAY + DAY, return_on=NOW.date()))
    hand(store, "waits")
    hand(store, "a", at=MONDAY + 9 * DAY)
    hand(store, "gone")
    say(store, Said("gone", "unreachable", MONDAY, reason="of a person"))
    erase(store, ["gone"], "dpo", NOW)


def test_the_first_score_and_the_word_that_counts_stand_on_the_line(store: Store) -> None:
    live_through(store)
    by_code = {line["code"]: line for line in lines(store)}
    assert (by_code["lost"]["probability"], by_code["lost"]["scored"]) == (0.2, MONDAY + DAY)
    assert (by_code["lost"]["reason"], by_code["lost"]["accepted"]) == ("price", 1)
    assert by_code["in_contract"]["return_on"] == NOW.date()
    assert (by_code["unreachable"]["erased"], by_code["unreachable"]["reason"]) == (1, None)


def test_a_lead_of_which_only_an_export_tells_has_a_line_too(store: Store) -> None:
    keep_export(store, an_export(["open"] * 4), agreed(), NOW)
    assert [line["code"] for line in lines(store)] == [None] * 4


def test_what_is_told_later_of_a_lead_stands_on_its_line(store: Store) -> None:
    hand(store, "a", campaign="")
    assert lines(store)[0]["campaign"] is None
    score(store, "a", 0.5, MONDAY + DAY)
    assert lines(store)[0]["campaign"] == "Spring fair"


def test_drawn_anew_the_lines_are_the_same(store: Store) -> None:
    live_through(store)
    before = lines(store)
    store.write(lambda c: draw(c, [line["lead"] for line in before]))
    assert lines(store) == before


@pytest.mark.parametrize("revision", ["0005"])
def test_a_store_of_an_older_leadq_gets_the_lines_that_its_events_make(
    empty_url: str, revision: str
) -> None:
    store = open_store(empty_url)
    live_through(store)
    drawn = lines(store)
    store.close()

    engine = engine_of(empty_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE hindsight_scores")
        connection.exec_driver_sql("DROP TABLE lead_states")
        connection.exec_driver_sql("DROP TABLE handoff_states")
        connection.exec_driver_sql("DROP INDEX ix_scores_at")
        connection.exec_driver_sql("DROP INDEX ix_dispositions_taken_back")
        connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{revision}'")
    upgrade(engine)
    engine.dispose()
    again = open_store(empty_url)
    assert lines(again) == drawn
    again.close()


def test_a_word_that_is_dated_ahead_hides_none_that_was_said_before(store: Store) -> None:
    hand(store, "a", "b")
    say(store, Said("a", "accepted", NOW - DAY), Said("a", "not_ready", NOW - DAY))
    say(store, lost("b"), Said("a", "won", NOW + DAY / 2, value=9.0))

    def codes(as_of: datetime) -> list[tuple[str, float | None]]:
        with store.reading() as connection:
            line = known_at(connection, as_of)
            rows = connection.execute(sa.select(line.c.code, line.c.value).order_by(line.c.lead))
            return [(code, value) for code, value in rows]

    assert codes(NOW) == [("not_ready", None), ("lost", None)]
    assert codes(NOW + DAY) == [("won", 9.0), ("lost", None)]
