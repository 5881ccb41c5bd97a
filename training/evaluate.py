"""Figures in the user's terms, from later leads that the fit did not see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from serving.members import Vector
from training.labels import Labels

_BOOTSTRAPS = 200
BINS = 10
Bins = list[tuple[float, float, int]]


@dataclass(frozen=True)
class Evaluation:
    """What later leads say of a model."""

    rows: int
    won: int
    roc_auc: float
    roc_auc_low: float
    """Lower and upper end of the 95 % bootstrap interval."""
    roc_auc_high: float
    pr_auc: float
    log_loss: float
    brier: float
    lift_top_tenth: float
    """Times as many wins in the best tenth as in a random one."""
    won_in_top_tenth: float
    """Share of all wins that the best tenth holds."""
    expected_calibration_error: float
    mean_predicted: float
    mean_actual: float

    def as_metrics(self) -> dict[str, float]:
        """Return the figures by name."""
        return {name: float(value) for name, value in vars(self).items()}


def evaluate(y: Labels, probability: Vector, seed: int = 0) -> Evaluation:
    """Judge probabilities, shape (rows,), by labels; both outcomes must occur."""
    low, high = _auc_interval(y, probability, seed)
    top = top_rows(probability, 0.1)
    return Evaluation(
        rows=len(y),
        won=int(y.sum()),
        roc_auc=float(roc_auc_score(y, probability)),
        roc_auc_low=low,
        roc_auc_high=high,
        pr_auc=float(average_precision_score(y, probability)),
        log_loss=float(log_loss(y, probability)),
        brier=float(brier_score_loss(y, probability)),
        lift_top_tenth=float(y[top].mean() / y.mean()),
        won_in_top_tenth=float(y[top].sum() / y.sum()),
        expected_calibration_error=_calibration_error(y, probability),
        mean_predicted=float(probability.mean()),
        mean_actual=float(y.mean()),
    )


def top_rows(probability: Vector, share: float) -> npt.NDArray[np.intp]:
    """Return the positions of the best `share` of the rows, ties in their order."""
    count = max(1, round(share * len(probability)))
    return np.argsort(-probability, kind="stable")[:count]


def _auc_interval(y: Labels, probability: Vector, seed: int) -> tuple[float, float]:
    generator = np.random.default_rng(seed)
    won, lost = np.flatnonzero(y == 1), np.flatnonzero(y == 0)
    # Drawn within each outcome, so that every draw has both.
    found = []
    for _ in range(_BOOTSTRAPS):
        rows = np.concatenate([generator.choice(won, len(won)), generator.choice(lost, len(lost))])
        found.append(roc_auc_score(y[rows], probability[rows]))
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


def calibration_bins(y: Labels, probability: Vector) -> Bins:
    """Return (mean predicted, mean actual, rows) for ten bins of equal count."""
    order = np.argsort(probability, kind="stable")
    return [
        (float(probability[rows].mean()), float(y[rows].mean()), len(rows))
        for rows in np.array_split(order, BINS)
        if len(rows)
    ]


def _calibration_error(y: Labels, probability: Vector) -> float:
    bins = calibration_bins(y, probability)
    return sum(count * abs(said - was) for said, was, count in bins) / len(y)


def gain_curve(y: Labels, probability: Vector) -> tuple[Vector, Vector]:
    """Return shares of leads called, best first, and of wins found; 101 points each."""
    found = np.concatenate([[0.0], np.cumsum(y[np.argsort(-probability, kind="stable")])])
    called = np.linspace(0, 1, 101)
    return called, np.interp(called, np.linspace(0, 1, len(found)), found / found[-1])
