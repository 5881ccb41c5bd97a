from __future__ import annotations

import numpy as np
import pytest

from serving.queue import draw_lane

SCORES = np.linspace(0.9, 0.1, 40)


def test_without_exploration_the_best_are_called_in_their_order() -> None:
    queue = draw_lane(np.array([0.2, 0.9, 0.5, 0.7]), 2, 0.0, seed=0)
    assert queue.calls.tolist() == [1, 3]
    assert queue.lanes == ("model", "model")
    assert queue.propensity.tolist() == [0, 1, 0, 1]


def test_all_are_called_and_nothing_is_drawn_where_all_can_be_called() -> None:
    queue = draw_lane(np.array([0.2, 0.9]), 5, 0.5, seed=0)
    assert queue.calls.tolist() == [1, 0]
    assert set(queue.lanes) == {"model"}
    assert queue.propensity.tolist() == [1, 1]


def test_a_share_of_the_calls_is_drawn_from_below_the_cut() -> None:
    queue = draw_lane(SCORES, 10, 0.2, seed=3)
    assert queue.lanes == ("model",) * 8 + ("exploration",) * 2
    assert queue.calls[:8].tolist() == list(range(8))
    assert min(queue.calls[8:]) >= 8
    assert len(set(queue.calls.tolist())) == 10


def test_the_lot_is_decided_by_the_seed() -> None:
    first, again, other = (draw_lane(SCORES, 10, 0.3, seed) for seed in (1, 1, 2))
    assert first.calls.tolist() == again.calls.tolist()
    assert first.calls.tolist() != other.calls.tolist()


def test_equal_scores_keep_their_order() -> None:
    assert draw_lane(np.zeros(5), 3, 0.0, seed=0).calls.tolist() == [0, 1, 2]


def test_the_propensity_adds_up_to_the_calls() -> None:
    for share in (0.0, 0.05, 0.25, 1.0):
        assert draw_lane(SCORES, 10, share, seed=0).propensity.sum() == pytest.approx(10)


@pytest.mark.parametrize("share", [0.05, 0.1, 0.25])
def test_each_lead_is_called_as_often_as_its_propensity_says(share: float) -> None:
    draws = 3_000
    called = np.zeros(len(SCORES))
    for seed in range(draws):
        called[draw_lane(SCORES, 10, share, seed).calls] += 1
    chance = draw_lane(SCORES, 10, share, seed=0).propensity
    noise = np.sqrt(draws * chance * (1 - chance))
    assert (np.abs(called - draws * chance) <= 4 * noise).all()


def test_a_share_of_less_than_one_call_holds_in_the_long_run() -> None:
    drawn = [draw_lane(SCORES, 10, 0.05, seed).lanes.count("exploration") for seed in range(2_000)]
    assert set(drawn) == {0, 1}
    assert np.mean(drawn) == pytest.approx(0.5, abs=0.05)


def test_nobody_waiting_is_an_empty_queue() -> None:
    assert len(draw_lane(np.zeros(0), 10, 0.05, seed=0).calls) == 0


@pytest.mark.parametrize(("capacity", "share"), [(10, 1.2), (10, -0.1), (-1, 0.1)])
def test_a_share_or_a_capacity_that_cannot_be_is_refused(capacity: int, share: float) -> None:
    with pytest.raises(ValueError, match=f"share {share}"):
        draw_lane(SCORES, capacity, share, seed=0)


def test_calls_weighed_by_their_propensity_tell_the_mean_of_all_that_waited() -> None:
    """The called ones alone are better than the others; their weighed mean is not."""
    plain, weighed = [], []
    for seed in range(2_000):
        queue = draw_lane(SCORES, 10, 0.3, seed)
        called = SCORES[queue.calls]
        plain.append(called.mean())
        weighed.append((called / queue.propensity[queue.calls]).sum() / len(SCORES))
    assert np.mean(plain) > SCORES.mean() + 0.15
    assert np.mean(weighed) == pytest.approx(SCORES.mean(), abs=0.02)
