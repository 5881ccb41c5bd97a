"""The kernel says what LightGBM says of the same trees, row by row, and refuses damaged text."""

from __future__ import annotations

import pickle
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import ModelError
from serving import build_kernel, kernel
from serving.members import Additive, ColumnTable, Trees
from serving.scorer import Blend

ROOT = Path(__file__).parents[2]
NAN = float("nan")
ROWS = 300


def made_up(seed: int, zeros: bool = False) -> tuple[Any, Any]:
    """Three numbers and three codes with gaps, zeros and ties, and labels that need them all."""
    generator = np.random.default_rng(seed)
    matrix = np.column_stack(
        [
            generator.normal(size=ROWS),
            generator.poisson(1.0, ROWS),
            generator.integers(-3, 4, ROWS) / 2,
            generator.integers(0, 3, ROWS),
            generator.integers(0, 70, ROWS),
            generator.integers(0, 9, ROWS),
        ]
    ).astype(float)
    if zeros:
        matrix[generator.random(matrix.shape) < 0.2] = 0.0
    matrix[generator.random(matrix.shape) < 0.1] = NAN
    known = np.nan_to_num(matrix)
    score = known[:, 0] * (known[:, 3] == 1) + known[:, 4] % 3 + known[:, 1] - known[:, 2] ** 2
    return matrix, (score + generator.normal(size=ROWS) > np.median(score)).astype(int)


def grown(seed: int, trees: int = 12, **parameters: Any) -> tuple[lightgbm.Booster, Any]:
    """LightGBM's trees and the rows that they learned from."""
    matrix, labels = made_up(seed, bool(parameters.get("zero_as_missing")))
    told = {
        "objective": "binary",
        "verbosity": -1,
        "num_threads": 1,
        "seed": seed,
        "learning_rate": 0.3,
        "min_data_in_leaf": 3,
        "min_data_per_group": 2,
        "cat_smooth": 1.0,
        "deterministic": True,
        "force_col_wise": True,
        **parameters,
    }
    data = lightgbm.Dataset(matrix, labels, categorical_feature=[3, 4, 5], params=told)
    return lightgbm.train(told, data, num_boost_round=trees), matrix


def strange(matrix: Any) -> Any:
    """Rows of cells that training never saw, among those it saw."""
    cells = [NAN, 0.0, -0.0, 1e-36, -1e-36, 1e-34, -0.5, -1.0, 0.5, 2.0, 63.0, 64.0, 69.9, 1e6]
    cells += [1e300, -1e300, float("inf"), -float("inf")]
    generator = np.random.default_rng(1)
    rows = np.repeat(matrix[:60], 2, axis=0)
    places = generator.random(rows.shape) < 0.5
    rows[places] = generator.choice(cells, places.sum())
    # LightGBM's cast of a code beyond an int is undefined; leadq's codes are small.
    codes = rows[:, 3:]
    codes[~np.isnan(codes)] = np.clip(codes[~np.isnan(codes)], -1e6, 1e6)
    return rows


def agree(booster: lightgbm.Booster, matrix: Any) -> tuple[bool, float]:
    """Whether the scores are the same bits, and the largest difference of contributions."""
    member = Trees(booster.model_to_string())
    same = np.array_equal(member.log_odds(matrix), booster.predict(matrix, raw_score=True))
    apart = member.explained(matrix)[1] - booster.predict(matrix, pred_contrib=True)
    return same, float(np.abs(apart).max())


SHAPES: dict[str, dict[str, Any]] = {
    "as trained by default": {"num_leaves": 15},
    "pairs": {"num_leaves": 4, "max_depth": 2, "extra_trees": True},
    "one split": {"num_leaves": 2},
    "deep": {"num_leaves": 100, "min_data_in_leaf": 1, "min_sum_hessian_in_leaf": 0.0},
    "zero is missing": {"zero_as_missing": True},
    "nothing is missing": {"use_missing": False},
    "one code against the rest": {"max_cat_to_onehot": 100},
    "bagged": {"bagging_fraction": 0.5, "bagging_freq": 1, "feature_fraction": 0.5},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_trees_say_what_lightgbm_says(shape: str) -> None:
    booster, matrix = grown(3, **SHAPES[shape])

    same, apart = agree(booster, np.concatenate([matrix, strange(matrix)]))

    assert same
    assert apart < 1e-9


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    leaves=st.integers(2, 40),
    depth=st.sampled_from([-1, 2, 6]),
    missing=st.sampled_from([{}, {"zero_as_missing": True}, {"use_missing": False}]),
)
def test_any_trees_say_what_lightgbm_says(
    seed: int, leaves: int, depth: int, missing: dict[str, bool]
) -> None:
    booster, matrix = grown(seed, 5, num_leaves=leaves, max_depth=depth, **missing)

    same, apart = agree(booster, np.concatenate([matrix, strange(matrix)]))

    assert same
    assert apart < 1e-9


def test_many_columns_on_one_way_are_still_exact() -> None:
    generator = np.random.default_rng(2)
    matrix = generator.normal(size=(600, 40))
    labels = (matrix @ generator.normal(size=40) > 0).astype(int)
    told = {"objective": "binary", "verbosity": -1, "num_leaves": 300, "min_data_in_leaf": 1}
    told |= {"min_sum_hessian_in_leaf": 0.0, "feature_fraction_bynode": 0.1, "num_threads": 1}
    booster = lightgbm.train(told, lightgbm.Dataset(matrix, labels), num_boost_round=3)

    same, apart = agree(booster, matrix)

    assert max(Trees(booster.model_to_string()).kernel._fields["nodes"]) > 4
    assert same
    assert apart < 1e-9


def test_trees_of_one_leaf_say_the_base_of_everyone() -> None:
    data = lightgbm.Dataset(np.zeros((50, 2)), [0] * 30 + [1] * 20, params={"verbosity": -1})
    booster = lightgbm.train({"objective": "binary", "verbosity": -1}, data, num_boost_round=2)

    assert agree(booster, np.zeros((3, 2))) == (True, 0.0)


def members() -> dict[str, Any]:
    """One of each kind, over the same six columns."""
    numbers = ColumnTable((-1.0, 0.0, 2.0), (0.3, -0.1, 0.7), 0.2, 0.1, by_code=False)
    codes = ColumnTable(tuple(range(70)), tuple(i / 7 for i in range(70)), 0.5, 0.2, by_code=True)
    tables = Additive(0.1, (numbers, numbers, numbers, codes, codes, codes))
    return {"trees": Trees(grown(5)[0].model_to_string()), "tables": tables}


MEMBERS = members()


@pytest.mark.parametrize("kind", MEMBERS)
@pytest.mark.parametrize("what", ["log_odds", "explained log_odds", "contributions"])
def test_a_row_gets_the_same_bits_alone_and_among_others(kind: str, what: str) -> None:
    matrix, member = made_up(5)[0], MEMBERS[kind]

    def say(rows: Any) -> Any:
        if what == "log_odds":
            return member.log_odds(rows)
        return member.explained(rows)[what == "contributions"]

    together = say(matrix)

    alone = np.concatenate([say(matrix[i : i + 1]) for i in range(len(matrix))])
    assert together.tobytes() == alone.tobytes()
    assert say(matrix[::-1])[::-1].tobytes() == together.tobytes()
    assert say(np.asfortranarray(matrix)).tobytes() == together.tobytes()


@pytest.mark.parametrize("kind", MEMBERS)
def test_contributions_add_up_to_the_log_odds(kind: str) -> None:
    matrix = made_up(5)[0]

    total = MEMBERS[kind].explained(matrix)[1].sum(axis=1)

    assert np.abs(total - MEMBERS[kind].log_odds(matrix)).max() < 1e-12


@pytest.mark.parametrize("kind", MEMBERS)
def test_no_rows_get_no_numbers(kind: str) -> None:
    nothing = np.empty((0, 6))

    assert MEMBERS[kind].log_odds(nothing).shape == (0,)
    assert MEMBERS[kind].explained(nothing)[1].shape == (0, 7)


@pytest.mark.parametrize("kind", MEMBERS)
def test_threads_share_a_member(kind: str) -> None:
    matrix, member = np.repeat(made_up(5)[0], 5, axis=0), MEMBERS[kind]
    parts = np.array_split(matrix, 8)

    with ThreadPoolExecutor(4) as pool:
        found = [part for _, part in pool.map(member.explained, parts)]

    assert np.concatenate(found).tobytes() == member.explained(matrix)[1].tobytes()


@pytest.mark.parametrize("kind", MEMBERS)
def test_a_member_survives_a_pickle(kind: str) -> None:
    matrix, member = made_up(5)[0], MEMBERS[kind]
    member.log_odds(matrix)

    again = pickle.loads(pickle.dumps(member))

    assert np.array_equal(again.explained(matrix)[1], member.explained(matrix)[1])


def test_a_matrix_of_other_columns_is_refused() -> None:
    with pytest.raises(ValueError, match="a matrix of 6 columns is expected"):
        MEMBERS["trees"].log_odds(np.zeros((2, 5)))


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


def test_a_matrix_that_may_not_be_written_is_read() -> None:
    matrix = made_up(5)[0]
    matrix.flags.writeable = False

    assert np.isfinite(MEMBERS["trees"].explained(matrix)[1]).all()


def test_no_tables_say_the_same_of_everyone() -> None:
    assert Additive(0.5, ()).explained(np.empty((2, 0)))[1].tolist() == [[0.5], [0.5]]


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


TEXT = grown(7, trees=3, num_leaves=6)[0].model_to_string()
DAMAGE = {
    "cut off": (TEXT[: len(TEXT) // 2], "cut off"),
    "another version": (TEXT.replace("version=v4", "version=v5"), "version v4 is expected"),
    "many classes": (TEXT.replace("num_class=1", "num_class=3"), "num_class must be 1"),
    "a forest": (TEXT.replace("label_index", "average_output\nlabel_index"), "random forests"),
    "linear leaves": (TEXT.replace("is_linear=0", "is_linear=1"), "tree 0: linear leaves"),
    "an unknown word": (TEXT.replace("shrinkage=", "shrunken="), "unknown or repeated: 'shrunken'"),
    "a tree missing": (TEXT.replace("Tree=1", "Tree=9"), "tree 1: it is called '9'"),
    "an unknown decision": (TEXT.replace("decision_type=", "decision_type=1"), "decision_type"),
    "few columns": (TEXT.replace("max_feature_idx=5", "max_feature_idx=0"), "none of 1"),
    "a loop": (TEXT.replace("left_child=", "left_child=0 "), "left_child holds 6 values"),
    "no rows": (TEXT.replace("leaf_count=", "leaf_count=-"), "a leaf had no training rows"),
    "other rows": (TEXT.replace("leaf_count=", "leaf_count=1"), "training rows, those below"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_text_is_a_clear_error(damage: str) -> None:
    text, message = DAMAGE[damage]

    with pytest.raises(ValueError, match=message):
        Trees(text)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**9))
def test_a_mutated_text_is_refused_or_scores(seed: int) -> None:
    generator = random.Random(seed)
    end = TEXT.index("\nend of trees")
    text = TEXT
    for _ in range(generator.randint(1, 3)):
        at = generator.randrange(end)
        piece = generator.choice(
            ["", "-", "9", "0", " ", "=", "\n", "1e999", "nan", text[:at][-30:]]
        )
        text = text[:at] + piece + text[at + generator.randint(0, 2) :]
    matrix = strange(made_up(7)[0])

    try:
        member = Trees(text)
    except ValueError:
        return

    wide = np.zeros((len(matrix), member.kernel.columns))
    wide[:, :6] = matrix[:, : wide.shape[1]]
    assert np.isfinite(member.explained(wide)[1]).all()


def test_an_outdated_kernel_is_a_clear_error(monkeypatch) -> None:
    monkeypatch.setattr(kernel, "source_hash", lambda: "of another source")

    with pytest.raises(ModelError, match=r"another kernel.c than this; .*make kernel"):
        kernel._library.__wrapped__()


def test_a_kernel_that_is_not_there_is_a_clear_error(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(kernel, "LIBRARY", tmp_path / "_kernel.so")

    with pytest.raises(ModelError, match=r"cannot be loaded.*make kernel"):
        kernel._library.__wrapped__()


def test_no_compiler_is_a_clear_error(monkeypatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(build_kernel, "find_spec", lambda name: None)

    with pytest.raises(FileNotFoundError, match="install a C compiler"):
        build_kernel.build()


def test_a_compiler_that_fails_leaves_the_kernel_that_was_there(monkeypatch) -> None:
    before = build_kernel.LIBRARY.read_bytes()
    monkeypatch.setenv("CC", "false")

    with pytest.raises(RuntimeError, match="false cannot compile"):
        build_kernel.build()

    assert build_kernel.LIBRARY.read_bytes() == before


def test_serving_a_model_needs_no_lightgbm() -> None:
    code = "import sys, serving.artefact; print('lightgbm' in sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )

    assert done.stdout == "False\n"
