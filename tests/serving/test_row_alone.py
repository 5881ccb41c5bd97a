"""All that is asked of a row that is alone, in one call: what it comes to among others."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from serving import kernel
from serving.scorer import Blend
from tests.serving.grown import MEMBERS, made_up

GROUPS = np.array([0, 1, 4])
BESIDE = MEMBERS["tables"].over([6, 0, 1, 3, 4, 5])
"""Tables of which the first reads the log-odds behind a row of six."""


def of_both(columns: int = 6) -> kernel.Alone:
    members = [MEMBERS[name].kernel for name in ("trees", "tables")]
    return kernel.Alone(GROUPS, columns, 0.25, members, members[1], BESIDE)


def test_a_row_alone_comes_to_what_it_comes_to_among_others() -> None:
    matrix = made_up(5)[0]
    blend = Blend((MEMBERS["trees"], MEMBERS["tables"]), 0.25)
    log_odds, parts = blend.explained(matrix)
    wide = np.column_stack([matrix, log_odds])
    effects = np.add.reduceat(parts[:, :-1], GROUPS, axis=1)
    worth, delay = MEMBERS["tables"].log_odds(matrix), BESIDE.log_odds(wide)

    alone = of_both()
    found = [alone.sums(row.tolist(), True) for row in matrix]
    bare = [alone.sums(row.tolist(), False)[:3] for row in matrix]

    assert bare == [sums[:3] for sums in found]
    assert bare == list(zip(log_odds, worth, delay, strict=True))
    assert [sums.base for sums in found] == parts[:, -1].tolist()
    assert [sums.effects for sums in found] == effects.tolist()


def test_threads_may_share_what_adds_up_a_row_alone() -> None:
    alone, rows = pickle.loads(pickle.dumps(of_both())), made_up(5)[0].tolist()
    expected = [alone.sums(row, True) for row in rows]

    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda _: [alone.sums(row, True) for row in rows], range(8))
        assert all(sums == expected for sums in found)


def test_parts_of_a_model_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="does not fit 5 columns"):
        of_both(5)


def test_a_code_without_a_value_is_refused_of_a_row_alone() -> None:
    with pytest.raises(ValueError, match="column 4 has no value for code 70"):
        of_both().sums([0.0, 0.0, 0.0, 0.0, 70.0, 0.0], False)
