"""When wins come: right for young exports too, by field only where it is shown."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from serving.scorer import Blend
from serving.timing import Timing
from tests.training.deals import AS_OF, HORIZON, START, world
from training.timing import FittedTiming, evaluate_timing, fit_timing


def model_of(fitted: FittedTiming) -> Timing:
    assert fitted.model is not None
    return fitted.model


def share_by(timing: Timing, day: float) -> float:
    return float(np.interp(day, (0.0, *timing.days), (0.0, *timing.shares(0.0))))


def test_a_young_export_gives_the_curve_of_the_matured_one() -> None:
    made = world(6000, 1)
    # A third of the leads have come in within the last horizon.
    young = START + timedelta(days=270)
    at_once = fit_timing(made.exported(young), made.scorer, young).model
    late = AS_OF + timedelta(days=HORIZON)
    in_the_end = fit_timing(made.exported(late), made.scorer, late)

    assert at_once is not None
    for day in (15, 30, 45, 60):
        assert share_by(at_once, day) == pytest.approx(
            share_by(model_of(in_the_end), day), abs=0.035
        )


def test_counting_young_wins_as_they_are_would_have_been_wrong() -> None:
    young = START + timedelta(days=270)
    made = world(6000, 1)
    told = made.exported(young)
    days = [
        (end - start) / timedelta(days=1)
        for start, end, d in zip(told.leads.created, told.closed, told.dispositions, strict=True)
        if d == "won" and start and end and young - start < timedelta(days=HORIZON)
    ]
    timing = model_of(fit_timing(told, made.scorer, young))

    assert np.mean(np.array(days) < 30) > share_by(timing, 30) + 0.1


def test_a_field_that_tells_when_is_found_and_confirmed_later() -> None:
    made = world(6000, 2, slow_product=True)
    since = START + timedelta(days=480)
    fitted = fit_timing(made.exported(since), made.scorer, since)
    found = evaluate_timing(
        made.exported(), replace(made.scorer, timing=fitted.model), AS_OF, since
    )

    assert fitted.choice is not None
    assert fitted.choice.field in ("product", "all fields")
    assert found is not None
    assert found.gain.low > 0
    assert any("is confirmed" in told for told in found.sentences())


def test_the_slow_product_is_expected_later() -> None:
    made = world(6000, 2, slow_product=True)
    timing = model_of(fit_timing(made.exported(), made.scorer, AS_OF))
    matrix = made.scorer.encoder.encode(made.leads)

    expected = np.array(timing.expected_days(matrix, made.scorer.blend.log_odds(matrix)))

    for product in ("basic", "pro"):
        these = np.array([p == product for p in made.leads.column("product")])
        assert expected[these].mean() == pytest.approx(np.median(made.day[made.won & these]), abs=3)


@pytest.mark.parametrize("seed", range(8))
def test_fields_that_tell_nothing_leave_one_curve_for_all(seed: int) -> None:
    made = world(1500, seed)
    since = START + timedelta(days=480)
    fitted = fit_timing(made.exported(since), made.scorer, since, seed)
    found = evaluate_timing(
        made.exported(), replace(made.scorer, timing=fitted.model), AS_OF, since
    )

    assert model_of(fitted).delay.columns == ()
    assert found is not None
    assert not found.by_field
    assert not any("confirmed" in told for told in found.sentences())


def test_curves_by_score_are_better_forecasts_than_one_curve_and_say_so() -> None:
    made = world(6000, 1)
    since = START + timedelta(days=480)
    timing = fit_timing(made.exported(since), made.scorer, since).model

    found = evaluate_timing(made.exported(), replace(made.scorer, timing=timing), AS_OF, since)

    assert found is not None
    assert found.brier < found.brier_same_for_all
    assert "together are better than one chance and one curve" in found.sentences()[0]


def test_censored_leads_are_weighted_for() -> None:
    """The Brier score of a young export comes near that of the same leads once matured."""
    made = world(6000, 3)
    since, young = START + timedelta(days=300), START + timedelta(days=480)
    timed = replace(made.scorer, timing=fit_timing(made.exported(since), made.scorer, since).model)
    late = START + timedelta(days=2000)
    everybody = made.exported(late)
    came_by_then = [i for i, c in enumerate(everybody.leads.created) if c and c < young]

    at_once = evaluate_timing(made.exported(young), timed, young, since)
    in_the_end = evaluate_timing(everybody.take(came_by_then), timed, late, since)

    assert at_once is not None
    assert in_the_end is not None
    assert at_once.brier == pytest.approx(in_the_end.brier, rel=0.08)


def test_no_creation_or_closing_time_no_curve() -> None:
    made = world(1500, 0)
    columns = made.scorer.agreement.columns.model_copy(update={"closed": None})
    without = replace(
        made.scorer, agreement=made.scorer.agreement.model_copy(update={"columns": columns})
    )

    fitted = fit_timing(made.exported(), without, AS_OF)

    assert fitted.model is None
    assert "needs the creation and the closing time" in fitted.sentences()[0]
    assert evaluate_timing(made.exported(), without, AS_OF, START) is None


def test_a_history_shorter_than_the_horizon_gives_no_curve() -> None:
    soon = START + timedelta(days=60)

    made = world(1500, 0)
    fitted = fit_timing(made.exported(soon), made.scorer, soon)

    assert fitted.model is None
    assert "wins whose horizon is over" in fitted.absent_because


def test_a_dozen_wins_give_a_coarse_curve() -> None:
    made = world(1500, 0)
    told = made.exported()
    wins = [i for i, d in enumerate(told.dispositions) if d == "won"][:12]
    lost = [i for i, d in enumerate(told.dispositions) if d == "lost"][:80]

    fitted = fit_timing(told.take(wins + lost), made.scorer, AS_OF)

    assert len(model_of(fitted).days) == 2
    assert fitted.wins == 12


def test_the_same_seed_gives_the_same_curve() -> None:
    made = world(1500, 1)
    one, other = (fit_timing(made.exported(), made.scorer, AS_OF, 3) for _ in range(2))

    assert model_of(one).as_dict() == model_of(other).as_dict()


def test_equal_probabilities_and_one_curve_are_not_called_better() -> None:
    made = world(1500, 0)
    alike = replace(made.scorer, blend=Blend((), offset=-1.0))
    since = START + timedelta(days=480)
    timed = replace(alike, timing=fit_timing(made.exported(since), alike, since).model)

    found = evaluate_timing(made.exported(), timed, AS_OF, since)

    assert found is not None
    assert found.sentences() == [
        "All leads have one chance and one curve: there is nothing to compare."
    ]
