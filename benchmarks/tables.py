"""The results in the terminal."""

from __future__ import annotations

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import measures
from benchmarks.measures import Interval
from benchmarks.run import Outcome

STEADY = 0.1
"""Calibration is judged where the base rate moves by less than this, relative to its level."""
Outcomes = dict[str, Outcome]
Drawn = dict[str, tuple[measures.Floats, measures.Floats]]
"""AUC and log loss of each contender on the resampled rows."""


def show_set(console: Console, name: str, outcome: Outcome, seed: int) -> None:
    """Print a set's figures, with the intervals of leadq minus each contender."""
    share = outcome.labels.mean()
    title = (
        f"{name}: {len(outcome.labels):,} judged rows, {share:.1%} won "
        f"({outcome.base_rate_moved:+.1%} against the rows to train on)"
    )
    table = Table(title=title, title_justify="left")
    heads = ("auc", "log_loss", "lift_at_10", "ece", "(by chance)", "seconds")
    known = any(figures.mae_true is not None for figures in outcome.figures.values())
    more = ("mae_true", "campaigns inside") if known else ()
    drawn = _drawn(outcome, seed)
    against = ("leadq better by, auc", "leadq better by, log_loss") if drawn else ()
    for head in ("contender", *heads, *more, *against):
        table.add_column(head, justify="left" if head == "contender" else "right")
    for contender, found in outcome.figures.items():
        cells = [
            f"{found.auc:.4f}",
            f"{found.log_loss:.4f}",
            f"{found.lift_at_10:.2f}",
            f"{found.ece:.3f}",
            f"({found.ece_by_chance:.3f})",
            f"{found.seconds:.1f}",
        ]
        if known:
            cells += [_number(found.mae_true), _number(found.campaigns_inside)]
        if drawn:
            cells += _against(outcome, contender, drawn)
        table.add_row(contender, *cells)
    console.print(table)
    for contender, error in outcome.errors.items():
        console.print(f"  {contender} failed: {error}", markup=False)
    for note in outcome.notes:
        console.print(f"  {note}", markup=False)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _against(outcome: Outcome, contender: str, drawn: Drawn) -> list[str]:
    if contender == "leadq":
        return ["", ""]
    ours, theirs = outcome.figures["leadq"], outcome.figures[contender]
    auc = drawn["leadq"][0] - drawn[contender][0]
    loss = drawn[contender][1] - drawn["leadq"][1]
    return [
        _interval(measures.difference(ours.auc - theirs.auc, auc)),
        _interval(measures.difference(theirs.log_loss - ours.log_loss, loss)),
    ]


def _drawn(outcome: Outcome, seed: int) -> Drawn:
    """Resample every contender on the same rows; nothing to do where leadq failed."""
    if "leadq" not in outcome.probability:
        return {}
    return {
        name: (
            measures.resampled(outcome.labels, probability, measures.auc, seed),
            measures.resampled(outcome.labels, probability, measures.loss, seed),
        )
        for name, probability in outcome.probability.items()
    }


def _interval(found: Interval) -> str:
    return f"{found.value:+.4f} [{found.low:+.4f}, {found.high:+.4f}]"


def show_summary(console: Console, outcomes: Outcomes) -> None:
    """Print mean ranks, margins over each contender at the median, and calibration."""
    names = sorted({name for outcome in outcomes.values() for name in outcome.figures})
    _show_ranks(console, outcomes, names)
    if "autogluon" in names:
        _show_ranks(console, outcomes, [name for name in names if name != "autogluon"])
    if "leadq" in names:
        _show_margins(console, outcomes, [name for name in names if name != "leadq"])
        _show_calibration(console, outcomes)
        _show_truth(console, outcomes)


def _show_ranks(console: Console, outcomes: Outcomes, names: list[str]) -> None:
    table = Table(title=f"mean rank of {len(names)} over {len(outcomes)} sets (1 is best)")
    for head in ("contender", "auc", "log_loss", "mean seconds"):
        table.add_column(head, justify="left" if head == "contender" else "right")
    by_auc = measures.mean_ranks(_values(outcomes, names, "auc"), higher_is_better=True)
    by_loss = measures.mean_ranks(_values(outcomes, names, "log_loss"), higher_is_better=False)
    for name in sorted(names, key=lambda name: by_auc[name] + by_loss[name]):
        spent = [o.figures[name].seconds for o in outcomes.values() if name in o.figures]
        table.add_row(name, f"{by_auc[name]:.2f}", f"{by_loss[name]:.2f}", f"{np.mean(spent):.1f}")
    console.print(table)


def _values(outcomes: Outcomes, names: list[str], figure: str) -> dict[str, dict[str, float]]:
    return {
        set_name: {
            name: getattr(found, figure) for name, found in outcome.figures.items() if name in names
        }
        for set_name, outcome in outcomes.items()
    }


def _show_margins(console: Console, outcomes: Outcomes, rivals: list[str]) -> None:
    table = Table(title="leadq's margin over each contender (higher is better for leadq)")
    for head in ("over", "sets", "auc: median", "mean", "better on", "log_loss: median", "mean",
                 "better on"):  # fmt: skip
        table.add_column(head, justify="left" if head == "over" else "right")
    for name in rivals:
        pairs = [
            (outcome.figures["leadq"], outcome.figures[name])
            for outcome in outcomes.values()
            if {"leadq", name} <= set(outcome.figures)
        ]
        if pairs:
            auc = np.array([ours.auc - theirs.auc for ours, theirs in pairs])
            loss = np.array([theirs.log_loss - ours.log_loss for ours, theirs in pairs])
            table.add_row(name, str(len(pairs)), *_spread(auc), *_spread(loss))
    console.print(table)


def _spread(margins: measures.Floats) -> list[str]:
    better = f"{int((margins > 0).sum())}"
    return [f"{np.median(margins):+.4f}", f"{margins.mean():+.4f}", better]


def _show_calibration(console: Console, outcomes: Outcomes) -> None:
    """Say on how many sets leadq's ECE is within .01 of what perfect calibration may show."""
    steady = [
        outcome.figures["leadq"]
        for outcome in outcomes.values()
        if "leadq" in outcome.figures and is_steady(outcome)
    ]
    within = sum(found.ece <= found.ece_by_chance + 0.01 for found in steady)
    console.print(
        f"leadq's ECE is at most .01 above chance on {within} of {len(steady)} sets whose share "
        f"won moves by less than a tenth"
    )


def _show_truth(console: Console, outcomes: Outcomes) -> None:
    """Say how far leadq is from the truth, against LightGBM, where the truth is known."""
    pairs = [
        (outcome.figures["leadq"].mae_true, outcome.figures["lightgbm"].mae_true)
        for outcome in outcomes.values()
        if {"leadq", "lightgbm"} <= set(outcome.figures)
    ]
    shares = [ours / theirs for ours, theirs in pairs if ours is not None and theirs]
    if shares:
        console.print(
            f"leadq's error to the true probability is {np.median(shares):.2f} of lightgbm's at "
            f"the median of {len(shares)} simulated sets"
        )


def is_steady(outcome: Outcome) -> bool:
    """Whether the share won moved by less than a tenth of itself from train to judged rows."""
    before = float(outcome.labels.mean()) - outcome.base_rate_moved
    return abs(outcome.base_rate_moved) < STEADY * before
