"""All that is asked of a few rows, in one call: each comes to what it comes to among many."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from serving import kernel
from serving.scorer import Blend
from tests.serving.grown import MEMBERS, made_up

BOUNDS = np.array([0, 1, 4, 6])
BESIDE = MEMBERS["tables"].over([6, 0, 1, 3, 4, 5])
"""Tables of which the first reads the log-odds behind a row of six."""

LEAST = 0.5


def of_both(bounds: kernel.Bounds = BOUNDS) -> kernel.Few:
    members = [MEMBERS[name].kernel for name in ("trees", "tables")]
    return kernel.Few(bounds, 0.25, members, members[1], BESIDE, LEAST)


@pytest.mark.parametrize("size", [1, 2, 5, kernel.MOST])
def test_a_row_among_a_few_comes_to_what_it_comes_to_among_many(size: int) -> None:
    matrix = made_up(5)[0]
    blend = Blend((MEMBERS["trees"], MEMBERS["tables"]), 0.25)
    log_odds, parts = blend.explained(matrix)
    wide = np.column_stack([matrix, log_odds])
    effects = kernel.by_field(parts, BOUNDS)
    worth, delay = MEMBERS["tables"].log_odds(matrix), BESIDE.log_odds(wide)

    few, rows = of_both(), matrix.tolist()
    some = [rows[start : start + size] for start in range(0, len(rows), size)]
    found = [sums for each in some for sums in few.sums(each, 2)]
    bare = [sums[:3] for each in some for sums in few.sums(each, 0)]

    assert bare == [sums[:3] for sums in found]
    assert bare == list(zip(log_odds, worth, delay, strict=True))
    assert [sums.base for sums in found] == parts[:, -1].tolist()
    order = kernel.strongest(effects, 2)
    assert [sums.order for sums in found] == order.tolist()
    assert [sums.effects for sums in found] == np.take_along_axis(effects, order, 1).tolist()
    notable = [np.flatnonzero(row).tolist() for row in np.abs(effects) >= LEAST]
    assert [sums.notable for sums in found] == notable
    assert 0 < sum(map(len, notable)) < effects.size


def test_parts_are_added_up_by_field_and_the_base_is_left_out() -> None:
    parts = np.array(
        [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 100.0], [0.5, 0.0, 0.0, 0.25, -1.0, 1.0, 100.0]]
    )
    assert kernel.by_field(parts, BOUNDS).tolist() == [[1.0, 9.0, 11.0], [0.5, 0.25, 0.0]]


@settings(max_examples=100, deadline=None)
@given(arrays(np.float64, (3, 7), elements=st.integers(-3, 3)), st.integers(0, 9))
def test_the_strongest_effects_come_first_and_of_equals_the_first(
    effects: npt.NDArray[np.float64], most: int
) -> None:
    sorted_ = np.argsort(-np.abs(effects), axis=1, kind="stable")
    assert kernel.strongest(effects, most).tolist() == sorted_[:, :most].tolist()


def test_of_no_rows_nothing_comes() -> None:
    assert of_both().sums([], 2) == []


def test_threads_may_share_what_adds_up_a_few_rows() -> None:
    few, rows = pickle.loads(pickle.dumps(of_both())), made_up(5)[0].tolist()[: kernel.MOST]
    expected = few.sums(rows, 2)

    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda _: few.sums(rows, 2), range(40))
        assert all(sums == expected for sums in found)


def test_parts_of_a_model_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="does not fit 5 columns"):
        of_both(np.array([0, 1, 5]))


def test_a_code_without_a_value_is_refused_wherever_its_row_stands() -> None:
    plain, odd = [0.0] * 6, [0.0, 0.0, 0.0, 0.0, 70.0, 0.0]
    for rows in ([odd], [plain, odd], [plain, plain, odd, plain]):
        with pytest.raises(ValueError, match="column 4 has no value for code 70"):
            of_both().sums(rows, 0)
