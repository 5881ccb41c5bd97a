"""Calibration: a line that never falls, a shift for drift beyond doubt, corrections by campaign."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, logit

from features.encoder import Column
from training.calibrate import Calibration, calibrate, platt, shift

CAMPAIGNS = ("other", "A", "B", "C", "D", "E", "F")
NAMED = {0: Column("campaign", "campaign", CAMPAIGNS)}
WIDE_GAP = 0.8


@dataclass(frozen=True)
class Held:
    """Held-out leads: what was said of them, and what became of them."""

    blended: Any
    labels: Any
    weight: Any
    place: Any
    matrix: Any
    """One column: the code of the campaign."""

    def calibrated(self, named: dict[int, Column] | None = None) -> Calibration:
        """The calibration found on them."""
        return calibrate(
            self.blended, self.labels, self.weight, self.place, self.matrix, named or {}
        )


def held(rows: int, seed: int, moved: Any = 0.0, campaigns: int = len(CAMPAIGNS)) -> Held:
    """Leads whose true log-odds are off by `moved` (a number, or one per campaign)."""
    random = np.random.default_rng(seed)
    blended = random.normal(-1, 1, rows)
    code = random.integers(0, campaigns, rows)
    by_campaign = np.broadcast_to(np.asarray(moved, dtype=float), campaigns)
    labels = (random.random(rows) < expit(blended + by_campaign[code])).astype(np.int8)
    return Held(blended, labels, np.ones(rows), None, code[:, None].astype(float))


def drifted(rows: int, by: float, seed: int = 0) -> Held:
    """Leads in the order of time, of which the newest fifth moved by so many log-odds."""
    random = np.random.default_rng(seed)
    place = random.permutation(rows).astype(float)
    blended = random.normal(-1, 1, rows)
    true = blended + by * (place >= 0.8 * rows)
    labels = (random.random(rows) < expit(true)).astype(np.int8)
    return Held(blended, labels, np.ones(rows), place, np.zeros((rows, 1)))


def of_campaigns(counts: dict[int, tuple[int, int]]) -> Held:
    """Leads of which the same was said; {code: (won, not won)}, NaN for none."""
    parts = [(code, *both) for code, both in counts.items()]
    labels = np.concatenate([np.repeat([1, 0], [won, lost]) for _, won, lost in parts])
    code = np.concatenate([np.full(won + lost, float(code)) for code, won, lost in parts])
    rows = len(labels)
    return Held(np.zeros(rows), labels.astype(np.int8), np.ones(rows), None, code[:, None])


def test_the_line_is_found_again() -> None:
    told = held(20_000, seed=1)

    slope, offset = platt(2 * told.blended - 1, told.labels, told.weight)

    assert slope == pytest.approx(0.5, abs=0.03)
    assert offset == pytest.approx(0.5, abs=0.06)


def test_a_line_makes_the_expected_wins_the_actual_ones() -> None:
    told = held(2000, seed=2, moved=1.0)

    calibrated = told.calibrated().apply(told.blended, told.matrix)

    assert expit(calibrated).sum() == pytest.approx(told.labels.sum(), rel=1e-4)


@pytest.mark.parametrize("said", ["turned round", "the same of everyone"])
def test_a_line_that_would_fall_gives_everyone_the_base_rate(said: str) -> None:
    told = held(2000, seed=3)
    blended = -told.blended if said == "turned round" else np.zeros(2000)

    found = replace(told, blended=blended).calibrated()

    assert found.slope == 0
    calibrated = found.apply(blended, told.matrix)
    assert calibrated == pytest.approx(np.full(2000, logit(told.labels.mean())))


def test_the_base_rate_counts_each_lead_by_its_weight() -> None:
    labels = np.array([1, 1, 0, 0], dtype=np.int8)

    _, offset = platt(np.zeros(4), labels, np.array([3.0, 3.0, 1.0, 1.0]))

    assert expit(offset) == pytest.approx(0.75)


def test_a_lead_of_twice_the_weight_counts_as_two() -> None:
    told = held(300, seed=4)
    twice = np.r_[np.arange(300), np.arange(100)]

    weighted = platt(told.blended, told.labels, np.where(np.arange(300) < 100, 2.0, 1.0))

    assert weighted == pytest.approx(
        platt(told.blended[twice], told.labels[twice], np.ones(400)), rel=1e-5
    )


@pytest.mark.parametrize("wins", [3, 150, 295])
def test_the_shift_makes_the_expected_wins_the_actual_ones(wins: int) -> None:
    log_odds = held(300, seed=5).blended
    labels = (np.arange(300) < wins).astype(np.int8)
    weight = np.linspace(0.5, 1.5, 300)

    moved = shift(log_odds, labels, weight)

    assert weight @ expit(log_odds + moved) == pytest.approx(weight @ labels, abs=1e-6)


@pytest.mark.parametrize("by", [1.0, -1.0])
def test_a_drift_beyond_doubt_shifts_the_intercept_and_never_the_slope(by: float) -> None:
    told = drifted(10_000, by)
    without = replace(told, place=None).calibrated()

    found = told.calibrated()

    assert found.slope == without.slope
    assert found.offset == without.offset + found.drift
    assert np.sign(found.drift) == np.sign(by)


@pytest.mark.parametrize("by", [1.0, -1.0])
def test_after_a_drift_the_newest_leads_add_up(by: float) -> None:
    told = drifted(10_000, by)
    newest = told.place >= 8000

    chance = expit(told.calibrated().apply(told.blended, told.matrix))[newest]

    assert chance.sum() == pytest.approx(told.labels[newest].sum(), rel=0.03)


@pytest.mark.parametrize("by", [0.3, -0.3])
def test_a_mild_drift_shifts_nothing(by: float) -> None:
    told = drifted(1000, by)

    assert told.calibrated() == replace(told, place=None).calibrated()


def test_a_level_that_always_came_back_shifts_nothing() -> None:
    random = np.random.default_rng(9)
    place = random.permutation(10_000).astype(float)
    blended = random.normal(-1, 1, 10_000)
    wave = np.where(np.floor(place / 2000) % 2 == 0, 0.6, -0.6)
    labels = (random.random(10_000) < expit(blended + wave)).astype(np.int8)

    found = Held(blended, labels, np.ones(10_000), place, np.zeros((10_000, 1))).calibrated()

    assert found.drift == 0


def test_a_level_that_goes_on_falling_is_followed() -> None:
    random = np.random.default_rng(10)
    place = random.permutation(10_000).astype(float)
    blended = random.normal(-1, 1, 10_000)
    labels = (random.random(10_000) < expit(blended + 1 - place / 5000)).astype(np.int8)

    found = Held(blended, labels, np.ones(10_000), place, np.zeros((10_000, 1))).calibrated()

    assert found.drift == pytest.approx(-0.8, abs=0.15)


def test_chance_is_never_taken_for_a_drift() -> None:
    assert not any(drifted(500, 0.0, seed).calibrated().drift for seed in range(100))


def test_newest_leads_of_one_outcome_alone_shift_nothing() -> None:
    told = drifted(1000, 0.0)
    none_won = np.where(told.place >= 800, 0, told.labels).astype(np.int8)

    assert replace(told, labels=none_won).calibrated().drift == 0


def test_campaigns_off_by_more_than_chance_are_corrected_in_the_right_direction() -> None:
    moved = np.array([0, 1, -1, 1, -1, 1, -1]) * WIDE_GAP

    [correction] = held(4000, 6, moved).calibrated(NAMED).corrections

    assert correction.field == "campaign"
    assert np.sign(correction.by_code[1:]).tolist() == np.sign(moved[1:]).tolist()


def test_corrected_campaigns_add_up_but_for_chance() -> None:
    told = held(4000, 6, np.array([0, 1, -1, 1, -1, 1, -1]) * WIDE_GAP)
    code = told.matrix[:, 0].astype(int)

    chance = expit(told.calibrated(NAMED).apply(told.blended, told.matrix))

    error = np.sqrt(np.bincount(code, chance * (1 - chance)))
    off = np.abs(np.bincount(code, told.labels - chance)) / error
    assert off.max() < 2


def test_differences_by_chance_are_corrected_no_more_often_than_the_level_says() -> None:
    corrected = sum(bool(held(700, seed).calibrated(NAMED).corrections) for seed in range(200))

    # At a level of 1 % two are expected, and seven or more come in one of 200 such series.
    assert corrected < 7


def test_a_correction_is_shrunk_the_more_the_fewer_leads_a_campaign_has() -> None:
    told = of_campaigns({1: (30, 20), 2: (1200, 800), 3: (800, 1200), 0: (1000, 1000)})

    [correction] = told.calibrated(NAMED).corrections

    alone = 4 * (0.6 - told.labels.mean())
    assert 0 < correction.by_code[1] < 0.9 * correction.by_code[2]
    assert 0.9 * alone < correction.by_code[2] < alone


@pytest.mark.parametrize(("leads", "is_corrected"), [(9, False), (10, True)])
def test_a_campaign_seen_fewer_than_ten_times_is_not_corrected(
    leads: int, is_corrected: bool
) -> None:
    told = of_campaigns({1: (leads - 1, 1), 2: (600, 400), 3: (400, 600)})

    [correction] = told.calibrated(NAMED).corrections

    assert (correction.by_code[1] != 0) is is_corrected


def test_one_campaign_alone_is_not_corrected() -> None:
    assert of_campaigns({1: (60, 40)}).calibrated(NAMED).corrections == ()


def test_leads_without_a_campaign_are_corrected_as_one() -> None:
    told = of_campaigns({1: (600, 400), 2: (400, 600)})
    cells = np.where(told.matrix == 2, np.nan, told.matrix)

    [correction] = replace(told, matrix=cells).calibrated(NAMED).corrections

    assert correction.missing < 0 < correction.by_code[1]


def test_columns_that_are_not_named_are_not_corrected() -> None:
    told = of_campaigns({1: (600, 400), 2: (400, 600)})

    assert told.calibrated({}).corrections == ()


def test_two_named_columns_are_not_corrected_twice_for_the_same() -> None:
    told = of_campaigns({1: (600, 400), 2: (400, 600)})
    same = {**NAMED, 1: Column("source", "source", CAMPAIGNS)}

    found = replace(told, matrix=np.repeat(told.matrix, 2, axis=1)).calibrated(same)

    assert [correction.field for correction in found.corrections] == ["campaign"]


def test_the_mean_of_a_correction_is_that_of_the_leads_it_was_found_on() -> None:
    told = replace(of_campaigns({1: (600, 400), 2: (200, 300)}), weight=np.linspace(0.5, 1.5, 1500))

    [correction] = told.calibrated(NAMED).corrections

    assert correction.mean == pytest.approx(
        np.average(correction.at(told.matrix), weights=told.weight)
    )


def test_within_a_campaign_the_order_of_leads_stays() -> None:
    told = held(4000, 6, np.array([0, 1, -1, 1, -1, 1, -1]) * WIDE_GAP)
    calibrated = told.calibrated(NAMED).apply(told.blended, told.matrix)

    for code in range(len(CAMPAIGNS)):
        there = told.matrix[:, 0] == code
        order = np.argsort(told.blended[there])
        assert (np.diff(calibrated[there][order]) > 0).all()


def test_what_leads_of_no_weight_became_does_not_matter() -> None:
    told = held(4000, 6, np.array([0, 1, -1, 1, -1, 1, -1]) * WIDE_GAP)
    nothing = np.arange(4000) % 3 == 0
    told = replace(told, weight=np.where(nothing, 0.0, 1.0))
    turned = replace(told, labels=np.where(nothing, 1 - told.labels, told.labels))

    assert turned.calibrated(NAMED) == told.calibrated(NAMED)


@pytest.mark.parametrize("by", [2.0, 3.0])
def test_a_campaign_far_off_is_corrected_to_what_became_of_it(by: float) -> None:
    random, rows = np.random.default_rng(0), 20_000
    code = np.where(np.arange(rows) < 1000, 6, 1 + np.arange(rows) % 5)
    z = random.normal(-4, 0.5, rows)
    y = (random.random(rows) < expit(z + by * (code == 6))).astype(np.int8)

    told = Held(z, y, np.ones(rows), None, code[:, None].astype(float))
    chance = expit(told.calibrated(NAMED).apply(z, told.matrix))

    assert chance[code == 6].sum() == pytest.approx(y[code == 6].sum(), rel=0.15)


def test_corrections_leave_the_sum_over_all_leads() -> None:
    told = held(4000, 6, np.array([0, 1, -1, 1, -1, 1, -1]) * WIDE_GAP)
    chance = expit(told.calibrated(NAMED).apply(told.blended, told.matrix))
    assert chance.sum() == pytest.approx(told.labels.sum(), rel=1e-3)


def test_newest_leads_of_no_weight_show_no_drift() -> None:
    told = drifted(10_000, 1.0)
    told = replace(told, weight=np.where(told.place >= 8000, 0.0, 1.0))
    assert told.calibrated().drift == 0


def test_a_campaign_of_no_weight_does_no_harm() -> None:
    told = of_campaigns({1: (600, 400), 2: (400, 600), 3: (50, 50)})
    told = replace(told, weight=np.where(told.matrix[:, 0] == 3, 0.0, 1.0))
    [correction] = told.calibrated(NAMED).corrections
    assert correction.by_code[3] == 0


def test_half_won_and_the_same_said_of_all_gives_one_half() -> None:
    assert of_campaigns({1: (50, 50)}).calibrated().apply(np.zeros(1), np.zeros((1, 1)))[0] == 0
