"""Weights of a logistic regression in which each group of columns has a spread of its own.

The weights of a group are drawn around zero with one variance. The variances are those under
which the outcomes are likeliest when all weights are averaged over (MacKay 1992, "Bayesian
interpolation": type-II maximum likelihood, automatic relevance determination), with the posterior
taken as normal around its mode (Laplace; for many groups of random effects Breslow & Clayton
1993). So a field that tells nothing shrinks to nothing by itself, and one that tells much is hardly
shrunk. No strength has to be chosen on rows left out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.linalg import lapack
from scipy.sparse import csr_array
from scipy.special import expit
from threadpoolctl import threadpool_limits

from features.encoder import Matrix
from serving.members import Vector

Groups = npt.NDArray[np.intp]

_FIRST = 0.09
"""Variance to begin with: weights of about .3."""
_RANGE = (1e-5, 25.0)
_IDLE = 2e-4
"""Variance at which a group leaves: its weights are about .01."""
_BORROWED = 0.1
"""A variance is renewed as if so many weights more had been seen, as large as is usual here."""
_BACK = 2e-3
"""Least variance with which a group begins, so that those idle elsewhere may come back."""
_NEWTON_STEPS = 4
_STEPS_FROM_KNOWN = 2
_ROUNDS = 2
"""How often variances are renewed in one Newton step."""
_SEED = 0
_ENOUGH = 25_000
"""Rows, about, that tell the variances."""
_LAST_STEPS = 10
_SETTLED = 1e-6
"""Share of the cost that a last step must save for another to follow."""
_SMALLEST_STEP = 1e-3
_LEAST = 1e-9
_SPARSE = 0.1
"""Share of cells filled below which a product that skips the others is faster."""
_AT_ONCE = 1024


@dataclass(frozen=True)
class Weights:
    """What a fit found."""

    intercept: float
    weights: Vector
    """Shape (columns,)."""
    variances: Vector
    """Of each group's weights, shape (groups,)."""


def fit_weights(
    design: csr_array,
    won: Vector,
    weight: Vector,
    groups: Groups,
    known: Vector | None = None,
    most: Vector | None = None,
) -> Weights:
    """Find the variance of each group, and the likeliest weights under them.

    Rows that count unequally know less than their number: the weights are scaled so that they sum
    to the number of equal rows that would know as much (Kish 1965).

    Args:
        design: shape (rows, columns); the intercept has no column.
        won: 1 or 0, shape (rows,).
        weight: how much each row counts, shape (rows,).
        groups: the group of each column, from 0 on, shape (columns,).
        known: variances to begin with, shape (groups,), where a fit on rows like these has found
            them: then they are renewed half as often. None: all groups begin alike.
        most: the largest variance that each group may have, shape (groups,); None: 25.

    """
    if most is None:
        most = np.full(int(groups.max()) + 1, _RANGE[1])
    some = np.arange(len(won))
    if len(won) >= 2 * _ENOUGH:  # by lot: rows may lie in an order that repeats itself
        some = np.sort(np.random.default_rng(_SEED).choice(len(won), _ENOUGH, replace=False))
    with threadpool_limits(1):  # so that sums are the same on any number of cores
        part = _Rows.of(design[some], won[some], weight[some])
        at, variances = _by_evidence(part, groups, known, most)
        speaks = variances[groups] > _IDLE
        all_, there = _Rows.of(design, won, weight).of_columns(speaks), np.append(speaks, True)
        at[~there] = 0.0
        at[there] = _settled(all_, 1 / variances[groups[speaks]], at[there])
    return Weights(float(at[-1]), at[:-1], variances)


@dataclass(frozen=True)
class _Rows:
    """What is learned from; `at` vectors hold the weights and, last, the intercept."""

    design: csr_array
    won: Vector
    weight: Vector

    @classmethod
    def of(cls, design: csr_array, won: Vector, weight: Vector) -> _Rows:
        return cls(design, won, weight * weight.sum() / (weight @ weight))

    def of_columns(self, kept: npt.NDArray[np.bool_]) -> _Rows:
        return self if kept.all() else replace(self, design=self.design[:, kept])

    def log_odds(self, at: Vector) -> Vector:
        return np.asarray(self.design @ at[:-1] + at[-1])

    def cost(self, at: Vector, precision: Vector) -> float:
        """Minus the log posterior."""
        z = self.log_odds(at)
        loss = float(self.weight @ (np.logaddexp(0, z) - self.won * z))
        return loss + 0.5 * float(precision @ at[:-1] ** 2)

    def quadratic(self, at: Vector) -> tuple[Matrix, Vector]:
        """Return curvature C and pull p of the log likelihood: about p·x − x·C·x / 2."""
        chance = expit(self.log_odds(at))
        spread = np.maximum(self.weight * chance * (1 - chance), _LEAST)
        sums = self.design.T @ spread
        curvature = np.empty((len(at), len(at)))
        curvature[:-1, :-1] = _squares(self.design, np.sqrt(spread))
        curvature[:-1, -1] = curvature[-1, :-1] = sums
        curvature[-1, -1] = spread.sum()
        off = self.weight * (self.won - chance)
        return curvature, np.append(self.design.T @ off, off.sum()) + curvature @ at


def _squares(design: csr_array, scale: Vector) -> Matrix:
    """Return XᵀX of the rows of a design times their scale, the cheaper way."""
    if design.nnz < _SPARSE * np.prod(design.shape):
        scaled = design.copy()
        scaled.data = scaled.data * np.repeat(scale, np.diff(scaled.indptr))
        return np.asarray((scaled.T @ scaled).toarray())
    total = np.zeros((design.shape[1],) * 2)
    for start in range(0, design.shape[0], _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        # Half the digits: the curvature leads the steps, but where they end is not its doing.
        block = (design[rows].toarray() * scale[rows, None]).astype(np.float32)
        total += block.T @ block
    return total


def _by_evidence(
    rows: _Rows, groups: Groups, known: Vector | None, most: Vector
) -> tuple[Vector, Vector]:
    """Return weights with intercept, and variances, each renewed in turn.

    A group that has become idle leaves, and all that follows is cheaper for it (Tipping & Faul
    2003).
    """
    variances = np.minimum(_FIRST, most)
    steps = _NEWTON_STEPS
    if known is not None:
        variances, steps = np.maximum(known, _BACK), _STEPS_FROM_KNOWN
    # Half a win and half a loss more, so that the odds are finite where only one kind counts.
    share = float((rows.won @ rows.weight + 0.5) / (rows.weight.sum() + 1))
    at = np.append(np.zeros(len(groups)), np.log(share / (1 - share)))
    for _ in range(steps):
        speaks = variances[groups] > _IDLE
        part, own, there = rows.of_columns(speaks), groups[speaks], np.append(speaks, True)
        curvature, pull = part.quadratic(at[there])
        for _ in range(_ROUNDS):
            best, factor = _solved(curvature, pull, 1 / variances[own])
            variances = np.minimum(_renewed(variances, own, best, factor), most)
        moved = _moved(part, at[there], best, 1 / variances[own])
        at = np.zeros(len(at))
        at[there] = moved
    return at, variances


def _renewed(variances: Vector, groups: Groups, best: Vector, factor: Matrix) -> Vector:
    """Return the variances under which weights as large as the likeliest are as expected.

    Where few outcomes speak, a group borrows a little from all the others (their geometric mean):
    among fields that tell much an unclear one is believed sooner than among fields that do not.
    """
    root, _ = lapack.dtrtri(factor, lower=1)  # of the posterior's variances: half of the inverse
    size = len(variances)
    count = np.bincount(groups, minlength=size)
    unsure = np.bincount(groups, (root**2).sum(axis=0)[:-1], size)
    squares = np.bincount(groups, best[:-1] ** 2, size)
    # The number of a group's weights that the outcomes, and not the prior, decide.
    decided = np.maximum(count - unsure / variances, 1e-3)
    usual = float(np.exp(np.log(variances).mean()))
    likeliest = (squares + _BORROWED * usual) / (decided + _BORROWED)
    return np.where(count > 0, np.clip(likeliest, *_RANGE), variances)


def _settled(rows: _Rows, precision: Vector, at: Vector) -> Vector:
    """Return the likeliest weights and intercept, by Newton steps from `at`."""
    cost = rows.cost(at, precision)
    for _ in range(_LAST_STEPS):
        best, _ = _solved(*rows.quadratic(at), precision)
        at = _moved(rows, at, best, precision)
        before, cost = cost, rows.cost(at, precision)
        if before - cost < _SETTLED * abs(before):
            break
    return at


def _solved(curvature: Matrix, pull: Vector, precision: Vector) -> tuple[Vector, Matrix]:
    """Return the top of the quadratic posterior, and its Cholesky factor (below the diagonal)."""
    posterior = curvature.copy()
    posterior[np.diag_indices(len(pull))] += np.append(precision, _LEAST)
    factor, failed = lapack.dpotrf(posterior, lower=1)
    if failed:
        raise ArithmeticError(f"the posterior of {len(pull)} weights has no top ({failed})")
    best, _ = lapack.dpotrs(factor, pull, lower=1)
    return best, factor


def _moved(rows: _Rows, at: Vector, best: Vector, precision: Vector) -> Vector:
    """Return `best`, or a point on the way to it where a whole step would overshoot."""
    before, step = rows.cost(at, precision), 1.0
    while step > _SMALLEST_STEP:
        tried = at + step * (best - at)
        if rows.cost(tried, precision) <= before * (1 + _LEAST):
            return tried
        step /= 2
    return at
