"""Hand-offs before anybody called: what a call would bring."""

from dataclasses import replace

import numpy as np
import pytest

from features.simulate import Settings, World, expected_auc, world
from features.simulate.journey import NOT_READY, WON
from features.simulate.record import ROLES

SETTINGS = Settings(leads=8_000, seed=3)
NOISE = 3.5  # standard errors; the seeds are fixed, so a pass stays a pass


@pytest.fixture(scope="module")
def there() -> World:
    return world(SETTINGS)


def test_equal_settings_give_equal_worlds(there: World) -> None:
    again = world(SETTINGS)
    assert again.rows == there.rows
    assert np.array_equal(again.chance, there.chance)
    assert np.array_equal(again.outcome, there.outcome)


def test_all_leads_show_the_win_rate_and_the_signal(there: World) -> None:
    first = there.chance[: there.first]
    assert first.mean() == pytest.approx(SETTINGS.win_rate, abs=0.005)
    assert expected_auc(first) == pytest.approx(SETTINGS.signal, abs=0.01)


def test_calls_that_are_not_recycled_win_as_often_as_the_truth_says(there: World) -> None:
    decided = there.outcome < NOT_READY
    for part in (slice(0, there.first), slice(there.first, None)):
        chance, won = there.chance[part][decided[part]], there.won[part][decided[part]]
        assert abs((won - chance).sum()) < NOISE * np.sqrt((chance * (1 - chance)).sum())


def test_calls_are_recycled_as_often_as_their_chance_says(there: World) -> None:
    share = (there.outcome >= NOT_READY).mean()
    assert share == pytest.approx(there.recycled_chance.mean(), abs=0.015)


def test_what_sales_fills_in_is_not_there_yet(there: World) -> None:
    later = {*ROLES["leak"], *ROLES["outcome"], *ROLES["closed"], *ROLES["value"]}
    assert not later & set(there.rows)
    assert len(there.rows["id"]) == len(set(there.rows["id"])) == len(there.chance)


def test_only_a_recycled_lead_comes_back_once_and_later(there: World) -> None:
    back = np.flatnonzero(there.returns_as >= 0)
    again = there.returns_as[back]
    assert sorted(again) == list(range(there.first, len(there.chance)))
    assert (there.outcome[back] >= NOT_READY).all()
    assert (there.created[again] > there.closed[back]).all()
    assert there.rows["company"][again[0]] == there.rows["company"][back[0]]


def test_an_outcome_is_known_after_the_call_and_a_win_stays_in_time(there: World) -> None:
    everyone = np.arange(len(there.chance))
    called = there.created + 10.0
    closes = there.closes(everyone, called)
    limit = there.created + SETTINGS.horizon_days
    assert (closes >= called - 1e-9).all()
    assert np.array_equal(there.won, (there.outcome == WON) & (closes < limit))


def test_fields_act_together_only_as_far_as_asked() -> None:
    """Chiefs of referrals stand out beyond what channel and seniority say alone."""

    def beyond(interactions: float) -> float:
        drawn = world(replace(SETTINGS, leads=20_000, interactions=interactions, dirt=0.0))
        log_odds = np.log(drawn.chance / (1 - drawn.chance))
        referral = np.array(drawn.rows["channel"]) == "Referral"
        chief = np.array(drawn.rows["seniority"]) == "C-level"
        mean = {
            (r, c): log_odds[(referral == r) & (chief == c)].mean()
            for r in (True, False)
            for c in (True, False)
        }
        return float(mean[True, True] - mean[True, False] - mean[False, True] + mean[False, False])

    assert beyond(2.0) > beyond(0.0) + 0.5
