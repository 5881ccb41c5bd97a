"""How far chance may have moved a figure: intervals of rates, of sums, and by drawing anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import beta, norm
from scipy.stats import t as student

from serving.members import Vector
from serving.rates import LEVEL, Interval, wilson
from training.judged import Judged

DRAWS = 200
FEWEST_CLUSTERS = 10
"""With fewer clusters, drawing them anew says too little; rows are drawn instead."""


def exact(won: float, rows: float, error: float) -> Interval:
    """Return a rate with its exact one-sided bounds; rows must be positive.

    Clopper & Pearson 1934, Biometrika 26: right for few rows too, where `wilson` takes one of one
    for more than it shows.

    >>> i = exact(1, 1, 0.05)
    >>> round(i.low, 3), i.high
    (0.05, 1.0)
    """
    low = float(beta.ppf(error, won, rows - won + 1)) if won > 0 else 0.0
    high = float(beta.ppf(1 - error, won + 1, rows - won)) if won < rows else 1.0
    return Interval(won / rows, low, high)


def rate_of(y: npt.NDArray[Any], weights: Vector, level: float = LEVEL) -> Interval:
    """Return the weighted rate with its interval, at the number of rows the weights are worth.

    The number is (Σw)² / Σw² (Kish 1965, Survey Sampling).
    """
    worth = weights.sum() ** 2 / (weights**2).sum()
    return wilson(float(np.average(y, weights=weights) * worth), float(worth), level)


def by_draws(value: float, drawn: Vector) -> Interval:
    """Return the figure with the middle 95 % of what the draws gave, shape (draws,)."""
    low, high = np.nanquantile(drawn, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    return Interval(value, float(low), float(high))


def mean_interval(
    each: Vector, clusters: npt.NDArray[Any] | None = None, level: float = LEVEL
) -> Interval:
    """Return the mean of figures by row with its interval, by Student's t over clusters.

    The error is that of the sums by cluster, with G / (G - 1) for G clusters (Cameron & Miller
    2015, J. Human Resources 50). A single cluster shows nothing: its interval has no ends.

    Args:
        each: one figure for each row, shape (rows,).
        clusters: rows of one cluster hang together, shape (rows,); None: rows are independent.
        level: of the interval.

    """
    mean = float(each.mean())
    off: Vector = each - mean
    if clusters is not None:
        off = np.bincount(np.unique(clusters, return_inverse=True)[1], off).astype(np.float64)
    units = len(off)
    if units < 2:
        return Interval(mean, -np.inf, np.inf)
    error = float(np.sqrt((off**2).sum() * units / (units - 1))) / len(each)
    reach = float(student.ppf(0.5 + level / 2, units - 1)) * error
    return Interval(mean, mean - reach, mean + reach)


def draws(judged: Judged, seed: int, count: int = DRAWS) -> Iterator[Vector]:
    """Yield weights, shape (rows,): each time rows are drawn anew, whole clusters at a time.

    A draw that holds one outcome alone is drawn again, so that every figure exists. The number
    of wins varies from draw to draw, as it would among other leads of the same kind (Efron &
    Tibshirani 1993, ch. 6; for clusters Davison & Hinkley 1997, ch. 3.8).
    """
    generator = np.random.default_rng(seed)
    unit, units = cluster_codes(judged)
    weights, won = judged.weights, judged.y == 1
    given = 0
    while given < count:
        times = np.bincount(generator.integers(0, units, units), minlength=units)
        drawn = times[unit] * weights
        total = drawn[won].sum()
        if 0 < total < drawn.sum():
            given += 1
            yield drawn


def cluster_codes(judged: Judged) -> tuple[npt.NDArray[np.intp], int]:
    """Return which cluster each row is in, shape (rows,), and how many there are.

    Rows whose cluster is not known stand alone; with too few clusters every row does.
    """
    alone = np.arange(len(judged.y))
    if judged.clusters is None:
        return alone, len(alone)
    known = (
        f"in {name}" if name else f"alone {i}"
        for i, name in enumerate(judged.clusters)
    )  # fmt: skip
    found, codes = np.unique(list(known), return_inverse=True)
    return (codes, len(found)) if len(found) >= FEWEST_CLUSTERS else (alone, len(alone))


def sum_distribution(probability: Vector) -> Vector:
    """Return P(number of wins = k), shape (rows + 1,), of independent rows (Poisson-binomial).

    Exact: distributions are multiplied pairwise by Fourier transforms (Hong 2013, Comput. Stat.
    Data Anal. 59, on the methods).
    """
    rows = len(probability)
    parts = np.stack([1 - probability, probability], axis=1)
    while len(parts) > 1:
        if len(parts) % 2:
            sure = np.zeros((1, parts.shape[1]))
            sure[0, 0] = 1.0
            parts = np.concatenate([parts, sure])
        size = 2 * parts.shape[1] - 1
        waves = np.fft.rfft(parts, 1 << (size - 1).bit_length(), axis=1)
        waves = waves[0::2] * waves[1::2]
        parts = np.fft.irfft(waves, 1 << (size - 1).bit_length(), axis=1)[:, :size]
    found = np.clip(parts[0][: rows + 1], 0.0, None)
    return np.asarray(found / found.sum(), dtype=np.float64)


@dataclass(frozen=True)
class SumTest:
    """How many wins a model expects of some rows, and how odd the actual number is."""

    expected: float
    low: int
    high: int
    """Middle 95 % of what the model says."""
    p: float
    """Chance of a number at least as far out, two-sided."""


def sum_test(probability: Vector, won: int, extra: float = 0.0) -> SumTest:
    """Hold a number of wins against the sum that the model expects.

    Args:
        probability: of each row, shape (rows,).
        won: how many were.
        extra: standard deviation of the sum, in wins, beyond independent rows: the model's own
            uncertainty and what rows of a cluster have in common.

    """
    mass = _widened(sum_distribution(probability), extra)
    below = np.minimum(np.cumsum(mass), 1.0)
    at_most = float(below[won])
    at_least = float(1 - below[won - 1]) if won else 1.0
    low, high = np.searchsorted(below, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    high = min(int(high), len(mass) - 1)
    p = min(1.0, 2 * min(max(at_most, 0.0), max(at_least, 0.0)))
    return SumTest(float(probability.sum()), int(low), high, p)


def _widened(mass: Vector, extra: float) -> Vector:
    """Add a rounded normal number of wins; what would fall outside 0 … rows stays at the end."""
    reach = int(np.ceil(5 * extra))
    if reach == 0:
        return mass
    edges = np.arange(-reach - 0.5, reach + 1)
    steps = np.diff(norm.cdf(edges / extra))
    wide = np.convolve(mass, steps / steps.sum())
    inside = wide[reach : reach + len(mass)].copy()
    inside[0] += wide[:reach].sum()
    inside[-1] += wide[reach + len(mass) :].sum()
    return inside


def benjamini_hochberg(p: Vector) -> Vector:
    """Return q values, shape as `p`: the share of false alarms if all up to this one are raised.

    Source: Benjamini & Hochberg 1995, J. R. Stat. Soc. B 57.

    >>> benjamini_hochberg(np.array([0.01, 0.04, 0.03])).round(3).tolist()
    [0.03, 0.04, 0.04]
    """
    order = np.argsort(p)[::-1]
    ranks = np.arange(len(p), 0, -1)
    q = np.empty(len(p))
    q[order] = np.minimum.accumulate(np.minimum(p[order] * len(p) / ranks, 1.0))
    return q
