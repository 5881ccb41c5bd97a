from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from training.ranking import Ranked, auc_interval, best_by_day, top_share

Y = np.array([1, 0, 1, 0, 0, 1, 0, 0], dtype=np.int8)
SAID = np.array([0.9, 0.8, 0.8, 0.4, 0.4, 0.4, 0.2, 0.1])


def test_the_areas_are_those_of_scikit_learn_ties_and_weights_included() -> None:
    random = np.random.default_rng(1)
    y = (random.random(300) < 0.3).astype(np.int8)
    said = (random.random(300) + 0.3 * y).round(1)
    weights = random.integers(0, 4, 300).astype(np.float64)

    steps = Ranked(y, said).steps(weights)

    assert steps.roc_auc() == pytest.approx(roc_auc_score(y, said, sample_weight=weights))
    assert steps.pr_auc() == pytest.approx(average_precision_score(y, said, sample_weight=weights))


def test_the_auc_counts_pairs_in_the_right_order() -> None:
    # Won against lost: .9 beats 5; .8 beats 4, ties 1; .4 beats 2, ties 2: 12.5 of 15.
    assert Ranked(Y, SAID).steps(np.ones(8)).roc_auc() == pytest.approx(12.5 / 15)


def test_half_a_step_finds_half_of_its_wins() -> None:
    found = Ranked(Y, SAID).steps(np.ones(8)).found(np.array([0, 1 / 8, 2 / 8, 3 / 8, 1]))

    assert found.tolist() == pytest.approx([0, 1 / 3, 1.5 / 3, 2 / 3, 1])


def test_precision_is_wins_by_leads_called() -> None:
    recall, precision = Ranked(Y, SAID).steps(np.ones(8)).precision_recall()

    assert precision[-1] == pytest.approx(3 / 8)
    assert (recall[-1], precision[0]) == (1.0, pytest.approx(1.0))


def test_the_best_tenth_holds_one_lead_at_least_and_whole_leads() -> None:
    assert (top_share(2), top_share(14), top_share(100)) == (1 / 2, 1 / 14, 0.1)


def test_a_perfect_order_of_few_leads_has_no_narrow_interval() -> None:
    found = auc_interval(np.array([1, 1, 0, 0], dtype=np.int8), np.array([0.9, 0.8, 0.2, 0.1]))

    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(2 / (2 + 1.959964**2))


def test_calls_left_for_equal_leads_are_shared_among_them() -> None:
    place = np.array([3.1, 3.9, 3.5, 4.0, np.nan])
    said = np.array([0.5, 0.5, 0.9, 0.1, 0.7])

    called = best_by_day(said, place, each_day=2)

    np.testing.assert_array_equal(called, [0.5, 0.5, 1.0, 1.0, np.nan])


def test_a_lead_takes_as_many_calls_as_the_leads_that_it_stands_for() -> None:
    place = np.array([1.0, 1.2, 1.4, 2.0])
    said = np.array([0.9, 0.5, 0.1, 0.3])

    called = best_by_day(said, place, each_day=3.0, weights=np.array([2.0, 4.0, 1.0, 1.0]))

    np.testing.assert_array_equal(called, [1.0, 0.25, 0.0, 1.0])
