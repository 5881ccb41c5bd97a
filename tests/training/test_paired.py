from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from serving.members import Vector
from training.later import Later
from training.paired import MEASURES, differences, drawn_by


def chance(log_odds: Vector) -> Vector:
    return 1 / (1 + np.exp(-log_odds))


def leads(rows: int, seed: int, days: int = 0, swing: float = 0.0) -> tuple[Later, Vector]:
    """Leads judged by a model that knows their chance, and the facts behind them, (rows, 2).

    With `days`, all leads of a day have better or worse luck together, by `swing` log-odds.
    """
    generator = np.random.default_rng(seed)
    facts = generator.normal(size=(rows, 2))
    day = generator.integers(0, days, rows) if days else None
    luck = generator.normal(0, swing, days)[day] if days else 0.0
    known = -1.5 + facts[:, 0] + 0.5 * facts[:, 1]
    won = (generator.random(rows) < chance(known + luck)).astype(np.int8)
    return Later(won, chance(known), day), facts


def bolder(facts: Vector) -> Vector:
    """A model that says too much and weighs the second fact too little."""
    return chance(-1.2 + 0.9 * facts[:, 0] + 0.25 * facts[:, 1])


def test_the_same_predictions_are_identical() -> None:
    later, _ = leads(300, seed=1)

    found = differences(later, [later.probability.copy()], top=30)[0]

    assert {(d.difference, d.low, d.high, d.verdict) for d in found.values()} == {
        (0.0, 0.0, 0.0, "identical")
    }


def test_a_model_that_knows_more_is_shown_better_by_every_measure() -> None:
    later, facts = leads(1500, seed=2)
    blind = replace(later, probability=chance(-1.5 + 0.8 * facts[:, 1]))

    found = differences(blind, [later.probability], top=150)[0]

    assert {name: d.verdict for name, d in found.items()} == dict.fromkeys(MEASURES, "better")
    assert found["log_loss"].high < 0 < found["roc_auc"].low


def test_held_the_other_way_round_it_is_shown_worse() -> None:
    later, facts = leads(1500, seed=2)

    found = differences(later, [chance(-1.5 + 0.8 * facts[:, 1])], top=150)[0]

    assert {d.verdict for d in found.values()} == {"worse"}


def test_noise_is_not_shown_to_be_anything() -> None:
    later, _ = leads(600, seed=3)
    generator = np.random.default_rng(0)
    first, second = (chance(-1.5 + generator.normal(size=600)) for _ in range(2))

    found = differences(replace(later, probability=first), [second], top=60)[0]

    assert {d.verdict for d in found.values()} == {"not shown"}


def test_differences_are_those_of_the_plain_measures() -> None:
    later, facts = leads(400, seed=4)
    other, top = bolder(facts), 40

    found = differences(later, [other], top)[0]

    won, said = later.won, later.probability
    best = [won[np.argsort(-p)[:top]].sum() for p in (said, other)]
    assert found["log_loss"].difference == pytest.approx(log_loss(won, other) - log_loss(won, said))
    assert found["roc_auc"].difference == pytest.approx(
        roc_auc_score(won, other) - roc_auc_score(won, said)
    )
    assert found["wins_in_top"].difference == pytest.approx(best[1] - best[0])


def test_ties_favour_nobody() -> None:
    won = np.array([1, 1, 0, 0, 1, 0], dtype=np.int8)
    told = Later(won, np.full(6, 0.5), None)

    found = differences(told, [won * 0.5 + 0.25], top=2)[0]

    assert found["roc_auc"].difference == pytest.approx(0.5)
    assert found["wins_in_top"].difference == pytest.approx(2 - 1)


@pytest.mark.parametrize("days", [0, 30])
def test_intervals_cover_the_difference_there_is(days: int) -> None:
    def truth(seed: int) -> list[float]:
        many, facts = leads(200_000, seed, days * 400, swing=0.5)
        return [
            d.difference for d in differences(many, [bolder(facts)], 20_000, times=2)[0].values()
        ]

    rows, repeats = 400, 100
    log_loss_by, auc_by, wins_by = truth(seed=999)
    there = {"log_loss": log_loss_by, "roc_auc": auc_by, "wins_in_top": wins_by * rows / 200_000}
    covered = dict.fromkeys(MEASURES, 0)
    for seed in range(repeats):
        later, facts = leads(rows, seed, days, swing=0.5)
        for name, d in differences(later, [bolder(facts)], rows // 10, times=150)[0].items():
            covered[name] += d.low <= there[name] <= d.high

    assert all(0.88 <= hits / repeats <= 1 for hits in covered.values()), covered


def test_leads_that_stand_or_fall_by_the_day_say_less_than_their_number() -> None:
    later, facts = leads(3000, seed=6, days=30, swing=2.0)

    by_day = differences(later, [bolder(facts)], top=300)[0]["log_loss"]
    by_lead = differences(replace(later, day=None), [bolder(facts)], top=300)[0]["log_loss"]

    assert by_day.high - by_day.low > 1.5 * (by_lead.high - by_lead.low)


def test_days_are_drawn_where_there_are_enough_of_them() -> None:
    later, _ = leads(100, seed=7)

    assert drawn_by(later) == "lead"
    assert drawn_by(replace(later, day=np.arange(100) % 9)) == "lead"
    assert drawn_by(replace(later, day=np.arange(100) % 10)) == "day"


def test_more_comparisons_widen_the_interval() -> None:
    later, facts = leads(400, seed=8)

    alone, among_ten = (
        differences(later, [bolder(facts)], 40, comparisons=n)[0]["roc_auc"] for n in (1, 10)
    )

    assert among_ten.low < alone.low < alone.high < among_ten.high


def test_the_same_seed_gives_the_same_interval_and_another_gives_another() -> None:
    later, facts = leads(200, seed=9)

    first, again, other = (
        differences(later, [bolder(facts)], 20, seed=seed)[0]["log_loss"] for seed in (0, 0, 1)
    )

    assert first == again
    assert first != other
