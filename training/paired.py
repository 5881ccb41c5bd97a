"""Models on the same later leads: how far they differ, and what of it chance explains.

Every draw takes days of leads anew (with replacement) and judges all models on the same draw, so
what is hard about a day is hard for all of them and drops out of the difference. Whole days are
drawn because leads of one day share a campaign, a holiday, a sales team at work; leads that hang
together say less than their number. Interval: difference ± t × bootstrap standard error, with
G / (G - 1) for G days (Efron & Tibshirani 1993, An Introduction to the Bootstrap, ch. 6 and 12;
Cameron & Miller 2015, J. Human Resources 50, on few clusters).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

from serving.members import Vector
from serving.rates import LEVEL
from training.intervals import cluster_codes, draws
from training.judged import Judged
from training.labels import Labels
from training.later import Later
from training.ranking import Ranked
from training.reliability import log_losses

DRAWS = 500
_SAME = 1e-9
"""Differences below it come from rounding."""
_BETTER_IS = {"log_loss": -1.0, "roc_auc": 1.0, "wins_in_top": 1.0}
MEASURES = tuple(_BETTER_IS)

Verdict = Literal["better", "worse", "not shown", "identical"]


@dataclass(frozen=True)
class Difference:
    """One measure of a model minus that of the model it is held against."""

    difference: float
    low: float
    high: float
    verdict: Verdict


def differences(
    reference: Later,
    others: Sequence[Vector],
    top: int,
    comparisons: int = 1,
    seed: int = 0,
    times: int = DRAWS,
) -> list[dict[str, Difference]]:
    """Hold models against a reference on the same rows; one dictionary by measure for each.

    Args:
        reference: outcomes, days, and the probabilities that the others are held against.
        others: probabilities of the other models, each of shape (rows,), in the same order.
        top: how many leads are called, best first; wins among them are counted.
        comparisons: how many comparisons the intervals must hold for together (Bonferroni).
        seed: of the draws.
        times: how often days (or leads) are drawn anew.

    """
    models = [_Model(reference.won, p, top) for p in (reference.probability, *others)]
    found = measure(_judged(reference), models, seed, times)
    margin = found.margin(found.drawn - found.drawn[:, :1], (1 - LEVEL) / 2 / comparisons)
    return [
        _identical()
        if same(probability, reference.probability)
        else _judge(found.seen[i] - found.seen[0], margin[i])
        for i, probability in enumerate(others, start=1)
    ]


class Measured(Protocol):
    """A model on some rows, ready to be measured again in every draw."""

    def measure(self, weights: Vector) -> npt.ArrayLike:
        """Return its measures, shape (measures,), each row counted `weights` times."""


@dataclass(frozen=True)
class Measures:
    """Measures of several models on the same rows."""

    seen: Vector
    """On the rows as they are, shape (models, measures)."""
    drawn: Vector
    """On the same draws for all of them, shape (draws, models, measures)."""
    units: int
    """How many days, or leads, were drawn from."""

    def margin(self, drawn: Vector, error: float) -> Vector:
        """Return how far from the figure a one-sided bound of this error lies.

        Args:
            drawn: the figure in every draw, the draws first.
            error: chance that the truth lies beyond the bound.

        """
        spread = np.std(drawn, axis=0, ddof=1) * np.sqrt(self.units / (self.units - 1))
        return np.asarray(student.ppf(1 - error, self.units - 1) * spread, dtype=np.float64)


def measure(
    judged: Judged, models: Sequence[Measured], seed: int = 0, times: int = DRAWS
) -> Measures:
    """Measure models on the rows and on draws of them, the same for all; see `differences`."""
    seen = np.array([model.measure(judged.weights) for model in models])
    drawn = np.array(
        [[model.measure(weights) for model in models] for weights in draws(judged, seed, times)]
    )
    return Measures(seen, drawn, cluster_codes(judged)[1])


def same(one: Vector, other: Vector) -> bool:
    """Tell whether two models give every row the same probability."""
    return bool(np.allclose(one, other, rtol=0, atol=_SAME))


def drawn_by(later: Later) -> Literal["day", "lead"]:
    """Tell what is drawn anew: days, or single leads where days are not known or too few."""
    if later.day is None or cluster_codes(_judged(later))[1] != len(np.unique(later.day)):
        return "lead"
    return "day"


def _judged(later: Later) -> Judged:
    days = None if later.day is None else [str(day) for day in later.day]
    return Judged(later.won, later.probability, clusters=days)


def _identical() -> dict[str, Difference]:
    return dict.fromkeys(MEASURES, Difference(0.0, 0.0, 0.0, "identical"))


def _judge(difference: Vector, margin: Vector) -> dict[str, Difference]:
    """Turn differences and margins by measure, shape (measures,), into intervals and verdicts."""
    found = {}
    for name, d, m in zip(MEASURES, difference.tolist(), margin.tolist(), strict=True):
        verdict: Verdict = "not shown"
        if abs(d) > m + _SAME:
            verdict = "better" if d * _BETTER_IS[name] > 0 else "worse"
        found[name] = Difference(d, d - m, d + m, verdict)
    return found


class _Model:
    """One model's order and losses on the rows, made once for all draws."""

    def __init__(self, won: Labels, probability: Vector, top: int) -> None:
        self._ranked = Ranked(won, probability)
        self._loss = log_losses(won, probability)
        self._share = np.array([top / len(won)])

    def measure(self, weights: Vector) -> tuple[float, float, float]:
        """Return log loss, ROC AUC and wins in the top, each row counted `weights` times.

        Wins are those in the same share of the draw's rows, told for as many rows as there are.
        """
        steps = self._ranked.steps(weights)
        rate = steps.won.sum() / steps.rows.sum()
        wins = steps.found(self._share)[0] * rate * len(weights)
        return float(np.average(self._loss, weights=weights)), steps.roc_auc(), float(wins)
