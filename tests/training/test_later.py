from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from training.later import later_table, read_later, window, write_later

IDS = ["b", "a", "c"]
WON = np.array([1, 0, 1], dtype=np.int8)
SAID = np.array([0.5, 0.25, 0.75])
CREATED = [datetime(2026, 3, 2, 9), datetime(2026, 2, 27, 23, 59), datetime(2026, 2, 28, 0, 0)]


def test_rows_stand_in_the_order_of_the_sorted_ids() -> None:
    table = later_table(IDS, WON, SAID, CREATED)

    assert table["probability"].to_pylist() == [0.25, 0.5, 0.75]
    assert table["won"].to_pylist() == [0, 1, 1]


def test_days_are_counted_by_the_calendar_from_the_first_later_lead() -> None:
    assert later_table(IDS, WON, SAID, CREATED)["day"].to_pylist() == [0, 3, 1]


def test_two_exports_of_the_same_leads_in_another_order_give_the_same_table() -> None:
    turned = later_table(IDS[::-1], WON[::-1], SAID[::-1], CREATED[::-1])

    assert turned.equals(later_table(IDS, WON, SAID, CREATED))


def test_the_file_holds_outcome_probability_and_day_and_no_id(tmp_path: Path) -> None:
    ids = ["lead-4711-secret", "lead-4712-secret", "lead-4713-secret"]

    path = write_later(later_table(ids, WON, SAID, CREATED), tmp_path)

    assert path.name == "later.parquet"
    assert pq.read_schema(path).names == ["won", "probability", "day"]
    assert b"secret" not in path.read_bytes()


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    later = read_later(write_later(later_table(IDS, WON, SAID, CREATED), tmp_path))

    assert later.won.tolist() == [0, 1, 1]
    assert later.probability.tolist() == [0.25, 0.5, 0.75]
    assert later.day is not None
    assert later.day.tolist() == [0, 3, 1]


@pytest.mark.parametrize("created", [[None] * 3, [CREATED[0], None, CREATED[1]]])
def test_without_all_creation_times_there_are_no_days(
    tmp_path: Path, created: list[datetime | None]
) -> None:
    table = later_table(IDS, WON, SAID, created)

    assert read_later(write_later(table, tmp_path)).day is None


def test_a_window_is_the_first_and_the_last_day() -> None:
    assert window([*CREATED, None]) == "2026-02-27 to 2026-03-02"
    assert window([None]) == ""
