from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest

from features.agreement import Agreement
from features.leads import History, Leads
from serving.document import render
from tests.training.firms import agreed
from training.rolling import in_short, predicted_to_actual, roll, rolling_section
from training.splits import Rows, origins, split

ROWS = 2000
RANDOM = np.random.default_rng(4)
LABELS = (RANDOM.random(ROWS) < 0.3).astype(np.int8)
START = datetime(2024, 1, 1)


def history(days: float = 0.5, rows: int = ROWS) -> History:
    """Leads that came in evenly, one every so many days."""
    created: list[datetime | None] = [START + timedelta(days=days * i) for i in range(rows)]
    leads = Leads([str(i) for i in range(rows)], {}, created)
    return History(leads, ["won"] * rows, [None] * rows, [float(i) for i in range(rows)])


def timed() -> Agreement:
    return agreed(columns={"created": "created"})


def by_outcome(_: Rows, later: Rows) -> np.ndarray:
    return np.where(LABELS[later] == 1, 0.6, 0.2)


def test_each_origin_judges_the_leads_that_came_next_and_none_twice() -> None:
    found = origins(history(), LABELS, timed())

    judged = np.concatenate([part.later for part in found])

    assert len(found) == 4
    assert sorted(judged.tolist()) == list(range(int(0.4 * ROWS), ROWS))


def test_a_gap_of_one_horizon_lies_before_each_origin() -> None:
    agreement = timed()

    for part in origins(history(), LABELS, agreement):
        gap = (part.later.min() - part.earlier.max()) * 0.5
        assert agreement.horizon_days <= gap < agreement.horizon_days + 1


def test_an_origin_with_too_few_outcomes_on_one_side_is_left_out() -> None:
    late = LABELS * (np.arange(ROWS) > 0.6 * ROWS).astype(np.int8)

    found = origins(history(), late, timed())

    # Wins begin at 60 %: the origins at 70 % (behind its gap) and 85 % have some to learn from.
    assert [int(part.later.min()) for part in found] == [int(0.85 * ROWS)]


def test_without_an_order_there_is_no_origin() -> None:
    assert origins(history(), LABELS, agreed()) == []


def test_the_figures_of_every_origin_are_told() -> None:
    found = roll(origins(history(), LABELS, timed()), LABELS, by_outcome, 0)

    page = render("t", {}, [rolling_section(found)])

    assert [origin.evaluation.roc_auc for origin in found] == [1.0] * 4
    assert "ROC AUC 1.00 to 1.00" in in_short(found)[0]
    assert all(origin.split.method in page for origin in found)


def always_half_too_high(_: Rows, later: Rows) -> np.ndarray:
    return np.full(len(later), 1.5 * LABELS[later].mean())


def test_how_far_sums_go_astray_is_told_from_moment_to_moment() -> None:
    found = roll(origins(history(), LABELS, timed()), LABELS, always_half_too_high, 0)

    mean = predicted_to_actual(found)

    assert mean is not None
    assert (mean.value, mean.low, mean.high) == pytest.approx((1.5, 1.5, 1.5))
    assert (
        "on average 150% (95 % interval 150% to 150%, each moment taken as one independent figure)"
        in in_short(found)[0]
    )


def test_two_moments_tell_nothing_of_how_others_vary() -> None:
    found = roll(origins(history(), LABELS, timed())[:2], LABELS, always_half_too_high, 0)

    assert predicted_to_actual(found) is None


def test_the_figures_of_an_origin_come_from_draws_of_days() -> None:
    parts = origins(history(), LABELS, timed())[:1]
    days = [str(i // 2) for i in range(ROWS)]

    alone, by_day = (roll(parts, LABELS, by_outcome, 0, d)[0] for d in (None, days))

    assert by_day.evaluation.clusters == alone.evaluation.clusters / 2


def test_one_origin_alone_says_nothing_of_movement() -> None:
    found = roll(origins(history(), LABELS, timed())[:1], LABELS, by_outcome, 0)

    assert in_short(found) == ()


@pytest.mark.parametrize("seed", range(2))
def test_the_last_two_origins_judge_what_the_main_split_judges(seed: int) -> None:
    main = split(history(), LABELS, timed(), seed)

    last = np.concatenate([part.later for part in origins(history(), LABELS, timed())[-2:]])

    assert sorted(last.tolist()) == sorted(main.later.tolist())
