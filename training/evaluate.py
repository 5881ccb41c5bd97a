"""Figures in the user's terms, from later leads that the fit did not see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from features.agreement import Agreement
from serving.members import Vector
from serving.rates import Interval
from training.companies import Companies, companies_again
from training.intervals import by_draws, cluster_codes, draws
from training.judged import Judged
from training.labels import Labels
from training.ranking import GRID, Ranked, Steps, best_by_day, one_sided, top_share
from training.reliability import Reliability, log_losses, reliability
from training.segments import Campaign, Grades, Segment, by_campaign, by_grade, by_segment


@dataclass(frozen=True)
class Curve:
    """A curve over shares from 0 to 1, with the ends of its 95 % band point by point."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()


@dataclass(frozen=True)
class Capacity:
    """What sales finds with the calls that it has, the best leads of each day first."""

    leads_per_day: int
    share: float
    """Share of the leads called: what calling at random would find."""
    won: Interval
    """Share of the wins found."""
    precision: Interval
    """Share of wins among the leads called."""


@dataclass(frozen=True)
class Evaluation:
    """What later leads say of a model."""

    rows: int
    won: int
    clusters: int
    """Groups of leads that were drawn anew for the intervals; `rows` where each stood alone."""
    figures: Mapping[str, Interval]
    """Name to figure and interval; the names are those of the metrics."""
    gain: Curve
    """Share of the wins found by share of the leads called."""
    roc: Curve
    precision_recall: Curve
    reliability: Reliability
    capacity: Capacity | None
    """None where leads have no creation time, or no agreement says how many can be called."""
    campaigns: tuple[Campaign, ...]
    segments: Mapping[str, tuple[Segment, ...]]
    grades: Grades | None
    companies: Companies | None = None
    """What companies that come again do to the intervals; None where hardly any does."""
    sorts: bool | None = None
    """Whether a test of its own showed the order to be better than chance; None: not tested."""

    def as_metrics(self) -> dict[str, float]:
        """Return the figures by name, with `_low` and `_high` for the ends of an interval."""
        found = {"rows": float(self.rows), "won": float(self.won)}
        for name, figure in self._intervals().items():
            found |= {name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high}
        r = self.reliability
        found |= {
            "expected_calibration_error": r.error,
            "calibration_error_by_chance": r.error_by_chance,
            "calibration_error_by_chance_high": r.error_by_chance_high,
            "brier_reliability": r.brier.reliability,
            "brier_resolution": r.brier.resolution,
            "brier_uncertainty": r.brier.uncertainty,
        }
        return {name: value for name, value in found.items() if np.isfinite(value)}

    def _intervals(self) -> dict[str, Interval]:
        slope = self.reliability.slope
        return {
            **self.figures,
            **({} if slope is None else {"calibration_slope": slope}),
            "calibration_intercept": self.reliability.intercept,
        }

    @property
    def is_better_than_chance(self) -> bool:
        """Whether the order is shown: by its own test, else by the interval of ROC AUC."""
        return self.figures["roc_auc"].low > 0.5 if self.sorts is None else self.sorts

    @property
    def is_flat(self) -> bool:
        """Whether all leads have one probability, so that there is no order to judge."""
        return self.reliability.slope is None

    @property
    def roc_auc(self) -> float:
        """Chance that a won lead stands above a lost one."""
        return self.figures["roc_auc"].value

    @property
    def roc_auc_low(self) -> float:
        """Lower end of the 95 % interval."""
        return self.figures["roc_auc"].low

    @property
    def roc_auc_high(self) -> float:
        """Upper end of the 95 % interval."""
        return self.figures["roc_auc"].high

    @property
    def mean_predicted(self) -> float:
        """Mean probability."""
        return self.figures["mean_predicted"].value

    @property
    def mean_actual(self) -> float:
        """Share of wins."""
        return self.figures["mean_actual"].value


def judge(
    judged: Judged, agreement: Agreement | None = None, seed: int = 0, share: float = 1.0
) -> Evaluation:
    """Judge probabilities by what became of the leads, with 95 % intervals.

    The intervals say how far the figures would move among other leads of the same kind and time;
    they know nothing of what changes later.

    Args:
        judged: the leads, what was said of them and what became of them.
        agreement: gives the calls of a day; None: no figure of them.
        seed: of the draws.
        share: of all leads of that time those that are here: as many of a day's calls are theirs.

    """
    calls = _calls(judged, agreement, share)
    view = _View(judged, None if calls is None else calls[1])
    point, gain = view.figures(judged.weights)
    drawn = [view.figures(weights) for weights in draws(judged, seed)]
    figures = {
        name: by_draws(value, np.array([names[name] for names, _ in drawn]))
        for name, value in point.items()
    }
    if point["roc_auc"] in (0.0, 1.0):
        won = int(judged.y.sum())
        figures["roc_auc"] = one_sided(point["roc_auc"], min(won, len(judged.y) - won))
    low, high = np.quantile([curve for _, curve in drawn], [0.025, 0.975], axis=0)
    steps = view.ranked.steps(judged.weights)
    return Evaluation(
        rows=len(judged.y),
        won=int(judged.y.sum()),
        clusters=cluster_codes(judged)[1],
        gain=_curve(GRID, gain, low, high),
        roc=_curve(GRID, np.interp(GRID, *steps.roc())),
        precision_recall=_curve(*steps.precision_recall()),
        reliability=reliability(judged, seed),
        capacity=None if calls is None else _capacity(*calls, figures),
        figures=figures,
        campaigns=by_campaign(judged),
        segments=by_segment(judged),
        grades=by_grade(judged),
        companies=None if judged.company is None else companies_again(judged, *judged.company),
    )


class _View:
    """What every draw looks at, made once."""

    def __init__(self, judged: Judged, called: Vector | None) -> None:
        self.ranked = Ranked(judged.y, judged.probability)
        self._judged = judged
        worth = judged.value_won
        self._worth = Ranked(worth, judged.probability) if worth.sum() > 0 else None
        self._called = called
        self._tenth = np.array([top_share(len(judged.y))])
        self._loss = log_losses(judged.y, judged.probability)
        self._distance = (judged.y - judged.probability) ** 2

    def figures(self, weights: Vector) -> tuple[dict[str, float], Vector]:
        """Return figures by name and the gain curve over `GRID`, every row `weights` times."""
        steps = self.ranked.steps(weights)
        said = float(np.average(self._judged.probability, weights=weights))
        was = float(np.average(self._judged.y, weights=weights))
        top = float(steps.found(self._tenth)[0])
        found = {
            "roc_auc": steps.roc_auc(),
            "pr_auc": steps.pr_auc(),
            "log_loss": float(np.average(self._loss, weights=weights)),
            "brier": float(np.average(self._distance, weights=weights)),
            "won_in_top_tenth": top,
            "lift_top_tenth": top / float(self._tenth[0]),
            "mean_predicted": said,
            "mean_actual": was,
            "predicted_minus_actual": said - was,
            "actual_to_predicted": was / said,
        }
        if self._worth is not None:
            found["value_in_top_tenth"] = _value_found(self._worth.steps(weights), self._tenth)
        if self._called is not None:
            found |= _at_capacity(self._called, weights, self._judged.y)
        return found, steps.found(GRID)


def _value_found(steps: Steps, share: Vector) -> float:
    return float(steps.found(share)[0]) if steps.won.sum() > 0 else float("nan")


def _calls(judged: Judged, agreement: Agreement | None, share: float) -> tuple[int, Vector] | None:
    """Return the calls of a day and how much of each lead they reach, or None without days."""
    if agreement is None or judged.place is None or not agreement.columns.created:
        return None
    if not judged.y[np.isfinite(judged.place)].any():
        return None
    each_day = agreement.capacity.leads_per_day
    return each_day, best_by_day(judged.probability, judged.place, each_day * share)


def _at_capacity(called: Vector, weights: Vector, y: Labels) -> dict[str, float]:
    known = np.isfinite(called)
    reached, dated = called[known] * weights[known], weights[known]
    won = y[known]
    return {
        "called_at_capacity": _ratio(reached.sum(), dated.sum()),
        "won_at_capacity": _ratio((reached * won).sum(), (dated * won).sum()),
        "precision_at_capacity": _ratio((reached * won).sum(), reached.sum()),
    }


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else float("nan")


def _capacity(each_day: int, _: Vector, figures: Mapping[str, Interval]) -> Capacity:
    return Capacity(
        each_day,
        figures["called_at_capacity"].value,
        figures["won_at_capacity"],
        figures["precision_at_capacity"],
    )


def _curve(x: Vector, y: Vector, *band: Vector) -> Curve:
    ends = [tuple(end.tolist()) for end in band]
    return Curve(tuple(x.tolist()), tuple(y.tolist()), *ends)
