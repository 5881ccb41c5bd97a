"""When wins come: right for young exports too, by field only where it is shown."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache

import numpy as np
import pytest

from features.leads import History, Leads
from serving.members import Vector
from serving.scorer import Blend, Scorer
from serving.timing import Timing
from tests.training.deals import (
    HORIZON,
    START,
    agreement,
    chances_of,
    history_of,
    leads_of,
    scorer_of,
)
from training.timing import FittedTiming, evaluate_timing, fit_timing

AGREED = agreement()
AS_OF = START + timedelta(days=720)


@cache
def world(rows: int, seed: int, by_product: bool) -> tuple[Leads, Vector, Vector, Scorer]:
    """Leads, whether they end up won, on which day, and their scorer."""
    random = np.random.default_rng(seed)
    leads = leads_of(rows, seed)
    won = random.random(rows) < chances_of(leads)
    slow = np.array([p == "pro" for p in leads.column("product")])
    day = HORIZON * random.beta(np.where(slow & by_product, 5.0, 1.7), 3.4)
    return leads, won, day, scorer_of(leads, AGREED)


def exported(rows: int, seed: int, as_of: datetime, by_product: bool = False) -> History:
    """What an export at `as_of` tells of that world."""
    leads, won, day, _ = world(rows, seed, by_product)
    return history_of(leads, won, day, as_of)


def model_of(fitted: FittedTiming) -> Timing:
    assert fitted.model is not None
    return fitted.model


def share_by(timing: Timing, day: float) -> float:
    return float(np.interp(day, (0.0, *timing.days), (0.0, *timing.shares(0.0))))


def test_a_young_export_gives_the_curve_of_the_matured_one() -> None:
    scorer = world(6000, 1, False)[3]
    # A third of the leads have come in within the last horizon.
    young = START + timedelta(days=270)
    at_once = fit_timing(exported(6000, 1, young), scorer, young).model
    late = AS_OF + timedelta(days=HORIZON)
    in_the_end = fit_timing(exported(6000, 1, late), scorer, late)

    assert at_once is not None
    for day in (15, 30, 45, 60):
        assert share_by(at_once, day) == pytest.approx(
            share_by(model_of(in_the_end), day), abs=0.035
        )


def test_counting_young_wins_as_they_are_would_have_been_wrong() -> None:
    young = START + timedelta(days=270)
    told = exported(6000, 1, young)
    days = [
        (end - start) / timedelta(days=1)
        for start, end, d in zip(told.leads.created, told.closed, told.dispositions, strict=True)
        if d == "won" and start and end and young - start < timedelta(days=HORIZON)
    ]
    timing = model_of(fit_timing(told, world(6000, 1, False)[3], young))

    assert np.mean(np.array(days) < 30) > share_by(timing, 30) + 0.1


def test_a_field_that_tells_when_is_found_and_confirmed_later() -> None:
    scorer = world(6000, 2, True)[3]
    since = START + timedelta(days=480)
    fitted = fit_timing(exported(6000, 2, since, True), scorer, since)
    found = evaluate_timing(
        exported(6000, 2, AS_OF, True), replace(scorer, timing=fitted.model), AS_OF, since
    )

    assert fitted.choice is not None
    assert fitted.choice.field in ("product", "all fields")
    assert found is not None
    assert found.gain > 3 * found.gain_error
    assert any("is confirmed" in told for told in found.sentences())


def test_the_slow_product_is_expected_later() -> None:
    leads, won, day, scorer = world(6000, 2, True)
    timing = model_of(fit_timing(exported(6000, 2, AS_OF, True), scorer, AS_OF))
    matrix = scorer.encoder.encode(leads)

    expected = np.array(timing.expected_days(matrix, scorer.blend.log_odds(matrix)))

    for product in ("basic", "pro"):
        these = np.array([p == product for p in leads.column("product")])
        assert expected[these].mean() == pytest.approx(np.median(day[won & these]), abs=3)


@pytest.mark.parametrize("seed", range(8))
def test_fields_that_tell_nothing_leave_one_curve_for_all(seed: int) -> None:
    scorer = world(1500, seed, False)[3]
    since = START + timedelta(days=480)
    fitted = fit_timing(exported(1500, seed, since), scorer, since, seed)
    found = evaluate_timing(
        exported(1500, seed, AS_OF), replace(scorer, timing=fitted.model), AS_OF, since
    )

    assert model_of(fitted).delay.columns == ()
    assert found is not None
    assert "all leads have one curve" in found.sentences()[0]


def test_curves_by_score_are_better_forecasts_than_one_curve_and_say_so() -> None:
    scorer = world(6000, 1, False)[3]
    since = START + timedelta(days=480)
    timing = fit_timing(exported(6000, 1, since), scorer, since).model

    found = evaluate_timing(exported(6000, 1, AS_OF), replace(scorer, timing=timing), AS_OF, since)

    assert found is not None
    assert found.brier < found.brier_same_for_all
    assert "together are better than one chance and one curve" in found.sentences()[1]


def test_censored_leads_are_weighted_for() -> None:
    """The Brier score of a young export comes near that of the same leads once matured."""
    scorer = world(6000, 3, False)[3]
    since, young = START + timedelta(days=300), START + timedelta(days=480)
    timed = replace(scorer, timing=fit_timing(exported(6000, 3, since), scorer, since).model)
    late = START + timedelta(days=2000)
    everybody = exported(6000, 3, late)
    came_by_then = [i for i, c in enumerate(everybody.leads.created) if c and c < young]

    at_once = evaluate_timing(exported(6000, 3, young), timed, young, since)
    in_the_end = evaluate_timing(everybody.take(came_by_then), timed, late, since)

    assert at_once is not None
    assert in_the_end is not None
    assert at_once.brier == pytest.approx(in_the_end.brier, rel=0.08)


def test_no_creation_or_closing_time_no_curve() -> None:
    scorer = world(1500, 0, False)[3]
    columns = scorer.agreement.columns.model_copy(update={"closed": None})
    without = replace(scorer, agreement=scorer.agreement.model_copy(update={"columns": columns}))

    fitted = fit_timing(exported(1500, 0, AS_OF), without, AS_OF)

    assert fitted.model is None
    assert "needs the creation and the closing time" in fitted.sentences()[0]
    assert evaluate_timing(exported(1500, 0, AS_OF), without, AS_OF, START) is None


def test_a_history_shorter_than_the_horizon_gives_no_curve() -> None:
    soon = START + timedelta(days=60)

    fitted = fit_timing(exported(1500, 0, soon), world(1500, 0, False)[3], soon)

    assert fitted.model is None
    assert "wins whose horizon is over" in fitted.absent_because


def test_a_dozen_wins_give_a_coarse_curve() -> None:
    scorer = world(1500, 0, False)[3]
    told = exported(1500, 0, AS_OF)
    wins = [i for i, d in enumerate(told.dispositions) if d == "won"][:12]
    lost = [i for i, d in enumerate(told.dispositions) if d == "lost"][:80]

    fitted = fit_timing(told.take(wins + lost), scorer, AS_OF)

    assert len(model_of(fitted).days) == 2
    assert fitted.wins == 12


def test_the_same_seed_gives_the_same_curve() -> None:
    scorer = world(1500, 1, False)[3]
    one, other = (fit_timing(exported(1500, 1, AS_OF), scorer, AS_OF, 3) for _ in range(2))

    assert model_of(one).as_dict() == model_of(other).as_dict()


def test_equal_probabilities_and_one_curve_are_not_called_better() -> None:
    scorer = world(1500, 0, False)[3]
    alike = replace(scorer, blend=Blend((), offset=-1.0))
    since = START + timedelta(days=480)
    timed = replace(alike, timing=fit_timing(exported(1500, 0, since), alike, since).model)

    found = evaluate_timing(exported(1500, 0, AS_OF), timed, AS_OF, since)

    assert found is not None
    assert "are not shown to be better" in found.sentences()[1]
