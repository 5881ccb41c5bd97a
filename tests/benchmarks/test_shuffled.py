"""Outcomes dealt out anew: what is counted stays, and what was known before is not touched."""

from __future__ import annotations

from datetime import timedelta

from benchmarks.shuffled import dealt
from tests.training.firms import START, history

DECIDED = ["won", "lost", "lost", "won", "lost", "unqualified", "won", "lost"] * 20
CLOSED = [START + timedelta(days=i) for i in range(len(DECIDED))]


def test_new_outcomes_change_places_and_known_ones_stay() -> None:
    told = history([*DECIDED, "open"], closed=[*CLOSED, None])

    after = dealt(told, CLOSED[79], 1.0, seed=1).dispositions

    assert sorted(after) == sorted(told.dispositions)
    assert list(after[:80]) == DECIDED[:80]
    assert list(after[80:160]) != DECIDED[80:]
    assert after[-1] == "open"


def test_a_share_of_nothing_changes_nothing() -> None:
    told = history(DECIDED, closed=CLOSED)

    assert dealt(told, START, 0.0, seed=1).dispositions == told.dispositions
