"""The gain and calibration figures of a run."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from serving.members import Vector
from training.evaluate import calibration_bins, gain_curve
from training.labels import Labels


def gain_figure(y: Labels, probability: Vector) -> Figure:
    """Draw which share of the wins is found by calling the best share of the leads."""
    figure, axes = _blank("leads called, best first", "wins found")
    called, found = gain_curve(y, probability)
    axes.plot(called, found, color="#0b6e6e", linewidth=2, label="by score")
    axes.plot([0, 1], [0, 1], color="#999999", linestyle="--", label="in any order")
    axes.set_title("Gain")
    axes.legend(loc="lower right")
    return figure


def calibration_figure(y: Labels, probability: Vector) -> Figure:
    """Draw predicted against actual conversion in ten bins of equal count."""
    figure, axes = _blank("mean predicted", "actually won")
    bins = calibration_bins(y, probability)
    top = max(max(said, was) for said, was, _ in bins) * 1.05
    axes.plot([0, top], [0, top], color="#999999", linestyle="--", label="perfect")
    axes.plot(
        [b[0] for b in bins], [b[1] for b in bins], "o-", color="#0b6e6e", label="later leads"
    )
    axes.set_title("Calibration")
    axes.legend(loc="upper left")
    return figure


def _blank(x: str, y: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    return figure, axes
