"""Expected value given won: robust, adding up, and claimed only where it is shown."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from features.leads import Leads
from serving.scorer import Blend, Scorer
from tests.training.deals import AGREED, history_of, labelled_with, leads_of, scorer_of, world
from training.labels import Labelled
from training.value import FittedValue, ValueEvaluation, evaluate_value, fit_value, values_of

WORTH = {"basic": 1000.0, "plus": 2000.0, "pro": 8000.0}


def made(rows: int, seed: int, spread: float, by_product: bool = True) -> tuple[Labelled, Scorer]:
    """Labelled leads whose value follows the product (or nothing), with a log-normal tail."""
    deals = world(rows, seed)
    usual = [WORTH[str(p)] if by_product else 3000.0 for p in deals.leads.column("product")]
    values = np.array(usual) * np.random.default_rng([seed, 1]).lognormal(0.0, spread, rows)
    return labelled_with(values, deals.leads, deals.won), deals.scorer


def judged(
    labelled: Labelled, scorer: Scorer, seed: int = 0
) -> tuple[FittedValue, ValueEvaluation]:
    """The fit on the first two thirds and its evaluation on the rest."""
    rows = np.arange(len(labelled.labels))
    cut = 2 * len(rows) // 3
    fitted = fit_value(labelled, scorer, rows[:cut], seed)
    found = evaluate_value(labelled, replace(scorer, value=fitted.model), rows[cut:], seed)
    assert found is not None
    return fitted, found


def choice_of(fitted: FittedValue) -> Any:
    assert fitted.choice is not None
    return fitted.choice


def test_the_field_that_tells_the_value_is_found_and_ordering_by_it_pays() -> None:
    fitted, found = judged(*made(6000, 1, spread=0.5))

    assert choice_of(fitted).field in ("product", "all fields")
    assert found.gain.low > 0
    assert any("is shown to find more revenue" in told for told in found.sentences())
    assert found.rank_correlation is not None
    assert found.rank_correlation.low > 0.5


def test_expected_values_of_unseen_wins_add_up_to_their_sum() -> None:
    ratios = [judged(*made(3000, seed, spread=0.8))[1].total for seed in range(8)]

    assert np.mean([ratio.value for ratio in ratios]) == pytest.approx(1, abs=0.05)
    assert sum(ratio.low <= 1 <= ratio.high for ratio in ratios) >= 6


def test_the_intervals_draw_days_where_leads_have_them() -> None:
    labelled, scorer = made(3000, 1, spread=0.5)
    leads = labelled.history.leads
    start = datetime(2026, 1, 1)
    few = [start + timedelta(days=i // 150) for i in range(len(leads))]
    by_day = replace(labelled, history=replace(labelled.history, leads=replace(leads, created=few)))

    one, other = (judged(told, scorer)[1] for told in (labelled, by_day))

    assert one.by_value.value == other.by_value.value
    assert (one.by_value.low, one.by_value.high) != (other.by_value.low, other.by_value.high)


def test_equal_scores_share_their_revenue_wherever_they_stand() -> None:
    labelled, scorer = made(3000, 1, spread=0.5)
    fitted, _ = judged(labelled, scorer)
    flat = replace(scorer, value=fitted.model, blend=Blend((), offset=-1.0))

    found = evaluate_value(labelled, flat, np.arange(len(labelled.labels)))

    assert found is not None
    assert found.by_probability.value == pytest.approx(0.1)


def test_expected_values_come_near_the_true_means() -> None:
    labelled, scorer = made(6000, 2, spread=0.5)
    fitted = fit_value(labelled, scorer, np.arange(len(labelled.labels)))
    leads = labelled.history.leads

    assert fitted.model is not None
    expected = fitted.model.expected(scorer.encoder.encode(leads))
    true = np.array([WORTH[str(p)] for p in leads.column("product")]) * np.exp(0.5**2 / 2)
    assert np.abs(expected / true - 1).mean() < 0.1


@pytest.mark.parametrize("seed", range(6))
def test_values_that_follow_no_field_are_expected_alike(seed: int) -> None:
    fitted, found = judged(*made(1500, seed, spread=1.0, by_product=False), seed)

    assert choice_of(fitted).field is None
    assert found.gain.value == 0
    assert any("nothing to compare" in told for told in found.sentences())


def test_a_few_wins_get_one_expected_value() -> None:
    labelled, scorer = made(120, 3, spread=1.5, by_product=False)
    fitted = fit_value(labelled, scorer, np.arange(len(labelled.labels)))

    assert 10 <= fitted.wins < 40
    assert choice_of(fitted).field is None


def test_fewer_than_ten_wins_tell_no_deal() -> None:
    labelled, scorer = made(30, 3, spread=0.5)

    fitted = fit_value(labelled, scorer, np.arange(len(labelled.labels)))

    assert fitted.model is None
    assert "could tell a single deal" in fitted.sentences()[0]


def test_a_slip_of_the_pen_moves_little() -> None:
    labelled, scorer = made(3000, 4, spread=0.5)
    rows = np.arange(len(labelled.labels))
    clean = fit_value(labelled, scorer, rows).model
    cells = labelled.history.leads.columns["value"]
    slip = next(i for i, cell in enumerate(cells) if cell is not None)
    cells[slip] = 1e9

    slipped = fit_value(labelled, scorer, rows).model

    assert clean is not None
    assert slipped is not None
    matrix = scorer.encoder.encode(labelled.history.leads)
    ratio = slipped.expected(matrix) / clean.expected(matrix)
    assert ratio.max() < 1.25


def test_equal_values_are_expected_as_they_are() -> None:
    leads = leads_of(600, 5)
    won = np.arange(600) % 5 == 0
    labelled = labelled_with(np.full(600, 750.0), leads, won)

    fitted, found = judged(labelled, scorer_of(leads))

    assert fitted.model is not None
    matrix = scorer_of(leads).encoder.encode(leads)
    assert fitted.model.expected(matrix) == pytest.approx(750)
    assert found.rank_correlation is None
    assert found.total.value == pytest.approx(1)


def test_values_that_cannot_be_used_are_counted_by_reason() -> None:
    leads = leads_of(6, 6)
    cells = ["1.200,50", "0", "-5", "a lot", None, "99"]
    told = Leads(leads.ids, {**leads.columns, "value": cells}, leads.created)
    won = np.array([1, 1, 1, 1, 1, 0])
    export = AGREED.export.model_copy(update={"decimal": ","})
    history = history_of(told, won, np.full(6, 5.0), leads.created[-1].replace(year=2030))  # type: ignore[union-attr]

    values, unusable = values_of(history, AGREED.model_copy(update={"export": export}))

    assert values[0] == 1200.5
    assert np.isnan(values[1:]).all()
    assert unusable == {"zero or less": 2, "not a number": 1, "missing": 1}


def test_without_an_agreed_value_there_is_none_and_it_says_why() -> None:
    labelled, scorer = made(300, 7, spread=0.5)
    without = AGREED.model_copy(
        update={"columns": AGREED.columns.model_copy(update={"value": None})}
    )

    fitted = fit_value(labelled, replace(scorer, agreement=without), np.arange(200))

    assert fitted.model is None
    assert fitted.sentences() == ["No expected value: the agreement names no value column."]


def test_the_same_seed_gives_the_same_model_and_figures() -> None:
    one, other = (judged(*made(900, 8, spread=0.5), seed=5) for _ in range(2))

    assert one == other


def test_every_figure_has_a_name_and_is_a_number() -> None:
    metrics = judged(*made(900, 9, spread=0.5))[1].as_metrics()

    assert {"revenue_top_tenth_gain_low", "value_total_ratio", "revenue_ratio_high"} <= set(metrics)
    assert all(np.isfinite(value) for value in metrics.values())
