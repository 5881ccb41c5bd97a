"""The main job on the education company's real leads: init, train, score, REST."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from features.agreement import load
from serving.api import build
from serving.batch import score_file
from tests.conftest import home_at
from tests.lives import Fixed
from training.propose import propose
from training.registry import load_champion
from training.render import render
from training.roles import Told
from training.train import Training, train

LEAKS = {"Tags", "Lead Quality", "Lead Profile", "Last Activity", "Last Notable Activity"}
SCORES = {f"Asymmetrique {a} {b}" for a in ("Activity", "Profile") for b in ("Index", "Score")}


@pytest.fixture(scope="module")
def job(xeducation: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Training]:
    """A folder with an agreement and a home, and what its training said."""
    folder = tmp_path_factory.mktemp("xeducation")
    (folder / "agreement.toml").write_text(render(propose(xeducation, Told())), encoding="utf-8")
    result = train(xeducation, load(folder / "agreement.toml"), home_at(folder / ".leadq"))
    return folder, result


def test_the_leaks_are_left_out_with_their_reasons(job) -> None:
    left_out = {found.field: found.reason for found in job[1].choice.left_out}

    assert set(left_out) == LEAKS | SCORES
    assert all("AUC" in left_out[name] for name in LEAKS)


def test_later_leads_are_ranked_and_predicted_as_well_as_promised(job) -> None:
    e = job[1].evaluation

    assert job[1].verdict.scorer == "model"
    assert e.roc_auc >= 0.885
    assert e.mean_predicted == pytest.approx(e.mean_actual, rel=0.10)


def test_the_file_and_the_service_say_the_same(job, xeducation: Path) -> None:
    folder = job[0]
    model = load_champion(home_at(folder / ".leadq"))
    score_file(model, xeducation, folder / "scored.csv", 3)
    with (folder / "scored.csv").open(newline="") as file:
        scored = list(csv.DictReader(file))
    with xeducation.open(newline="", encoding="utf-8") as file:
        leads = list(csv.DictReader(file))[:500]

    with TestClient(build(Fixed(model))) as client:
        results = client.post("/v1/score?reasons=3", json={"leads": leads}).json()["results"]

    assert [r["probability"] for r in results] == [float(r["probability"]) for r in scored[:500]]
    assert [r["reasons"] for r in results] == [json.loads(r["reasons"]) for r in scored[:500]]
    assert scored[0]["Prospect ID"] == leads[0]["Prospect ID"]
