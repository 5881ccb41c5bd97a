"""From labelled leads to a scorer: members, their blend, and the calibration, all out of fold.

The recipe, measured on many sets of real leads: a regularised logistic regression and small
regularised trees disagree usefully, so their log-odds are averaged; weights and calibration come
from predictions for rows that the members had not seen; newer leads count more, because markets
move. Calibration is a straight line on the log-odds (Platt 1999): it cannot turn the ranking round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold

from features.agreement import Agreement, FieldUse
from features.encoder import Column, Encoder, Matrix
from features.leads import Leads
from serving.members import Trees, Vector
from serving.scorer import Blend, Scorer
from training.estimators import LogisticEstimator, TreesEstimator
from training.labels import Labels

Recipe = Literal["blend", "trees", "logistic"]
RECIPES: tuple[Recipe, ...] = ("blend", "trees", "logistic")
FOLDS = 5
_C_GRID = (0.01, 0.05, 0.25, 1.0)
_TOWARD_EQUAL = 0.02
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Fitted:
    """A scorer and what its fit found, for the run's parameters."""

    scorer: Scorer
    parameters: dict[str, float | int | str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Data:
    matrix: Matrix
    labels: Labels
    weight: Vector
    columns: tuple[Column, ...]
    seed: int

    def folds(self) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
        fewest = int(min(np.bincount(self.labels, minlength=2)))
        shuffled = StratifiedKFold(min(FOLDS, fewest), shuffle=True, random_state=self.seed)
        yield from shuffled.split(self.matrix, self.labels)


def recency_weights(place: Vector | None, rows: int) -> Vector:
    """Return the weight of each row: it halves for every half of the rows that are newer.

    Args:
        place: each lead's place in time, shape (rows,), or None where there is no order.
        rows: how many rows there are.

    """
    if place is None:
        return np.ones(rows)
    newer = rows - 1 - np.argsort(np.argsort(place, kind="stable"), kind="stable")
    weight = 0.5 ** (newer / (0.5 * rows))
    return np.asarray(weight / weight.mean())


def fit(
    leads: Leads,
    labels: Labels,
    weight: Vector,
    agreement: Agreement,
    fields: dict[str, FieldUse],
    recipe: Recipe = "blend",
    seed: int = 0,
    progress: Progress = lambda _: None,
) -> Fitted:
    """Fit a scorer.

    Args:
        leads: the leads, n of them.
        labels: 1 won, 0 not, shape (n,); both must occur at least twice.
        weight: how much each row counts, shape (n,).
        agreement: goes into the scorer.
        fields: the fields to predict from.
        recipe: which members.
        seed: decides folds, trees and nothing else; the same seed gives the same bits.
        progress: told what is being done.

    """
    encoder = Encoder.fit(leads, agreement, fields)
    data = _Data(encoder.encode(leads), labels, weight, encoder.columns, seed)
    parameters: dict[str, float | int | str] = {"recipe": recipe, "seed": seed, "folds": FOLDS}
    members, out_of_fold = [], []
    if recipe != "trees":
        progress("logistic regression")
        member, unseen = _fit_logistic(data, parameters)
        members.append(("additive", member))
        out_of_fold.append(unseen)
    if recipe != "logistic":
        progress("trees")
        grown, unseen = _fit_trees(data, parameters)
        members.append(("trees", grown))
        out_of_fold.append(unseen)
    shares = _blend_weights(out_of_fold, data)
    blended = sum(share * unseen for share, unseen in zip(shares, out_of_fold, strict=True))
    slope, offset = _platt(np.asarray(blended), data)
    parameters |= {f"weight_{n}": w for (n, _), w in zip(members, shares, strict=True)}
    parameters |= {"slope": slope, "offset": offset}
    named = tuple((n, w, e.member_) for (n, e), w in zip(members, shares, strict=True))
    return Fitted(Scorer(agreement, encoder, Blend(named, slope, offset)), parameters)


def _fit_logistic(
    data: _Data, parameters: dict[str, float | int | str]
) -> tuple[LogisticEstimator, Vector]:
    """Choose C by log loss out of fold, then fit on all rows."""
    tried = {}
    for C in _C_GRID:
        unseen = np.empty(len(data.labels))
        for fit_rows, rest in data.folds():
            model = LogisticEstimator(data.columns, C)
            model.fit(data.matrix[fit_rows], data.labels[fit_rows], data.weight[fit_rows])
            unseen[rest] = model.decision_function(data.matrix[rest])
        tried[C] = (_loss(unseen, data), unseen)
    best = min(tried, key=lambda C: tried[C][0])
    parameters["logistic_C"] = best
    model = LogisticEstimator(data.columns, best).fit(data.matrix, data.labels, data.weight)
    return model, tried[best][1]


def _fit_trees(
    data: _Data, parameters: dict[str, float | int | str]
) -> tuple[TreesEstimator, Vector]:
    """Find the number of trees out of fold, then grow a tenth more on all rows."""
    unseen = np.empty(len(data.labels))
    counts = []
    for fit_rows, rest in data.folds():
        model = TreesEstimator(data.columns, seed=data.seed)
        judge = (data.matrix[rest], data.labels[rest], data.weight[rest])
        model.fit_early(data.matrix[fit_rows], data.labels[fit_rows], data.weight[fit_rows], judge)
        unseen[rest] = model.decision_function(data.matrix[rest])
        counts.append(model.best_trees_)
    trees = max(1, round(1.1 * float(np.mean(counts))))
    model = TreesEstimator(data.columns, trees, data.seed)
    model.fit(data.matrix, data.labels, data.weight)
    assert isinstance(model.member_, Trees)  # noqa: S101  # what its fit makes
    parameters["trees"], parameters["leaves"] = model.member_.size
    return model, unseen


def _loss(log_odds: Vector, data: _Data) -> float:
    return float(log_loss(data.labels, _probability(log_odds), sample_weight=data.weight))


def _probability(log_odds: Vector) -> Vector:
    return np.asarray(1 / (1 + np.exp(-np.clip(log_odds, -30, 30))))


def _blend_weights(out_of_fold: list[Vector], data: _Data) -> tuple[float, ...]:
    """Return weights that sum to one; a small pull toward equal keeps them steady."""
    if len(out_of_fold) == 1:
        return (1.0,)
    first, second = out_of_fold

    def cost(share: float) -> float:
        blended = share * first + (1 - share) * second
        return _loss(blended, data) + _TOWARD_EQUAL * (share - 0.5) ** 2

    share = float(minimize_scalar(cost, bounds=(0, 1), method="bounded").x)
    return share, 1 - share


def _platt(log_odds: Vector, data: _Data) -> tuple[float, float]:
    """Return slope and offset of the calibration; a line that would fall is refused."""
    line = LogisticRegression(C=1e6, solver="newton-cholesky", tol=1e-8).fit(
        log_odds[:, None], data.labels, sample_weight=data.weight
    )
    slope, offset = float(line.coef_[0, 0]), float(line.intercept_[0])
    if slope > 0:
        return slope, offset
    # Nothing was learned: the base rate for everyone is the honest answer.
    base = float(np.average(data.labels, weights=data.weight))
    return 0.0, float(np.log(base / (1 - base)))
