"""Trees laid out as the arrays that `trees.c` walks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from serving.tree_text import Tree

LANES = 4
CATEGORY, NUMBER = 0, 1
_MOST_BITS = 1 << 28
_SPLIT = np.dtype([("decision", "u4"), ("child", "u2", 2)])
_PART = np.dtype([("share", "f8"), ("factor", "i4"), ("column", "u2"), ("above", "u2")])
Ints = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def lay_out(columns: int, trees: Sequence[Tree]) -> dict[str, Any]:
    """Return the fields of `struct forest`; `trees.c` says what they are.

    Raises:
        ValueError: when there are more categories than the masks may hold.

    """
    sizes = [len(tree.columns) for tree in trees]
    inputs, position = _inputs(trees)
    # One more than there are: a walk that has come to its end still looks at a split.
    split = np.zeros(sum(sizes) + 1, dtype=_SPLIT)
    split["decision"][:-1] = position
    split["child"][:-1] = np.array([c for tree in trees for c in _slots(tree)]).reshape(-1, 2)
    return {
        "columns": columns,
        "trees": len(trees),
        "splits": sum(sizes),
        "most_slots": 2 * max(sizes, default=0) + 1,
        "base": float(sum(_expected(tree) for tree in trees)),
        "tree": _int32(np.cumsum([0, *sizes])),
        "leaf": np.array([leaf for tree in trees for leaf in tree.leaves], dtype=np.float64),
        "split": split,
        **inputs,
        **_parts(trees),
    }


def _int32(values: Any) -> npt.NDArray[np.int32]:
    return np.array(values, dtype=np.int32)


def _expected(tree: Tree) -> float:
    """Return the mean over the training rows, added as LightGBM adds it."""
    total = sum(tree.leaf_counts)
    return sum(n / total * leaf for n, leaf in zip(tree.leaf_counts, tree.leaves, strict=True))


def _inputs(trees: Sequence[Tree]) -> tuple[dict[str, Any], Ints]:
    """Return the splits gathered by what they read, so that a cell is looked at once.

    The second are the positions of the splits among a row's decisions.
    """
    column = np.array([c for tree in trees for c in tree.columns], dtype=np.int64)
    decision = np.array([d for tree in trees for d in tree.decisions], dtype=np.int64)
    threshold = np.array([x for tree in trees for x in tree.thresholds], dtype=np.float64)
    sets = [
        tree.codes[int(x)] if d & 1 else 0
        for tree in trees
        for x, d in zip(tree.thresholds, tree.decisions, strict=True)
    ]
    kind = np.where(decision & 1, CATEGORY, NUMBER + (decision >> 2))
    missing_left = np.where(decision & 1, 0, decision >> 1 & 1)
    read = np.column_stack([column, kind, missing_left])
    keys, of = np.unique(read, axis=0, return_inverse=True)
    position = np.zeros(len(column), dtype=np.int64)
    size, cut, bit, first = [], [0], [0], [0]
    cuts, bits = [np.empty(0)], [np.empty(0, dtype=np.uint8)]
    order = np.argsort(of, kind="stable")
    bounds = np.searchsorted(of[order], np.arange(len(keys) + 1))
    for key, (start, end) in zip(keys, pairwise(bounds), strict=True):
        own = order[start:end]
        if key[1] == CATEGORY:
            rising, left = np.empty(0), _by_code([sets[split] for split in own])
        else:
            rising, left = _by_bin(threshold[own])
        packed = np.packbits(left, axis=1, bitorder="little")
        position[own] = 8 * first[-1] + np.arange(len(own))
        size.append(len(left) - 1)
        cuts.append(rising)
        cut.append(cut[-1] + len(rising))
        bits.append(packed.ravel())
        bit.append(bit[-1] + packed.size)
        first.append(first[-1] + packed.shape[1])
    fields = {
        "inputs": len(keys),
        "decisions": first[-1],
        "column": _int32(keys[:, 0]),
        "kind": _int32(keys[:, 1]),
        "missing_left": _int32(keys[:, 2]),
        "size": _int32(size),
        "cuts": np.concatenate(cuts),
        "cut": np.array(cut, dtype=np.int64),
        "bits": np.concatenate(bits),
        "bit": np.array(bit, dtype=np.int64),
        "first": _int32(first),
    }
    return fields, position


def _by_code(sets: Sequence[int]) -> Mask:
    """Return whether each code goes left at each split, shape (codes + 1, splits).

    The last row is for any other code and for what is missing.
    """
    codes = max(bits.bit_length() for bits in sets)
    _check_size(codes, len(sets))
    packed = b"".join(bits.to_bytes(codes // 8 + 1, "little") for bits in sets)
    rows = np.frombuffer(packed, dtype=np.uint8).reshape(len(sets), -1)
    return np.unpackbits(rows, axis=1, count=codes + 1, bitorder="little").T.astype(np.bool_)


def _by_bin(thresholds: Doubles) -> tuple[Doubles, Mask]:
    """Return the thresholds once, rising, and whether each bin goes left at each split.

    Bin n is above the first n of them; the shape is (thresholds + 1, splits).
    """
    rising, rank = np.unique(thresholds, return_inverse=True)
    _check_size(len(rising), len(thresholds))
    return rising, rank >= np.arange(len(rising) + 1)[:, np.newaxis]


def _check_size(bins: int, splits: int) -> None:
    if bins * splits > _MOST_BITS:
        raise ValueError(f"{splits} splits of a column by {bins} values are more than can be kept")


def _parts(trees: Sequence[Tree]) -> dict[str, Any]:
    """Return what contributions need beyond the splits."""
    ways = [_ways(tree) for tree in trees]
    # A polynomial of degree below 2 n is summed exactly by n nodes.
    nodes = np.array([-(-most // 2) for _, _, most in ways], dtype=np.int64)
    of_splits = np.repeat(nodes, [len(tree.columns) for tree in trees])
    passed = np.array([z for _, shares, _ in ways for z in shares], dtype=np.float64)
    factor, quadrature = _quadrature(nodes, of_splits, passed)
    part = np.empty(len(factor), dtype=_PART)
    part["share"] = [share for tree in trees for share in _shares(tree)]
    part["factor"] = factor
    part["column"] = [column for tree in trees for column in tree.columns]
    part["above"] = [slot for above, _, _ in ways for slot in above]
    return {"part": part, "nodes": _int32(nodes), **quadrature}


def _slots(tree: Tree) -> Iterator[tuple[int, int]]:
    """Yield the slots of each split's children, right and left."""
    last = len(tree.columns) - 1
    for children in zip(tree.right, tree.left, strict=True):
        right, left = (child if child >= 0 else last - child for child in children)
        yield right, left


def _shares(tree: Tree) -> Iterator[float]:
    """Yield the share of each split's training rows that go left."""
    rows = tree.counts + tree.leaf_counts[::-1]
    for count, left in zip(tree.counts, tree.left, strict=True):
        yield rows[left] / count


def _ways(tree: Tree) -> tuple[list[int], list[float], int]:
    """Return what lies above each split, and the most columns on a way to a leaf.

    Of a split it is the slot below the last split on the same column, 0 if there is none, and the
    share of training rows that pass all splits above on that column.
    """
    bits = {column: 1 << i for i, column in enumerate(dict.fromkeys(tree.columns))}
    splits = len(tree.columns)
    parent, seen = [-1] * splits, [0] * splits
    above, passed, most = [0] * splits, [1.0] * splits, 0
    for split, column in enumerate(tree.columns):
        if seen[split] & bits[column]:
            slot = split
            while tree.columns[parent[slot]] != column:
                slot = parent[slot]
            last = parent[slot]
            above[split] = slot
            passed[split] = passed[last] * (tree.counts[slot] / tree.counts[last])
        below = seen[split] | bits[column]
        most = max(most, below.bit_count())
        for child in (tree.left[split], tree.right[split]):
            if child >= 0:
                parent[child], seen[child] = split, below
    return above, passed, most


def _quadrature(nodes: Ints, of_splits: Ints, passed: Doubles) -> tuple[Ints, dict[str, Any]]:
    """Return the place of each split's factors; the factors and weights at quadrature nodes.

    A row that passed the splits above on the same column, which a share z of the training rows
    pass, goes left with factor (t + (1 - t) z s) / f, or ((1 - t) z s) / f when it goes right;
    f = t + (1 - t) z, and s is the share that goes left of those that came here. Kept are the
    parts t / f, (1 - t) z / f and z / f². A row that did not pass them goes by shares alone.
    Nodes stand in blocks of LANES; in the last one those that are not there weigh nothing.
    """
    weights: list[Doubles] = [np.empty((0, LANES))]
    factors: list[Doubles] = [np.repeat([[[0.0], [1.0], [0.0]]], LANES, axis=2)]
    quadrature, factor = np.zeros_like(nodes), np.zeros_like(of_splits)
    for count in sorted({int(count) for count in nodes} - {0}):
        size = -(-count // LANES)
        x, weight = (
            np.pad(found, (0, LANES * size - count))
            for found in np.polynomial.legendre.leggauss(count)
        )
        quadrature[nodes == count] = sum(map(len, weights))
        weights.append((weight / 2).reshape(size, LANES))
        own = of_splits == count
        again = passed[own] < 1.0
        factor[own] = sum(map(len, factors)) + size * np.where(again, np.cumsum(again), 0)
        z = np.array([1.0, *passed[own][again]])[:, np.newaxis]
        t = (x + 1) / 2
        f = t + (1 - t) * z
        parts = np.stack([t / f, (1 - t) * z / f, z / f**2], axis=1)
        by_block = parts.reshape(len(z), 3, size, LANES).swapaxes(1, 2)
        factors.append(by_block.reshape(-1, 3, LANES))
    return factor, {
        "quadrature": _int32(quadrature),
        "weights": np.concatenate(weights),
        "factors": np.concatenate(factors),
    }
