"""The kernel says what LightGBM says of the same trees, row by row, and refuses damaged text."""

from __future__ import annotations

import math
import pickle
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import compiled
from features.compiled import Compiled
from features.errors import ModelError
from serving import kernel
from serving.build_kernel import KERNEL
from serving.members import Trees
from serving.scorer import sigmoid
from tests.serving.grown import MEMBERS, NAN, grown, made_up

ROOT = Path(__file__).parents[2]


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


def test_a_matrix_that_may_not_be_written_is_read() -> None:
    matrix = made_up(5)[0]
    matrix.flags.writeable = False

    assert np.isfinite(MEMBERS["trees"].explained(matrix)[1]).all()


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


def test_probabilities_of_many_are_those_of_each() -> None:
    rng = np.random.default_rng(4)
    log_odds = np.concatenate([rng.normal(0, 5, 5000), [0.0, -0.0, 800.0, -800.0, np.nan]])

    found = kernel.sigmoids(log_odds)

    assert found.tobytes() == np.array([sigmoid(z) for z in log_odds.tolist()]).tobytes()
    assert kernel.exps(log_odds[:5000]).tolist() == list(map(math.exp, log_odds[:5000].tolist()))


def test_an_outdated_kernel_is_a_clear_error(monkeypatch) -> None:
    monkeypatch.setattr(Compiled, "source_hash", lambda self: "of another source")

    with pytest.raises(ModelError, match=r"another kernel.c than this; .*make kernel"):
        kernel._library.__wrapped__()


def test_a_kernel_is_outdated_by_a_change_in_what_it_includes(tmp_path: Path) -> None:
    whole, part = tmp_path / "whole.c", tmp_path / "part.c"
    whole.write_text('#include "part.c"', encoding="utf-8")
    part.write_text("const char *source_hash(void) { return SOURCE_HASH; }", encoding="utf-8")
    compiled = Compiled(whole, (part,))
    compiled.build()
    assert compiled.is_current()

    part.write_text(part.read_text(encoding="utf-8") + "/* newer */", encoding="utf-8")

    assert not compiled.is_current()


def test_a_kernel_that_is_not_there_is_a_clear_error(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(kernel, "KERNEL", Compiled(tmp_path / "kernel.c"))

    with pytest.raises(ModelError, match=r"cannot be loaded.*make kernel"):
        kernel._library.__wrapped__()


def test_no_compiler_is_a_clear_error(monkeypatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(compiled, "find_spec", lambda name: None)

    with pytest.raises(FileNotFoundError, match="install a C compiler"):
        KERNEL.build()


def test_a_compiler_that_fails_leaves_the_kernel_that_was_there(monkeypatch) -> None:
    before = KERNEL.library.read_bytes()
    monkeypatch.setenv("CC", "false")

    with pytest.raises(RuntimeError, match="false cannot compile"):
        KERNEL.build()

    assert KERNEL.library.read_bytes() == before
