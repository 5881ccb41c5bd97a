"""How far the weights of a group may go is found from the outcomes alone."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from training.evidence import Weights, fit_weights

ROWS = 4000
RANDOM = np.random.default_rng(5)
DESIGN = RANDOM.normal(size=(ROWS, 20))
SPREAD = 0.5
TRUE = np.concatenate([SPREAD * RANDOM.normal(size=10), np.zeros(10)])
WON = (RANDOM.random(ROWS) < expit(DESIGN @ TRUE - 1)).astype(np.float64)
GROUPS = np.repeat([0, 1], 10)
EQUAL = np.ones(ROWS)


def found(weight: np.ndarray = EQUAL, rows: slice = slice(None)) -> Weights:
    """A fit on the made-up outcomes."""
    return fit_weights(csr_array(DESIGN[rows]), WON[rows], weight[rows], GROUPS)


def test_the_variance_of_a_group_is_that_of_its_true_weights() -> None:
    told, idle = np.sqrt(found().variances)

    assert told == pytest.approx(np.sqrt((TRUE[:10] ** 2).mean()), rel=0.2)
    assert idle < 0.1 * told


def test_weights_are_the_likeliest_under_their_variances() -> None:
    fit = found()
    scale = np.sqrt(fit.variances)[GROUPS]

    peer = LogisticRegression(C=1.0, tol=1e-8).fit(DESIGN * scale, WON)

    assert fit.weights == pytest.approx(scale * peer.coef_[0], abs=2e-3)
    assert fit.intercept == pytest.approx(peer.intercept_[0], abs=2e-3)


def test_a_strong_group_is_hardly_shrunk_and_an_idle_one_wholly() -> None:
    fit = found()

    assert fit.weights[:10] @ TRUE[:10] / (TRUE @ TRUE) == pytest.approx(1, abs=0.1)
    assert np.abs(fit.weights[10:]).max() < 0.03


def test_few_outcomes_shrink_more_than_many() -> None:
    few, many = found(rows=slice(150)), found()

    assert np.linalg.norm(few.weights - TRUE) > np.linalg.norm(many.weights - TRUE)
    assert np.linalg.norm(few.weights) < 1.5 * np.linalg.norm(TRUE)


def test_the_unit_of_the_weights_of_rows_does_not_matter() -> None:
    uneven = RANDOM.uniform(0.5, 2, ROWS)

    assert found(uneven).weights == pytest.approx(found(10 * uneven).weights, abs=1e-6)


def test_rows_of_no_weight_teach_nothing() -> None:
    half = np.arange(ROWS) < ROWS / 2

    assert found(half * 1.0).weights == pytest.approx(found(rows=slice(ROWS // 2)).weights)


def test_a_design_of_few_filled_cells_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    dense = found()
    monkeypatch.setattr("training.evidence._SPARSE", 2.0)

    assert found().weights == pytest.approx(dense.weights, abs=1e-8)


def test_variances_are_told_by_some_of_very_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    all_ = found()
    monkeypatch.setattr("training.evidence._ENOUGH", ROWS // 2)

    some = found()

    assert some.variances.tolist() != all_.variances.tolist()
    assert some.weights == pytest.approx(all_.weights, abs=0.05)


def test_an_unclear_group_borrows_from_the_others() -> None:
    random = np.random.default_rng(2)
    alone, among = random.normal(size=(300, 1)), random.normal(size=(300, 8))

    def variance(of_others: float) -> float:
        won = (random.random(300) < expit(among @ np.full(8, of_others))).astype(np.float64)
        design = csr_array(np.column_stack([alone, among]))
        return float(fit_weights(design, won, np.ones(300), np.arange(9)).variances[0])

    assert variance(1.0) > 2 * variance(0.0)


def test_a_fit_from_known_variances_ends_where_a_fit_anew_ends() -> None:
    anew = found()

    again = fit_weights(csr_array(DESIGN), WON, EQUAL, GROUPS, anew.variances)

    assert again.weights == pytest.approx(anew.weights, abs=0.005)


def test_a_group_that_was_idle_elsewhere_may_come_back() -> None:
    fit = fit_weights(csr_array(DESIGN), WON, EQUAL, GROUPS, np.array([1e-5, 0.09]))

    assert fit.weights[:10] @ TRUE[:10] / (TRUE @ TRUE) == pytest.approx(1, abs=0.15)


def test_perfect_order_ends_in_finite_weights() -> None:
    apart = np.repeat([0.0, 1.0], 20)

    fit = fit_weights(csr_array(apart[:, None]), apart, np.ones(40), np.array([0]))

    assert 1 < fit.weights[0] < 50


def test_many_rows_in_an_order_that_repeats_itself_are_learned_from() -> None:
    rows = 60_000
    won = np.arange(rows) % 2.0
    column = won + np.random.default_rng(1).normal(size=rows)

    fit = fit_weights(csr_array(column[:, None]), won, np.ones(rows), np.zeros(1, dtype=int))

    assert fit.weights[0] == pytest.approx(1, abs=0.05)


def test_a_group_goes_no_farther_than_its_largest_variance() -> None:
    most = np.array([0.01, np.inf])

    fit = fit_weights(csr_array(DESIGN), WON, EQUAL, GROUPS, most=most)

    assert fit.variances[0] == 0.01
    assert np.linalg.norm(fit.weights) < np.linalg.norm(found().weights)
