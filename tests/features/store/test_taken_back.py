"""What was taken back on a page counts nowhere: one meaning for all who read what sales said."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from sqlalchemy import select

from features.store.database import Store
from features.store.dataset import new_outcomes, training_set
from features.store.drawn import LeadState, Worklist
from features.store.feedback import keep
from features.store.health import decided_by, given_scores, lost_reasons, passed, won_leads
from features.store.history import history_of
from features.store.queue import waiting
from features.store.recycle import due_leads, due_of
from features.store.said import Said
from features.store.states import words
from features.store.turned import turned_since
from tests.features.store.making import MONDAY, NOW, agreed, hand
from tests.features.store.past import START, drawn
from tests.features.store.test_lead_states import score
from tests.serving.raw_rows import Raw

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BACK = ("open", "page")


class Stands(NamedTuple):
    """How a lead stands, as each reader says it."""

    counts: str | None
    is_listed: bool
    is_recycled: bool
    taken_back_next: str | None


LIVES: list[tuple[list[tuple[str, str]], Stands]] = [
    ([("lost", "page"), BACK], Stands(None, True, False, None)),
    ([("not_ready", "rest"), ("contacted", "page"), BACK],
     Stands("not_ready", False, True, "not_ready")),
    ([("lost", "rest"), ("contacted", "page"), BACK], Stands("lost", False, False, "lost")),
    ([("not_ready", "page"), ("lost", "page"), BACK],
     Stands("not_ready", False, True, "not_ready")),
    ([("not_ready", "page"), ("lost", "page"), BACK, BACK], Stands(None, True, False, None)),
    ([("lost", "page"), BACK, BACK, ("won", "page")], Stands("won", False, False, "won")),
    ([("won", "page"), BACK, ("lost", "page"), BACK, ("unqualified", "page")],
     Stands("unqualified", False, False, "unqualified")),
    ([("lost", "export"), ("contacted", "page"), BACK], Stands("lost", False, False, "lost")),
    ([("contacted", "page"), ("lost", "export"), BACK], Stands(None, True, False, "contacted")),
    ([("lost", "page"), BACK, ("won", "export")], Stands("won", False, False, "won")),
    ([("lost", "rest"), ("open", "rest")], Stands("open", True, False, "open")),
    ([("lost", "rest"), ("open", "export"), ("contacted", "page"), BACK],
     Stands("open", True, False, "open")),
]  # fmt: skip


def live(store: Store, life: list[tuple[str, str]]) -> None:
    """Let a lead be scored and handed over, and words come in one after another."""
    hand(store, "a")
    score(store, "a", 0.5, MONDAY - DAY)
    for n, (code, origin) in enumerate(life, 1):
        at = MONDAY + n * HOUR
        said = Said("a", code, at, value=9.0 if code == "won" else None)
        store.write(lambda c, said=said, o=origin, at=at: keep(c, [said], agreed(), o, at))


@pytest.mark.parametrize(("life", "stands"), LIVES)
def test_a_lead_stands_alike_for_all_who_read(store: Store, life: Any, stands: Stands) -> None:
    live(store, life)
    decided = stands.counts if stands.counts in ("won", "lost", "unqualified") else None
    with store.reading() as connection:
        state = connection.execute(select(LeadState.code)).scalar_one()
        listed = connection.execute(select(Worklist.lead)).all()
        history, answers = history_of(connection, "a"), passed(connection, MONDAY, NOW)
        labels = training_set(connection, agreed(), NOW).dispositions
        judged = given_scores(connection, NOW)
        due = due_leads(connection, agreed(), NOW, date(2027, 12, 31))
        counted = (won_leads(connection, MONDAY, NOW), lost_reasons(connection, MONDAY, NOW))
        again = due_of(connection, agreed(), 1, NOW)

        assert sum(decided_by(connection, NOW)) == (decided is not None)
        assert new_outcomes(connection, None) == (stands.counts == "open" or decided is not None)
        assert sum(turned_since(connection, NOW, NOW)) == (decided is not None)
    assert state == stands.counts
    assert labels == [stands.counts or "open"]
    assert list(judged.code) == [stands.counts]
    assert (len(listed) == 1) == stands.is_listed
    assert (len(due) == 1) == (again is not None) == stands.is_recycled
    assert counted[0].leads == (stands.counts == "won")
    assert set(counted[1]) == {stands.counts} - {"won", "open", None}
    assert history is not None
    assert (history.last and history.last.code) == stands.taken_back_next
    assert (answers[0].answered is None) == (stands.counts is None)


def test_of_words_that_came_in_together_the_later_one_is_taken_back(store: Store) -> None:
    hand(store, "a")
    said = [Said("a", "lost", MONDAY + 2 * HOUR), Said("a", "not_ready", MONDAY + HOUR)]
    store.write(lambda c: keep(c, said, agreed(), "rest", MONDAY + 3 * HOUR))
    with store.reading() as connection:
        before = history_of(connection, "a")
    back = [Said("a", "open", MONDAY + 4 * HOUR)]
    store.write(lambda c: keep(c, back, agreed(), "page", MONDAY + 4 * HOUR))
    with store.reading() as connection:
        after = history_of(connection, "a")
    assert before is not None
    assert after is not None
    assert [history.last and history.last.code for history in (before, after)] == [
        "lost",
        "not_ready",
    ]


def test_a_lead_of_which_everything_was_taken_back_may_be_called(store: Store) -> None:
    score(store, "a", 0.5, MONDAY)
    for code, at in (("contacted", MONDAY + HOUR), ("open", MONDAY + 2 * HOUR)):
        said = Said("a", code, at)
        store.write(lambda c, said=said: keep(c, [said], agreed(), "page", said.at))
    with store.reading() as connection:
        assert [lead.id for lead in waiting(connection, agreed(), MONDAY + DAY, 3)] == ["a"]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("weeks", [12, 40])
def test_the_word_that_counts_is_that_of_the_raw_rows(store: Store, seed: int, weeks: int) -> None:
    past, as_of = drawn(seed), START + timedelta(weeks=weeks)
    past.keep(store)
    raw = Raw(past, as_of)
    with store.reading() as connection:
        found = {row.lead: row for row in connection.execute(select(words(as_of)))}
        lately = words(as_of, since=as_of - 60 * DAY)
        newest = {row.lead: row.key for row in connection.execute(select(lately))}
    wanted = {key: word for key in raw.leads if (word := raw.last_word(key))}
    assert {key: _told(row) for key, row in found.items()} == {
        key: (word["at"], word["code"], word["origin"]) for key, word in wanted.items()
    }
    assert newest == {key: row.key for key, row in found.items() if row.at >= as_of - 60 * DAY}


def _told(row: Any) -> tuple[datetime, str, str]:
    return row.at, row.code, row.origin


@pytest.mark.parametrize("seed", range(2))
def test_labels_of_a_training_are_those_of_the_raw_rows(store: Store, seed: int) -> None:
    past, as_of = drawn(seed), START + timedelta(weeks=40)
    past.keep(store)
    raw = Raw(past, as_of)
    with store.reading() as connection:
        history = training_set(connection, agreed(), as_of)
    found = dict(zip(history.leads.ids, history.dispositions, strict=True))
    once = [key for key, lead in raw.leads.items()
            if len(raw.handoffs[key]) == 1 and not lead["erased"]]  # fmt: skip
    assert len(once) > 100
    for key in once:
        word = raw.last_word(key)
        assert found[raw.leads[key]["id"]] == (word["code"] if word else "open")
