"""The worklist says what hand-offs, words and scores say, whatever order they came in."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from features.store.answering import Answer, add_note, answer
from features.store.database import Store, engine_of, open_store
from features.store.drawn import Worklist
from features.store.erasure import erase
from features.store.feedback import keep
from features.store.handoffs import Handover, hand_over
from features.store.listed import (
    Wanted,
    answered_on,
    choices,
    cut_after,
    known_of,
    line_of,
    lines,
    spelled,
)
from features.store.meetings import answer as side_says
from features.store.meetings import answers
from features.store.said import Said
from features.store.schema import upgrade
from features.store.scores import Given, keep_scores
from features.store.tables import Audit, Note
from features.store.unscored import Wants, unscored
from features.store.worklist import refresh
from tests.features.store.making import MONDAY, NOW, agreed, hand, lost, say, some_leads

TUESDAY = MONDAY + timedelta(days=1)


def listed(store: Store, **wanted: str) -> list[str]:
    with store.reading() as connection:
        return [line.id for line in lines(connection, Wanted(**wanted), NOW, 100, 0)]


def score(store: Store, chances: dict[str, float], at: Any = TUESDAY, **more: Any) -> None:
    given = Given("1", list(chances.values()), ["A"] * len(chances), **more)
    keep_scores(store, some_leads(*chances), given, agreed(), at)


def test_a_lead_stands_on_the_list_from_the_hand_off_to_the_answer(store: Store) -> None:
    say(store, Said("a", "contacted", TUESDAY))
    assert listed(store) == []
    hand(store, "a", "b")
    assert sorted(listed(store)) == ["a", "b"]
    say(store, lost("a"))
    assert listed(store) == ["b"]


def test_a_lead_that_is_handed_over_again_waits_again(store: Store) -> None:
    hand(store, "a")
    say(store, lost("a", days=1))
    hand(store, "a", at=MONDAY + timedelta(days=5))
    assert listed(store) == ["a"]


def test_a_word_that_is_taken_back_puts_the_lead_on_the_list_again(store: Store) -> None:
    hand(store, "a")
    say(store, lost("a", days=1), Said("a", "open", MONDAY + timedelta(days=2), reason="undone"))
    assert listed(store) == ["a"]


def test_a_step_that_is_taken_back_on_a_page_is_gone_and_the_one_before_it_holds(
    store: Store,
) -> None:
    hand(store, "a")
    hours = [TUESDAY + timedelta(hours=n) for n in range(5)]
    for at, code, step in zip(
        hours,
        ("contacted", "accepted", "open", "open", "contacted"),
        ("contacted", "accepted", "contacted", None, "contacted"),
        strict=True,
    ):
        said = Said("a", code, at)
        store.write(lambda c, said=said: keep(c, [said], agreed(), "page", NOW))
        with store.reading() as connection:
            (line,) = lines(connection, Wanted(), NOW, 10, 0)
        assert line.step == step


def test_a_campaign_that_is_told_later_stands_on_the_list(store: Store) -> None:
    hand(store, "a", campaign="")
    keep_scores(store, some_leads("a"), Given("1", [0.4], ["B"]), agreed(), NOW)
    with store.reading() as connection:
        (line,) = lines(connection, Wanted(campaign="Spring fair"), NOW, 10, 0)
    assert line.campaign == "Spring fair"


def test_an_open_of_the_crm_takes_no_step_back(store: Store) -> None:
    hand(store, "a")
    say(store, Said("a", "contacted", TUESDAY), Said("a", "open", TUESDAY + timedelta(hours=1)))
    with store.reading() as connection:
        (line,) = lines(connection, Wanted(), NOW, 10, 0)
    assert line.step == "contacted"


def test_a_step_is_told_and_leaves_the_lead_on_the_list(store: Store) -> None:
    hand(store, "a")
    say(store, Said("a", "contacted", TUESDAY), Said("a", "accepted", TUESDAY + timedelta(hours=1)))
    with store.reading() as connection:
        (line,) = lines(connection, Wanted(), NOW, 10, 0)
    assert (line.step, line.touched) == ("accepted", TUESDAY + timedelta(hours=1))


def test_the_list_stands_by_expected_value_and_without_one_by_probability(store: Store) -> None:
    hand(store, "a", "b", "c")
    score(store, {"a": 0.2, "b": 0.6, "c": 0.4})
    assert listed(store) == ["b", "c", "a"]
    worth = {"a": 300.0, "b": 200.0, "c": 100.0}
    chances = dict.fromkeys(worth, 0.5)
    score(store, chances, TUESDAY + timedelta(hours=1), expected_value=list(worth.values()))
    assert listed(store) == ["a", "b", "c"]


def test_a_lead_that_was_drawn_by_lot_stands_among_the_others(store: Store) -> None:
    ids = [f"lead-{i}" for i in range(30)]
    chances = {id_: 0.9 - i / 100 for i, id_ in enumerate(ids)} | {"drawn": 0.001, "drawn-2": 0.002}
    lanes = ["model"] * 30 + ["exploration"] * 2
    score(store, chances, MONDAY, lane=lanes, propensity=[1.0] * 32)
    hand(store, *chances)
    order = listed(store)
    assert {order.index("drawn"), order.index("drawn-2")} != {30, 31}


def test_the_parts_that_are_asked_for_are_counted_and_given(store: Store) -> None:
    hand(store, "a", "b")
    score(store, {"a": 0.5})
    assert listed(store, grade="A") == ["a"]
    assert listed(store, owner="kim", campaign="Spring fair") == ["a", "b"]
    assert listed(store, owner="-") == []
    with store.reading() as connection:
        found = choices(connection, Wanted(grade="A"), NOW)
        cut = cut_after(connection, 1, NOW)
    assert (found.owners, found.grades) == ({"kim": 1}, {"A": 1, None: 1})
    assert (found.total, found.waiting) == (1, 2)
    assert cut is not None
    assert cut.worth == 0.5


def test_spellings_of_a_campaign_are_one_choice(store: Store) -> None:
    hand(store, "a", "b")
    hand(store, "c", campaign="SPRING_FAIR")
    hand(store, "d", campaign="Springfair")
    with store.reading() as connection:
        found = choices(connection, Wanted(), NOW)
        wanted = spelled(connection, Wanted(campaign="spring-fair"))
        (shown,) = lines(connection, wanted, NOW, 1, 2)
        chosen = choices(connection, wanted, NOW)
    assert dict(found.campaigns) == {"Spring fair": 3, "Springfair": 1}
    assert (shown.id, chosen.total, chosen.owners) == ("a", 3, {"kim": 3})
    assert chosen.spelling("spring-fair") == "Spring fair"


def test_names_that_differ_in_case_alone_stand_in_one_order(store: Store) -> None:
    told = [Handover(MONDAY, owner, None) for owner in ("kim", "Kim", "KIM", "ada")]
    store.write(lambda c: hand_over(c, some_leads(*"abcd"), agreed(), told, NOW))
    with store.reading() as connection:
        assert list(choices(connection, Wanted(), NOW).owners) == ["ada", "KIM", "Kim", "kim"]


def test_what_was_answered_today_is_counted_once_for_each_lead(store: Store) -> None:
    hand(store, "a", "b")
    say(store, Said("a", "contacted", NOW), Said("a", "lost", NOW), Said("b", "open", NOW))
    with store.reading() as connection:
        assert answered_on(connection, NOW) == 1
        assert answered_on(connection, NOW + timedelta(days=1)) == 0


def test_an_answer_that_was_taken_back_is_not_counted(store: Store) -> None:
    hand(store, "a", "b")
    for said in (Said("a", "lost", NOW), Said("b", "lost", NOW), Said("a", "open", NOW)):
        store.write(lambda c, said=said: keep(c, [said], agreed(), "page", NOW))
    with store.reading() as connection:
        assert answered_on(connection, NOW) == 1


def test_what_is_known_now_is_told_beside_what_was_known_before(store: Store) -> None:
    hand(store, "a")
    hand(store, "a", at=NOW, visits="9")
    with store.reading() as connection:
        (key,) = known_of(connection, [1], NOW).values()
    assert (key.now["visits"], key.before and key.before["visits"]) == ("9", "3")


def test_leads_that_the_model_has_not_scored_are_found(store: Store) -> None:
    hand(store, "a", "b")
    score(store, {"a": 0.5})
    with store.reading() as connection:
        assert [lead.lead for lead in unscored(connection, Wants("1", False), 10)] == ["b"]
        assert len(unscored(connection, Wants("2", False), 10)) == 2
        assert len(unscored(connection, Wants("1", True), 10)) == 2
        (lead, *_) = unscored(connection, Wants("1", False), 10)
    assert lead.known["visits"] == "3"


def seen(store: Store, key: int = 1) -> str:
    with store.reading() as connection:
        line = line_of(connection, key)
    assert line is not None
    return line.seen


def answered(store: Store, said: Said, saw: str) -> Answer | None:
    return store.write(lambda c: answer(c, said, agreed(), saw, "leadq_1", NOW))


def test_an_answer_to_what_is_seen_is_kept_and_another_is_told_of_it(store: Store) -> None:
    hand(store, "a")
    saw = seen(store)
    first = answered(store, Said("a", "lost", NOW, by="kim"), saw)
    second = answered(store, Said("a", "won", NOW, by="lee", value=5.0), saw)
    assert first is not None
    assert second is not None
    assert first.meanwhile == ()
    assert [(done.what, done.by) for done in second.meanwhile] == [("lost", "kim")]
    third = answered(store, Said("a", "open", NOW, by="kim"), second.seen)
    assert third is not None
    assert third.meanwhile == ()
    with store.reading() as connection:
        acts = connection.execute(sa.select(Audit.who, Audit.what)).all()
    assert acts == [("leadq_1", "lost on lead 1"), ("leadq_1", "open on lead 1")]


def test_an_answer_that_cannot_be_is_refused_and_one_on_an_unknown_lead_is_none(
    store: Store,
) -> None:
    hand(store, "a")
    found = answered(store, Said("a", "lost", NOW, value=5.0), seen(store))
    assert found is not None
    assert found.fault is not None
    assert answered(store, Said("nobody", "lost", NOW), "0-0") is None


def test_erasure_takes_the_line_and_the_notes(store: Store) -> None:
    hand(store, "a")
    assert store.write(lambda c: add_note(c, "a", "wants a call", "kim", "leadq_1", NOW))
    erase(store, ["a"], "dpo", NOW)
    with store.reading() as connection:
        assert connection.execute(sa.select(Worklist)).all() == []
        assert connection.execute(sa.select(Note)).all() == []


def test_a_store_of_an_older_leadq_gets_the_list_that_its_events_make(empty_url: str) -> None:
    store = open_store(empty_url)
    hand(store, "waits", "touched", "answered", "reopened", "again")
    say(store, Said("touched", "contacted", TUESDAY), lost("answered"), lost("again", 1))
    say(store, lost("reopened", 1), Said("reopened", "open", MONDAY + timedelta(days=2)))
    score(store, {"waits": 0.5, "answered": 0.3})
    hand(store, "again", at=MONDAY + timedelta(days=5))
    drawn = _rows(store)
    assert [row["lead"] for row in drawn] == [1, 2, 4, 5]
    store.close()

    engine = engine_of(empty_url)
    with engine.begin() as connection:
        drawn_later = ("worklist", "lead_states", "handoff_states")
        for table in (*drawn_later, "notes", "decisions", "answers", "hindsight_scores"):
            connection.exec_driver_sql(f"DROP TABLE {table}")
        connection.exec_driver_sql("DROP INDEX ix_scores_at")
        connection.exec_driver_sql("DROP INDEX ix_dispositions_taken_back")
        connection.exec_driver_sql("ALTER TABLE scores DROP COLUMN expected_value")
        connection.exec_driver_sql("ALTER TABLE dispositions DROP COLUMN told")
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0002'")
    upgrade(engine, "0003")
    engine.dispose()
    again = open_store(empty_url)
    assert _rows(again) == drawn
    again.write(lambda c: refresh(c, [row["lead"] for row in drawn]))
    assert _rows(again) == drawn
    again.close()


def _rows(store: Store) -> list[dict[str, Any]]:
    with store.reading() as connection:
        rows = connection.execute(sa.select(Worklist.__table__).order_by(Worklist.lead))
        return [dict(row) for row in rows.mappings()]


def test_of_two_words_on_one_lead_at_once_the_second_sees_the_first(store: Store) -> None:
    hand(store, "a")
    score(store, {"a": 0.5})
    written, second = threading.Event(), threading.Event()

    def lose(connection: sa.Connection) -> None:
        keep(connection, [lost("a", 3)], agreed(), "rest", NOW)
        written.set()
        second.wait(0.5)  # the other one is at work meanwhile, or waits for this one's end

    def call(connection: sa.Connection) -> None:
        keep(connection, [Said("a", "contacted", TUESDAY)], agreed(), "rest", NOW)
        second.set()

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(store.write, lose)
        written.wait(10)
        other = pool.submit(store.write, call)
        first.result(10)
        other.result(10)

    assert listed(store) == []


def test_a_side_answers_once_a_week_whoever_asks_at_once(store: Store) -> None:
    with ThreadPoolExecutor(4) as pool:
        said = [
            pool.submit(
                store.write,
                lambda c, mark=mark: side_says(c, "2026-W27", "sales", mark, "", "kim", "k", NOW),
            )
            for mark in (1, 2, 3, 4)
        ]
        for one in said:
            one.result(20)
    with store.reading() as connection:
        assert len(answers(connection, ["2026-W27"])) == 1
