"""How a model would have done at several moments of the past: the same recipe, refitted at each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from serving.document import Section, Table
from serving.members import Vector
from serving.rates import Interval
from training.evaluate import Evaluation, judge
from training.intervals import mean_interval
from training.judged import Judged
from training.labels import Labels
from training.splits import Rows, Split

Probabilities = Callable[[Rows, Rows], Vector]
"""Fit on the first rows, and return what is said of the second."""
_FEWEST = 3
"""Moments below which nothing is said of how figures vary from one to the next."""


@dataclass(frozen=True)
class Origin:
    """One moment: what was judged from it, and how."""

    split: Split
    labels: Labels
    probability: Vector
    evaluation: Evaluation


def roll(
    splits: list[Split],
    labels: Labels,
    said: Probabilities,
    seed: int,
    days: Sequence[str] | None = None,
) -> list[Origin]:
    """Judge a recipe at each origin.

    Args:
        splits: as `splits.origins` gives them.
        labels: of all labelled leads, shape (rows,).
        said: fits and predicts.
        seed: of the intervals.
        days: on which each lead came in, shape (rows,): the intervals draw whole days; None: leads.

    """
    found = []
    for part in splits:
        probability, later = said(part.earlier, part.later), labels[part.later]
        clusters = None if days is None else [days[i] for i in part.later.tolist()]
        evaluation = judge(Judged(later, probability, clusters=clusters), seed=seed)
        found.append(Origin(part, later, probability, evaluation))
    return found


def predicted_to_actual(origins: list[Origin]) -> Interval | None:
    """Return predicted over actual wins, the geometric mean over the origins, with its interval.

    Each origin counts as one figure, however many leads it judges, so the interval tells how far
    sums go astray from moment to moment (Student's t on the logarithms). None below three origins.
    """
    if len(origins) < _FEWEST:
        return None
    ratios = [o.evaluation.mean_predicted / o.evaluation.mean_actual for o in origins]
    found = mean_interval(np.log(ratios))
    return Interval(*(float(np.exp(end)) for end in (found.value, found.low, found.high)))


def in_short(origins: list[Origin]) -> tuple[str, ...]:
    """Say how far the figures moved from origin to origin; nothing for fewer than two."""
    if len(origins) < 2:
        return ()
    aucs = [origin.evaluation.roc_auc for origin in origins]
    ratios = [o.evaluation.mean_predicted / o.evaluation.mean_actual for o in origins]
    mean = predicted_to_actual(origins)
    pooled = ""
    if mean is not None:
        pooled = (
            f", on average {mean.value:.0%} (95 % interval {mean.low:.0%} to {mean.high:.0%}, each "
            "moment taken as one independent figure)"
        )
    return (
        f"Refitted at {len(origins)} moments of the past with preset fast and judged on the leads "
        f"that came next: ROC AUC {min(aucs):.2f} to {max(aucs):.2f}, predicted wins "
        f"{min(ratios):.0%} to {max(ratios):.0%} of the actual ones{pooled}. The last of these "
        "moments judge the same leads as the other figures.",
    )


def rolling_section(origins: list[Origin]) -> Section:
    """Return the table of the origins."""
    rows = tuple(
        (
            origin.split.method,
            f"{len(origin.split.earlier):,}",
            f"{origin.evaluation.rows:,}",
            f"{e.roc_auc:.3f} ({e.roc_auc_low:.3f} to {e.roc_auc_high:.3f})",
            f"{e.mean_predicted:.1%}",
            f"{e.mean_actual:.1%} ({won.low:.1%} to {won.high:.1%})",
        )
        for origin in origins
        if (e := origin.evaluation) and (won := e.figures["mean_actual"])
    )
    columns = (
        "Judged",
        "Learned from",
        "Judged leads",
        "ROC AUC (95 %)",
        "Predicted",
        "Won (95 %)",
    )
    return Section(
        "At several moments of the past", in_short(origins), (Table("Origins", columns, rows),)
    )
