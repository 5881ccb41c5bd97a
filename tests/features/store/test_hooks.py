"""Hooks as they are kept, and which events become deliveries, on both databases."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select

from features.errors import UsageError
from features.store import deliveries, hooks
from features.store.database import Store
from features.store.deliveries import KEPT_FOR, take
from features.store.erasure import erase
from features.store.hooks import Kind, KnownHook, secret_of
from features.store.promotions import Act, Champion, write_down
from features.store.said import Said
from features.store.scores import Given, keep_scores
from features.store.tables import Audit, Delivery, Hook
from tests.features.store.making import MONDAY, NOW, agreed, hand, say, some_leads

SECRET = b"s" * 32
URL = "https://crm.example.com/leadq"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def hook(store: Store, *events: Kind, grades: str = "AB", url: str = URL) -> KnownHook:
    return store.write(lambda c: hooks.add_hook(c, url, events, grades, "kim", MONDAY))


def remove(store: Store, key: int) -> KnownHook:
    return store.write(lambda c: hooks.remove_hook(c, key, "kim", NOW))


def score(store: Store, at: datetime, model: str = "1", **grades: str) -> None:
    chances = {"A": 0.5, "B": 0.25, "C": 0.125, "D": 0.0625}
    given = Given(model, [chances[grade] for grade in grades.values()], list(grades.values()))
    keep_scores(store, some_leads(*grades), given, agreed(), at)


def promote(store: Store, version: str, act: Act = "promote") -> None:
    champion = Champion(version, "digest")
    store.write(lambda c: write_down(c, champion, act, "why", "kim", NOW))


def come_back(store: Store, now: datetime) -> int:
    with store.reading() as connection:
        news = hooks.find_recycled(connection, agreed(), now)
    store.write(lambda c: hooks.tell_recycled(c, news, now))
    return len(news)


def told(store: Store) -> list[dict[str, Any]]:
    """The bodies of all deliveries, in the order in which they were written."""
    with store.reading() as connection:
        bodies = connection.execute(select(Delivery.body).order_by(Delivery.key)).scalars()
        return [json.loads(body) for body in bodies]


def moves(store: Store) -> list[tuple[str, str | None, str]]:
    found = [body["data"] for body in told(store)]
    return [(data["lead"], data["grade_before"], data["grade"]) for data in found]


def test_a_score_is_told_when_its_grade_is_new_to_the_lead(store: Store) -> None:
    hook(store, "score")
    score(store, NOW, a="A", b="B", c="C")
    score(store, NOW + HOUR, a="A", b="A", c="C")
    score(store, NOW + 2 * HOUR, a="C", b="A", c="B")
    score(store, NOW + 3 * HOUR, a="A", b="A", c="B")
    assert moves(store) == [
        ("a", None, "A"),
        ("b", None, "B"),
        ("b", "B", "A"),
        ("c", "C", "B"),
        ("a", "C", "A"),
    ]


def test_a_message_holds_what_was_said_of_the_lead_and_nothing_of_the_person(
    store: Store,
) -> None:
    hook(store, "score")
    score(store, NOW, a="A")
    assert told(store) == [
        {
            "type": "score.graded",
            "timestamp": "2026-06-30T12:00:00Z",
            "data": {
                "lead": "a",
                "grade": "A",
                "grade_before": None,
                "probability": 0.5,
                "model_version": "1",
            },
        }
    ]


def test_the_same_scores_again_tell_nothing(store: Store) -> None:
    hook(store, "score")
    score(store, NOW, a="A")
    score(store, NOW, a="A")
    assert len(told(store)) == 1


def test_each_hook_is_told_of_its_own_grades(store: Store) -> None:
    hook(store, "score", grades="A")
    hook(store, "score", grades="CD", url=f"{URL}/2")
    score(store, NOW, a="A", b="B", c="D")
    with store.reading() as connection:
        rows = connection.execute(select(Delivery.hook, Delivery.body).order_by(Delivery.hook))
        found = [(key, json.loads(body)["data"]["lead"]) for key, body in rows]
    assert found == [(1, "a"), (2, "c")]


def test_without_hooks_nothing_is_written(store: Store) -> None:
    score(store, NOW, a="A")
    promote(store, "1")
    assert told(store) == []


def test_a_hook_is_not_told_of_what_was_before_it(store: Store) -> None:
    say_not_ready(store, "a", MONDAY - 120 * DAY)
    hook(store, "recycled", "score")
    assert come_back(store, NOW) == 0


def test_a_promotion_is_told_once(store: Store) -> None:
    hook(store, "promotion")
    promote(store, "1", "train")
    promote(store, "2")
    promote(store, "2", "found")
    data = [(body["type"], body["data"]) for body in told(store)]
    assert data == [
        ("model.promoted", {"model_version": "1", "digest": "digest", "before": None}),
        ("model.promoted", {"model_version": "2", "digest": "digest", "before": "1"}),
    ]


def say_not_ready(store: Store, lead: str, at: datetime) -> None:
    hand(store, lead, at=at - DAY)
    say(store, Said(lead, "not_ready", at, by="kim", reason="no budget for Zaphod"))


def test_a_lead_that_comes_back_is_told_on_its_day_and_once(store: Store) -> None:
    hook(store, "recycled")
    say_not_ready(store, "a", MONDAY + DAY)
    score(store, MONDAY + 2 * DAY, a="B")
    due = datetime(2026, 6, 1)
    found = [come_back(store, moment) for moment in (due - HOUR, due, due + HOUR, due + 9 * DAY)]
    assert found == [0, 1, 0, 0]
    (body,) = told(store)
    assert (body["type"], body["timestamp"]) == ("lead.recycled", "2026-06-01T00:00:00Z")
    assert body["data"] == {
        "lead": "a",
        "code": "not_ready",
        "due": "2026-06-01",
        "grade": "B",
        "probability": 0.25,
        "model_version": "1",
    }


def test_a_lead_that_comes_back_again_later_is_told_again(store: Store) -> None:
    hook(store, "recycled")
    say_not_ready(store, "a", MONDAY + DAY)
    assert come_back(store, NOW) == 1
    say_not_ready(store, "a", NOW + DAY)
    assert come_back(store, NOW + 100 * DAY) == 1
    assert [body["data"]["due"] for body in told(store)] == ["2026-06-01", "2026-09-29"]


def test_two_who_find_a_lead_at_once_tell_it_once(store: Store) -> None:
    hook(store, "recycled")
    say_not_ready(store, "a", MONDAY + DAY)
    with store.reading() as connection:
        news = hooks.find_recycled(connection, agreed(), NOW)
    for _ in range(2):
        store.write(lambda c: hooks.tell_recycled(c, news, NOW))
    assert len(told(store)) == 1


def test_erasure_takes_what_is_told_of_a_lead_with_it(store: Store) -> None:
    hook(store, "score", "recycled")
    say_not_ready(store, "a", MONDAY + DAY)
    score(store, MONDAY + 2 * DAY, a="B", b="A")
    with store.reading() as connection:
        news = hooks.find_recycled(connection, agreed(), NOW)
    erase(store, ["a"], "dpo", NOW)
    store.write(lambda c: hooks.tell_recycled(c, news, NOW))
    assert [body["data"]["lead"] for body in told(store)] == ["b"]


def test_the_secret_is_derived_and_hangs_on_the_address(store: Store) -> None:
    one, other = hook(store, "score"), hook(store, "score", url=f"{URL}/2")
    secrets = {
        secret_of(one, SECRET),
        secret_of(other, SECRET),
        secret_of(one, b"t" * 32),
        secret_of(KnownHook(1, f"{URL}/3", one.events, "AB", MONDAY, None), SECRET),
    }
    assert len(secrets) == 4
    assert all(secret.startswith("whsec_") and len(secret) == 50 for secret in secrets)
    with store.reading() as connection:
        kept = str(connection.execute(select(Hook.__table__)).all())
        assert secret_of(hooks.live_hooks(connection)[0], SECRET) == secret_of(one, SECRET)
    assert not [secret for secret in secrets if secret[6:] in kept]


def test_one_address_has_one_hook(store: Store) -> None:
    hook(store, "score")
    with pytest.raises(UsageError, match="hook 1 goes to this address already"):
        hook(store, "promotion")
    remove(store, 1)
    assert hook(store, "promotion").key == 2


def test_a_hook_that_is_removed_is_told_nothing_and_leaves_nothing(store: Store) -> None:
    hook(store, "score")
    score(store, NOW, a="A")
    remove(store, 1)
    assert remove(store, 1).removed == NOW
    score(store, NOW + HOUR, b="A")
    assert told(store) == []
    with pytest.raises(UsageError, match="7: there is no such hook"):
        remove(store, 7)


def test_making_and_removing_stand_in_the_audit_log(store: Store) -> None:
    hook(store, "score", "promotion")
    remove(store, 1)
    with store.reading() as connection:
        rows = connection.execute(select(Audit.who, Audit.act, Audit.what).order_by(Audit.key))
        assert rows.all() == [
            ("kim", "hook add", "hook 1: score, promotion; grades AB"),
            ("kim", "hook remove", "hook 1"),
        ]


@pytest.mark.parametrize("text", ["", " , ", "score,feedback"])
def test_events_that_there_are_not_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="say some of score, recycled, promotion, night"):
        hooks.events_of(text)


def test_events_and_grades_are_read_in_one_order() -> None:
    assert hooks.events_of("promotion, score") == ("score", "promotion")
    assert hooks.grades_of("b,a") == "AB"
    with pytest.raises(UsageError, match="AE: no grades"):
        hooks.grades_of("AE")


def test_what_was_delivered_long_ago_is_forgotten_but_for_leads_that_came_back(
    store: Store,
) -> None:
    hook(store, "score", "recycled")
    say_not_ready(store, "a", MONDAY + DAY)
    come_back(store, NOW)
    score(store, NOW, a="A")
    for _ in range(2):
        letter = store.write(lambda c: take(c, 1, NOW))
        assert letter is not None
        store.write(lambda c, one=letter: deliveries.mark_delivered(c, one, NOW))  # type: ignore[misc]
    later = NOW + KEPT_FOR + HOUR
    store.write(lambda c: deliveries.forget_old(c, NOW + KEPT_FOR))
    assert kept_events(store) == ["recycled", "score"]
    store.write(lambda c: deliveries.forget_old(c, later))
    assert kept_events(store) == ["recycled"]
    assert come_back(store, later) == 0


def kept_events(store: Store) -> list[str]:
    with store.reading() as connection:
        events = connection.execute(select(Delivery.event)).scalars()
        return sorted(event.partition("_")[0] for event in events)


def test_what_came_for_a_hook_while_it_was_removed_is_not_counted_and_goes(store: Store) -> None:
    hook(store, "score")
    remove(store, 1)
    row = {"hook": 1, "event": "score_x", "body": "", "at": NOW, "tries": 0, "due": NOW}
    store.write(lambda c: c.execute(insert(Delivery), [row]))
    with store.reading() as connection:
        assert deliveries.standing(connection) == {}
        assert deliveries.hooks_due(connection, NOW) == []
    store.write(lambda c: deliveries.forget_old(c, NOW))
    assert kept_events(store) == []


def test_dead_letters_are_forgotten_in_the_end(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook(store, "score")
    row = {"hook": 1, "body": "", "tries": 9, "due": None}
    days = [NOW - 61 * DAY, NOW - 59 * DAY, NOW - 2 * DAY, NOW - DAY]
    rows = [row | {"event": f"score_{i}", "at": at} for i, at in enumerate(days)]
    store.write(lambda c: c.execute(insert(Delivery), rows))

    def dead() -> list[str]:
        store.write(lambda c: deliveries.forget_old(c, NOW))
        with store.reading() as connection:
            return [letter.event for letter in deliveries.dead_letters(connection)]

    assert dead() == ["score_1", "score_2", "score_3"]
    monkeypatch.setattr(deliveries, "MOST_DEAD", 2)
    assert dead() == ["score_2", "score_3"]


def test_that_a_return_was_told_is_forgotten_once_it_cannot_be_found_again(store: Store) -> None:
    hook(store, "recycled")
    say_not_ready(store, "a", MONDAY + DAY)
    due = datetime(2026, 6, 1)
    assert come_back(store, due) == 1
    letter = store.write(lambda c: take(c, 1, due))
    assert letter is not None
    store.write(lambda c: deliveries.mark_delivered(c, letter, due))
    later = due + 2 * KEPT_FOR + DAY

    store.write(lambda c: deliveries.forget_old(c, later))

    assert kept_events(store) == []
    assert come_back(store, later) == 0
