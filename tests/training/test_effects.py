"""Small models on few rows: nothing by chance, the right field when it tells something."""

from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from features.encoder import Column, Matrix
from serving.members import Vector
from training.effects import ALL, Choice, Design, Ridge, choose

LEVELS = ("other", "a", "b", "c")
FIELDS = 12
COLUMNS = tuple(
    Column(f"field {i}", f"field {i}", LEVELS if i % 2 else None) for i in range(FIELDS)
)


def matrix_of(rows: int, seed: int) -> Matrix:
    random = np.random.default_rng(seed)
    matrix = np.where(
        np.arange(FIELDS) % 2,
        random.integers(0, 4, (rows, FIELDS)),
        random.normal(size=(rows, FIELDS)),
    )
    matrix[random.random(matrix.shape) < 0.05] = np.nan
    return matrix


def chosen(matrix: Matrix, target: Vector, seed: int = 0) -> Choice:
    design = Design(matrix, COLUMNS, np.arange(len(matrix)))

    def squared(predicted: Vector) -> Vector:
        return np.asarray((target - predicted) ** 2)

    with threadpool_limits(1):
        return choose(design, target, np.ones(len(target)), squared, seed)[0]


@pytest.mark.parametrize("rows", [15, 60, 400])
def test_chance_is_seldom_taken_for_an_effect(rows: int) -> None:
    random = np.random.default_rng(rows)
    found = [chosen(matrix_of(rows, i), random.standard_t(3, rows)).field for i in range(20)]

    assert sum(field is not None for field in found) <= 2


def test_the_one_field_that_tells_something_is_chosen() -> None:
    matrix = matrix_of(150, 1)
    target = np.nan_to_num(matrix[:, 3]) + np.random.default_rng(1).normal(0, 0.5, 150)

    assert chosen(matrix, target).field == "field 3"


def test_many_fields_that_tell_something_are_taken_together() -> None:
    matrix = matrix_of(2000, 2)
    noise = np.random.default_rng(2).normal(0, 0.5, 2000)

    assert chosen(matrix, np.nan_to_num(matrix).sum(axis=1) + noise).field == ALL


def test_the_tables_give_what_the_fit_gave() -> None:
    matrix = matrix_of(300, 3)
    target = np.random.default_rng(3).normal(size=300)
    design = Design(matrix, COLUMNS, np.arange(300))
    for field in (None, "field 0", "field 1", ALL):
        coefficients, intercept = Ridge.of(design.values, target, np.ones(300)).solve(
            design.places(field), 10.0
        )
        effects = design.effects(field, coefficients, intercept)

        assert effects.at(matrix) == pytest.approx(design.values @ coefficients + intercept)


def test_a_category_is_pulled_toward_the_mean_by_the_penalty() -> None:
    codes = np.repeat([0.0, 1.0], 50)
    column = (Column("f", "f", ("other", "a")),)
    design = Design(codes[:, None], column, np.arange(100))
    ridge = Ridge.of(design.values, codes, np.ones(100))

    strong, weak = (ridge.solve(design.places("f"), p)[0] for p in (1e9, 1e-6))

    assert np.abs(strong).max() < 1e-6
    assert weak[1] - weak[0] == pytest.approx(1, abs=1e-4)


def test_a_frequent_code_beyond_the_thirtieth_has_no_effect_of_its_own() -> None:
    codes = np.repeat(np.arange(40.0), 10)
    column = (Column("f", "f", tuple(str(i) for i in range(40))),)
    design = Design(codes[:, None], column, np.arange(400))
    coefficients, intercept = Ridge.of(design.values, codes, np.ones(400)).solve(
        design.places("f"), 1.0
    )

    effects = design.effects("f", coefficients, intercept)

    assert effects.at(np.array([[35.0], [39.0]])) == pytest.approx(intercept)
