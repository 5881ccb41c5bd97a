"""The figures by which contenders are judged, and what chance alone would make of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata
from sklearn.metrics import log_loss, roc_auc_score

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int8]
Ends = tuple[float, float]
"""Of an interval of wins."""
BINS = 10
DRAWS = 200
FEWEST_IN_CAMPAIGN = 20
"""Leads below which the sum over a campaign is left out: its interval says nothing."""


@dataclass(frozen=True)
class Interval:
    """A difference with the interval that holds it in 95 of 100 resamplings of the rows."""

    value: float
    low: float
    high: float


def auc(labels: Labels, probability: Floats) -> float:
    """Area under the ROC curve."""
    return float(roc_auc_score(labels, probability))


def loss(labels: Labels, probability: Floats) -> float:
    """Mean log loss in nats; a probability of 0 or 1 is moved inwards by scikit-learn's epsilon."""
    return float(log_loss(labels, probability, labels=[0, 1]))


def lift_at_10(labels: Labels, probability: Floats) -> float:
    """Share won in the top tenth over the share won in all; rows of equal score share the places.

    A constant score therefore has a lift of exactly 1, whatever the order of the rows.
    """
    places = max(1, round(len(labels) / 10))
    last = np.sort(probability)[-places]
    above, level = probability > last, probability == last
    won = labels[above].sum() + (places - above.sum()) * labels[level].mean()
    return float(won / places / labels.mean())


def ece(labels: Labels, probability: Floats) -> float:
    """Expected calibration error over ten bins of equal count (Naeini et al. 2015, AAAI).

    Rows of equal probability stay in one bin, so that their order does not matter.
    """
    return _gap(labels.astype(float), probability, _bins(probability))


def ece_by_chance(probability: Floats, seed: int) -> float:
    """The 95 % quantile of the ECE that these probabilities would show if they were all true.

    Labels are drawn from the probabilities themselves, as in the consistency bars of Bröcker and
    Smith (2007, Weather and Forecasting): an ECE below this value is no evidence against them.
    """
    random = np.random.default_rng(seed)
    bins = _bins(probability)
    drawn = ((random.random(len(probability)) < probability).astype(float) for _ in range(DRAWS))
    return float(np.quantile([_gap(labels, probability, bins) for labels in drawn], 0.95))


def _bins(probability: Floats) -> npt.NDArray[np.intp]:
    middle = (rankdata(probability, method="average") - 0.5) / len(probability)
    return np.asarray(np.floor(BINS * middle), dtype=np.intp)


def _gap(labels: Floats, probability: Floats, bins: npt.NDArray[np.intp]) -> float:
    off = np.bincount(bins, weights=labels - probability, minlength=BINS)
    return float(np.abs(off).sum() / len(labels))


def resampled(
    labels: Labels, probability: Floats, measure: Callable[[Labels, Floats], float], seed: int
) -> Floats:
    """Return a measure on 200 resamplings of the rows, shape (200,).

    The same labels and seed give the same rows, so that contenders can be compared draw by draw:
    what makes a draw easy or hard for both cancels out (Efron and Tibshirani 1993, chapter 16).
    """
    return np.array([measure(labels[rows], probability[rows]) for rows in _resamples(labels, seed)])


def difference(value: float, draws: Floats) -> Interval:
    """Return a difference with the 95 % interval of its draws."""
    low, high = np.quantile(draws, [0.025, 0.975])
    return Interval(value, float(low), float(high))


def _resamples(labels: Labels, seed: int) -> Iterator[npt.NDArray[np.intp]]:
    """Yield rows drawn with replacement; each draw holds both outcomes."""
    random = np.random.default_rng(seed)
    for _ in range(DRAWS):
        rows = random.integers(len(labels), size=len(labels))
        while labels[rows].min() == labels[rows].max():
            rows = random.integers(len(labels), size=len(labels))
        yield rows


def mean_ranks(values: dict[str, dict[str, float]], higher_is_better: bool) -> dict[str, float]:
    """Return the mean rank of each contender over the sets; 1 is best, equal values share ranks.

    Args:
        values: the measure by set and contender. A contender that is missing from a set has
            failed there and takes the last rank.
        higher_is_better: True for AUC, False for losses.

    """
    names = sorted({name for found in values.values() for name in found})
    worst = -np.inf if higher_is_better else np.inf
    sign = -1 if higher_is_better else 1
    ranks = [
        rankdata([sign * found.get(name, worst) for name in names]) for found in values.values()
    ]
    return dict(zip(names, np.mean(ranks, axis=0).tolist(), strict=True)) if ranks else {}


def campaigns_inside(
    labels: Labels,
    probability: Floats,
    campaigns: list[str],
    seed: int,
    stated: Mapping[str, Ends] | None = None,
) -> float | None:
    """Share of campaigns whose wins lie in the 90 % interval of the sum of their probabilities.

    The interval is the one that a contender states. Where it states none, it is that of a sum of
    independent wins with these probabilities (a Poisson-binomial), by simulation. None where no
    campaign has enough leads.
    """
    random = np.random.default_rng(seed)
    inside = []
    for name in sorted(set(campaigns)):
        rows = np.flatnonzero(np.array([campaign == name for campaign in campaigns]))
        if len(rows) < FEWEST_IN_CAMPAIGN:
            continue
        if stated and name in stated:
            low, high = stated[name]
        else:
            sums = [(random.random(len(rows)) < probability[rows]).sum() for _ in range(2 * DRAWS)]
            low, high = np.quantile(sums, [0.05, 0.95]).tolist()
        inside.append(low <= labels[rows].sum() <= high)
    return float(np.mean(inside)) if inside else None
