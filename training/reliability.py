"""Whether leads said to be won with 20 % are won in one of five cases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit
from scipy.stats import norm

from serving.members import Vector
from serving.rates import LEVEL, Interval
from training.intervals import cluster_codes, rate_of
from training.judged import Judged

BINS = 10
_CHANCE_DRAWS = 200
_CERTAIN = float(np.finfo(np.float64).eps)
_STEPS = 50
_FLAT = 1e-9


@dataclass(frozen=True)
class Bin:
    """Rows of neighbouring probabilities."""

    predicted: float
    actual: Interval
    rows: int


@dataclass(frozen=True)
class Brier:
    """The Brier score in parts: total = reliability − resolution + uncertainty + within.

    Murphy 1973 (J. Appl. Meteorol. 12) over ten bins; `within` is what probabilities that differ
    within a bin add (Stephenson et al. 2008, Weather Forecast. 23).
    """

    total: float
    reliability: float
    """How far predicted and actual lie apart in the bins: 0 is best."""
    resolution: float
    """How far the bins lie apart: more is better."""
    uncertainty: float
    """What nobody can help who knows the base rate alone."""
    within: float


@dataclass(frozen=True)
class Reliability:
    """Calibration on later rows."""

    bins: tuple[Bin, ...]
    error: float
    """Expected calibration error: mean distance of predicted and actual over ten bins."""
    error_by_chance: float
    error_by_chance_high: float
    """Mean and 95 % quantile of that error if every probability were true."""
    brier: Brier
    slope: Interval | None
    """Of the actual log-odds on the predicted ones: below 1 is too bold, above 1 too timid.

    None where none can be told (`cox_slope`).
    """
    intercept: Interval
    """Shift of the log-odds that would make the sum right, the slope left at 1 (Cox 1958)."""


def reliability(judged: Judged, seed: int) -> Reliability:
    """Judge whether the probabilities are true; draws outcomes from them for what chance gives."""
    cut = _Cut(judged.probability, judged.weights)
    by_chance = _chance(judged.probability, cut, seed)
    return Reliability(
        bins=tuple(_bins(judged, cut)),
        error=cut.error(judged.y),
        error_by_chance=float(by_chance.mean()),
        error_by_chance_high=float(np.quantile(by_chance, LEVEL)),
        brier=_brier(judged, cut),
        slope=cox_slope(judged),
        intercept=cox_intercept(judged),
    )


def log_losses(y: npt.ArrayLike, probability: Vector) -> Vector:
    """Return the log loss of each row, shape (rows,)."""
    said = np.where(np.asarray(y) == 1, probability, 1 - probability)
    return np.asarray(-np.log(np.clip(said, _CERTAIN, 1 - _CERTAIN)), dtype=np.float64)


class _Cut:
    """Ten bins of equal count, fewer where fewer probabilities differ.

    Equal probabilities share their wins, wherever the cut falls.
    """

    def __init__(self, probability: Vector, weights: Vector) -> None:
        self.order = np.argsort(probability, kind="stable")
        ranked = probability[self.order]
        self._steps = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
        self._sizes = np.diff(np.append(self._steps, len(ranked)))
        self._weights = weights[self.order]
        bins = min(BINS, len(self._steps))
        parts = np.array_split(np.arange(len(ranked)), bins)
        self.starts = np.array([part[0] for part in parts])
        self.weight = np.add.reduceat(self._weights, self.starts)
        self.predicted = self._mean(ranked)

    def rates(self, y: npt.ArrayLike) -> Vector:
        """Return the actual rate of each bin, shape (bins,)."""
        won = np.asarray(y, dtype=np.float64)[self.order]
        weight = np.add.reduceat(self._weights, self._steps)
        rates = np.add.reduceat(self._weights * won, self._steps) / np.maximum(weight, _CERTAIN)
        return self._mean(np.repeat(rates, self._sizes))

    def error(self, y: npt.ArrayLike) -> float:
        """Return the expected calibration error."""
        return float(np.average(np.abs(self.rates(y) - self.predicted), weights=self.weight))

    def _mean(self, ranked: Vector) -> Vector:
        total = np.add.reduceat(self._weights * ranked, self.starts)
        return np.asarray(total / self.weight, dtype=np.float64)


def _chance(probability: Vector, cut: _Cut, seed: int) -> Vector:
    generator = np.random.default_rng(seed)
    rows = len(probability)
    return np.array([cut.error(generator.random(rows) < probability) for _ in range(_CHANCE_DRAWS)])


def _bins(judged: Judged, cut: _Cut) -> list[Bin]:
    rates = cut.rates(judged.y)
    ends = [*cut.starts[1:].tolist(), len(judged.y)]
    found = []
    for i, (start, end) in enumerate(zip(cut.starts.tolist(), ends, strict=True)):
        weights = judged.weights[cut.order[start:end]]
        actual = rate_of(np.full(end - start, rates[i]), weights)
        found.append(Bin(float(cut.predicted[i]), actual, end - start))
    return found


def _brier(judged: Judged, cut: _Cut) -> Brier:
    weights = judged.weights
    total = float(np.average((judged.probability - judged.y) ** 2, weights=weights))
    rates, base = cut.rates(judged.y), float(np.average(judged.y, weights=weights))
    apart = float(np.average((cut.predicted - rates) ** 2, weights=cut.weight))
    resolution = float(np.average((rates - base) ** 2, weights=cut.weight))
    uncertainty = base * (1 - base)
    return Brier(total, apart, resolution, uncertainty, total - apart + resolution - uncertainty)


def cox_slope(judged: Judged) -> Interval | None:
    """Return the slope of the outcomes' logistic regression on the predicted log-odds.

    Cox 1958, Biometrika 45. Intervals here and below from the sandwich by cluster, so that rows
    that hang together count as what they are. None where all probabilities are equal, and where
    they part won from lost without an overlap: no finite slope is likeliest then (Albert &
    Anderson 1984, Biometrika 71).
    """
    x = _log_odds(judged)
    won, lost = x[judged.y == 1], x[judged.y == 0]
    if np.ptp(x) < _FLAT or won.min() >= lost.max() or won.max() <= lost.min():
        return None
    return _regression(np.column_stack([np.ones_like(x), x]), np.zeros_like(x), judged)[1]


def cox_intercept(judged: Judged) -> Interval:
    """Return the intercept of the same regression with the slope held at 1."""
    x = _log_odds(judged)
    return _regression(np.ones((len(x), 1)), x, judged)[0]


def _log_odds(judged: Judged) -> Vector:
    return np.asarray(logit(np.clip(judged.probability, 1e-9, 1 - 1e-9)), dtype=np.float64)


def _regression(design: Vector, offset: Vector, judged: Judged) -> list[Interval]:
    beta = _newton(design, offset, judged)
    error = _sandwich(design, expit(offset + design @ beta), judged)
    reach = float(norm.ppf(0.5 + LEVEL / 2)) * error
    return [
        Interval(float(b), float(b - r), float(b + r)) for b, r in zip(beta, reach, strict=True)
    ]


def _newton(design: Vector, offset: Vector, judged: Judged) -> Vector:
    beta = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        said = expit(offset + design @ beta)
        slope = design.T @ (judged.weights * (judged.y - said))
        step = np.linalg.solve(_curvature(design, said, judged), slope)
        # A long step may leave the region where the curve is like its tangent.
        beta = beta + np.clip(step, -2.0, 2.0)
        if np.abs(step).max() < 1e-10:
            break
    return beta


def _curvature(design: Vector, said: Vector, judged: Judged) -> Vector:
    inner = (design * (judged.weights * said * (1 - said))[:, None]).T @ design
    return np.asarray(inner + 1e-9 * np.eye(design.shape[1]), dtype=np.float64)


def _sandwich(design: Vector, said: Vector, judged: Judged) -> Vector:
    """Return standard errors, shape (columns,), with G / (G − 1) for G clusters."""
    unit, units = cluster_codes(judged)
    rows = design * (judged.weights * (judged.y - said))[:, None]
    sums = np.zeros((units, design.shape[1]))
    np.add.at(sums, unit, rows)
    bread = np.linalg.inv(_curvature(design, said, judged))
    spread = bread @ (sums.T @ sums) @ bread * units / (units - 1)
    return np.asarray(np.sqrt(np.diag(spread)), dtype=np.float64)
