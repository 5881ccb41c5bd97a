"""What a training registers scores with all its parts, by every door, or is refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from features.errors import ModelError
from features.home import Home
from serving.api import build
from serving.artefact import LoadedModel, read
from serving.batch import score_file
from tests.lives import Fixed
from training.registry import fetch, load_champion
from training.train import Training

NUMBERS = ("probability_low", "probability_high", "expected_value", "expected_days")


@pytest.fixture(scope="module")
def model(trained: tuple[Home, Training]) -> LoadedModel:
    """The champion of the simulated firm."""
    return load_champion(trained[0])


def test_interval_value_and_time_are_loaded_as_they_were_fitted(
    model: LoadedModel, trained: tuple[Home, Training]
) -> None:
    fitted, scorer = trained[1].scorer, model.artefact.scorer

    assert None not in (fitted.interval, fitted.value, fitted.timing)
    assert scorer.interval == fitted.interval
    assert scorer.value == fitted.value
    assert scorer.timing == fitted.timing


def test_file_and_reply_carry_the_same_numbers(
    model: LoadedModel, crm: Path, tmp_path: Path
) -> None:
    score_file(model, crm / "nightly.csv", tmp_path / "scored.csv", 0)
    with (tmp_path / "scored.csv").open(newline="") as file:
        scored = list(csv.DictReader(file))
    with (crm / "nightly.csv").open(newline="") as file:
        leads = [{k: v for k, v in row.items() if v} for row in csv.DictReader(file)]

    with TestClient(build(Fixed(model))) as client:
        results = client.post("/v1/score?reasons=0", json={"leads": leads}).json()["results"]

    for name in NUMBERS:
        assert [result[name] for result in results] == [float(row[name]) for row in scored]
    assert all(r["probability_low"] <= r["probability"] <= r["probability_high"] for r in results)


def files_of(model: LoadedModel, trained: tuple[Home, Training], folder: Path) -> Path:
    """A copy of the model's files, without their digest."""
    copy = folder / "leadq"
    copy.mkdir()
    for name, content in fetch(trained[0], model.version)[1].items():
        (copy / name).write_bytes(content)
    return copy


def test_the_golden_rows_hold_every_number_that_a_score_has(
    model: LoadedModel, trained: tuple[Home, Training], tmp_path: Path
) -> None:
    rows = json.loads((files_of(model, trained, tmp_path) / "golden.json").read_text())

    assert all({"probability", *NUMBERS} <= set(row) for row in rows)


@pytest.mark.parametrize(("name", "key"), [("interval.json", "low"), ("timing.json", "days")])
def test_a_part_that_was_changed_is_refused_by_the_golden_rows(
    model: LoadedModel, trained: tuple[Home, Training], tmp_path: Path, name: str, key: str
) -> None:
    path = files_of(model, trained, tmp_path) / name
    state = json.loads(path.read_text())
    path.write_text(json.dumps({**state, key: [number * 1.01 for number in state[key]]}))

    with pytest.raises(ModelError, match=r"golden row \d scores"):
        read(path.parent)


@pytest.mark.parametrize("name", ["interval.json", "value.json", "timing.json"])
def test_a_part_that_was_lost_is_refused_by_the_golden_rows(
    model: LoadedModel, trained: tuple[Home, Training], tmp_path: Path, name: str
) -> None:
    folder = files_of(model, trained, tmp_path)
    (folder / name).unlink()

    with pytest.raises(ModelError, match=r"golden row \d scores"):
        read(folder)


def test_the_facts_tell_who_scores_and_why(
    model: LoadedModel, trained: tuple[Home, Training]
) -> None:
    facts, verdict = model.artefact.facts, trained[1].verdict

    assert (facts["scored_by"], facts["verdict"]) == (verdict.scorer, verdict.sentence)
    assert facts["caution"] == trained[1].caution
