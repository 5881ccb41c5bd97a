"""One column in a linear fit: its table says what its weights said, and no knot is one lead's."""

from __future__ import annotations

import numpy as np
import pytest

from features.encoder import Column
from training.basis import Basis, Fineness

NUMBERS = Column("size", "size", None)
CODES = Column("source", "source", tuple(f"s{i}" for i in range(40)))
COARSE = Fineness(knots=5, outermost=0.05, codes=30)
FINE = Fineness(knots=7, outermost=0.01, ranked=True)


def cells_of(column: Column) -> np.ndarray:
    random = np.random.default_rng(1)
    some = random.normal(size=500) if column.levels is None else random.integers(0, 40, 500) + 0.0
    return np.where(random.random(500) < 0.1, np.nan, some)


@pytest.mark.parametrize("column", [NUMBERS, CODES], ids=["numbers", "codes"])
@pytest.mark.parametrize("fineness", [COARSE, FINE], ids=["coarse", "fine"])
def test_the_table_gives_what_the_weights_gave(column: Column, fineness: Fineness) -> None:
    cells = cells_of(column)
    basis = Basis.of(cells, column, fineness)
    weights = np.random.default_rng(2).normal(size=basis.width)

    table = basis.table(weights, cells)

    assert table.at(cells) == pytest.approx(basis.design(cells) @ weights)
    assert table.mean == pytest.approx(table.at(cells).mean())


def test_the_mean_of_a_table_counts_each_row_by_its_weight() -> None:
    cells = np.array([0.0] * 10 + [1.0] * 10)
    basis = Basis.of(cells, NUMBERS, COARSE)

    table = basis.table(np.array([0.0, 1.0, 0.0]), cells, np.repeat([1.0, 3.0], 10))

    assert table.mean == pytest.approx(0.75)


def test_a_code_beyond_the_frequent_ones_has_no_weight() -> None:
    basis = Basis.of(cells_of(CODES), CODES, COARSE)

    table = basis.table(np.ones(basis.width), cells_of(CODES))

    assert table.at(np.array([29.0, 30.0, 39.0])).tolist() == [1, 0, 0]


@pytest.mark.parametrize("fineness", [COARSE, FINE], ids=["coarse", "fine"])
def test_the_value_of_one_lead_among_few_is_no_knot(fineness: Fineness) -> None:
    basis = Basis.of(np.array([1.0] * 30 + [2.0] * 30 + [9871.0]), NUMBERS, fineness)

    assert basis.knots.tolist() == [1, 2]


@pytest.mark.parametrize("fineness", [COARSE, FINE], ids=["coarse", "fine"])
def test_a_knot_is_rounded_so_that_it_is_no_ones_own(fineness: Fineness) -> None:
    cells = np.random.default_rng(3).lognormal(10, 2, 2000)

    knots = Basis.of(cells, NUMBERS, fineness).knots

    assert len(knots) == fineness.knots
    assert not set(knots.tolist()) & set(cells.tolist())


def test_few_rows_get_few_knots() -> None:
    assert len(Basis.of(np.arange(25.0), NUMBERS, FINE).knots) == 2


def test_an_empty_column_still_says_that_it_is_missing() -> None:
    basis = Basis.of(np.full(4, np.nan), NUMBERS, COARSE)

    assert basis.design(np.full(4, np.nan)).toarray().tolist() == [[0, 1]] * 4
