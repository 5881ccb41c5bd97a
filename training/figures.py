"""The figures and tables of a run for MLflow, drawn from its evaluation."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from training.evaluate import Curve, Evaluation

_MAIN, _GREY = "#0b6e6e", "#999999"


def figures(evaluation: Evaluation) -> dict[str, Figure]:
    """Return file name to figure: gain, lift, calibration, ROC, precision and recall."""
    return {
        "gain.png": _gain(evaluation),
        "lift.png": _lift(evaluation),
        "calibration.png": _calibration(evaluation),
        "roc.png": _roc(evaluation),
        "precision_recall.png": _precision_recall(evaluation),
    }


def tables(evaluation: Evaluation) -> dict[str, Any]:
    """Return file name to JSON values: bins, campaigns, segments, grades, curves."""
    e = evaluation
    return {
        "calibration.json": asdict(e.reliability),
        "campaigns.json": [asdict(campaign) for campaign in e.campaigns],
        "segments.json": {
            field: [asdict(segment) for segment in found] for field, found in e.segments.items()
        },
        "grades.json": None if e.grades is None else asdict(e.grades),
        "gain.json": asdict(e.gain),
        "lift.json": asdict(lift(e)),
    }


def lift(evaluation: Evaluation) -> Curve:
    """Return times as many wins as in any order, by share of the leads called, from 1 % on."""
    gain = evaluation.gain
    parts = (np.array(part[1:]) / gain.x[1:] for part in (gain.y, gain.low, gain.high))
    return Curve(gain.x[1:], *(tuple(part.tolist()) for part in parts))


def _gain(evaluation: Evaluation) -> Figure:
    figure, axes = _blank("Gain", "leads called, best first", "wins found")
    _banded(axes, evaluation.gain, "by score")
    axes.plot([0, 1], [0, 1], color=_GREY, linestyle="--", label="in any order")
    axes.legend(loc="lower right")
    return figure


def _lift(evaluation: Evaluation) -> Figure:
    figure, axes = _blank("Lift", "leads called, best first", "times as many wins as at random")
    _banded(axes, lift(evaluation), "by score")
    axes.axhline(1, color=_GREY, linestyle="--", label="in any order")
    axes.legend(loc="upper right")
    return figure


def _calibration(evaluation: Evaluation) -> Figure:
    figure, axes = _blank("Calibration", "mean predicted", "actually won")
    bins = evaluation.reliability.bins
    said = np.array([b.predicted for b in bins])
    was, low, high = (np.array([getattr(b.actual, e) for b in bins]) for e in _ENDS)
    top = float(max(said.max(), high.max()) * 1.05)
    axes.plot([0, top], [0, top], color=_GREY, linestyle="--", label="perfect")
    axes.errorbar(
        said,
        was,
        yerr=[was - low, high - was],
        fmt="o",
        color=_MAIN,
        capsize=3,
        label="later leads",
    )
    axes.legend(loc="upper left")
    return figure


_ENDS = ("value", "low", "high")


def _roc(evaluation: Evaluation) -> Figure:
    auc = evaluation.figures["roc_auc"]
    title = f"ROC: AUC {auc.value:.3f} ({auc.low:.3f} to {auc.high:.3f})"
    figure, axes = _blank(title, "share of lost leads above", "share of won leads above")
    axes.plot(evaluation.roc.x, evaluation.roc.y, color=_MAIN, linewidth=2)
    axes.plot([0, 1], [0, 1], color=_GREY, linestyle="--")
    return figure


def _precision_recall(evaluation: Evaluation) -> Figure:
    auc = evaluation.figures["pr_auc"]
    title = f"Precision and recall: AUC {auc.value:.3f} ({auc.low:.3f} to {auc.high:.3f})"
    figure, axes = _blank(title, "wins found (recall)", "wins among those called (precision)")
    axes.plot(evaluation.precision_recall.x, evaluation.precision_recall.y, color=_MAIN)
    axes.axhline(evaluation.mean_actual, color=_GREY, linestyle="--")
    axes.set_ylim(0, 1.02)
    return figure


def _banded(axes: Any, curve: Curve, label: str) -> None:
    axes.plot(curve.x, curve.y, color=_MAIN, linewidth=2, label=label)
    axes.fill_between(curve.x, curve.low, curve.high, color=_MAIN, alpha=0.18, label="95 %")


def _blank(title: str, x: str, y: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    return figure, axes
