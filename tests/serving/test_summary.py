"""What is said of a file that was read: every row is told of, and nothing is cut off."""

from __future__ import annotations

from collections import Counter

from features.files import Reject
from features.reading import Intake
from features.store.intake import Account
from serving.summary import account_lines, intake_lines


def test_rows_of_one_kind_are_told_together_and_their_reason_whole() -> None:
    same = "the same id with other values as line"
    reasons = [f"{same} 2", f"{same} 7 of a.csv", "repeats line 3", "closed too early (2026-03-02)"]
    rejects = [Reject("x", i, "id", "a", reason) for i, reason in enumerate(reasons)]
    first, *rest = intake_lines(Intake(5, rejects), None)
    assert first == "5 rows read, 1 taken, 4 set aside"
    assert rest == [
        "  2 rows: id: the same id with other values as another line",
        "  1 row: id: repeats another line",
        "  1 row: id: closed too early",
    ]


def test_reasons_beyond_the_usual_ones_are_counted() -> None:
    reasons = Counter({"a": 9, "b": 8, "c": 7, "d": 3, "e": 1})
    *_, why, _ = account_lines(Account(1, waiting=1, early=1), 1, None)
    assert why.startswith("  1 row of those that wait: before their lead was handed over or scored")
    *_, last = account_lines(Account(28, refused=28, reasons=reasons), 0, None)
    assert last == "  and 4 rows for 2 more reasons"


def test_a_file_without_rows_is_warned_of() -> None:
    assert "no rows" in list(intake_lines(Intake(), None))[-1]


def test_hand_offs_without_a_time_are_warned_of() -> None:
    (_, warning) = account_lines(Account(1, 1, is_undated=True), 0, None)
    assert "no column at" in warning


def test_one_word_that_waits_is_one() -> None:
    *_, last = account_lines(Account(1, waiting=1), 1, None)
    assert last.startswith("waiting until their leads are handed over: 1 word of sales (leadq")
