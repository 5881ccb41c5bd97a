from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from serving.members import Vector
from training.judged import Judged
from training.labels import Labels
from training.reliability import Reliability, cox_intercept, cox_slope, log_losses, reliability

RANDOM = np.random.default_rng(4)
HONEST = RANDOM.beta(1, 3, 3000)
Y = (RANDOM.random(3000) < HONEST).astype(np.int8)


def found(y: Labels, probability: Vector) -> Reliability:
    return reliability(Judged(y, probability), seed=0)


def log_odds(probability: Vector) -> Vector:
    return np.log(probability / (1 - probability))


def sigmoid(x: Vector) -> Vector:
    return 1 / (1 + np.exp(-x))


def test_the_brier_score_falls_into_its_parts_by_hand() -> None:
    # Two bands: said .2, won 1 of 5; said .6, won 4 of 5; base rate .5.
    said = np.repeat([0.2, 0.6], 5)
    y = np.array([1, 0, 0, 0, 0, 1, 1, 1, 1, 0], dtype=np.int8)

    brier = found(y, said).brier

    assert brier.total == pytest.approx((0.64 + 4 * 0.04 + 4 * 0.16 + 0.36) / 10)
    assert brier.reliability == pytest.approx((0.0 + 0.2**2) / 2)
    assert brier.resolution == pytest.approx(0.3**2)
    assert brier.uncertainty == pytest.approx(0.25)
    assert brier.within == pytest.approx(0.0)


def test_the_parts_of_the_brier_score_add_up() -> None:
    b = found(Y, HONEST).brier

    assert b.total == pytest.approx(b.reliability - b.resolution + b.uncertainty + b.within)


def test_the_bands_hold_all_leads_once_and_rise() -> None:
    bins = found(Y, HONEST).bins

    assert [b.rows for b in bins] == [300] * 10
    assert sorted(b.predicted for b in bins) == [b.predicted for b in bins]


def test_fewer_leads_than_bands_leave_no_empty_band() -> None:
    assert len(found(np.array([1, 0, 1, 0], dtype=np.int8), HONEST[:4]).bins) == 4


def test_honest_probabilities_err_no_more_than_chance() -> None:
    result = found(Y, HONEST)

    assert result.error <= result.error_by_chance_high
    assert 0.005 < result.error_by_chance < result.error_by_chance_high


def test_probabilities_that_boast_err_more_than_chance() -> None:
    result = found(Y, np.minimum(HONEST * 1.3, 0.99))

    assert result.error > result.error_by_chance_high


def test_true_probabilities_exceed_the_quantile_of_chance_once_in_twenty() -> None:
    random = np.random.default_rng(8)
    probability = random.beta(1, 3, 200)
    over = 0
    for _ in range(100):
        y = (random.random(200) < probability).astype(np.int8)
        result = found(y, probability)
        over += result.error > result.error_by_chance_high

    assert 1 <= over <= 12


def test_the_slope_is_that_of_a_logistic_regression() -> None:
    peer = LogisticRegression(C=1e9, tol=1e-10).fit(log_odds(HONEST)[:, None], Y)

    slope = cox_slope(Judged(Y, HONEST))

    assert slope is not None
    assert slope.value == pytest.approx(peer.coef_[0, 0], abs=1e-4)
    assert slope.low < 1 < slope.high


def test_bold_probabilities_have_a_slope_below_one() -> None:
    slope = cox_slope(Judged(Y, sigmoid(2 * log_odds(HONEST))))

    assert slope is not None
    assert slope.value == pytest.approx(0.5, abs=0.05)
    assert slope.high < 1


def test_the_intercept_tells_by_how_much_the_log_odds_are_off() -> None:
    shifted = cox_intercept(Judged(Y, sigmoid(log_odds(HONEST) + 0.7)))

    assert shifted.value == pytest.approx(-0.7, abs=0.1)
    assert shifted.high < 0


def test_equal_probabilities_have_no_slope() -> None:
    assert cox_slope(Judged(Y, np.full(len(Y), 0.3))) is None


def test_probabilities_that_part_won_from_lost_have_no_slope() -> None:
    sorted_out = np.array([0.1, 0.2, 0.2, 0.2, 0.4])

    assert cox_slope(Judged(np.array([0, 0, 0, 1, 1], dtype=np.int8), sorted_out)) is None
    assert cox_slope(Judged(np.array([0, 1, 0, 0, 1], dtype=np.int8), sorted_out)) is None
    assert cox_slope(Judged(np.array([1, 0, 0, 0, 1], dtype=np.int8), sorted_out)) is not None


def test_leads_that_hang_together_make_slopes_less_certain() -> None:
    rows = np.repeat(np.arange(300), 10)
    clusters = [f"account {row}" for row in rows]

    alone = cox_slope(Judged(Y[rows], HONEST[rows]))
    together = cox_slope(Judged(Y[rows], HONEST[rows], clusters=clusters))

    assert alone is not None
    assert together is not None
    assert together.high - together.low > 2.5 * (alone.high - alone.low)


def test_a_certain_mistake_costs_much_but_not_all() -> None:
    losses = log_losses(np.array([1, 0]), np.array([0.0, 0.5]))

    assert losses[0] == pytest.approx(36.04, abs=0.01)
    assert losses[1] == pytest.approx(np.log(2))
