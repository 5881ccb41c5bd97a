"""Tables over columns: what they refuse, and that none say the same of everyone."""

from __future__ import annotations

import numpy as np
import pytest

from serving.members import Additive, ColumnTable
from tests.serving.grown import MEMBERS, NAN, made_up


@pytest.mark.parametrize("code", [70.0, -1.0, float("inf")])
def test_a_code_without_a_value_is_refused(code: float) -> None:
    matrix = made_up(5)[0][:4].copy()
    matrix[2, 4] = code

    with pytest.raises(ValueError, match=r"column 4 has no value for code .* \(row 2\)"):
        MEMBERS["tables"].explained(matrix)[1]


@pytest.mark.parametrize("values", [(), (1.0,)])
def test_a_table_without_a_value_for_each_knot_is_refused(values: tuple[float, ...]) -> None:
    table = ColumnTable((0.0, 1.0), values, 0.0, 0.0, by_code=True)

    with pytest.raises(ValueError, match="table 0: 2 knots"):
        Additive(0.0, (table,)).log_odds(np.zeros((1, 1)))


@pytest.mark.parametrize("knots", [(1.0, 0.0), (NAN, 1.0)])
def test_knots_that_do_not_rise_are_refused(knots: tuple[float, ...]) -> None:
    table = ColumnTable(knots, (0.0, 1.0), 0.0, 0.0, by_code=False)

    with pytest.raises(ValueError, match="table 0: its knots do not rise"):
        Additive(0.0, (table,)).log_odds(np.zeros((1, 1)))


@pytest.mark.parametrize("column", [-1, 10**12])
def test_a_table_for_a_column_that_cannot_be_is_refused(column: int) -> None:
    with pytest.raises(ValueError, match="no matrix has all of the columns"):
        MEMBERS["tables"].over([column] * 6)


def test_tables_for_columns_beyond_the_matrix_are_refused() -> None:
    with pytest.raises(ValueError, match="a matrix of 8 columns is expected"):
        MEMBERS["tables"].over([2, 3, 4, 5, 6, 7]).log_odds(np.zeros((2, 6)))


def test_no_tables_say_the_same_of_everyone() -> None:
    assert Additive(0.5, ()).explained(np.empty((2, 0)))[1].tolist() == [[0.5], [0.5]]
