"""The loop's account: what sales did with each hand-off, and which scores can be judged."""

from __future__ import annotations

import tracemalloc
from datetime import datetime, timedelta

import pytest
from sqlalchemy import insert, select

from features.store.database import Store
from features.store.exports import keep_export
from features.store.feedback import Said, keep
from features.store.health import (
    GivenScore,
    GivenScores,
    Passed,
    given_scores,
    graded,
    lost_reasons,
    passed,
    won_leads,
)
from features.store.scores import Given, keep_scores
from features.store.tables import Lead, Score
from tests.features.store.making import MONDAY, NOW, agreed, hand, lost, say, some_leads
from tests.features.store.test_exports import an_export

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LATER = MONDAY + 90 * DAY


def _passed(store: Store) -> list[Passed]:
    with store.reading() as connection:
        return passed(connection, MONDAY, NOW)


def _score(store: Store, id_: str, at: datetime, model: str = "1", grade: str = "A") -> None:
    with store.reading() as connection:
        key = connection.execute(select(Lead.key).where(Lead.id == id_)).scalar_one()
    row = {"lead": key, "at": at, "model": model, "agreement": "1-x", "grade": grade}
    store.write(lambda c: c.execute(insert(Score), [row | {"probability": 0.5}]))


def test_steps_touch_a_lead_and_only_a_disposition_answers_it(store: Store) -> None:
    hand(store, "a", "b", "c")
    say(
        store,
        Said("a", "contacted", MONDAY + 2 * HOUR),
        lost("a", 3),
        Said("b", "accepted", MONDAY),
    )
    assert _passed(store) == [
        Passed(MONDAY, "north", MONDAY + 2 * HOUR, MONDAY + 3 * DAY),
        Passed(MONDAY, "north", MONDAY, None),
        Passed(MONDAY, "north", None, None),
    ]


def test_each_hand_off_of_a_lead_has_its_own_answer(store: Store) -> None:
    hand(store, "a")
    hand(store, "a", at=LATER)
    say(store, Said("a", "not_ready", MONDAY + DAY), Said("a", "won", LATER + DAY))
    assert [row.answered for row in _passed(store)] == [MONDAY + DAY, LATER + DAY]


def test_a_date_without_its_hour_counts_from_the_hand_off(store: Store) -> None:
    hand(store, "a")
    say(store, Said("a", "lost", MONDAY.replace(hour=0)))
    assert _passed(store)[0].answered == MONDAY


def test_a_word_with_its_hour_is_of_the_hand_off_before_it(store: Store) -> None:
    hand(store, "a")
    hand(store, "a", at=MONDAY + DAY)
    say(store, Said("a", "unreachable", MONDAY + HOUR))
    assert [row.answered for row in _passed(store)] == [MONDAY + HOUR, None]


def test_reasons_are_counted_by_code_as_they_now_stand(store: Store) -> None:
    hand(store, "a", "b", "c", "d")
    say(store, lost("a", reason="Too small"), lost("b", reason=" too  small "), lost("c"))
    say(store, Said("d", "unqualified", MONDAY, reason="student"), Said("d", "won", MONDAY + DAY))
    with store.reading() as connection:
        assert lost_reasons(connection, MONDAY, NOW) == {"lost": {"too small": 2, "": 1}}


def test_reasons_in_capitals_of_any_language_are_one(store: Store) -> None:
    hand(store, "a", "b")
    say(store, lost("a", reason="ÜBERLASTET"), lost("b", reason="überlastet"))
    with store.reading() as connection:
        assert lost_reasons(connection, MONDAY, NOW) == {"lost": {"überlastet": 2}}


def test_a_lead_counts_as_good_once_from_its_first_good_grade(store: Store) -> None:
    hand(store, "a", "b")
    _score(store, "a", MONDAY, grade="C")
    _score(store, "a", MONDAY + DAY, grade="B")
    _score(store, "a", MONDAY + 2 * DAY, grade="A")
    with store.reading() as connection:
        assert graded(connection, ("A", "B"), NOW) == [MONDAY + DAY]


def test_the_first_score_of_each_model_is_judged_and_none_given_after_the_end(store: Store) -> None:
    hand(store, "a", "b")
    for model, day in (("1", 0), ("1", 1), ("2", 2), ("3", 9)):
        _score(store, "a", MONDAY + day * DAY, model)
    _score(store, "b", MONDAY + DAY)
    say(store, lost("a", 5))
    with store.reading() as connection:
        found = given_scores(connection, NOW)
    assert list(zip(found.model, found.at.tolist(), found.code, strict=True)) == [
        ("1", MONDAY, "lost"),
        ("1", MONDAY + DAY, None),
        ("2", MONDAY + 2 * DAY, "lost"),
    ]


def test_many_scores_take_little_memory() -> None:
    def part(n: int) -> list[GivenScore]:
        at = [MONDAY + timedelta(minutes=1000 * n + i) for i in range(1000)]
        return [GivenScore(t, t, t, 0.1, None, "1", "Fair", "D", None, "lost") for t in at]

    tracemalloc.start()
    try:
        found = GivenScores.of(map(part, range(30)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Ten columns of 8 bytes; their parts and the whole stand side by side for a moment.
    assert peak < 30_000 * 200
    assert (len(found), found.at[-1].item()) == (30_000, MONDAY + timedelta(minutes=29_999))


def test_scores_of_many_leads_are_read_part_by_part(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand(store, *"abcde")
    for lead in "abcde":
        _score(store, lead, MONDAY)
    say(store, lost("a", 5), lost("e", 5))
    monkeypatch.setattr("features.store.health._AT_ONCE", 2)
    with store.reading() as connection:
        assert list(given_scores(connection, NOW).code) == ["lost", None, None, None, "lost"]


def test_the_lane_of_a_score_is_that_of_the_first_call(store: Store) -> None:
    lanes = ((0, None, None), (1, "exploration", 0.05), (60, "model", 1.0))
    for days, lane, chance in lanes:
        given = Given("1", [0.1], ["D"], [lane], [chance])
        keep_scores(store, some_leads("a"), given, agreed(), MONDAY + days * DAY)
    with store.reading() as connection:
        found = given_scores(connection, NOW)
    assert (found.at.tolist(), list(found.lane)) == ([MONDAY], ["exploration"])
    assert found.propensity.tolist() == [0.05]


def test_a_word_from_before_a_score_is_not_what_became_of_the_lead(store: Store) -> None:
    hand(store, "a", "b")
    say(store, Said("a", "unreachable", MONDAY + DAY), Said("b", "unreachable", MONDAY + 3 * DAY))
    for lead in "ab":
        _score(store, lead, MONDAY + 2 * DAY)
    with store.reading() as connection:
        assert list(given_scores(connection, NOW).code) == [None, "unreachable"]


AGAIN = MONDAY + 60 * DAY
Judged = list[tuple[datetime, str | None, datetime | None]]


def _given(store: Store) -> Judged:
    """Start, word and its time of each score."""
    with store.reading() as connection:
        found = given_scores(connection, NOW)
    return list(zip(found.start.tolist(), found.code, found.closed.tolist(), strict=True))


@pytest.mark.parametrize("code", ["not_ready", "lost"])
def test_each_chance_of_a_lead_is_judged_by_its_own_word(store: Store, code: str) -> None:
    hand(store, "a")
    _score(store, "a", MONDAY, "1")
    say(store, Said("a", code, MONDAY + DAY))
    hand(store, "a", at=AGAIN)
    _score(store, "a", AGAIN, "2")
    won = AGAIN + 30 * DAY
    say(store, Said("a", "won", won))
    (first, *rest) = _given(store)
    assert first[1:] == (code, MONDAY + DAY)
    assert rest == [(AGAIN, "won", won)]


def test_a_chance_that_ended_without_a_word_is_open(store: Store) -> None:
    hand(store, "a")
    _score(store, "a", MONDAY)
    hand(store, "a", at=AGAIN)
    say(store, Said("a", "won", AGAIN + DAY))
    assert [score[1:] for score in _given(store)] == [(None, None)]


def test_a_score_that_led_to_a_new_chance_is_judged_by_that(store: Store) -> None:
    hand(store, "a")
    say(store, Said("a", "not_ready", MONDAY + DAY))
    _score(store, "a", AGAIN - DAY)
    hand(store, "a", at=AGAIN)
    say(store, lost("a", 70))
    assert _given(store) == [(AGAIN, "lost", MONDAY + 70 * DAY)]


def test_a_score_after_the_end_of_the_last_chance_is_not_judged(store: Store) -> None:
    hand(store, "a")
    hand(store, "a", at=AGAIN)
    say(store, lost("a", 65))
    _score(store, "a", MONDAY + 66 * DAY)
    assert _given(store) == []


def test_what_an_export_corrects_later_was_decided_when_it_says(store: Store) -> None:
    closed = MONDAY + 20 * DAY
    hand(store, "a")
    _score(store, "a", MONDAY, "1")
    _score(store, "a", MONDAY + 22 * DAY, "2")
    for code, read in (("lost", MONDAY + 25 * DAY), ("won", NOW - DAY)):
        keep_export(store, an_export([code], closed), agreed(), read)
    assert [score[1:] for score in _given(store)] == [("won", closed)]


def test_won_leads_are_counted_with_their_value_as_they_now_stand(store: Store) -> None:
    hand(store, "a", "b", "c")
    say(store, Said("a", "won", MONDAY, value=900.0), Said("b", "won", MONDAY + DAY))
    say(store, Said("c", "won", MONDAY, value=500.0), lost("c", 3))
    with store.reading() as connection:
        assert won_leads(connection, MONDAY, NOW) == (2, 900.0)
        assert won_leads(connection, MONDAY + 2 * DAY, NOW) == (0, 0.0)


def test_a_win_that_sales_told_without_a_value_has_the_one_that_the_export_tells(
    store: Store,
) -> None:
    hand(store, "a")
    say(store, Said("a", "won", MONDAY))
    told = [Said("a", "won", MONDAY, value=700.0)]
    store.write(lambda connection: keep(connection, told, agreed(), "export", NOW))
    with store.reading() as connection:
        assert won_leads(connection, MONDAY, NOW) == (1, 700.0)
