"""Folding: many members and a calibration become one table per column and one ensemble."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from features.encoder import Column
from serving.members import Additive, ColumnTable, Member, Trees
from training.calibrate import Calibration, Correction
from training.estimators import SHAPES, LogisticEstimator, TreesEstimator
from training.fold import added, fold, summed

ROWS = 500
COLUMNS = (
    Column("size", "size", None),
    Column("source", "source", ("other", "Google", "Partner")),
    Column("visits", "visits", None),
)
AS_IT_IS = Calibration(slope=1.0, offset=0.0)
CORRECTED = Calibration(
    slope=1.3,
    offset=-0.4,
    corrections=(Correction(1, "source", (0.0, 0.25, -0.5), missing=0.125, mean=-0.05),),
)


def made_up() -> tuple[Any, Any]:
    """Numbers and codes with gaps, and labels that all three columns carry signal for."""
    random = np.random.default_rng(5)
    code = random.integers(0, 3, ROWS).astype(float)
    X = np.column_stack([random.normal(size=ROWS), code, random.poisson(3, ROWS)])
    score = X[:, 0] + (code == 2) + 0.2 * X[:, 2]
    X[random.random(X.shape) < 0.1] = np.nan
    return X, (score + random.normal(size=ROWS) > 1).astype(int)


X, Y = made_up()


def grown(shape: Any = "trees", seed: int = 0, trees: int = 25) -> Trees:
    """An ensemble of a shape."""
    member = TreesEstimator(COLUMNS, shape, trees, seed).fit(X, Y).member_
    assert isinstance(member, Trees)
    return member


def additive(last: float = 1.0) -> Additive:
    """A logistic regression, to which the last row counts that many times the first."""
    member = LogisticEstimator(COLUMNS).fit(X, Y, np.linspace(1.0, last, len(Y))).member_
    assert isinstance(member, Additive)
    return member


THREE = [(weight, grown(shape)) for weight, shape in zip((0.85, 0.4, 0.1), SHAPES, strict=True)]
MIXTURES: dict[str, list[tuple[float, Member]]] = {
    "both kinds": [(0.4, additive()), (0.35, THREE[0][1]), (0.25, THREE[2][1])],
    "trees alone": [(0.6, THREE[0][1]), (0.4, THREE[1][1])],
    "tables alone": [(1.0, additive())],
}


def farthest(found: Any, wanted: Any) -> float:
    """The largest difference."""
    return float(np.abs(found - wanted).max())


def test_one_ensemble_predicts_the_weighted_sum_of_several() -> None:
    wanted = sum(weight * member.log_odds(X) for weight, member in THREE)

    assert farthest(summed(THREE).log_odds(X), wanted) < 1e-12


def test_the_contributions_of_one_ensemble_are_the_weighted_sums_of_several() -> None:
    wanted = sum(weight * member.explained(X)[1] for weight, member in THREE)

    assert farthest(summed(THREE).explained(X)[1], wanted) < 1e-12


def test_one_ensemble_holds_every_tree_and_leaf_of_several() -> None:
    wanted = np.sum([member.size for _, member in THREE], axis=0)

    assert summed(THREE).size == tuple(wanted)


def test_an_ensemble_can_be_summed_again() -> None:
    twice = summed([(0.5, summed(THREE)), (0.5, summed(THREE))])

    assert farthest(twice.log_odds(X), summed(THREE).log_odds(X)) < 1e-12


def test_an_ensemble_alone_at_full_weight_stays_the_same_to_the_last_bit() -> None:
    member = grown()

    assert summed([(1.0, member)]).log_odds(X).tolist() == member.log_odds(X).tolist()


def test_trees_that_found_nothing_still_carry_their_base_rate() -> None:
    nothing = TreesEstimator(trees=3).fit(np.zeros((ROWS, 3)), Y).member_
    assert isinstance(nothing, Trees)

    both = summed([(0.3, nothing), (0.7, THREE[0][1])])

    wanted = 0.3 * nothing.log_odds(X) + 0.7 * THREE[0][1].log_odds(X)
    assert farthest(both.log_odds(X), wanted) < 1e-12


def test_the_text_of_one_ensemble_holds_no_smallest_or_largest_value() -> None:
    assert "\nfeature_infos=none none none\n" in summed(THREE).text


def test_added_tables_predict_the_sum() -> None:
    members = [additive(0.2), additive(5.0)]

    wanted = members[0].log_odds(X) + members[1].log_odds(X)
    assert farthest(added(members).log_odds(X), wanted) < 1e-12


def test_added_tables_contribute_the_sum() -> None:
    members = [additive(0.2), additive(5.0)]

    wanted = members[0].explained(X)[1] + members[1].explained(X)[1]
    assert farthest(added(members).explained(X)[1], wanted) < 1e-12


def test_a_table_that_says_nothing_leaves_the_knots_of_the_others() -> None:
    silent = ColumnTable((0.0,), (0.0,), 0.0, 0.0, by_code=False)
    member = additive()

    assert added([Additive(0.0, (silent,) * 3), member]).tables == member.tables


def test_tables_that_say_nothing_add_up_to_nothing() -> None:
    silent = Additive(0.5, (ColumnTable((0.0,), (0.0,), 0.0, 0.0, by_code=False),) * 3)

    assert set(added([silent, silent]).log_odds(X)) == {1.0}


@pytest.mark.parametrize("mixture", MIXTURES)
@pytest.mark.parametrize("calibration", [AS_IT_IS, CORRECTED])
def test_folding_keeps_the_calibrated_log_odds(mixture: str, calibration: Calibration) -> None:
    members = MIXTURES[mixture]
    blended = sum(share * member.log_odds(X) for share, member in members)

    folded = fold(members, calibration, len(COLUMNS))

    assert farthest(folded.log_odds(X), calibration.apply(np.asarray(blended), X)) < 1e-12


@pytest.mark.parametrize("mixture", MIXTURES)
@pytest.mark.parametrize("calibration", [AS_IT_IS, CORRECTED])
def test_contributions_add_up_to_the_calibrated_log_odds(
    mixture: str, calibration: Calibration
) -> None:
    folded = fold(MIXTURES[mixture], calibration, len(COLUMNS))

    assert farthest(folded.explained(X)[1].sum(axis=1), folded.log_odds(X)) < 1e-12


@pytest.mark.parametrize("mixture", MIXTURES)
def test_a_correction_counts_for_its_own_field_alone(mixture: str) -> None:
    line = Calibration(CORRECTED.slope, CORRECTED.offset)
    with_it, without = (
        fold(MIXTURES[mixture], calibration, len(COLUMNS)).explained(X)[1]
        for calibration in (CORRECTED, line)
    )

    moved = with_it - without

    correction = CORRECTED.corrections[0]
    assert farthest(moved[:, 1], correction.at(X) - correction.mean) < 1e-12
    assert farthest(moved[:, [0, 2]], 0) < 1e-12
    assert farthest(moved[:, 3], correction.mean) < 1e-12


def test_a_model_is_one_table_per_column_and_one_ensemble_whatever_it_was_blended_from() -> None:
    members: list[tuple[float, Member]] = [(0.2, additive()), (0.2, additive(5.0)), *THREE]

    folded = fold(members, CORRECTED, len(COLUMNS))

    assert [type(member) for member in folded.members] == [Additive, Trees]


def test_without_members_everyone_has_the_offset() -> None:
    folded = fold([], Calibration(slope=0.0, offset=-1.5), len(COLUMNS))

    assert set(folded.log_odds(X)) == {-1.5}
    assert set(folded.explained(X)[1].sum(axis=1)) == {-1.5}
