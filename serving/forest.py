"""Trees laid out as the arrays that `kernel.c` walks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from serving.tree_text import Tree

LANES = 4
CATEGORY, NUMBER = 0, 1
_MOST_WORDS = 1 << 24
Ints = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]


def lay_out(columns: int, trees: Sequence[Tree]) -> dict[str, Any]:
    """Return the fields of `struct forest`; `kernel.c` says what they are.

    Raises:
        ValueError: when there are more categories than the masks may hold.

    """
    sizes = [len(tree.columns) for tree in trees]
    return {
        "columns": columns,
        "trees": len(trees),
        "splits": sum(sizes),
        "most_slots": 2 * max(sizes, default=0) + 1,
        "base": float(sum(_expected(tree) for tree in trees)),
        "tree": _int32(np.cumsum([0, *sizes])),
        "leaf": np.array([leaf for tree in trees for leaf in tree.leaves], dtype=np.float64),
        **_inputs(trees),
        **_walks(trees),
    }


def _int32(values: Any) -> npt.NDArray[np.int32]:
    return np.array(values, dtype=np.int32)


def _expected(tree: Tree) -> float:
    """Return the mean over the training rows, added as LightGBM adds it."""
    total = sum(tree.leaf_counts)
    return sum(n / total * leaf for n, leaf in zip(tree.leaf_counts, tree.leaves, strict=True))


def _inputs(trees: Sequence[Tree]) -> dict[str, Any]:
    """Return the splits gathered by what they read, so that a cell is looked at once."""
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
    keys, of = np.unique(np.column_stack([column, kind, missing_left]), axis=0, return_inverse=True)
    rank = np.zeros(len(column), dtype=np.int64)
    size, start = [], []
    cuts: list[Doubles] = [np.empty(0)]
    masks: list[npt.NDArray[np.uint64]] = [np.empty(0, dtype=np.uint64)]
    order = np.argsort(of, kind="stable")
    first = np.searchsorted(of[order], np.arange(len(keys) + 1))
    for i, key in enumerate(keys):
        own = order[first[i] : first[i + 1]]
        if key[1] == CATEGORY:
            words = _masks([sets[split] for split in own])
            size.append(64 * len(words))
            start.append(sum(map(len, masks)))
            masks.append(words.ravel())
        else:
            rising, rank[own] = np.unique(threshold[own], return_inverse=True)
            size.append(len(rising))
            start.append(sum(map(len, cuts)))
            cuts.append(rising)
    return {
        "inputs": len(keys),
        "column": _int32(keys[:, 0]),
        "kind": _int32(keys[:, 1]),
        "missing_left": _int32(keys[:, 2]),
        "first": _int32(first),
        "size": _int32(size),
        "start": np.array(start, dtype=np.int64),
        "cuts": np.concatenate(cuts),
        "masks": np.concatenate(masks),
        "node": _int32(order),
        "rank": _int32(rank[order]),
    }


def _masks(sets: Sequence[int]) -> npt.NDArray[np.uint64]:
    """Return sets of codes as words of 64 bits, shape (words, sets)."""
    words = max(1, *(-(-bits.bit_length() // 64) for bits in sets))
    if words * len(sets) > _MOST_WORDS:
        raise ValueError(f"{len(sets)} splits by {64 * words} categories are more than can be kept")
    packed = b"".join(bits.to_bytes(8 * words, "little") for bits in sets)
    found = np.frombuffer(packed, dtype="<u8").astype(np.uint64)
    return np.ascontiguousarray(found.reshape(len(sets), words).T)


def _walks(trees: Sequence[Tree]) -> dict[str, Any]:
    """Return what the walk over each tree needs."""
    slots = [_slots(tree) for tree in trees]
    ways = [_ways(tree) for tree in trees]
    # A polynomial of degree below 2 n is summed exactly by n nodes.
    blocks = np.array([-(-most // (2 * LANES)) for _, _, most in ways], dtype=np.int64)
    of_splits = np.repeat(blocks, [len(tree.columns) for tree in trees])
    passed = np.array([z for _, shares, _ in ways for z in shares], dtype=np.float64)
    return {
        "child": _int32([pair for own in slots for pair in own]).reshape(-1, 2),
        "target": _int32([c for tree in trees for c in tree.columns]),
        "above": _int32([slot for above, _, _ in ways for slot in above]),
        "share": np.array([share for tree in trees for share in _shares(tree)], dtype=np.float64),
        "blocks": _int32(blocks),
        **_quadrature(blocks, of_splits, passed),
    }


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


def _quadrature(blocks: Ints, of_splits: Ints, passed: Doubles) -> dict[str, Any]:
    """Return the weights of trees, and what their splits multiply by, at each quadrature node.

    A row that passed the splits above on the same column, which a share z of the training rows
    pass, goes left with factor (t + (1 - t) z s) / f, or ((1 - t) z s) / f when it goes right;
    f = t + (1 - t) z, and s is the share that goes left of those that came here. Kept are the
    parts t / f, (1 - t) z / f and z / f². A row that did not pass them goes by shares alone.
    """
    weights: list[Doubles] = [np.empty((0, LANES))]
    factors: list[Doubles] = [np.repeat([[[0.0], [1.0], [0.0]]], LANES, axis=2)]
    quadrature, factor = np.zeros_like(blocks), np.zeros_like(of_splits)
    for size in sorted({int(size) for size in blocks} - {0}):
        x, weight = np.polynomial.legendre.leggauss(LANES * size)
        quadrature[blocks == size] = sum(map(len, weights))
        weights.append((weight / 2).reshape(size, LANES))
        own = of_splits == size
        again = passed[own] < 1.0
        factor[own] = sum(map(len, factors)) + size * np.where(again, np.cumsum(again), 0)
        z = np.array([1.0, *passed[own][again]])[:, np.newaxis]
        t = (x + 1) / 2
        f = t + (1 - t) * z
        parts = np.stack([t / f, (1 - t) * z / f, z / f**2], axis=1)
        by_block = parts.reshape(len(z), 3, size, LANES).swapaxes(1, 2)
        factors.append(by_block.reshape(-1, 3, LANES))
    return {
        "quadrature": _int32(quadrature),
        "factor": _int32(factor),
        "weights": np.concatenate(weights),
        "factors": np.concatenate(factors),
    }
