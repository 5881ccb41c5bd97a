"""What recent leads will come to, held against what they came to."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from features.leads import History
from serving.maturing import OTHERS, interval, maturing
from serving.scorer import Scorer
from tests.training.deals import AS_OF, HORIZON, START, world
from training.maturing import MaturingEvaluation, evaluate_maturing
from training.past import known_at
from training.timing import fit_timing

SINCE = START + timedelta(days=450)


def timed(seed: int, strayed: float = 0.0) -> tuple[History, Scorer]:
    """A full export of a world, and its scorer with the timing that was known at `SINCE`."""
    made = world(3000, seed, strayed=strayed)
    told = made.exported()
    timing = fit_timing(known_at(told, HORIZON, SINCE), made.scorer, SINCE).model
    return told, replace(made.scorer, timing=timing)


def test_expected_final_wins_come_true_and_intervals_cover() -> None:
    found = [evaluate_maturing(*timed(seed), AS_OF, SINCE) for seed in range(6)]

    assert all(one is not None for one in found)
    wins, expected = (sum(getattr(one, n) for one in found) for n in ("wins", "expected"))
    assert expected == pytest.approx(wins, rel=0.06)
    assert 0.85 <= np.mean([one.covered for one in found if one]) <= 0.99


def test_groups_that_stray_widen_the_interval() -> None:
    told, scorer = timed(1)
    steady = evaluate_maturing(told, scorer, AS_OF, SINCE)
    restless = evaluate_maturing(*timed(1, strayed=0.5), AS_OF, SINCE)

    assert steady is not None
    assert restless is not None
    assert steady.spread < 0.2 < restless.spread


def test_the_wins_so_far_and_the_open_leads_make_the_final_wins() -> None:
    told, scorer = timed(2)
    moment = AS_OF - timedelta(days=100)
    past = known_at(told, HORIZON, moment)
    recent = past.take(
        [i for i, c in enumerate(past.leads.created) if c and c >= moment - timedelta(days=60)]
    )

    (found,) = maturing(scorer, recent, moment, [None] * len(recent)).values()

    assert found.won == recent.dispositions.count("won")
    assert found.to_come > 0
    assert found.won <= found.low <= found.final <= found.high


def test_a_group_whose_horizon_is_over_has_nothing_to_come() -> None:
    told, scorer = timed(2)
    old = told.take(range(50))

    (found,) = maturing(scorer, old, AS_OF, ["spring"] * 50).values()

    assert (found.to_come, found.low, found.high) == (0, found.won, found.won)


def test_small_groups_are_not_named() -> None:
    told, scorer = timed(2)

    found = maturing(scorer, told.take(range(30)), AS_OF, ["large"] * 21 + ["one firm"] * 9)

    assert sorted(found) == ["large", OTHERS]


def test_a_scorer_without_timing_is_refused() -> None:
    told, scorer = timed(2)

    with pytest.raises(ValueError, match="no timing model"):
        maturing(replace(scorer, timing=None), told, AS_OF, [None] * len(told))


def test_an_earlier_export_knows_nothing_of_what_came_later() -> None:
    told, _ = timed(3)

    past = known_at(told, HORIZON, SINCE)

    assert max(end for end in past.closed if end) < SINCE
    assert max(c for c in past.leads.created if c) < SINCE
    assert "open" in past.dispositions


@pytest.mark.parametrize(("spread", "covered"), [(0.0, 0.9), (0.4, 0.9)])
def test_the_interval_covers_as_often_as_it_says(spread: float, covered: float) -> None:
    random = np.random.default_rng(5)
    inside = []
    for _ in range(400):
        chance = random.uniform(0.02, 0.2, 150)
        level = random.gamma(spread**-2, spread**2) if spread else 1.0
        low, high = interval(chance, spread)
        inside.append(low <= (random.random(150) < chance * level).sum() <= high)

    assert np.mean(inside) == pytest.approx(covered, abs=0.05)


def test_no_open_lead_no_interval() -> None:
    assert interval(np.zeros(4), 0.3) == (0, 0)


@pytest.mark.parametrize(("covered", "warns"), [(0.88, False), (0.6, True)])
def test_intervals_that_hold_too_seldom_are_a_warning(covered: float, warns: bool) -> None:
    found = MaturingEvaluation(groups=50, wins=100, expected=150.0, covered=covered, spread=0.3)

    assert ("WARNING" in found.sentences()[0]) == warns
