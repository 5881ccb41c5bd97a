"""The members of a model as scikit-learn estimators; what they predict is what will be served.

Both take the encoder's matrix (numbers, codes, NaN for missing) and give a serving member by
`member_`, through which they predict too: there is one definition of a prediction.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, Self

import lightgbm
import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, hstack
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from features.encoder import Column, Matrix
from serving.members import Additive, ColumnTable, Member, Trees, Vector
from training.basis import Basis, Fineness
from training.evidence import fit_weights

Part = tuple[str, str]
"""A field, and what weights do in it; see `Basis.parts`."""

# A second thread gains little at this size, grows the same trees, and waits five times as long as
# it works where another process shares the cores.
THREADS = 1


class _MemberEstimator(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # untyped bases
    """What both members share: they predict by the member that will be served."""

    member_: Member

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.allow_nan = True
        return tags

    def _checked(
        self, X: Matrix, y: Any, sample_weight: Vector | None
    ) -> tuple[Matrix, npt.NDArray[np.int8], Vector]:
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_all_finite="allow-nan")
        check_classification_targets(y)
        weight = _check_sample_weight(
            sample_weight,
            X,
            dtype=np.float64,
            ensure_non_negative=True,
            allow_all_zero_weights=False,
        )
        self.classes_ = np.unique(y)
        if len(self.classes_) != 2:
            raise ValueError(
                f"Only binary classification is supported; found {len(self.classes_)} class(es)"
            )
        return X, (y == self.classes_[1]).astype(np.int8), weight

    def decision_function(self, X: Matrix) -> Vector:
        """Return log-odds, shape (rows,)."""
        check_is_fitted(self, "member_")
        X = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        return self.member_.log_odds(X)

    def predict_proba(self, X: Matrix) -> Matrix:
        """Return probabilities, shape (rows, 2)."""
        won = 1 / (1 + np.exp(-self.decision_function(X)))
        return np.column_stack([1 - won, won])

    def predict(self, X: Matrix) -> npt.NDArray[Any]:
        """Return the likelier class."""
        likelier = (self.decision_function(X) > 0).astype(int)
        return np.asarray(self.classes_[likelier])


Shape = Literal["trees", "random", "pairs"]
SHAPES: tuple[Shape, ...] = ("trees", "random", "pairs")
_BY_SHAPE: dict[Shape, dict[str, Any]] = {
    "trees": {"num_leaves": 15},
    # Thresholds drawn at random: each tree is worse, their sum errs elsewhere and drifts less.
    "random": {"num_leaves": 15, "extra_trees": True},
    # Two splits at most, so no more than pairs of fields act together.
    "pairs": {"num_leaves": 4, "max_depth": 2, "extra_trees": True},
}
_DATA = {"verbosity": -1, "num_threads": THREADS}
_BINS = 63
"""Few bins: a fourth of the places to split at, and on real sets trees as good or better."""
_BINS_OF_CODES = 255
_ROWS_OF_A_CODE = 3
"""Rows for each value, on average, of a column that stands for companies, people or places."""
_MOST_TREES = 1500
_PATIENCE = 60


class TreesEstimator(_MemberEstimator):
    """Regularised gradient-boosted trees on numbers and integer-coded categories.

    Small trees, few columns at a time and smoothed categories: on real lead data this ranks well
    above LightGBM's defaults, and exact reasons stay cheap.

    Args:
        columns: what the columns of the matrix are; empty: all are numbers.
        shape: how the trees are grown; see `SHAPES`.
        trees: how many, where they are not found by stopping early.
        seed: decides columns, rows and thresholds that are drawn.
        rate: the learning rate; None: .1, and twice that for pairs, whose trees are small.
        tuned: parameters of LightGBM that replace those of the shape.

    """

    def __init__(
        self,
        columns: tuple[Column, ...] = (),
        shape: Shape = "trees",
        trees: int = 150,
        seed: int = 0,
        rate: float | None = None,
        tuned: Mapping[str, Any] | None = None,
    ) -> None:
        self.columns = columns
        self.shape = shape
        self.trees = trees
        self.seed = seed
        self.rate = rate
        self.tuned = tuned

    def fit(self, X: Matrix, y: Any, sample_weight: Vector | None = None) -> Self:
        """Grow `trees` trees."""
        X, y, weight = self._checked(X, y, sample_weight)
        data = self._dataset(X, y, weight)
        booster = lightgbm.train(self._parameters(X.shape[1]), data, num_boost_round=self.trees)
        self.member_ = _trees(booster)
        return self

    def fit_early(
        self, X: Matrix, y: Any, weight: Vector, judge: tuple[Matrix, Any, Vector]
    ) -> Self:
        """Grow trees until the log loss on `judge` (matrix, labels, weights) stops falling."""
        X, y, weight = self._checked(X, y, weight)
        data = self._dataset(X, y, weight)
        judged = data.create_valid(judge[0], judge[1], weight=judge[2], params=data.params)
        booster = lightgbm.train(
            self._parameters(X.shape[1]),
            data,
            num_boost_round=_MOST_TREES,
            valid_sets=[judged],
            callbacks=[lightgbm.early_stopping(_PATIENCE, verbose=False)],
        )
        self.best_trees_ = booster.best_iteration
        self.member_ = _trees(booster)
        return self

    def _dataset(self, X: Matrix, y: Any, weight: Vector) -> lightgbm.Dataset:
        codes = [i for i, column in enumerate(self.columns) if column.levels is not None]
        bins = [_bins_of(X[:, i]) for i in range(X.shape[1])]
        return lightgbm.Dataset(
            X,
            y,
            weight=weight,
            categorical_feature=codes,
            params={**_DATA, "max_bin_by_feature": bins},
        )

    def _parameters(self, columns: int) -> dict[str, Any]:
        rate = self.rate or (0.2 if self.shape == "pairs" else 0.1)
        return {
            "objective": "binary",
            "learning_rate": rate,
            "min_data_in_leaf": 20,
            # Three columns at least, or no tree sees how two act together.
            "feature_fraction": max(0.6, min(1.0, 3 / columns)),
            "bagging_fraction": 0.8,
            "bagging_freq": 1,
            "lambda_l2": 5.0,
            "cat_smooth": 20,
            "cat_l2": 20,
            "max_cat_threshold": 16,
            "min_data_per_group": 30,
            "max_cat_to_onehot": 8,
            "seed": self.seed,
            "deterministic": True,
            "force_col_wise": True,
            **_DATA,
            **_BY_SHAPE[self.shape],
            **(self.tuned or {}),
        }


def _trees(booster: lightgbm.Booster) -> Trees:
    text = booster.model_to_string(num_iteration=booster.best_iteration or -1)
    # LightGBM notes the smallest and largest value of each column, which could be one person's;
    # no prediction needs them.
    ranges = "feature_infos=" + " ".join(["none"] * booster.num_feature())
    return Trees(re.sub(r"^feature_infos=.*$", ranges, text, flags=re.MULTILINE))


_MOST_WEIGHTS = 2500
"""Weights of a logistic regression, about, beyond which columns are told apart less finely."""
_FEWEST_OF_A_COLUMN = 3
_MOVING: Part = ("", "moving")
"""What all weights that move share: one variance, so that few leads do not make a trend."""
_MOST_MOVING = 200
"""Weights that move; more would take long, and rare codes show no trend. Where even the coarsest
kind of all columns has more, none moves."""
_FARTHEST = 0.05
"""Variance of what weights have moved at most. A market that turns faster does so by no straight
line, and one through its past must not be drawn on."""


class LogisticEstimator(_MemberEstimator):
    """A logistic regression on categories and piecewise-linear numbers, each shrunk by its worth.

    A number becomes hat functions at its quantiles and its rank, a category a column per code;
    how far the weights of each field may go is found from the same outcomes (`evidence.py`). The
    fit collapses to one table per column, which is all that serving needs.

    Where leads have an order, weights may move along it: each column has weights of a coarser kind
    beside the others, times the time that was still to come. They fade out toward the newest lead,
    so what is served is the state at the end (varying coefficients: Hastie & Tibshirani 1993).

    Args:
        columns: what the columns of the matrix are; empty: all are numbers.
        known: variances that a fit on rows like these has found (`variances_`), to begin with;
            most of the time is saved. None: begin anew.

    """

    FINENESS = Fineness(knots=9, outermost=0.01, ranked=True)
    MOVING = Fineness(knots=3, outermost=0.1, codes=10)

    def __init__(
        self, columns: tuple[Column, ...] = (), known: Mapping[Part, float] | None = None
    ) -> None:
        self.columns = columns
        self.known = known

    def fit(
        self, X: Matrix, y: Any, sample_weight: Vector | None = None, place: Vector | None = None
    ) -> Self:
        """Fit, and collapse to tables.

        Args:
            X: the encoder's matrix, shape (rows, columns).
            y: the outcomes, shape (rows,).
            sample_weight: how much each row counts, shape (rows,); None: all alike.
            place: each row's place in time, from 0 to 1 (now), shape (rows,); None: no order.

        """
        X, y, weight = self._checked(X, y, sample_weight)
        columns = self.columns or tuple(Column(str(i), str(i), None) for i in range(X.shape[1]))
        moving = [] if place is None else _bases(X, columns, self.MOVING, _MOST_MOVING)
        if sum(len(basis.knots) for basis in moving) > _MOST_MOVING:
            moving = []  # so many columns that even the coarsest kind would take long
        rest = _MOST_WEIGHTS - sum(basis.width for basis in moving)
        bases = _bases(X, columns, self.FINENESS, rest)
        design = _design(bases, X)
        parts = _parts(bases, columns)
        if moving and place is not None:
            still = csr_array(_design(moving, X).multiply((place - 1)[:, np.newaxis]))
            design = hstack([design, still], format="csr")
            parts += [_MOVING] * still.shape[1]
        kinds = list(dict.fromkeys(parts))
        groups = np.array([kinds.index(part) for part in parts], dtype=np.intp)
        known = None
        if self.known is not None:
            known = np.array([self.known.get(kind, 0.0) for kind in kinds])
        most = np.array([_FARTHEST if kind == _MOVING else np.inf for kind in kinds])
        found = fit_weights(design, y.astype(np.float64), weight, groups, known, most)
        self.variances_ = dict(zip(kinds, found.variances.tolist(), strict=True))
        ends = sum(basis.width for basis in bases)
        tables = _tables(bases, found.weights[:ends], X, weight)
        self.member_ = Additive(found.intercept, tables)
        self.moved_ = Additive(0.0, _tables(moving, found.weights[ends:], X, weight))
        return self

    def log_odds_at(self, X: Matrix, place: Vector | None) -> Vector:
        """Return the log-odds as they were at each row's place in time, shape (rows,)."""
        now = self.decision_function(X)
        if place is None or not self.moved_.tables:
            return now
        return np.asarray(now - (1 - place) * self.moved_.log_odds(X))


def _bins_of(cells: Vector) -> int:
    """Return at how many places trees may split a column: more where its values are codes.

    Codes are many and come again, none much more often than the others; what is known of a
    company or a place comes again as its code does.
    """
    counts = np.unique(cells[~np.isnan(cells)], return_counts=True)[1]
    rows, codes = int(counts.sum()), len(counts)
    comes_again = codes > _BINS and rows >= _ROWS_OF_A_CODE * codes
    # The number of values that would be as even: below half of them where some are frequent.
    is_even = 2 * rows**2 >= codes * int((counts**2).sum())
    return _BINS_OF_CODES if comes_again and is_even else _BINS


def _bases(X: Matrix, columns: tuple[Column, ...], fineness: Fineness, most: int) -> list[Basis]:
    """Return the basis of each column, together with about `most` weights at most.

    The time of a fit grows with their number cubed. Rare codes and narrow steps of numbers, of
    which many columns have too many, tell the least; the trees still see most of them.
    """
    bases = [Basis.of(X[:, i], column, fineness) for i, column in enumerate(columns)]
    wanted = [len(basis.knots) for basis in bases]
    each = max(wanted)
    while each > _FEWEST_OF_A_COLUMN and sum(min(each, w) for w in wanted) > most:
        each -= 1
    if each == max(wanted):
        return bases
    coarser = replace(fineness, knots=min(each, fineness.knots), codes=each)
    return [Basis.of(X[:, i], column, coarser) for i, column in enumerate(columns)]


def _design(bases: list[Basis], X: Matrix) -> csr_array:
    """Return the columns of all bases side by side, their weights drawn alike around zero."""
    # Most of it is zero, and a Newton step on it is some times cheaper for it.
    blocks = [basis.design(X[:, i]) @ csr_array(basis.root) for i, basis in enumerate(bases)]
    return hstack(blocks, format="csr")


def _tables(
    bases: list[Basis], weights: Vector, X: Matrix, sample_weight: Vector
) -> tuple[ColumnTable, ...]:
    """Return what the weights come to in each column."""
    tables, at = [], 0
    for i, basis in enumerate(bases):
        own = basis.root @ weights[at : at + basis.width]
        tables.append(basis.table(own, X[:, i], sample_weight))
        at += basis.width
    return tuple(tables)


def _parts(bases: list[Basis], columns: tuple[Column, ...]) -> list[Part]:
    """Return of each weight its field and what it does there; those alike share a variance."""
    return [
        (column.field, part)
        for basis, column in zip(bases, columns, strict=True)
        for part in basis.parts
    ]
