"""The benchmark as a user runs it, on two tiny sets."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.rivals import RIVALS, prepared

ROOT = Path(__file__).parents[2]
QUALITY = ROOT / "benchmarks" / "quality.py"
FIGURES = {"auc", "log_loss", "lift_at_10", "ece", "seconds"}
QUICK = "base_rate,logistic,lightgbm,leadq"


def leads(rows: int, seed: int) -> pd.DataFrame:
    """Leads of which the large ones and those from partners buy more often."""
    random = np.random.default_rng(seed)
    size = np.ceil(random.lognormal(3, 1, rows))
    source = random.choice(["Partner", "Google", "Fair", ""], rows)
    log_odds = 0.8 * (np.log(size) - 3) + 1.2 * (source == "Partner") - 0.8
    won = random.random(rows) < 1 / (1 + np.exp(-log_odds))
    created = pd.Timestamp("2025-01-01") + pd.to_timedelta(np.arange(rows), unit="h")
    return pd.DataFrame(
        {
            "lead": [f"L{i}" for i in range(rows)],
            "created": created.strftime("%Y-%m-%d %H:%M"),
            "size": size,
            "source": source,
            "state": np.where(won, "Won", "Lost"),
        }
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets")
    told = 'id = "lead"\noutcome = "state"\nwon = ["Won"]\n'
    leads(400, 0).to_csv(folder / "in_time.csv", index=False)
    (folder / "in_time.toml").write_text(told + 'time = "created"\n')
    leads(300, 1).drop(columns="created").to_csv(folder / "no_time.csv", index=False)
    (folder / "no_time.toml").write_text(told)
    return folder


def quality(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(QUALITY), *arguments], capture_output=True, text=True, cwd=ROOT
    )


@pytest.fixture(scope="module")
def answer(folder: Path) -> subprocess.CompletedProcess[str]:
    return quality("--sets", str(folder), "--contenders", QUICK, "--json")


def test_only_the_sets_of_the_folder_run_and_each_contender_is_judged(
    answer: subprocess.CompletedProcess[str],
) -> None:
    found = json.loads(answer.stdout)

    assert answer.returncode == 0, answer.stderr
    assert set(found) == {"in_time", "no_time"}
    for figures in found.values():
        assert set(figures) == set(QUICK.split(","))
        assert all(set(one) >= FIGURES for one in figures.values())


def test_the_last_line_is_json_and_the_tables_are_beside_it(
    answer: subprocess.CompletedProcess[str],
) -> None:
    assert len(answer.stdout.splitlines()) == 1
    assert "mean rank of 4 over 2 sets" in answer.stderr
    assert "leadq's margin over each contender" in answer.stderr


def test_leadq_finds_what_there_is_to_find(answer: subprocess.CompletedProcess[str]) -> None:
    found = json.loads(answer.stdout)

    assert found["in_time"]["base_rate"]["auc"] == 0.5
    assert found["in_time"]["base_rate"]["lift_at_10"] == pytest.approx(1)
    assert found["no_time"]["leadq"]["auc"] > 0.65


def test_leadq_reads_every_row_that_is_judged(answer: subprocess.CompletedProcess[str]) -> None:
    assert "test rows aside" not in answer.stderr


def test_an_unknown_contender_is_a_wrong_call(folder: Path) -> None:
    wrong = quality("--sets", str(folder), "--contenders", "xgboost")

    assert wrong.returncode == 2
    assert "no contender xgboost" in wrong.stderr


def test_a_failure_of_leadq_is_told_and_the_others_go_on(tmp_path: Path) -> None:
    # One win among the rows to train on: leadq refuses to propose an agreement from it.
    table = leads(100, 2)
    table["state"] = ["Won" if i in (3, 80, 90) else "Lost" for i in range(100)]
    table.to_csv(tmp_path / "poor.csv", index=False)
    (tmp_path / "poor.toml").write_text('outcome="state"\nwon=["Won"]\ntime="created"\n')

    ran = quality("--sets", str(tmp_path), "--contenders", "leadq,base_rate", "--json")
    found = json.loads(ran.stdout)["poor"]

    assert ran.returncode == 1
    assert "leads have a known outcome and 1 of them are won" in found["leadq"]["error"]
    assert set(found["base_rate"]) >= FIGURES


@pytest.mark.parametrize("name", sorted(RIVALS))
def test_a_rival_answers_for_values_it_has_never_seen(name: str) -> None:
    if name == "catboost" and find_spec("catboost") is None:
        pytest.skip("catboost is not installed; it is no need of leadq's own")
    frame = prepared(leads(300, 3).drop(columns=["lead", "created", "state"]))
    labels = (leads(300, 3)["state"] == "Won").to_numpy(dtype=np.int8)
    later = pd.DataFrame({"size": [np.nan, 20.0], "source": [None, "Mars"]}, dtype=object)
    later["size"] = later["size"].astype(float)

    chance = RIVALS[name](frame, labels, later, 0)

    assert chance.shape == (2,)
    assert ((chance > 0) & (chance < 1)).all()


def test_texts_unique_in_each_row_are_dropped_as_ids() -> None:
    frame = prepared(leads(50, 4).drop(columns="state"))

    assert list(frame.columns) == ["size", "source"]


def test_numbers_with_a_decimal_comma_are_numbers_for_the_rivals() -> None:
    raw = pd.DataFrame({"price": ["1.200,50", "3,25", "", "7,00"], "seen": ["yes", "no", "", "no"]})

    frame = prepared(raw)

    assert frame["price"].dropna().tolist() == [1200.5, 3.25, 7.0]
    assert frame["seen"].tolist() == ["yes", "no", None, "no"]


def test_naive_bayes_counts_as_odoo_does() -> None:
    train = pd.DataFrame({"source": ["a"] * 4 + ["b"] * 4 + [None] * 2}, dtype=object)
    won = np.array([1, 1, 1, 0, 1, 0, 0, 0, 1, 0], dtype=np.int8)
    later = pd.DataFrame({"source": ["a", None, "never seen"]}, dtype=object)
    in_won, in_lost = 3.1 / 4.2, 1.1 / 4.2

    chance = RIVALS["naive_bayes"](train, won, later, 0)

    assert chance.tolist() == [round(in_won / (in_won + in_lost), 4), 0.5, 0.5]
