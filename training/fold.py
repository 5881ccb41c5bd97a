"""Several members made one: weights and calibration are folded in, so that serving only adds.

A model is then one table per column and one ensemble of trees, whatever it was blended from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np

from serving.members import Additive, ColumnTable, Member, Trees
from serving.scorer import Blend
from training.calibrate import Calibration

_LEAVES = re.compile(r"^(leaf_value|internal_value)=(.*)$", re.MULTILINE)


def summed(members: Sequence[tuple[float, Trees]]) -> Trees:
    """Return one ensemble whose log-odds are the weighted sum of several.

    One text to keep and one walk to score: the trees are strung together, their leaves scaled.
    """
    head = members[0][1].text.partition("\nTree=0")[0]
    # The sizes of the trees let LightGBM read them in parallel; without them it reads in turn.
    lines = [line for line in head.splitlines() if not line.startswith("tree_sizes=")]
    trees: list[str] = []
    for weight, member in members:
        body = member.text.partition("\nTree=0")[2].partition("\nend of trees")[0]
        for tree in f"\nTree=0{body}".split("\nTree=")[1:]:
            rest = tree.partition("\n")[2].strip("\n")
            trees.append(f"Tree={len(trees)}\n{_LEAVES.sub(_scaled(weight), rest)}\n\n")
    return Trees("\n".join(lines) + "\n\n" + "\n".join(trees) + "\nend of trees\n")


def _scaled(weight: float) -> Callable[[re.Match[str]], str]:
    def scale(line: re.Match[str]) -> str:
        values = " ".join(repr(float(weight * float(value))) for value in line[2].split())
        return f"{line[1]}={values}"

    return scale


def added(members: Sequence[Additive]) -> Additive:
    """Return one additive member whose tables are the sums of several's, column by column."""
    columns = zip(*(member.tables for member in members), strict=True)
    intercept = sum(member.intercept for member in members)
    return Additive(intercept, tuple(_sum(list(tables)) for tables in columns))


def _sum(tables: list[ColumnTable]) -> ColumnTable:
    """Return the sum of tables over the same codes; those that say nothing do not count."""
    saying = [table for table in tables if any(table.values) or table.missing] or tables[:1]
    first = saying[0]
    if len(saying) == 1:
        return first
    values = np.sum([table.values for table in saying], axis=0)
    return ColumnTable(
        first.knots,
        tuple(values.tolist()),
        sum(table.missing for table in saying),
        sum(table.mean for table in saying),
        first.by_code,
    )


def fold(members: Sequence[tuple[float, Member]], calibration: Calibration, columns: int) -> Blend:
    """Return weighted members and a calibration as a blend whose sum is the calibrated log-odds."""
    slope = calibration.slope
    trees = [(slope * share, member) for share, member in members if isinstance(member, Trees)]
    tables = [m.scaled(slope * share) for share, m in members if isinstance(m, Additive)]
    tables += [correction.as_member(columns) for correction in calibration.corrections]
    folded: list[Member] = []
    if tables:
        folded.append(added(tables))
    if trees:
        folded.append(summed(trees))
    return Blend(tuple(folded), calibration.offset)
