"""The members of a model: each turns a matrix into log-odds, and log-odds into contributions.

A member's contributions add up, with its base, to its log-odds; so a weighted sum of members has
contributions too. `Trees` is LightGBM's own text; `Additive` is one table per column, which is
what a logistic regression on binned or splined columns comes to.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

import lightgbm
import numpy as np
import numpy.typing as npt

from features.encoder import Matrix

Vector = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


class Member(Protocol):
    """One model of a blend."""

    def log_odds(self, matrix: Matrix) -> Vector:
        """Return the log-odds, shape (rows,)."""

    def contributions(self, matrix: Matrix) -> Matrix:
        """Return shape (rows, columns + 1): each column's part of the log-odds, the base last."""


class Trees:
    """Gradient-boosted trees, read from LightGBM's text; contributions are exact SHAP values.

    Source: Lundberg et al. 2020, as LightGBM computes them (`pred_contrib`).
    """

    def __init__(self, text: str, threads: int = 1) -> None:
        self.text = text
        self._threads = threads
        self._booster = lightgbm.Booster(model_str=text)

    def log_odds(self, matrix: Matrix) -> Vector:
        """Return the sum of the leaves, shape (rows,)."""
        raw = self._booster.predict(matrix, raw_score=True, num_threads=self._threads)
        return np.asarray(raw, dtype=np.float64)

    def contributions(self, matrix: Matrix) -> Matrix:
        """Return exact SHAP values, shape (rows, columns + 1)."""
        parts = self._booster.predict(matrix, pred_contrib=True, num_threads=self._threads)
        return np.asarray(parts, dtype=np.float64)

    @property
    def size(self) -> tuple[int, int]:
        """The number of trees and of all their leaves."""
        trees = self._booster.dump_model()["tree_info"]
        return len(trees), sum(tree["num_leaves"] for tree in trees)


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
        if self.by_code:
            codes = np.nan_to_num(cells, nan=0.0).astype(np.int64)
            parts = np.asarray(self.values)[codes]
        else:
            parts = np.interp(np.nan_to_num(cells, nan=self.knots[0]), self.knots, self.values)
        return np.where(np.isnan(cells), self.missing, parts)

    def scaled(self, weight: float) -> ColumnTable:
        """Return it with every log-odds times `weight`."""
        values = tuple(weight * value for value in self.values)
        return replace(self, values=values, missing=weight * self.missing, mean=weight * self.mean)


@dataclass(frozen=True)
class Additive:
    """A logistic regression, as one table per column."""

    intercept: float
    tables: tuple[ColumnTable, ...]

    def log_odds(self, matrix: Matrix) -> Vector:
        """Return the sum of the tables, shape (rows,), always added in the same order."""
        total = np.full(len(matrix), self.intercept)
        for column, table in enumerate(self.tables):
            total += table.at(np.ascontiguousarray(matrix[:, column]))
        return total

    def contributions(self, matrix: Matrix) -> Matrix:
        """Return each column's distance from its mean, shape (rows, columns + 1)."""
        parts = np.empty((len(matrix), len(self.tables) + 1))
        for column, table in enumerate(self.tables):
            parts[:, column] = table.at(np.ascontiguousarray(matrix[:, column])) - table.mean
        parts[:, -1] = self.intercept + sum(table.mean for table in self.tables)
        return parts

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
