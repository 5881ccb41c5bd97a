from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.sets import Set, folder_sets, from_table
from benchmarks.shared_sets import SIMULATED


def a_table(**columns: list[str]) -> pd.DataFrame:
    made = {
        "size": [str(i % 7) for i in range(100)],
        "state": ["Won" if i % 3 == 0 else "Lost" for i in range(100)],
    }
    return pd.DataFrame({**made, **columns})


def a_set(**columns: list[str]) -> Set:
    return from_table("made", a_table(**columns), "state", ["Won"], time=next(iter(columns), None))


def described(folder: Path, table: pd.DataFrame, toml: str, delimiter: str = ",") -> Path:
    table.to_csv(folder / "mine.csv", index=False, sep=delimiter)
    (folder / "mine.toml").write_text(toml)
    return folder


def test_with_a_time_the_last_three_tenths_judge() -> None:
    dates = [f"{day + 1:02d}.{month + 1:02d}.2025" for month in range(10) for day in range(10)]
    ((train, test),) = a_set(when=dates[::-1]).splits(seed=0)

    assert test.tolist() == list(range(30))
    assert train.tolist() == list(range(30, 100))


def test_a_number_is_a_time_too() -> None:
    ((_, test),) = a_set(number=[str(2 * i) for i in range(100)]).splits(seed=0)

    assert test.tolist() == list(range(70, 100))


def test_a_month_is_a_time_too() -> None:
    ((_, test),) = a_set(month=[f"{2000 + i // 12}-{i % 12 + 1:02d}" for i in range(100)]).splits(0)

    assert test.tolist() == list(range(70, 100))


def test_rows_of_the_same_time_are_not_parted_in_the_order_of_the_file() -> None:
    table = a_table(state=["Won"] * 50 + ["Lost"] * 50, year=["2025"] * 100)
    ((train, _),) = from_table("made", table, "state", ["Won"], time="year").splits(seed=0)

    assert (train < 50).mean() == pytest.approx(0.5, abs=0.15)


def test_without_a_time_each_row_is_judged_once() -> None:
    judged = np.concatenate([test for _, test in a_set().splits(seed=0)])

    assert sorted(judged.tolist()) == list(range(100))


def test_nobody_gets_id_outcome_time_or_what_is_excluded(tmp_path: Path) -> None:
    table = a_table(lead=[f"L{i}" for i in range(100)], day=["1"] * 100, reason=["x"] * 100)
    toml = 'id="lead"\ntime="day"\noutcome="state"\nwon=["won"]\nexclude=["reason"]\n'
    (made,) = folder_sets(described(tmp_path, table, toml, delimiter=";"))

    assert list(made.raw.columns) == ["size"]
    assert made.labels.sum() == 34


def test_a_number_among_the_outcomes_may_be_written_either_way() -> None:
    made = from_table("made", a_table(state=["1.0", "0.0"] * 50), "state", ["1"])

    assert made.labels.sum() == 50


def test_rows_without_outcome_or_time_are_left_out() -> None:
    table = a_table(state=["", *["Won", "Lost"] * 49, "Won"], day=["1"] * 99 + [""])

    assert len(from_table("made", table, "state", ["Won"], time="day").raw) == 98


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ('outcome="state"\nwon=["Won"]\nexlude=["size"]', "unknown key exlude"),
        ('outcome="state"', "outcome or won is not given"),
        ('outcome="status"\nwon=["Won"]', "no column status; the table has: size, state"),
        ('outcome="state"\nwon=["Gained"]', "parts nothing; 'state' holds 'Lost', 'Won'"),
        ('outcome="state"\nwon=["Won"]\ntime="when"', "the time column 'when'"),
    ],
)
def test_a_wrong_description_says_what_is_wrong(tmp_path: Path, toml: str, message: str) -> None:
    table = a_table(when=["soon"] * 100)

    with pytest.raises(ValueError, match=message):
        folder_sets(described(tmp_path, table, toml))


def test_a_simulated_crm_brings_its_truth_and_no_field_of_hindsight() -> None:
    made = SIMULATED["simulated_little"](0)

    assert made.truth is not None
    assert made.labels.mean() == pytest.approx(made.truth.mean(), abs=0.03)
    assert not {"status", "closed_at", "deal_value", "close_reason", "id"} & set(made.raw.columns)
    assert len(made.campaigns) == len(made.raw)
