"""The closed loop as a figure: wins, regret and calibration over time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.loop_results import Result
from benchmarks.policies import POLICIES
from benchmarks.sales import Floats

_COLOURS = {name: f"C{place}" for place, name in enumerate(POLICIES)}


def draw(results: dict[str, list[Result]], path: Path) -> None:
    """Write a PNG: shares of the oracle's wins, regret by month, said over true by month."""
    figure = Figure(figsize=(15, 4.5), layout="constrained")
    wins, regret, calibration = figure.subplots(1, 3)
    rivals = {name: found for name, found in results.items() if name != "oracle"}
    shares = [[result.share for result in found] for found in rivals.values()]
    wins.barh(list(rivals), [float(np.mean(part)) for part in shares], color="lightsteelblue")
    for place, part in enumerate(shares):
        wins.plot(part, [place] * len(part), "k.", markersize=4)
    wins.axvline(0.9, color="grey", linestyle=":")
    wins.set(xlabel="share of the oracle's wins, last 12 months (dots: seeds)", xlim=(0, 1.05))
    _lines(regret, rivals, lambda result: result.regret)
    regret.set(xlabel="month", ylabel="expected wins behind the oracle, added up")
    learning = {n: found for n, found in rivals.items() if len(found[0].called_said) > 1}
    _lines(calibration, learning, lambda result: result.called_said / result.called_true)
    calibration.axhline(1, color="grey", linestyle=":")
    calibration.set(xlabel="month", ylabel="mean said / mean true chance of the calls")
    for part in (regret, calibration):
        part.legend(fontsize=8)
    figure.savefig(path, dpi=110)


def _lines(axes: Axes, results: dict[str, list[Result]], of: Callable[[Result], Floats]) -> None:
    for name, found in results.items():
        mean = np.mean([of(result) for result in found], axis=0)
        axes.plot(np.arange(1, len(mean) + 1), mean, label=name, color=_COLOURS[name])
