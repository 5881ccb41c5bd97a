from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.stats import binom
from scipy.stats import t as student

from serving.rates import difference_of_rates, wilson
from training.intervals import (
    benjamini_hochberg,
    by_draws,
    cluster_codes,
    draws,
    mean_interval,
    rate_of,
    sum_distribution,
    sum_test,
)
from training.judged import Judged
from training.ranking import Ranked, auc_interval


def judged(rows: int = 40, clusters: list[str | None] | None = None) -> Judged:
    y = np.array([1, 0] * (rows // 2), dtype=np.int8)
    return Judged(y, np.linspace(0.1, 0.9, rows), clusters=clusters)


def test_a_rate_without_any_win_may_still_be_above_nothing() -> None:
    found = wilson(0, 10)

    assert (found.value, found.low) == (0.0, 0.0)
    assert found.high == pytest.approx(0.2775, abs=1e-4)  # z² / (n + z²)


def test_a_mean_over_rows_has_the_interval_of_the_t_test() -> None:
    each = np.array([1.0, 2.0, 3.0, 6.0])

    found = mean_interval(each)

    low, high = student.interval(0.95, 3, loc=3.0, scale=each.std(ddof=1) / 2)
    assert (found.value, found.low, found.high) == pytest.approx((3.0, low, high))


def test_rows_of_one_cluster_count_as_one() -> None:
    each = np.array([1.0, 2.0, 3.0, 6.0])

    twice = mean_interval(np.repeat(each, 2), np.repeat([0, 1, 2, 3], 2))

    alone = mean_interval(each)
    assert (twice.low, twice.high) == pytest.approx((alone.low, alone.high))


def test_a_single_cluster_shows_nothing_of_a_mean() -> None:
    found = mean_interval(np.array([1.0, 2.0]), np.array(["day", "day"]))

    assert (found.low, found.high) == (-np.inf, np.inf)


def test_weights_that_differ_are_worth_fewer_rows() -> None:
    y = np.array([1, 0, 0, 0])

    even, uneven = rate_of(y, np.ones(4)), rate_of(y, np.array([3.0, 3.0, 3.0, 3.0]))
    odd = rate_of(y, np.array([1.0, 1.0, 1.0, 0.1]))

    assert even == uneven
    assert odd.high - odd.low > even.high - even.low


def test_the_difference_of_two_rates_agrees_with_the_published_example() -> None:
    # Newcombe 1998, Statistics in Medicine 17, table II: 56/70 - 48/80, method 10.
    found = difference_of_rates(wilson(56, 70), wilson(48, 80))

    assert found.value == pytest.approx(0.2)
    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=1e-4)


def test_the_distribution_of_a_sum_is_what_counting_all_cases_gives() -> None:
    probability = np.array([0.1, 0.5, 0.9, 0.3, 0.05])
    counted = np.zeros(6)
    for case in product([0, 1], repeat=5):
        won = np.array(case)
        counted[won.sum()] += np.where(won == 1, probability, 1 - probability).prod()

    np.testing.assert_allclose(sum_distribution(probability), counted, atol=1e-12)


def test_the_distribution_of_equal_probabilities_is_binomial() -> None:
    found = sum_distribution(np.full(1000, 0.2))

    np.testing.assert_allclose(found, binom.pmf(np.arange(1001), 1000, 0.2), atol=1e-12)


def test_a_sum_as_expected_is_not_odd_and_one_far_off_is() -> None:
    probability = np.full(100, 0.2)

    assert sum_test(probability, 20).p > 0.9
    assert sum_test(probability, 40).p < 0.001
    assert sum_test(probability, 0).p < 0.001
    assert (sum_test(probability, 20).low, sum_test(probability, 20).high) == (12, 28)


def test_the_models_own_doubt_widens_the_interval_and_calms_the_test() -> None:
    probability = np.full(100, 0.2)

    sure, doubting = sum_test(probability, 32), sum_test(probability, 32, extra=8.0)

    assert (doubting.low, doubting.high) == pytest.approx((2, 38), abs=2)
    assert doubting.p > 10 * sure.p


def test_sums_of_wins_fall_into_their_interval_as_often_as_promised() -> None:
    random = np.random.default_rng(5)
    probability = random.beta(2, 6, 200)
    covered = 0
    for _ in range(200):
        test = sum_test(probability, int((random.random(200) < probability).sum()))
        covered += test.p >= 0.05
    inside = sum_test(probability, 0)
    sums = (random.random((200, 200)) < probability).sum(axis=1)

    assert 180 <= covered <= 199
    assert 180 <= ((sums >= inside.low) & (sums <= inside.high)).sum() <= 199


def test_the_auc_falls_into_its_intervals_as_often_as_promised() -> None:
    random = np.random.default_rng(6)
    true = 0.76025  # P(x > z) for x of N(1, 1), z of N(0, 1): Phi(1 / sqrt 2)
    drawn = delong = 0
    for seed in range(200):
        y = (random.random(80) < 0.4).astype(np.int8)
        score = random.normal(size=80) + y
        probability = 1 / (1 + np.exp(-score))
        ranked = Ranked(y, probability)
        aucs = [ranked.steps(w).roc_auc() for w in draws(Judged(y, probability), seed, 150)]
        found, other = by_draws(0.5, np.array(aucs)), auc_interval(y, probability)
        drawn += found.low <= true <= found.high
        delong += other.low <= true <= other.high

    assert 180 <= drawn <= 198
    assert 180 <= delong <= 198


def test_false_alarms_are_counted_over_all_that_were_looked_at() -> None:
    q = benjamini_hochberg(np.array([0.001, 0.02, 0.04, 0.5]))

    assert q.tolist() == pytest.approx([0.004, 0.04, 0.16 / 3, 0.5])


def test_every_draw_holds_both_outcomes() -> None:
    y = np.array([1] + [0] * 19, dtype=np.int8)

    for weights in draws(Judged(y, np.linspace(0, 1, 20)), seed=0, count=50):
        assert weights[0] > 0
        assert weights.sum() == 20


def test_leads_of_a_cluster_are_drawn_together_and_unknown_ones_alone() -> None:
    clusters: list[str | None] = [f"account {i // 2}" for i in range(36)]
    row = judged(40, [*clusters, None, None, "", ""])

    assert cluster_codes(row)[1] == 18 + 4
    for weights in draws(row, seed=0, count=5):
        assert (weights[0:36:2] == weights[1:36:2]).all()


def test_a_handful_of_clusters_says_too_little_to_be_drawn() -> None:
    assert cluster_codes(judged(40, [f"day {i % 5}" for i in range(40)]))[1] == 40


@pytest.mark.parametrize("won", [0.0, 1.0])
def test_a_rate_of_none_or_all_lies_in_its_interval_whatever_the_rounding(won: float) -> None:
    found = [wilson(won * rows, float(rows)) for rows in range(1, 400)]

    assert all(i.low <= i.value <= i.high for i in found)
