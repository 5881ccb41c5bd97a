"""LightGBM's text of a model, read without LightGBM and without trust.

Whatever is unknown or does not fit together is an error: the trees that come out are sound, so
that what walks them need not look again.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

_KEYS = frozenset(
    (
        *("num_leaves", "num_cat", "is_linear", "shrinkage", "cat_boundaries", "cat_threshold"),
        *("split_feature", "split_gain", "threshold", "decision_type"),
        *("left_child", "right_child", "leaf_value", "leaf_weight", "leaf_count"),
        *("internal_value", "internal_weight", "internal_count"),
    )
)
_ONE = ("num_class", "num_tree_per_iteration")
_MOST_LEAVES = 1 << 15
_MOST_COLUMNS = 1 << 16
_MOST_ROWS = 1 << 53
_DECISIONS = frozenset(range(12))
Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Tree:
    """Splits, each after its parent, and leaves; a tree may be one leaf alone.

    A child is the number of a split, or -1 - n for leaf n.
    """

    leaves: list[float]
    leaf_counts: list[int]
    """Training rows in each leaf."""
    columns: list[int]
    """Of the matrix, one for each split, as all that follow."""
    thresholds: list[float]
    """Up to here a row goes left; with categories the position of their set."""
    decisions: list[int]
    """Bits: 1 categories, 2 missing goes left; times 4: missing is nothing (0), zero (1), NaN (2).
    Where it is nothing, NaN is read as zero."""
    left: list[int]
    right: list[int]
    counts: list[int]
    """Training rows that came to each split."""
    codes: list[int]
    """Sets of the codes that go left, as bits."""


def read_trees(text: str) -> tuple[int, list[Tree]]:
    """Return the number of columns and the trees.

    Raises:
        ValueError: when the text is damaged, or says what this reader does not know.

    """
    body, end, _ = text.partition("\nend of trees")
    if not end:
        raise ValueError('the text of the trees has no "end of trees": it was cut off')
    head, *sections = f"{body}\n".split("\nTree=")
    columns = _columns(head)
    return columns, [_tree(section, columns, i) for i, section in enumerate(sections)]


def _columns(head: str) -> int:
    lines = head.splitlines()
    values = dict(line.partition("=")[::2] for line in lines)
    if not lines or lines[0] != "tree" or values.get("version") != "v4":
        raise ValueError(f"LightGBM's text of version v4 is expected, not {head[:40]!r}")
    for key in _ONE:
        if values.get(key) != "1":
            raise ValueError(f"{key} must be 1, not {values.get(key)!r}")
    if "average_output" in values:
        raise ValueError("averaged trees (random forests) cannot be read")
    last = values.get("max_feature_idx", "")
    if not last.isdecimal() or len(last) > 5 or int(last) >= _MOST_COLUMNS:
        raise ValueError(f"max_feature_idx is {last[:40]!r}")
    return int(last) + 1


def _tree(section: str, columns: int, number: int) -> Tree:
    try:
        name, *lines = section.splitlines()
        if name != str(number):
            raise ValueError(f"it is called {name!r}")
        return _checked(_values(lines), columns)
    except ValueError as error:
        raise ValueError(f"tree {number}: {error}") from error


def _values(lines: list[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for line in filter(None, lines):
        key, _, value = line.partition("=")
        if key not in _KEYS or key in values:
            raise ValueError(f"unknown or repeated: {key[:40]!r}")
        values[key] = value
    return values


def _list(
    values: dict[str, str], key: str, read: Callable[[str], Number], size: int
) -> list[Number]:
    found = [read(value) for value in values.get(key, "").split()]
    if len(found) != size:
        raise ValueError(f"{key} holds {len(found)} values, expected {size}")
    return found


def _checked(values: dict[str, str], columns: int) -> Tree:
    if values.get("is_linear", "0") != "0":
        raise ValueError("linear leaves cannot be read")
    size = _list(values, "num_leaves", int, 1)[0]
    if not 1 <= size <= _MOST_LEAVES:
        raise ValueError(f"{size} leaves; 1 to {_MOST_LEAVES} can be read")
    leaves = _list(values, "leaf_value", float, size)
    if not all(map(math.isfinite, leaves)):
        raise ValueError("a leaf is no finite number")
    if size == 1:
        return Tree(leaves, [1], [], [], [], [], [], [], [])
    tree = Tree(
        leaves,
        _list(values, "leaf_count", int, size),
        _list(values, "split_feature", int, size - 1),
        _list(values, "threshold", float, size - 1),
        _list(values, "decision_type", int, size - 1),
        _list(values, "left_child", int, size - 1),
        _list(values, "right_child", int, size - 1),
        _list(values, "internal_count", int, size - 1),
        _code_sets(values),
    )
    _check_splits(tree, columns)
    _check_shape(tree)
    _check_counts(tree)
    return tree


def _code_sets(values: dict[str, str]) -> list[int]:
    """Return sets of codes as bits, each from its words of 32."""
    sets = _list(values, "num_cat", int, 1)[0]
    if sets == 0:
        return []
    if not 0 < sets <= _MOST_LEAVES:
        raise ValueError(f"num_cat is {sets}")
    bounds = _list(values, "cat_boundaries", int, sets + 1)
    words = _list(values, "cat_threshold", int, bounds[-1])
    if bounds[0] != 0 or bounds != sorted(bounds):
        raise ValueError("cat_boundaries do not rise from 0")
    if words and not 0 <= min(words) <= max(words) < 1 << 32:
        raise ValueError("cat_threshold holds more than words of 32 bits")
    return [
        sum(word << 32 * i for i, word in enumerate(words[start:end]))
        for start, end in pairwise(bounds)
    ]


def _check_splits(tree: Tree, columns: int) -> None:
    if not 0 <= min(tree.columns) <= max(tree.columns) < columns:
        raise ValueError(f"split_feature names a column that is none of {columns}")
    if not _DECISIONS.issuperset(tree.decisions):
        raise ValueError(f"unknown decision_type among {sorted(set(tree.decisions))}")
    sets = range(len(tree.codes))
    for threshold, decision in zip(tree.thresholds, tree.decisions, strict=True):
        if math.isnan(threshold) or (decision & 1 and threshold not in sets):
            raise ValueError(f"a threshold is {threshold:g}, with {len(sets)} sets of categories")


def _check_shape(tree: Tree) -> None:
    """Check that all but the first split, and every leaf, are the child of one split before."""
    splits, leaves = len(tree.columns), len(tree.leaves)
    if sorted(tree.left + tree.right) != [*range(-leaves, 0), *range(1, splits)]:
        raise ValueError("left_child and right_child make no tree")
    for children in (tree.left, tree.right):
        if any(0 <= child <= split for split, child in enumerate(children)):
            raise ValueError("a split comes after its child")


def _check_counts(tree: Tree) -> None:
    """Check that the training rows of a split are those below it; contributions need them."""
    if min(tree.leaf_counts) < 1 or sum(tree.leaf_counts) > _MOST_ROWS:
        raise ValueError("a leaf had no training rows, or more than there can be")
    # A leaf's number is negative: it counts from the end.
    rows = tree.counts + tree.leaf_counts[::-1]
    for count, left, right in zip(tree.counts, tree.left, tree.right, strict=True):
        if count != rows[left] + rows[right]:
            raise ValueError(f"a split had {count} training rows, those below it otherwise")
