"""What groups will come to: sums that are right, intervals that hold what was promised."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from serving.outlook import Counts, even, outlooks
from serving.timing import Timing


def group(
    leads: float, probability: float, age: float, won: float = 0, open_: float | None = None
) -> Counts:
    still = leads - won if open_ is None else open_
    columns = ([leads], [won], [still], [probability], [age])
    return Counts(np.zeros(1, dtype=np.intp), *(np.array(c, dtype=float) for c in columns))


def test_new_leads_are_expected_to_win_by_their_probabilities() -> None:
    (found,) = outlooks(group(100, 0.2, 0.0), 1, even(90.0), [0.0])
    assert found.final.value == pytest.approx(20.0, rel=0.01)
    assert found.final.low < 20 < found.final.high
    assert found.by_now.value == pytest.approx(0.0, abs=1e-3)


def test_leads_past_their_horizon_have_nothing_to_come() -> None:
    (found,) = outlooks(group(100, 0.2, 91.0, won=13), 1, even(90.0), [0.3])
    assert (found.final.value, found.final.low, found.final.high) == (13, 13, 13)
    assert found.by_now.value == pytest.approx(20.0, rel=0.01)


def test_only_open_leads_can_still_win() -> None:
    (found,) = outlooks(group(100, 0.2, 45.0, won=10, open_=0), 1, even(90.0), [0.3])
    assert found.final.high == 10


def test_wins_so_far_tell_of_those_to_come_the_more_the_less_is_known() -> None:
    ahead = group(200, 0.2, 45.0, won=40)
    sure, unsure = (outlooks(ahead, 1, even(90.0), [s])[0] for s in (0.01, 1.0))
    assert unsure.shift > 0.3 > abs(sure.shift)
    assert unsure.final.value > sure.final.value


def test_toward_the_horizon_wins_thin_out_as_they_did_before() -> None:
    early = Timing((10.0, 90.0), (0.0,), even(90.0).delay, (0.0, 0.0), 0.0)
    to_come = [
        outlooks(group(1000, 0.2, age), 1, timing, [0.0])[0].final.value
        for timing in (even(90.0), early)
        for age in (10.0, 50.0, 89.0)
    ]
    straight, thinning = to_come[:3], to_come[3:]
    assert thinning[1] / thinning[0] < 0.7 * straight[1] / straight[0]
    assert thinning[2] < 0.1


def test_a_small_group_is_pulled_to_the_market_more_than_a_large_one() -> None:
    def shift(size: int) -> float:
        cells = [group(1000, 0.2, 45.0, won=100), group(size, 0.2, 45.0, won=size // 4)]
        both = Counts(
            np.array([0, 1]),
            *(
                np.concatenate([getattr(c, n) for c in cells])
                for n in ("leads", "won", "open", "probability", "age")
            ),
        )
        return outlooks(both, 2, even(90.0), [0.5, 0.5])[1].shift

    assert 0 < shift(8) < shift(80) < shift(400)


def test_curves_that_stray_widen_what_is_to_come() -> None:
    young = group(300, 0.2, 10.0)
    steady, restless = (
        outlooks(young, 1, replace(even(90.0), spread=s), [0.1])[0] for s in (0.0, 0.5)
    )
    assert restless.final.high - restless.final.low > steady.final.high - steady.final.low


def test_many_wins_are_counted_on_a_grid_that_agrees_with_counting_each() -> None:
    few, many = (outlooks(group(n, 0.2, 0.0), 1, even(90.0), [0.2])[0].final for n in (1950, 2050))
    for end in ("low", "high"):
        assert getattr(many, end) / 2050 == pytest.approx(getattr(few, end) / 1950, rel=0.03)


@pytest.mark.parametrize("leads", [20, 60, 300])
def test_the_interval_holds_the_wins_as_often_as_promised(leads: int) -> None:
    random = np.random.default_rng(leads)
    inside = []
    for _ in range(250):
        shift = random.normal(0, 0.3)
        chance = 1 / (1 + np.exp(-(np.log(0.25) + shift)))
        wins = random.binomial(leads, chance)
        early = random.binomial(wins, 1 / 3)
        counts = group(leads, 0.2, 30.0, won=early)
        (found,) = outlooks(counts, 1, even(90.0), [0.3])
        inside.append(found.final.low <= wins <= found.final.high)
    assert 0.85 <= np.mean(inside) <= 0.97


def test_the_range_of_very_many_leads_holds_no_more_than_promised() -> None:
    (found,) = outlooks(group(50_000, 0.12, 0.0), 1, even(90.0), [0.3])

    shift = 0.3 * np.random.default_rng(0).normal(size=20_000)
    odds = 0.12 / 0.88 * np.exp(shift) * found.final.value / 6_180
    wins = 50_000 * odds / (1 + odds)
    held = (wins >= found.final.low) & (wins <= found.final.high)
    assert held.mean() == pytest.approx(0.9, abs=0.03)
