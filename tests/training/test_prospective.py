"""Scores held against what came later."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest

from features.store.health import GivenScore, GivenScores
from tests.features.making import an_agreement
from training.prospective import (
    Truth,
    by_model,
    by_month,
    lift_lines,
    measured_lift,
    prospective_lines,
    truth_of,
)

START = datetime(2026, 1, 5)
NOW = datetime(2026, 12, 1)
AGREED = an_agreement()


def _score(n: int = 0, code: str | None = "lost", **more: object) -> GivenScore:
    created = START + timedelta(days=n % 60)
    row = {
        "start": created,
        "at": created,
        "closed": created + timedelta(days=10),
        "probability": 0.2,
        "propensity": None,
        "model": "1",
        "campaign": "Fair",
        "grade": "C",
        "lane": None,
        "code": code,
    }
    return GivenScore(**(row | more))  # type: ignore[arg-type]


def _truth(scores: list[GivenScore]) -> Truth:
    return truth_of(GivenScores.of([scores]), AGREED, NOW)


def _many(rows: int, seed: int = 0) -> list[GivenScore]:
    rng = np.random.default_rng(seed)
    chances = rng.beta(1, 4, rows)
    won = rng.random(rows) < chances
    return [
        _score(n, "won" if w else "lost", probability=float(p))
        for n, (p, w) in enumerate(zip(chances, won, strict=True))
    ]


def test_only_decided_leads_whose_horizon_is_over_are_judged() -> None:
    young = _score(start=NOW - timedelta(days=30))
    late = _score(2, "won", closed=START + timedelta(days=200))
    truth = _truth([_score(1, "won"), late, young, _score(3, "not_ready"), _score(4, None)])
    assert truth.won.tolist() == [1, 0]
    assert dict(truth.waiting) == {
        "too young: the horizon is not over": 1,
        "not_ready": 1,
        "open: not decided": 1,
    }


def test_without_scores_there_is_nothing_to_judge() -> None:
    truth = _truth([])
    assert (by_month(truth), by_model(truth, AGREED), measured_lift(truth)) == ([], {}, None)


def test_an_honest_model_is_seen_to_be_honest_month_by_month() -> None:
    truth = _truth(_many(3000))
    months = by_month(truth)
    assert [month.name for month in months] == ["2026-01", "2026-02", "2026-03"]
    assert all(m.by_chance and m.by_chance[0] <= m.won <= m.by_chance[1] for m in months)
    found = by_model(truth, AGREED)["1"]
    assert found.figures["roc_auc"].low > 0.6
    assert found.mean_predicted == pytest.approx(found.mean_actual, abs=0.03)


def test_a_model_that_promises_too_much_is_seen_to() -> None:
    twice = [
        _score(n, s.code, probability=min(0.95, 2 * s.probability))
        for n, s in enumerate(_many(3000))
    ]
    months = by_month(_truth(twice))
    assert all(month.by_chance and month.won < month.by_chance[0] for month in months)


def test_models_are_judged_apart_in_the_order_of_their_versions() -> None:
    scores = [*_many(200), *(_score(n, s.code, model="10") for n, s in enumerate(_many(200)))]
    scores += [_score(n, s.code, model="9") for n, s in enumerate(_many(200))]
    assert list(by_model(_truth(scores), AGREED)) == ["1", "9", "10"]


def test_the_lift_is_measured_by_the_exploration_lane_alone() -> None:
    rng = np.random.default_rng(1)
    scores = []
    for n in range(4000):
        called = n % 4 == 0
        if not called and rng.random() > 0.1:
            continue
        won = rng.random() < (0.4 if called else 0.1)
        lane, chance = ("model", 1.0) if called else ("exploration", 0.1)
        scores.append(_score(n, "won" if won else "lost", lane=lane, propensity=chance))
    truth = _truth(scores)
    lift = measured_lift(truth)
    # Called 40 % of 1,000; all 40 % of 1,000 and 10 % of 3,000: 0.4 / 0.175.
    assert lift is not None
    assert lift.lift.low < 0.4 / 0.175 < lift.lift.high
    assert lift.lift.high - lift.lift.low < 1
    assert "measured lift" in next(lift_lines(lift))


def test_without_exploration_the_lift_is_said_to_be_unknown_and_why() -> None:
    assert measured_lift(_truth(_many(100))) is None
    assert "cannot be known" in next(lift_lines(None))


def test_promise_and_truth_stand_side_by_side() -> None:
    truth = _truth(_many(500))
    models = by_model(truth, AGREED)
    text = "\n".join(prospective_lines(truth, models, {"1": {"roc_auc": 0.931}}))
    assert f"ROC AUC {models['1'].roc_auc:.3f}" in text
    assert "backtest 0.931" in text
    assert "2026-02, version 1:" in text
