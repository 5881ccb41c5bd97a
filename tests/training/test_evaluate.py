from __future__ import annotations

import json

import numpy as np
import pytest

from features.errors import UsageError
from serving.members import Vector
from tests.training.firms import IN_TIME, agreed
from training.evaluate import Evaluation, judge
from training.judged import MISSING, Judged, groups
from training.labels import Labels

RANDOM = np.random.default_rng(2)
HONEST = RANDOM.random(1500)
Y = (RANDOM.random(1500) < HONEST).astype(np.int8)
SALES = agreed(columns=IN_TIME, capacity={"leads_per_day": 1})


def evaluate(y: Labels, probability: Vector, seed: int = 0) -> Evaluation:
    """What bare probabilities are worth."""
    return judge(Judged(y, probability), seed=seed)


def test_honest_probabilities_are_off_by_little() -> None:
    assert evaluate(Y, HONEST).reliability.error < 0.05


def test_boastful_probabilities_are_off_by_as_much_as_they_boast() -> None:
    result = evaluate(Y, np.minimum(HONEST + 0.2, 1))

    assert result.reliability.error == pytest.approx(0.18, abs=0.03)
    assert result.mean_predicted > result.mean_actual


def test_every_interval_holds_its_figure() -> None:
    result = evaluate(Y, HONEST)

    for name, figure in result.figures.items():
        assert figure.low <= figure.value <= figure.high, name


def test_the_interval_of_few_leads_is_wide() -> None:
    few, many = evaluate(Y[:60], HONEST[:60]), evaluate(Y, HONEST)

    assert few.roc_auc_high - few.roc_auc_low > 4 * (many.roc_auc_high - many.roc_auc_low)


def test_a_perfect_order_puts_all_wins_into_the_best_tenth() -> None:
    y = np.array([1] * 10 + [0] * 90, dtype=np.int8)

    result = evaluate(y, np.linspace(0.9, 0.1, 100))

    assert result.figures["lift_top_tenth"].value == 10
    assert result.figures["won_in_top_tenth"].value == 1


def test_the_same_probability_for_all_orders_nothing_wherever_wins_stand() -> None:
    wins_first = np.sort(Y)[::-1]

    result = evaluate(wins_first, np.full(len(Y), 0.5))

    assert result.roc_auc == pytest.approx(0.5)
    assert result.figures["lift_top_tenth"].value == pytest.approx(1)
    assert result.figures["log_loss"].value == pytest.approx(np.log(2))
    assert result.reliability.error == pytest.approx(abs(Y.mean() - 0.5))


def test_the_same_seed_gives_the_same_figures() -> None:
    assert evaluate(Y, HONEST, seed=1) == evaluate(Y, HONEST, seed=1)


def test_the_order_of_the_rows_changes_no_figure() -> None:
    rows = np.random.default_rng(3).permutation(len(Y))
    coarse = HONEST.round(1)

    one, other = evaluate(Y, coarse), evaluate(Y[rows], coarse[rows])

    for name, figure in one.figures.items():
        assert other.figures[name].value == pytest.approx(figure.value), name
    assert other.reliability.error == pytest.approx(one.reliability.error)


def test_all_figures_are_plain_numbers() -> None:
    assert {type(value) for value in evaluate(Y, HONEST).as_metrics().values()} == {float}


def test_the_names_that_runs_are_compared_by_stay() -> None:
    assert set(evaluate(Y, HONEST).as_metrics()) >= {
        "roc_auc", "roc_auc_low", "roc_auc_high", "pr_auc", "log_loss", "brier", "lift_top_tenth",
        "won_in_top_tenth", "expected_calibration_error", "mean_predicted", "mean_actual", "rows",
        "won",
    }  # fmt: skip


def test_what_cannot_be_measured_is_no_metric() -> None:
    metrics = evaluate(Y, np.full(len(Y), 0.5)).as_metrics()

    assert "calibration_slope" not in metrics
    assert np.isfinite(list(metrics.values())).all()


def test_a_row_of_weight_two_counts_as_two_rows() -> None:
    twice = np.where(Y == 1, 2.0, 1.0)
    rows = np.repeat(np.arange(len(Y)), twice.astype(int))

    weighted = judge(Judged(Y, HONEST, weight=twice))
    repeated = evaluate(Y[rows], HONEST[rows])

    for name in ("roc_auc", "pr_auc", "log_loss", "brier", "mean_actual"):
        assert weighted.figures[name].value == pytest.approx(repeated.figures[name].value), name


def test_leads_of_one_account_make_the_interval_wider_than_as_many_accounts() -> None:
    rows = np.repeat(np.arange(150), 10)
    accounts = [f"account {row}" for row in rows]
    y, said = Y[:150][rows], HONEST[:150][rows]

    together = judge(Judged(y, said, clusters=accounts)).figures["roc_auc"]
    alone = judge(Judged(y, said)).figures["roc_auc"]

    assert together.high - together.low > 2 * (alone.high - alone.low)


def test_sales_calls_the_best_lead_of_each_day() -> None:
    place = np.array([0.2, 0.5, 0.9, 1.1, 1.2, 1.3])
    said = np.array([0.9, 0.2, 0.3, 0.1, 0.5, 0.4])
    y = np.array([1, 0, 1, 0, 0, 1], dtype=np.int8)

    capacity = judge(Judged(y, said, place=place), SALES).capacity

    assert capacity is not None
    assert capacity.share == pytest.approx(2 / 6)
    assert capacity.won.value == pytest.approx(1 / 3)
    assert capacity.precision.value == 0.5


def test_without_days_nobody_knows_what_sales_can_call() -> None:
    serial = agreed(columns={"serial": "number"}, capacity={"leads_per_day": 1})
    place = np.arange(len(Y), dtype=np.float64)

    assert judge(Judged(Y, HONEST), SALES).capacity is None
    assert judge(Judged(Y, HONEST, place=place), serial).capacity is None


@pytest.mark.parametrize(("won", "shown"), [(1, False), (3, False), (10, True)])
def test_a_perfect_order_is_believed_from_a_handful_of_wins_on(won: int, shown: bool) -> None:
    y = np.array([1] * won + [0] * 30, dtype=np.int8)

    assert evaluate(y, np.linspace(0.9, 0.1, len(y))).is_better_than_chance == shown


def test_values_that_nobody_knows_are_no_figure() -> None:
    unknown = Judged(Y, HONEST, value=np.full(len(Y), np.nan))

    assert "value_in_top_tenth" not in judge(unknown).figures


def test_value_is_counted_where_leads_were_won() -> None:
    y = np.array([1, 1, 0, 0, 0, 0, 0, 0, 0, 0], dtype=np.int8)
    value = np.array([300.0, 100.0, 9000.0, *[np.nan] * 7])

    result = judge(Judged(y, np.linspace(0.9, 0.1, 10), value=value))

    assert result.figures["value_in_top_tenth"].value == pytest.approx(0.75)


def test_the_gain_curve_climbs_from_none_to_all_within_its_band() -> None:
    gain = evaluate(Y, HONEST).gain

    assert (gain.x[0], gain.y[0], gain.x[-1], gain.y[-1]) == (0, 0, 1, 1)
    assert (np.diff(gain.y) >= 0).all()
    assert (np.array(gain.low) <= np.array(gain.y)).all()
    assert (np.array(gain.high) >= np.array(gain.y)).all()


def test_one_outcome_alone_cannot_be_judged() -> None:
    with pytest.raises(UsageError, match=r"0 of 3 later rows won.*longer history"):
        Judged(np.zeros(3, dtype=np.int8), np.full(3, 0.5))


@pytest.mark.parametrize("weight", [0.0, -1.0, np.nan])
def test_rows_that_count_for_nothing_are_refused(weight: float) -> None:
    with pytest.raises(UsageError, match="1 of 2 weights are not above 0; leave"):
        Judged(np.array([0, 1], dtype=np.int8), np.full(2, 0.5), weight=np.array([1.0, weight]))


@pytest.mark.parametrize("part", ["probability", "weight", "campaign", "segment"])
def test_parts_of_another_length_are_refused_by_name(part: str) -> None:
    parts: dict[str, object] = {"probability": np.full(2, 0.5)}
    parts |= {"segments": {"segment": ["a"]}} if part == "segment" else {part: np.array([0.5])}

    with pytest.raises(UsageError, match=f"{part} has 1 rows and the outcomes have 2"):
        Judged(np.array([0, 1], dtype=np.int8), **parts)  # type: ignore[arg-type]


def test_missing_categories_stand_together() -> None:
    found = groups(["b", None, "a", "", "b"])

    assert {name: rows.tolist() for name, rows in found.items()} == {
        "a": [2], "b": [0, 4], MISSING: [1, 3],
    }  # fmt: skip


def test_an_evaluation_draws_no_more_than_it_is_given() -> None:
    result = evaluate(Y, HONEST)

    assert (result.campaigns, result.segments, result.grades) == ((), {}, None)
    assert json.dumps(result.as_metrics())
