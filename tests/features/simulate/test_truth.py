from dataclasses import replace

import numpy as np
import pytest

from features.simulate import Crm, Settings, expected_auc, simulate
from features.simulate.people import department
from features.simulate.words import DEPARTMENTS, TITLES

from .conftest import SETTINGS, history

NOISE = 3.5  # standard errors; the seeds are fixed, so a pass stays a pass


def test_wins_come_as_often_as_the_truth_says_in_every_tenth(crm: Crm) -> None:
    past = history(crm)
    truth, won = past.truth[past.decided], past.won[past.decided]
    tenths = np.array_split(np.argsort(truth), 10)
    surplus = np.array([(won[t] - truth[t]).sum() for t in tenths])
    spread = np.array([np.sqrt((truth[t] * (1 - truth[t])).sum()) for t in tenths])
    assert np.abs(surplus / spread).max() < NOISE


def test_recycling_does_not_bend_the_win_rate() -> None:
    past = history(simulate(replace(SETTINGS, recycled_share=0.5)))
    truth, won = past.truth[past.decided], past.won[past.decided]
    assert abs((won - truth).sum()) < NOISE * np.sqrt((truth * (1 - truth)).sum())


def test_labelled_leads_show_the_win_rate_asked_for() -> None:
    past = history(simulate(replace(SETTINGS, win_rate=0.3)))
    assert past.won[past.decided].mean() == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize("signal", [0.65, 0.8, 0.9])
def test_a_perfect_model_reaches_the_signal(signal: float) -> None:
    past = history(simulate(replace(SETTINGS, signal=signal)))
    assert expected_auc(past.truth[past.decided]) == pytest.approx(signal, abs=0.01)


def test_expected_auc_is_half_without_differences() -> None:
    assert expected_auc(np.full(50, 0.3) + np.arange(50) * 1e-12) == pytest.approx(0.5)


def test_expected_auc_of_two_leads_counts_the_draws_by_hand() -> None:
    # One winner and one loser: 0.9 * 0.8 the right way round, 0.2 * 0.1 the wrong way.
    assert expected_auc(np.array([0.2, 0.9])) == pytest.approx(0.72 / 0.74)


def test_drift_lowers_the_base_rate_over_the_history() -> None:
    def fall(drift: float) -> float:
        truth = history(simulate(replace(SETTINGS, drift=drift))).truth
        first, *_, last = np.array_split(truth, 4)
        return float(first.mean() - last.mean())

    assert fall(1.0) > fall(0.0) + 0.05


def test_the_truth_hangs_on_the_seed_not_on_what_is_written(crm: Crm) -> None:
    spoilt = simulate(replace(SETTINGS, dirt=0.4, bad_rows=10))
    assert spoilt.truth == crm.truth


def test_a_department_counts_only_if_the_title_names_it() -> None:
    found = {title: department(np.array([place]))[0] for place, title in enumerate(TITLES)}
    named = {title for title, code in found.items() if code >= 0}
    assert set(TITLES) - named == {"CEO", "student", "working student"}
    assert all(DEPARTMENTS[found[title]] in title for title in named)


@pytest.mark.parametrize(
    "pairs",
    [
        ["missing=0", "dirt=0", "recycled_share=0", "capacity=2"],
        ["missing=0.3", "drift=1", "signal=0.95", "win_rate=0.6", "capacity=0.1"],
        ["months=3", "horizon_days=365", "campaigns=200", "signal=0.55", "win_rate=0.01"],
    ],
)
def test_worlds_at_the_edge_hold_together(pairs: list[str]) -> None:
    crm = simulate(Settings(leads=100).with_overrides(pairs))
    chances = np.array(crm.truth["probability"], dtype=float)
    assert np.all((chances >= 0) & (chances <= 1))
