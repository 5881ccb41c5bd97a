from __future__ import annotations

import numpy as np
import pytest

from benchmarks.measures import (
    campaigns_inside,
    difference,
    ece,
    ece_by_chance,
    lift_at_10,
    loss,
    mean_ranks,
    resampled,
)


def labels(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int8)


def test_ece_is_the_mean_gap_over_ten_bins_of_equal_count() -> None:
    # Ten rows, a bin each: nine are off by 0.1, the last by 0.9.
    probability = np.linspace(0.10001, 0.1001, 10)
    won = labels(0, 0, 0, 0, 0, 0, 0, 0, 0, 1)

    assert ece(won, probability) == pytest.approx((9 * 0.1 + 0.9) / 10, abs=1e-3)


def test_ece_weighs_gaps_within_a_bin_against_each_other() -> None:
    # Twenty rows, two a bin, one of each two is won: every bin is right on average.
    probability = np.full(20, 0.5) + np.arange(20) * 1e-6

    assert ece(labels(*[0, 1] * 10), probability) == pytest.approx(0, abs=1e-4)


def test_ece_of_a_constant_is_its_distance_to_the_share_won_in_any_order_of_the_rows() -> None:
    sorted_by_outcome = labels(*[0] * 60, *[1] * 40)

    assert ece(sorted_by_outcome, np.full(100, 0.3)) == pytest.approx(0.1)


def test_true_probabilities_have_an_ece_below_what_chance_allows() -> None:
    random = np.random.default_rng(1)
    truth = random.uniform(0.05, 0.6, 4000)
    won = (random.random(4000) < truth).astype(np.int8)
    allowed = ece_by_chance(truth, seed=0)

    assert ece(won, truth) < allowed < 0.05
    assert ece(won, truth * 0.6) > allowed


def test_lift_counts_the_wins_in_the_top_tenth_against_the_share_won() -> None:
    won = labels(1, 1, *[0] * 16, 1, 1)
    score = np.arange(20)[::-1] / 20

    assert lift_at_10(won, score) == pytest.approx(1.0 / 0.2)


def test_a_constant_score_has_a_lift_of_one() -> None:
    assert lift_at_10(labels(1, 1, *[0] * 18), np.full(20, 0.1)) == pytest.approx(1.0)


def test_ranks_are_means_over_sets_and_equal_values_share_them() -> None:
    auc = {
        "first": {"a": 0.9, "b": 0.8, "c": 0.7},
        "second": {"a": 0.8, "b": 0.8, "c": 0.9},
    }

    assert mean_ranks(auc, higher_is_better=True) == {"a": 1.75, "b": 2.25, "c": 2.0}


def test_a_contender_that_failed_on_a_set_is_last_there() -> None:
    losses = {"first": {"a": 0.5, "b": 0.4}, "second": {"b": 0.4}}

    assert mean_ranks(losses, higher_is_better=False) == {"a": 2.0, "b": 1.0}


def test_a_clear_difference_has_an_interval_above_zero() -> None:
    random = np.random.default_rng(0)
    truth = random.uniform(0, 1, 500)
    won = (random.random(500) < truth).astype(np.int8)
    ours, theirs = np.clip(truth, 0.01, 0.99), np.full(500, 0.5)
    draws = resampled(won, theirs, loss, 0) - resampled(won, ours, loss, 0)
    found = difference(loss(won, theirs) - loss(won, ours), draws)

    assert 0 < found.low < found.value < found.high


def test_a_contender_against_itself_differs_by_nothing_on_every_draw() -> None:
    won, score = labels(*[0, 1] * 50), np.linspace(0.1, 0.9, 100)

    assert not np.any(resampled(won, score, loss, 3) - resampled(won, score, loss, 3))


def test_campaign_sums_are_judged_against_their_probabilities() -> None:
    won = labels(*[0, 1] * 50, *[1] * 100)
    chance = np.full(200, 0.5)
    campaigns = ["fair"] * 100 + ["far off"] * 100

    assert campaigns_inside(won, chance, campaigns, seed=0) == 0.5


def test_a_stated_interval_takes_the_place_of_luck_alone() -> None:
    won, campaigns = labels(*[1] * 100), ["far off"] * 100

    assert campaigns_inside(won, np.full(100, 0.5), campaigns, 0, {"far off": (20, 100)}) == 1.0
    assert campaigns_inside(won, np.full(100, 0.5), campaigns, 0, {"far off": (20, 99)}) == 0.0


def test_campaigns_of_few_leads_are_not_judged() -> None:
    assert campaigns_inside(labels(0, 1), np.full(2, 0.5), ["a", "b"], seed=0) is None
