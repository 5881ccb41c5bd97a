"""The closed loop on a small world: what holds for every policy, and what the command prints."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from benchmarks.learner import Learner
from benchmarks.loop_results import judged
from benchmarks.policies import POLICIES, Fixed, Leadq, agreement_for
from benchmarks.sales import Diary, Known, Market, Order, Terms, known, live, warm_up
from features.simulate import Settings
from features.simulate.journey import NOT_READY

ROOT = Path(__file__).parents[2]
TERMS = replace(Terms(), warm_up=4, retrain=6.0)
NAMES = {"random", "fifo", "static", "naive_bayes", "no_exploration", "leadq"}


@pytest.fixture(scope="module")
def market() -> Market:
    world = Settings(leads=2_400, months=16, seed=2)
    return Market.of(world, TERMS, agreement_for(world, TERMS))


@pytest.fixture(scope="module")
def past(market: Market) -> Diary:
    return warm_up(market)


@pytest.fixture(scope="module")
def oracle(market: Market, past: Diary) -> Diary:
    return live(market, POLICIES["oracle"](), past)[0]


def test_sales_never_calls_more_than_it_can(market: Market, oracle: Diary) -> None:
    days = np.arange(market.ends)
    made = np.array([(oracle.called == day).sum() for day in days])
    assert (made <= [market.calls_on(day) for day in days]).all()


def test_nobody_is_called_before_coming_in_or_after_losing_patience(
    market: Market, oracle: Diary
) -> None:
    waited = (oracle.called - market.world.created)[~np.isnan(oracle.called)]
    assert waited.min() >= 0
    assert waited.max() <= TERMS.patience


def test_a_recycled_lead_comes_back_only_if_it_was_called(market: Market, oracle: Diary) -> None:
    called = ~np.isnan(oracle.called)
    first = np.flatnonzero(market.world.returns_as >= 0)
    assert np.array_equal(oracle.waits[market.world.returns_as[first]], called[first])


def test_outcomes_are_known_of_called_leads_only_and_after_their_delay(
    market: Market, past: Diary
) -> None:
    now = known(market, past, market.begins)
    assert set(now.rows) == set(np.flatnonzero(~np.isnan(past.called)))
    told = np.array(now.dispositions) != "open"
    assert np.array_equal(told, ~np.isnat(now.decided))
    assert (now.decided[told] <= np.datetime64(now.as_of)).all()
    assert 0.2 < told.mean() < 0.95


def test_every_policy_starts_from_the_same_past(market: Market, past: Diary) -> None:
    before = past.called.copy()
    diary, _ = live(market, Fixed(lambda m: -m.world.created), past)
    assert np.array_equal(past.called, before, equal_nan=True)
    assert np.array_equal(diary.called[before < market.begins], before[before < market.begins])


def test_the_oracle_captures_itself_and_more_than_chance(
    market: Market, past: Diary, oracle: Diary
) -> None:
    chance, _ = live(market, POLICIES["random"](), past)
    knows = POLICIES["oracle"]()
    itself, by_chance = (judged(market, d, oracle, knows, 1.0) for d in (oracle, chance))
    assert (itself.share, itself.expected, itself.regret[-1]) == (1, 1, 0)
    assert by_chance.expected < 0.6
    assert by_chance.regret[-1] > 0


def test_exploration_calls_leads_by_lot_and_keeps_their_propensity(
    market: Market, past: Diary
) -> None:
    policy = Fixed(lambda m: m.world.chance, share=0.2)
    diary, _ = live(market, policy, past)
    ours = diary.called >= market.begins
    assert diary.explored[ours].mean() == pytest.approx(0.2, abs=0.05)
    assert (diary.propensity[ours & diary.explored] < 0.5).all()
    assert np.isnan(diary.propensity[past.called < market.begins]).all()


def test_a_model_learns_from_what_it_is_shown_and_nothing_else(market: Market, past: Diary) -> None:
    """Endings that nobody was told yet may be what they like: the order stays the same."""
    now = known(market, past, market.begins)
    untold = np.setdiff1d(np.arange(len(past.called)), now.rows[~np.isnat(now.decided)])
    outcome = market.world.outcome.copy()
    outcome[untold] = (outcome[untold] + 1) % NOT_READY
    other = replace(market, world=replace(market.world, outcome=outcome))

    def order(m: Market) -> Order:
        return Leadq().learn(m, m.begins, partial(known, m, past))

    rows = market.came(market.begins, market.begins + 30)
    assert np.array_equal(order(market)(rows), order(other)(rows))


@pytest.mark.parametrize("name", ["static", "naive_bayes", "leadq"])
def test_what_learns_beats_chance(name: str, market: Market, past: Diary, oracle: Diary) -> None:
    policy, luck = POLICIES[name](), POLICIES["random"]()
    diary, seconds = live(market, policy, past)
    result = judged(market, diary, oracle, policy, seconds)
    chance, _ = live(market, luck, past)
    assert result.expected > judged(market, chance, oracle, luck, 0.0).expected + 0.1
    assert result.auc > 0.6
    assert 0.4 < result.calibration < 2.5


@pytest.fixture(scope="module")
def worked() -> tuple[Market, Diary]:
    """A market in which sales called by a noisy look for two years."""
    world = Settings(leads=6_000, months=24, seed=3)
    terms = replace(Terms(), warm_up=24)
    market = Market.of(world, terms, agreement_for(world, terms))
    return market, warm_up(market)


def learner(worked: tuple[Market, Diary], noted: list[int]) -> Learner:
    """A learner that notes the days on which it asked what the CRM shows."""
    market, diary = worked

    def asked(day: int) -> Known:
        noted.append(day)
        return known(market, diary, day)

    return Learner(market, asked)


def test_the_fits_that_meet_knew_nothing_of_the_leads_that_judge(
    worked: tuple[Market, Diary],
) -> None:
    noted: list[int] = []
    day = worked[0].ends
    verdict = learner(worked, noted).verdict(day - 60, day)

    assert verdict is not None
    today, older, newer = noted
    assert today == day
    assert newer - older == 60
    first = np.datetime64(verdict.judged_on.split(" of ")[1].split(" to ")[0])
    begin = worked[0].times(np.array([float(newer)]))[0].astype("datetime64[D]")
    assert begin <= first <= begin + 3


def test_a_champion_older_than_the_leads_that_judge_is_judged_itself(
    worked: tuple[Market, Diary],
) -> None:
    noted: list[int] = []
    learner(worked, noted).verdict(200, worked[0].ends)
    assert noted[1] == 200


def test_each_model_is_made_once(worked: tuple[Market, Diary]) -> None:
    noted: list[int] = []
    made = learner(worked, noted)
    assert made.model(500) is made.model(500)
    assert noted == [500]


def test_nothing_is_judged_where_nothing_is_known(worked: tuple[Market, Diary]) -> None:
    assert learner(worked, []).verdict(10, 40) is None


def test_a_challenger_that_the_gate_refuses_scores_nobody(
    market: Market, past: Diary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Learner, "verdict", lambda *_: None)
    refusing, static = POLICIES["leadq"](), POLICIES["static"]()
    refusing.share = 0.0
    ours, theirs = (live(market, policy, past)[0] for policy in (refusing, static))
    assert refusing.promoted == [False]
    assert np.array_equal(ours.called, theirs.called, equal_nan=True)


def closed_loop(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.closed_loop", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


def test_json_has_a_share_for_each_policy_and_seed(tmp_path: Path) -> None:
    world = ("--set", "leads=1500", "--set", "months=25", "--retrain", "13")
    figure = tmp_path / "loop.png"
    answer = closed_loop("--seeds", "2", *world, "--json", "--figure", str(figure))
    assert answer.returncode == 0, answer.stderr
    shares = json.loads(answer.stdout)
    assert set(shares) == NAMES
    assert all(len(found) == 2 for found in shares.values())
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert "share of wins" in answer.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--policies", "luck"), "no policy luck"),
        (("--set", "drift=9"), "drift=9"),
        (("--set", "months=12"), "no year after the warm-up"),
        (("--set", "leads=100", "--policies", "static"), "the oracle wins nobody"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(arguments: tuple[str, ...], said: str) -> None:
    answer = closed_loop(*arguments)
    assert answer.returncode == 2
    assert said in " ".join(answer.stderr.replace("│", " ").split())
