from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from features.agreement import DISPOSITIONS, Disposition, LearningRules
from features.leads import Leads
from features.simulate import Crm, Settings, simulate
from serving.members import Vector
from tests.training.firms import agreed
from training.censoring import (
    MOST,
    AsOf,
    censoring_weights,
    effective_size,
    label_as_of,
    moments,
)
from training.fit import Effort, fit

END = datetime(2026, 6, 30)
RULES = LearningRules()
DAYS = arrays(np.float64, 40, elements=st.integers(0, 12).map(float))


def told(
    disposition: Disposition, created: datetime, after: float | None, young: bool = True
) -> AsOf:
    """What one lead teaches beside a hundred that came in evenly and were lost on day 50."""
    others = [END - timedelta(days=2 * i) for i in range(100)]
    known = [t + timedelta(days=50) for t in others]
    states: list[Disposition] = ["lost" if t <= END else "open" for t in known]
    return label_as_of(
        moments([created, *others]),
        moments([None if after is None else created + timedelta(days=after), *known]),
        [disposition, *states],
        END,
        90,
        RULES,
        young,
    )


def ago(days: float) -> datetime:
    return END - timedelta(days=days)


def test_a_young_lead_that_was_lost_teaches_for_those_not_watched_so_long() -> None:
    result = told("lost", ago(60), 50)

    # Of a hundred leads, the 25 that came in within 50 days were not watched so long.
    assert (result.labels[0], result.reasons[0]) == (0, "")
    assert result.weight[0] == pytest.approx(101 / 76, rel=0.01)


def test_a_young_lead_that_was_won_is_positive() -> None:
    assert told("won", ago(60), 10).labels[0] == 1


def test_a_win_after_the_horizon_teaches_a_zero_with_the_weight_of_the_whole_horizon() -> None:
    result = told("won", ago(150), 120)

    assert result.labels[0] == 0
    assert result.weight[0] == told("lost", ago(150), 90).weight[0]


@pytest.mark.parametrize("after", [None, 70])
def test_a_young_lead_teaches_nothing_unless_its_answer_is_known(after: float | None) -> None:
    result = told("lost", ago(60), after)

    assert (result.weight[0], result.reasons[0]) == (0, "too young: its horizon is not over")


def test_a_lead_worked_and_undecided_teaches_nothing_at_any_age() -> None:
    reasons = {told("open", ago(age), None).reasons[0] for age in (5, 500)}

    assert reasons == {"open: not decided yet"}


@pytest.mark.parametrize("disposition", ["not_ready", "in_contract", "unreachable"])
def test_a_recycled_lead_teaches_nothing_and_takes_no_weight_from_others(
    disposition: Disposition,
) -> None:
    result, without = told(disposition, ago(150), 3), told("lost", ago(150), 3)

    assert result.weight[0] == 0
    assert result.weight[1:].tolist() == without.weight[1:].tolist()


def test_without_the_young_only_leads_watched_for_their_horizon_teach_each_once() -> None:
    result = told("lost", ago(60), 50, young=False)

    assert set(result.weight[result.complete]) == {1.0}
    assert not result.weight[~result.complete].any()


def test_where_no_lead_was_watched_for_a_whole_horizon_none_teaches() -> None:
    result = label_as_of(moments([ago(60)]), moments([ago(50)]), ["won"], END, 90, RULES, True)

    assert result.weight.tolist() == [0.0]


def test_no_lead_speaks_for_more_than_the_bound() -> None:
    start = [ago(91), *[ago(1)] * 30]
    result = label_as_of(
        moments(start), moments([ago(2), *[None] * 30]), ["lost", *["open"] * 30], END, 90, RULES,
        True,
    )  # fmt: skip

    assert (result.weight.max(), result.clipped) == (MOST, 1)


def test_moments_are_exact_to_the_microsecond() -> None:
    times = [datetime(2026, 2, 28, 23, 59, 59, 999_999), None, datetime(1969, 12, 31, 1)]

    assert moments(times).tolist() == times


@given(DAYS)
def test_where_all_are_watched_to_the_end_every_weight_is_one(after: Vector) -> None:
    assert censoring_weights(after, np.full(40, 12.0)).tolist() == [1.0] * 40


@given(DAYS, DAYS)
def test_a_weight_is_at_least_one_and_nothing_where_nothing_is_known(
    after: Vector, watched: Vector
) -> None:
    weight = censoring_weights(after, watched)

    assert (weight[after <= watched] >= 1).all()
    assert not weight[after > watched].any()


@given(DAYS, DAYS, DAYS)
def test_weights_add_up_to_all_that_are_watched(
    after: Vector, watched: Vector, counts: Vector
) -> None:
    counts = counts + 1
    after[0] = watched[0] = 12  # somebody is watched to the end

    weight = censoring_weights(after, watched, counts)

    assert weight @ counts == pytest.approx(counts.sum())


@given(DAYS, DAYS, st.permutations(range(40)))
def test_the_order_of_leads_plays_no_part(after: Vector, watched: Vector, order: list[int]) -> None:
    shuffled = censoring_weights(after[order], watched[order])

    assert shuffled == pytest.approx(censoring_weights(after, watched)[order])


def test_a_lead_that_counts_twice_is_two_leads() -> None:
    after, watched = np.array([1.0, 5, 7, 9]), np.array([3.0, 3, 8, 9])
    twice = censoring_weights(after, watched, np.array([1.0, 2, 1, 1]))

    assert twice == pytest.approx(
        censoring_weights(after[[0, 1, 1, 2, 3]], watched[[0, 1, 1, 2, 3]])[[0, 1, 3, 4]]
    )


def test_the_effective_size_falls_with_unequal_weights() -> None:
    assert effective_size(np.ones(8)) == 8
    assert effective_size(np.array([3.0, 1.0])) == 1.6
    assert effective_size(np.zeros(3)) == 0


# The simulated CRM knows the truth: every lead is worked, and answers take up to three months.
@cache
def _world(seed: int, leads: int) -> tuple[Crm, AsOf, Vector, Vector]:
    """A short history: the CRM, what its leads teach, who is decided, and the true chances."""
    settings = Settings(
        seed=seed, leads=leads, months=5, drift=0.0, capacity=2.0, win_rate=0.3, recycled_share=0.0
    )
    crm = simulate(settings)
    last = dict(zip(crm.feedback["id"], zip(*_said(crm), strict=True), strict=True))
    said = [last.get(lead, ("open", None)) for lead in crm.export["id"]]
    states: list[Disposition] = [d if d in DISPOSITIONS else "open" for d, _ in said]
    as_of = settings.as_of.astype("datetime64[us]").item()
    result = label_as_of(
        moments(_times(crm.export["created_at"])),
        moments([at if d != "open" else None for d, at in said]),
        states,
        as_of,
        90,
        RULES,
        young=True,
    )
    decided = np.array([float(state != "open") for state in states])
    truth = np.array(crm.truth["probability"][:leads], dtype=float)
    return crm, result, decided, truth


def _said(crm: Crm) -> tuple[list[str], list[datetime]]:
    return crm.feedback["disposition"], _times(crm.feedback["at"])


def _times(texts: list[str]) -> list[datetime]:
    return [datetime.fromisoformat(text) for text in texts]


def test_on_simulated_leads_the_corrected_share_of_wins_is_true_and_naive_ones_are_not() -> None:
    off = {"weighted": [], "decided so far": [], "open is lost": []}  # type: dict[str, list[float]]
    for seed in range(10):
        _, result, decided, truth = _world(seed, 6000)
        for name, weight in {
            "weighted": result.weight,
            "decided so far": decided,
            "open is lost": np.ones(len(decided)),
        }.items():
            won = float(np.average(result.labels * decided, weights=weight))
            off[name].append(won / float(truth.mean()) - 1)
    mean = {name: float(np.mean(values)) for name, values in off.items()}

    # The standard error of each is about .006.
    assert abs(mean["weighted"]) < 0.03
    assert mean["decided so far"] < -0.03
    assert mean["open is lost"] < -0.2


def test_on_simulated_leads_the_mean_prediction_is_true_with_weights_and_not_without() -> None:
    off: dict[str, list[float]] = {"weighted": [], "open is lost": []}
    for seed in range(4):
        crm, result, decided, truth = _world(seed, 6000)
        off["weighted"].append(_mean_prediction(crm, result.labels, result.weight) / truth.mean())
        naive = (result.labels * decided).astype(np.int8)
        off["open is lost"].append(_mean_prediction(crm, naive, np.ones(len(naive))) / truth.mean())

    assert abs(np.mean(off["weighted"]) - 1) < 0.03
    assert np.mean(off["open is lost"]) < 0.8


def _mean_prediction(crm: Crm, labels: np.ndarray, weight: Vector) -> float:  # type: ignore[type-arg]
    names = ("industry", "country", "seniority", "form_type", "budget", "timeline")
    agreement = agreed(fields={name: {"use": "yes", "kind": "category"} for name in names})
    columns = {name: [cell or None for cell in crm.export[name]] for name in names}
    leads = Leads(crm.export["id"], columns, [None] * len(labels))
    rows = np.flatnonzero(weight)
    fitted = fit(
        leads.take(rows.tolist()),
        labels[rows],
        weight[rows] / weight[rows].mean(),
        agreement,
        dict(agreement.fields),
        "logistic",
        effort=Effort(shapes=(), folds=2),
    )
    return float(fitted.scorer.probabilities(leads).mean())
