from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import optuna
import pytest

from features.leads import Leads
from tests.training.firms import agreed, use
from training import tune as tuning
from training.fit import Effort, fit
from training.labels import Labels
from training.track import Trial
from training.tune import PRESETS, Tuned, tune

ROWS = 600
RANDOM = np.random.default_rng(3)
SIZE = RANDOM.normal(size=ROWS)
VISITS = RANDOM.normal(size=ROWS)
CALLS = RANDOM.normal(size=ROWS)
LEADS = Leads(
    [str(i) for i in range(ROWS)],
    {"size": SIZE.tolist(), "visits": VISITS.tolist(), "calls": CALLS.tolist()},
    [None] * ROWS,
)
SIGN = np.sign(SIZE * VISITS * CALLS)
LABELS: Labels = (RANDOM.random(ROWS) < np.where(SIGN > 0, 0.97, 0.03)).astype(np.int8)
"""Only the three fields together tell: deep trees find it and pairs cannot."""
GIVEN: dict[str, Any] = {
    "leads": LEADS,
    "labels": LABELS,
    "weight": np.ones(ROWS),
    "agreement": agreed(),
    "fields": {name: use("number") for name in ("size", "visits", "calls")},
    "place": None,
    "seed": 1,
}


TRIALS = 3


def tuned(trials: int | None = TRIALS, seconds: float = 0.0, **changes: Any) -> Tuned:
    """A search on made-up leads."""
    return tune(**{**GIVEN, **changes}, seconds=seconds, trials=trials)


def whole(found: Tuned) -> list[Trial]:
    """The trials that saw all folds."""
    return [trial for trial in found.tried[1:] if trial.metrics["folds"] == SMALL.folds]


SMALL = Effort(shapes=("pairs",), folds=3)


@pytest.fixture(autouse=True, scope="module")
def small() -> Iterator[None]:
    """Search beside few members on few folds, so that the tests are fast."""
    before, PRESETS["best"] = PRESETS["best"], SMALL
    yield
    PRESETS["best"] = before


@pytest.fixture(scope="module")
def found(small: None) -> Tuned:
    return tuned(TRIALS)


def test_there_are_three_presets() -> None:
    assert list(PRESETS) == ["fast", "default", "best"]


def test_the_same_seed_and_number_of_trials_give_the_same_bits(found: Tuned) -> None:
    assert tuned() == found


def test_another_seed_tries_something_else(found: Tuned) -> None:
    assert tuned(1, seed=2).tried[1].parameters != found.tried[1].parameters


def test_every_trial_is_told_after_the_blend_without(found: Tuned) -> None:
    assert [trial.name for trial in found.tried] == [
        "without",
        *(f"trial {i}" for i in range(1, TRIALS + 1)),
    ]


def test_the_best_of_the_trials_that_saw_all_folds_joins_the_blend(found: Tuned) -> None:
    best = min(whole(found), key=lambda trial: trial.metrics["log_loss"])

    assert dict(found.effort.tuned) == best.parameters
    assert "it joins the blend" in found.sentence


def test_a_trial_gains_what_the_blend_loses_by_it(found: Tuned) -> None:
    without = found.tried[0].metrics["log_loss"]

    for trial in whole(found):
        assert without - trial.metrics["log_loss"] == pytest.approx(trial.metrics["gain"])


def test_a_trial_cut_short_is_never_the_best() -> None:
    state = optuna.trial.TrialState.PRUNED

    assert tuning._loss_of(optuna.trial.create_trial(state=state, value=0.1)) == np.inf


def test_the_fit_finds_in_the_blend_what_the_search_found(found: Tuned) -> None:
    parameters = fit(**GIVEN, effort=found.effort).parameters

    assert float(parameters["weight_tuned"]) > 0.05


def test_what_chance_could_have_given_stays_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "_ERRORS", 1000.0)

    shy = tuned()

    assert shy.effort == PRESETS["best"]
    assert "stays out" in shy.sentence


def test_the_search_ends_when_nothing_better_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "_PATIENCE", 1)

    short = tuned(30)

    assert len(short.tried) < 31
    assert "until nothing better came" in short.sentence


def test_without_time_nothing_is_tried_and_that_is_said() -> None:
    nothing = tuned(None)

    assert [trial.name for trial in nothing.tried] == ["without"]
    assert nothing.effort == PRESETS["best"]
    assert "give more seconds" in nothing.sentence


def test_leads_with_an_order_are_tried_on_blocks_in_time(found: Tuned) -> None:
    in_order = tuned(1, place=np.arange(float(ROWS)))

    assert in_order.tried[0].metrics != found.tried[0].metrics
