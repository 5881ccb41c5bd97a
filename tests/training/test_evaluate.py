from __future__ import annotations

import numpy as np
import pytest

from training.evaluate import calibration_bins, evaluate, gain_curve, top_rows
from training.figures import calibration_figure, gain_figure

RANDOM = np.random.default_rng(2)
HONEST = RANDOM.random(1500)
Y = (RANDOM.random(1500) < HONEST).astype(np.int8)


def test_honest_probabilities_are_off_by_little() -> None:
    assert evaluate(Y, HONEST).expected_calibration_error < 0.05


def test_boastful_probabilities_are_off_by_as_much_as_they_boast() -> None:
    result = evaluate(Y, np.minimum(HONEST + 0.2, 1))

    assert result.expected_calibration_error == pytest.approx(0.18, abs=0.03)
    assert result.mean_predicted > result.mean_actual


def test_the_interval_holds_the_auc() -> None:
    result = evaluate(Y, HONEST)

    assert result.roc_auc_low < result.roc_auc < result.roc_auc_high


def test_the_interval_of_few_leads_is_wide() -> None:
    few, many = evaluate(Y[:60], HONEST[:60]), evaluate(Y, HONEST)

    assert few.roc_auc_high - few.roc_auc_low > 4 * (many.roc_auc_high - many.roc_auc_low)


def test_a_perfect_order_puts_all_wins_into_the_best_tenth() -> None:
    y = np.array([1] * 10 + [0] * 90, dtype=np.int8)

    result = evaluate(y, np.linspace(0.9, 0.1, 100))

    assert (result.lift_top_tenth, result.won_in_top_tenth) == (10.0, 1.0)


def test_the_same_probability_for_all_orders_nothing() -> None:
    result = evaluate(Y, np.full(len(Y), 0.5))

    assert result.roc_auc == 0.5
    assert result.log_loss == pytest.approx(np.log(2))


def test_the_same_seed_gives_the_same_figures() -> None:
    assert evaluate(Y, HONEST, seed=1) == evaluate(Y, HONEST, seed=1)


def test_all_figures_are_plain_numbers() -> None:
    assert {type(value) for value in evaluate(Y, HONEST).as_metrics().values()} == {float}


def test_ties_at_the_top_go_by_their_order() -> None:
    assert top_rows(np.array([0.5] * 20), 0.1).tolist() == [0, 1]


def test_the_best_tenth_holds_one_lead_at_least() -> None:
    assert top_rows(np.array([0.1, 0.9]), 0.1).tolist() == [1]


def test_the_bins_hold_all_leads_once() -> None:
    assert sum(count for _, _, count in calibration_bins(Y, HONEST)) == len(Y)


def test_fewer_leads_than_bins_leave_no_empty_bin() -> None:
    assert len(calibration_bins(Y[:4], HONEST[:4])) == 4


def test_the_gain_curve_climbs_from_none_to_all() -> None:
    called, found = gain_curve(Y, HONEST)

    assert (called[0], found[0], called[-1], found[-1]) == (0, 0, 1, 1)
    assert (np.diff(found) >= 0).all()


def test_the_figures_say_what_their_axes_are() -> None:
    labels = [
        (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel())
        for figure in (gain_figure(Y, HONEST), calibration_figure(Y, HONEST))
    ]

    assert labels == [
        ("leads called, best first", "wins found"),
        ("mean predicted", "actually won"),
    ]
