"""Members: log-odds, and contributions that add up to them."""

from __future__ import annotations

import numpy as np
import pytest

from features.encoder import Column
from serving.members import Additive, ColumnTable
from serving.scorer import Blend
from training.estimators import LogisticEstimator, TreesEstimator

NAN = float("nan")


@pytest.fixture(scope="module")
def fitted() -> tuple[LogisticEstimator, TreesEstimator, np.ndarray]:
    random = np.random.default_rng(1)
    matrix = np.column_stack([random.normal(size=600), random.integers(0, 4, 600).astype(float)])
    matrix[random.random((600, 2)) < 0.1] = NAN
    labels = (np.nan_to_num(matrix[:, 0]) + (matrix[:, 1] == 2) > random.normal(size=600)) * 1
    columns = (Column("a", "a", None), Column("b", "b", ("other", "x", "y", "z")))
    logistic = LogisticEstimator(columns).fit(matrix, labels)
    return logistic, TreesEstimator(columns, trees=30).fit(matrix, labels), matrix


def test_a_table_runs_straight_between_knots_and_flat_beyond_them() -> None:
    table = ColumnTable((0.0, 10.0), (1.0, 2.0), missing=-5.0, mean=0.0, by_code=False)

    parts = table.at(np.array([-3.0, 5.0, 99.0, NAN]))

    assert parts.tolist() == [1.0, 1.5, 2.0, -5.0]


def test_a_table_by_code_looks_the_code_up() -> None:
    table = ColumnTable((0.0, 1.0), (0.25, -0.5), missing=0.125, mean=0.0, by_code=True)

    assert table.at(np.array([1.0, NAN, 0.0])).tolist() == [-0.5, 0.125, 0.25]


@pytest.mark.parametrize("which", [0, 1])
def test_contributions_of_a_member_add_up_to_its_log_odds(fitted, which: int) -> None:
    member, matrix = fitted[which].member_, fitted[2]

    total = member.explained(matrix)[1].sum(axis=1)

    assert np.abs(total - member.log_odds(matrix)).max() < 1e-9


def test_contributions_of_a_calibrated_blend_add_up_to_its_log_odds(fitted) -> None:
    logistic, trees, matrix = fitted
    blend = Blend((logistic.member_.scaled(0.3), trees.member_), offset=-0.4)

    total = blend.explained(matrix)[1].sum(axis=1)

    assert np.abs(total - blend.log_odds(matrix)).max() < 1e-9


def test_a_blend_adds_its_members_and_its_offset(fitted) -> None:
    logistic, trees, matrix = fitted
    blend = Blend((logistic.member_, trees.member_), offset=-0.4)

    wanted = logistic.member_.log_odds(matrix) + trees.member_.log_odds(matrix) - 0.4

    assert np.abs(blend.log_odds(matrix) - wanted).max() < 1e-12


def test_a_blend_without_members_says_the_offset_of_everyone() -> None:
    blend = Blend((), offset=-1.5)

    assert blend.log_odds(np.zeros((2, 3))).tolist() == [-1.5, -1.5]
    assert blend.explained(np.zeros((1, 3)))[1].tolist() == [[0, 0, 0, -1.5]]


@pytest.mark.parametrize("weight", [0.0, 0.3, 2.0])
def test_a_scaled_member_has_its_log_odds_and_contributions_scaled(fitted, weight: float) -> None:
    member, matrix = fitted[0].member_, fitted[2]

    scaled = member.scaled(weight)

    assert np.abs(scaled.log_odds(matrix) - weight * member.log_odds(matrix)).max() < 1e-12
    found, wanted = scaled.explained(matrix)[1], weight * member.explained(matrix)[1]
    assert np.abs(found - wanted).max() < 1e-12


def test_an_additive_member_survives_json(fitted) -> None:
    member, matrix = fitted[0].member_, fitted[2]

    again = Additive.from_dict(member.as_dict())

    assert np.array_equal(again.log_odds(matrix), member.log_odds(matrix))
