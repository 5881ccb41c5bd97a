"""The members of a model: each turns a matrix into log-odds, and log-odds into contributions.

A member's contributions add up, with its base, to its log-odds; so a weighted sum of members has
contributions too. `Trees` is LightGBM's own text; `Additive` is one table per column, which is
what a logistic regression on binned or splined columns comes to.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from features.encoder import Matrix
from serving.forest import lay_out
from serving.kernel import Forest, Tables
from serving.tree_text import read_trees

Vector = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


class Member(Protocol):
    """One model of a blend."""

    @property
    def kernel(self) -> Forest | Tables:
        """What adds it up."""

    def log_odds(self, matrix: Matrix) -> Vector:
        """Return the log-odds, shape (rows,)."""

    def explained(self, matrix: Matrix) -> tuple[Vector, Matrix]:
        """Return the same, and each column's part of it, the base last.

        The shapes are (rows,) and (rows, columns + 1).
        """


class Trees:
    """Gradient-boosted trees, read from LightGBM's text; contributions are exact SHAP values.

    Source: Lundberg et al. 2020, path-dependent, the same as LightGBM's `pred_contrib`;
    `contributions.c` says how they are computed.

    Raises:
        ValueError: when the text is damaged, or says what `read_trees` does not know.

    """

    def __init__(self, text: str) -> None:
        self.text = text
        columns, trees = read_trees(text)
        self._size = len(trees), sum(len(tree.leaves) for tree in trees)
        self.kernel = Forest(lay_out(columns, trees))

    def log_odds(self, matrix: Matrix) -> Vector:
        """Return the sum of the leaves, shape (rows,)."""
        return self.kernel.log_odds(matrix)

    def explained(self, matrix: Matrix) -> tuple[Vector, Matrix]:
        """Return the same with exact SHAP values, shape (rows, columns + 1)."""
        return self.kernel.explained(matrix)

    @property
    def size(self) -> tuple[int, int]:
        """The number of trees and of all their leaves."""
        return self._size


@dataclass(frozen=True)
class ColumnTable:
    """One column's part of the log-odds: straight lines between knots, or a value for each code.

    `mean` is its mean over the training rows, so that contributions are measured from the
    average lead.
    """

    knots: tuple[float, ...]
    values: tuple[float, ...]
    missing: float
    mean: float
    by_code: bool

    def at(self, cells: Vector) -> Vector:
        """Return the part for each cell, shape (rows,)."""
        return Additive(0.0, (self,)).log_odds(cells[:, np.newaxis])

    def scaled(self, weight: float) -> ColumnTable:
        """Return it with every log-odds times `weight`."""
        values = tuple(weight * value for value in self.values)
        return replace(self, values=values, missing=weight * self.missing, mean=weight * self.mean)


@dataclass(frozen=True)
class Additive:
    """A logistic regression, as one table per column."""

    intercept: float
    tables: tuple[ColumnTable, ...]

    @cached_property
    def kernel(self) -> Tables:
        """What adds them up, one for each column."""
        return self.over(range(len(self.tables)))

    def over(self, columns: Sequence[int]) -> Tables:
        """Return what adds the tables up, each over its column of a matrix.

        Raises:
            ValueError: when a table has no value, or knots that do not fit.

        """
        return Tables(_laid_out(self), columns)

    def log_odds(self, matrix: Matrix) -> Vector:
        """Return the sum of the tables, shape (rows,), always added in the same order."""
        return self.kernel.log_odds(matrix)

    def explained(self, matrix: Matrix) -> tuple[Vector, Matrix]:
        """Return the same with each column's distance from its mean, shape (rows, columns + 1)."""
        return self.kernel.explained(matrix)

    def scaled(self, weight: float) -> Additive:
        """Return it with every log-odds times `weight`."""
        return Additive(weight * self.intercept, tuple(t.scaled(weight) for t in self.tables))

    def as_dict(self) -> dict[str, Any]:
        """Return the tables as JSON values."""
        tables = [
            {
                "knots": list(table.knots),
                "values": list(table.values),
                "missing": table.missing,
                "mean": table.mean,
                "by_code": table.by_code,
            }
            for table in self.tables
        ]
        return {"intercept": self.intercept, "tables": tables}

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> Additive:
        """Read back what `as_dict` wrote."""
        tables = tuple(
            ColumnTable(
                tuple(t["knots"]), tuple(t["values"]), t["missing"], t["mean"], t["by_code"]
            )
            for t in state["tables"]
        )
        return cls(state["intercept"], tables)


def _laid_out(additive: Additive) -> dict[str, Any]:
    """Return the fields of `struct tables` in `kernel.c`, but for the columns."""
    tables = additive.tables
    for i, table in enumerate(tables):
        if not table.values or len(table.knots) != len(table.values):
            raise ValueError(f"table {i}: {len(table.knots)} knots, {len(table.values)} values")
        if not table.by_code and not all(a <= b for a, b in pairwise((-math.inf, *table.knots))):
            raise ValueError(f"table {i}: its knots do not rise")
    return {
        "tables": len(tables),
        "intercept": additive.intercept,
        "base": additive.intercept + sum(table.mean for table in tables),
        "by_code": np.array([table.by_code for table in tables], dtype=np.int32),
        "first": np.cumsum([0, *(len(table.values) for table in tables)], dtype=np.int32),
        "knots": np.array([knot for table in tables for knot in table.knots], dtype=np.float64),
        "values": np.array([v for table in tables for v in table.values], dtype=np.float64),
        "missing": np.array([table.missing for table in tables], dtype=np.float64),
        "mean": np.array([table.mean for table in tables], dtype=np.float64),
    }
