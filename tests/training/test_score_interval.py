from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import expit

from serving.interval import Interval
from serving.members import Vector
from training.score_interval import fit_interval

Curve = Callable[[Vector], Vector]


def right(scores: Vector) -> Vector:
    return scores


def too_steep(scores: Vector) -> Vector:
    return 0.8 * scores + 0.1


def bent(scores: Vector) -> Vector:
    return scores + 0.5 * np.sin(1.5 * scores)


def fitted(rows: int, truth: Curve, seed: int) -> Interval:
    generator = np.random.default_rng(seed)
    scores = generator.normal(-1, 1.2, rows)
    won = (generator.random(rows) < expit(truth(scores))).astype(np.int8)
    return fit_interval(scores, won)


def covered(interval: Interval, truth: Curve) -> float:
    """The share of the usual scores whose true log-odds lie inside."""
    scores = np.random.default_rng(0).normal(-1, 1.2, 200)
    inside = [
        low <= true <= high
        for (low, high), true in zip(map(interval.at, scores), truth(scores), strict=True)
    ]
    return float(np.mean(inside))


def width(interval: Interval) -> float:
    """In probability, at a score of one in four."""
    low, high = interval.at(-1.1)
    return float(expit(high) - expit(low))


@pytest.mark.parametrize("rows", [40, 400])
@pytest.mark.parametrize(("truth", "least"), [(right, 0.95), (too_steep, 0.92), (bent, 0.87)])
def test_the_truth_lies_inside_as_often_as_said(rows: int, truth: Curve, least: float) -> None:
    assert np.mean([covered(fitted(rows, truth, seed), truth) for seed in range(30)]) >= least


def test_more_leads_give_a_narrower_interval() -> None:
    few, some, many = (width(fitted(rows, right, seed=1)) for rows in (50, 500, 5000))

    assert few > 2 * some > 4 * many


def test_unequal_weights_widen_it() -> None:
    generator = np.random.default_rng(1)
    scores = generator.normal(-1, 1.2, 500)
    won = (generator.random(500) < expit(scores)).astype(np.int8)
    unequal = np.where(np.arange(500) % 10 == 0, 8.2, 0.2)

    assert width(fit_interval(scores, won, unequal)) > 1.3 * width(fit_interval(scores, won))


def test_with_no_win_the_lower_end_is_open_and_the_upper_is_not() -> None:
    interval = fit_interval(np.full(30, -3.0), np.zeros(30, dtype=np.int8))

    low, high = interval.at(-3.0)
    assert expit(low) < 1e-6
    assert expit(high) == pytest.approx(0.095, abs=0.005)  # 1 - 0.05 ** (1 / 30)


def test_one_score_for_all_has_the_exact_binomial_interval() -> None:
    won = np.repeat([1, 0], [10, 30]).astype(np.int8)

    low, high = fit_interval(np.full(40, np.log(1 / 3)), won).at(np.log(1 / 3))

    assert (expit(low), expit(high)) == pytest.approx((0.142, 0.387), abs=0.002)


def test_the_order_of_the_leads_is_of_no_account() -> None:
    generator = np.random.default_rng(2)
    scores, won = generator.normal(-1, 1, 300), (generator.random(300) < 0.3).astype(np.int8)
    mixed = generator.permutation(300)

    assert fit_interval(scores[mixed], won[mixed]) == fit_interval(scores, won)
