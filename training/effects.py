"""Small additive models on few rows: nothing, one field, or all fields, by error out of fold.

A quantity of won leads (what they are worth, how long they took) is learned from far fewer rows
than the score is. So every effect is pulled toward none by a ridge, and fields enter only when
they are shown to help on rows that the fit did not see.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student_t
from sklearn.model_selection import KFold

from features.encoder import Column, Matrix
from serving.effects import Effects
from serving.members import Additive, Vector
from training.basis import Basis, Fineness
from training.splits import Rows

ALL = "all fields"
FOLDS = 5
PENALTIES = (3.0, 10.0, 30.0, 100.0, 300.0)
"""Rows by which a category is pulled toward the mean; its own rows pull the other way."""
_BY_CHANCE = 0.05
"""How often chance may be taken for an effect, all that is tried taken together."""
_FINENESS = Fineness(knots=5, outermost=0.05, codes=30)
Loss = Callable[[Vector], Vector]
"""From a prediction for each row to the loss of each row."""


@dataclass(frozen=True)
class Choice:
    """What was chosen by error out of fold."""

    field: str | None
    """None: the same for every lead; `ALL`; or the one field that is used."""
    penalty: float
    gain: float
    """Mean gain out of fold over the same for every lead, in units of the loss."""
    error: float
    """Standard error of the gain."""


class Design:
    """The columns of a matrix as hat functions and codes, gathered by field."""

    def __init__(self, matrix: Matrix, columns: Sequence[Column], rows: Rows) -> None:
        """Place the knots by the whole matrix and keep the design of `rows`.

        Args:
            matrix: all leads, so that no knot is the value of one won lead.
            columns: the column of each position of the matrix.
            rows: the rows to learn from.

        """
        self._bases = [
            Basis.of(matrix[:, i], column, _FINENESS) for i, column in enumerate(columns)
        ]
        self._matrix = matrix[rows]
        parts = [basis.design(self._matrix[:, i]).toarray() for i, basis in enumerate(self._bases)]
        self._ends = np.cumsum([0, *(basis.width for basis in self._bases)])
        # Points over no field have no column at all.
        self.values: Matrix = np.concatenate([np.zeros((len(rows), 0)), *parts], axis=1)
        self.fields: dict[str, list[int]] = {}
        for i, column in enumerate(columns):
            self.fields.setdefault(column.field, []).append(i)

    def candidates(self) -> Iterator[str]:
        """Yield the fields, and all of them together."""
        yield from self.fields
        if len(self.fields) > 1:
            yield ALL

    def places(self, field: str | None) -> npt.NDArray[np.intp]:
        """Return the positions in the design that belong to a choice."""
        spans = [np.arange(self._ends[i], self._ends[i + 1]) for i in self._columns(field)]
        return np.concatenate([np.empty(0, dtype=np.intp), *spans])

    def effects(self, field: str | None, coefficients: Vector, intercept: float) -> Effects:
        """Collapse coefficients, shape (width,), to one table for each column of a choice."""
        columns = self._columns(field)
        tables = tuple(
            self._bases[i].table(
                coefficients[self._ends[i] : self._ends[i + 1]], self._matrix[:, i]
            )
            for i in columns
        )
        return Effects(tuple(columns), Additive(intercept, tables))

    def _columns(self, field: str | None) -> list[int]:
        if field == ALL:
            return list(range(len(self._bases)))
        return [] if field is None else self.fields[field]


@dataclass(frozen=True)
class Ridge:
    """Weighted ridge regression with a free intercept, ready for any choice of columns."""

    gram: Matrix
    moment: Vector
    centre: Vector
    mean: float

    @classmethod
    def of(cls, design: Matrix, target: Vector, weight: Vector) -> Ridge:
        """Gather what every solution needs; design (rows, width), target and weight (rows,)."""
        centre = np.average(design, axis=0, weights=weight)
        mean = float(np.average(target, weights=weight))
        centred = design - centre
        weighted = centred * weight[:, None]
        return cls(centred.T @ weighted, weighted.T @ (target - mean), centre, mean)

    def solve(self, places: npt.NDArray[np.intp], penalty: float) -> tuple[Vector, float]:
        """Return coefficients, shape (width,), zero outside `places`, and the intercept."""
        coefficients = np.zeros(len(self.moment))
        if len(places):
            gram = self.gram[np.ix_(places, places)] + penalty * np.eye(len(places))
            coefficients[places] = np.linalg.solve(gram, self.moment[places])
        return coefficients, self.mean - float(self.centre @ coefficients)


def choose(
    design: Design, target: Vector, weight: Vector, loss: Loss, seed: int
) -> tuple[Choice, Vector]:
    """Choose nothing, one field or all fields, and the penalty, by loss out of fold.

    Args:
        design: n rows.
        target: what to predict, shape (n,).
        weight: how much each row counts, shape (n,).
        loss: from predictions, shape (n,), to the loss of each row, shape (n,).
        seed: decides the folds.

    Returns:
        The choice, and its predictions out of fold, shape (n,).

    """
    tried = _out_of_fold(design, target, weight, seed)
    best, unseen = Choice(None, 0.0, 0.0, 0.0), tried.pop((None, 0.0))
    nothing = loss(unseen)
    # Student's t, because rows may be few; Bonferroni's share, because much is tried.
    shown = float(student_t.isf(_BY_CHANCE / max(len(tried), 1), len(target) - 1))
    for (field, penalty), predicted in tried.items():
        gains = nothing - loss(predicted)
        gain, error = float(gains.mean()), float(gains.std(ddof=1) / np.sqrt(len(gains)))
        if gain > max(best.gain, shown * error):
            best, unseen = Choice(field, penalty, gain, error), predicted
    return best, unseen


def _out_of_fold(
    design: Design, target: Vector, weight: Vector, seed: int
) -> dict[tuple[str | None, float], Vector]:
    fields = [*design.candidates()]
    keys = [(None, 0.0), *((field, penalty) for field in fields for penalty in PENALTIES)]
    found = {key: np.empty(len(target)) for key in keys}
    folds = KFold(FOLDS, shuffle=True, random_state=seed)
    for fit_rows, rest in folds.split(target):
        ridge = Ridge.of(design.values[fit_rows], target[fit_rows], weight[fit_rows])
        for field, penalty in keys:
            places = design.places(field)
            coefficients, intercept = ridge.solve(places, penalty)
            predicted = design.values[np.ix_(rest, places)] @ coefficients[places]
            found[field, penalty][rest] = predicted + intercept
    return found
