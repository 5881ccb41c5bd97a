"""How one column enters a linear fit, and how its weights become the table that is served."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array

from features.encoder import MIN_COUNT, Column, Matrix
from serving.members import ColumnTable, Vector

_REACH = 0.2
"""Ranks, as a share of a number's leads, over which its table is about alike."""
_OWN = 0.2
"""The part of each knot's weight that its neighbours do not share."""
_FIGURES = 3
"""They place a knot well enough, and are no one's own."""


@dataclass(frozen=True)
class Fineness:
    """How much of a column a fit may tell apart: less where rows are few."""

    knots: int
    """The knots of a number at most."""
    outermost: float
    """Quantile of the first knot, and from above of the last; beyond them a table runs flat."""
    ranked: bool = False
    """Whether a number's rank among its knots has a weight too."""
    codes: int | None = None
    """The codes that have a weight, the frequent ones first; None: all."""


@dataclass(frozen=True)
class Basis:
    """One column: hat functions between knots, or an indicator for each code; then missing."""

    knots: Vector
    """Where the straight lines meet, or the codes that have a weight; ascending."""
    codes: int | None = None
    """How many codes the column has; None: it holds numbers."""
    ranked: bool = False
    """Whether a number's rank among the knots has a weight too."""

    @classmethod
    def of(cls, cells: Vector, column: Column, fineness: Fineness) -> Basis:
        """Place the knots so that none is the value of one lead.

        Args:
            cells: the column, shape (rows,), NaN for missing.
            column: what it is.
            fineness: how many knots or codes it gets.

        """
        if column.levels is not None:
            codes = len(column.levels)
            weighed = codes if fineness.codes is None else min(codes, fineness.codes)
            return cls(np.arange(weighed, dtype=np.float64), codes)
        knots = _knots(cells[~np.isnan(cells)], fineness)
        # Between two knots a rank says the same as they do.
        return cls(knots, ranked=fineness.ranked and len(knots) > 2)

    @property
    def width(self) -> int:
        """The number of weights."""
        return len(self.knots) + 1 + self.ranked

    @property
    def parts(self) -> list[str]:
        """What each weight is for: codes, or hats, rank and missing; shape (width,)."""
        if self.codes is not None:
            return ["codes"] * self.width
        return ["hats"] * len(self.knots) + ["rank"] * self.ranked + ["missing"]

    @property
    def root(self) -> Matrix:
        """Return R, shape (width, width): weights R·z are smooth where all z are alike.

        Weights of neighbouring knots are correlated as in a Gaussian process over the knots'
        ranks, with a part of each knot's own (Rasmussen & Williams 2006, section 5.1).
        """
        root = np.eye(self.width)
        if self.codes is None:
            at = np.linspace(0, 1, len(self.knots))
            near = np.exp(-0.5 * ((at[:, None] - at) / _REACH) ** 2)
            correlation = (1 - _OWN) * near + _OWN * np.eye(len(at))
            root[: len(at), : len(at)] = np.linalg.cholesky(correlation)
        return root

    def design(self, cells: Vector) -> csr_array:
        """Return the column's part of the design, shape (rows, width); the last says missing."""
        if self.codes is not None:
            return self._codes(cells)
        missing = np.isnan(cells)
        design = np.zeros((len(cells), self.width))
        design[~missing, :-1] = self._hats(cells[~missing])
        design[missing, -1] = 1.0
        return csr_array(design)

    def _codes(self, cells: Vector) -> csr_array:
        place = np.where(np.isnan(cells), len(self.knots), cells).astype(np.intp)
        weighed = np.isnan(cells) | (cells < len(self.knots))
        ends = np.concatenate([[0], np.cumsum(weighed)])
        place = place[weighed]
        return csr_array((np.ones(len(place)), place, ends), (len(cells), self.width))

    def _hats(self, filled: Vector) -> Matrix:
        hats = [np.interp(filled, self.knots, unit) for unit in np.eye(len(self.knots))]
        rank = [np.interp(filled, self.knots, self._ranks)] if self.ranked else []
        return np.column_stack([*hats, *rank])

    @property
    def _ranks(self) -> Vector:
        return np.linspace(-1, 1, len(self.knots))

    def table(
        self, weights: Vector, cells: Vector, sample_weight: Vector | None = None
    ) -> ColumnTable:
        """Return the table that gives `design @ weights`.

        Args:
            weights: shape (width,).
            cells: the column, by which the mean is taken.
            sample_weight: how much each row counts in the mean; None: all alike.

        """
        knots, values = self.knots, weights[: len(self.knots)]
        if self.ranked:
            values = values + weights[-2] * self._ranks
        if self.codes is not None:
            knots = np.arange(self.codes, dtype=np.float64)
            values = np.pad(values, (0, self.codes - len(values)))
        missing, by_code = float(weights[-1]), self.codes is not None
        table = ColumnTable(tuple(knots.tolist()), tuple(values.tolist()), missing, 0.0, by_code)
        return replace(table, mean=float(np.average(table.at(cells), weights=sample_weight)))


def _knots(filled: Vector, fineness: Fineness) -> Vector:
    values, counts = np.unique(filled, return_counts=True)
    if len(values) <= fineness.knots:
        common = values[counts >= MIN_COUNT]
        return common if len(common) else np.zeros(1)
    # With few rows, fewer knots: the outermost values could be one person's.
    number = int(min(fineness.knots, max(1, len(filled) // MIN_COUNT)))
    ends = (fineness.outermost, 1 - fineness.outermost)
    grid = np.linspace(*ends, number) if number > 1 else np.array([0.5])
    return np.unique([float(f"{knot:.{_FIGURES}g}") for knot in np.quantile(filled, grid)])
