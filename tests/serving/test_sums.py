from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from features.agreement import FieldUse
from features.cells import Cell
from features.encoder import Encoder
from features.leads import Leads
from serving.spread import Spread, learned
from serving.sums import (
    NOT_GIVEN,
    SMALLER,
    CampaignSum,
    Group,
    Sums,
    campaign_sums,
    wins_interval,
)
from tests.features.making import an_agreement

SURE = Spread(0.0, 0.0)
RANDOM = np.random.default_rng(4)


def summed(campaigns: list[Cell], probability: np.ndarray) -> list[Group]:
    sums = Sums(lambda _: True)
    sums.add(campaigns, probability)
    return sums.groups()


def equal(leads: int, probability: float) -> Group:
    return Group("fair", True, leads, leads * probability, leads * probability * (1 - probability))


def test_the_expected_wins_are_the_sum_of_the_probabilities() -> None:
    fair, web = summed(["web", "fair", "fair", None], np.array([0.1, 0.2, 0.4, 0.3]))[:2]

    assert (fair.name, fair.leads) == ("fair", 2)
    assert (fair.expected, fair.variance) == pytest.approx((0.6, 0.16 + 0.24))
    assert web.name == NOT_GIVEN


def test_spellings_that_differ_in_case_and_spacing_are_one_campaign() -> None:
    found = summed(["Trade Fair", "trade  fair ", "web"], np.full(3, 0.5))

    assert [(group.name, group.leads) for group in found] == [("Trade Fair", 2), ("web", 1)]


def test_a_file_read_in_parts_has_the_sums_of_the_whole() -> None:
    campaigns: list[Cell] = ["a", "b", "c", "a", None, "b"] * 20
    chance = RANDOM.random(120)
    parts = Sums(lambda _: True)
    for start in range(0, 120, 30):
        parts.add(campaigns[start : start + 30], chance[start : start + 30])

    for one, other in zip(parts.groups(), summed(campaigns, chance), strict=True):
        assert (one.name, one.leads) == (other.name, other.leads)
        assert (one.expected, one.variance) == pytest.approx((other.expected, other.variance))


def test_beyond_a_thousand_campaigns_the_smallest_stand_together() -> None:
    names: list[Cell] = ["large"] * 5 + [f"campaign {i}" for i in range(1200)]

    found = summed(names, np.full(1205, 0.1))

    assert len(found) == 1001
    assert (found[0].name, found[-1].name, found[-1].leads) == ("large", SMALLER, 201)


def test_without_a_spread_the_interval_is_the_middle_of_a_binomial() -> None:
    low, high = wins_interval(equal(400, 0.25), 0.0)

    below = binom(400, 0.25)
    assert 0.05 <= below.cdf(low - 1) + below.pmf(low) / 2 < 0.07
    assert 0.93 < below.cdf(high - 1) + below.pmf(high) / 2 <= 0.95


def test_luck_with_unequal_probabilities_stays_inside_as_often_as_promised() -> None:
    inside, trials = 0, 400
    for _ in range(trials):
        chance = RANDOM.beta(0.8, 5, RANDOM.integers(15, 120))
        (group,) = summed(["fair"] * len(chance), chance)
        low, high = wins_interval(group, 0.0)
        inside += low <= (RANDOM.random(len(chance)) < chance).sum() <= high

    assert 0.85 <= inside / trials <= 0.95


def test_campaigns_that_are_off_as_stated_stay_inside_as_often_as_promised() -> None:
    wins, truths, trials = 0, 0, 400
    spread = Spread(0.6, 0.6)
    for _ in range(trials):
        said = RANDOM.normal(-2, 1, RANDOM.integers(20, 400))
        off = RANDOM.normal(0, 0.6)
        true = 1 / (1 + np.exp(-said - off))
        groups = summed(["fair"] * len(said), 1 / (1 + np.exp(-said)))
        (found,) = campaign_sums(groups, spread)
        wins += found.low <= (RANDOM.random(len(true)) < true).sum() <= found.high
        truths += found.expected_low <= true.sum() <= found.expected_high

    assert 0.86 <= wins / trials <= 0.95
    assert 0.88 <= truths / trials <= 0.99


def test_a_campaign_that_the_model_has_not_seen_is_less_sure() -> None:
    spread = Spread(0.1, 0.8)
    seen, unseen = equal(300, 0.2), Group("new", False, 300, 60.0, 48.0)

    known, new = campaign_sums([seen, unseen], spread)

    assert new.low < known.low < known.expected < known.high < new.high
    assert new.expected_low < known.expected_low < known.expected_high < new.expected_high


@pytest.mark.parametrize("leads", [1, 3, 1000])
@pytest.mark.parametrize("probability", [0.0, 1e-9, 0.5, 1.0])
def test_the_ends_stay_between_none_and_all_leads(leads: int, probability: float) -> None:
    (found,) = campaign_sums([equal(leads, probability)], Spread(1.0, 1.0))

    assert 0 <= found.low <= found.high <= leads
    assert 0 <= found.expected_low <= found.expected_high <= leads
    assert found.expected_low - 1e-6 <= found.expected <= found.expected_high + 1e-6


def test_a_model_knows_the_campaigns_of_ten_leads_and_the_missing_one() -> None:
    leads = Leads(
        [str(i) for i in range(30)], {"campaign": ["fair"] * 20 + ["web"] * 9 + [None]}, [None] * 30
    )
    use = FieldUse.model_validate({"use": "yes", "kind": "category"})
    known = learned(Encoder.fit(leads, an_agreement(), {"campaign": use}), "campaign")

    assert [known(name) for name in ("FAIR", "web", "other", None)] == [True, False, False, True]


def test_a_model_that_does_not_read_campaigns_knows_none() -> None:
    known = learned(Encoder(()), "campaign")

    assert not known("fair")


def test_what_is_kept_as_json_comes_back() -> None:
    spread = Spread(0.3, 0.7)

    assert Spread.from_dict(spread.as_dict()) == spread
    (found,) = campaign_sums([equal(10, 0.3)], SURE)
    assert CampaignSum(**found.as_dict()) == found
