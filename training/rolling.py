"""How a model would have done at several moments of the past: the same recipe, refitted at each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from serving.members import Vector
from training.evaluate import Evaluation, judge
from training.judged import Judged
from training.labels import Labels
from training.report import Section, Table
from training.splits import Rows, Split

Probabilities = Callable[[Rows, Rows], Vector]
"""Fit on the first rows, and return what is said of the second."""


@dataclass(frozen=True)
class Origin:
    """One moment: what was judged from it, and how."""

    split: Split
    labels: Labels
    probability: Vector
    evaluation: Evaluation


def roll(splits: list[Split], labels: Labels, said: Probabilities, seed: int) -> list[Origin]:
    """Judge a recipe at each origin.

    Args:
        splits: as `splits.origins` gives them.
        labels: of all labelled leads, shape (rows,).
        said: fits and predicts.
        seed: of the intervals.

    """
    found = []
    for part in splits:
        probability, later = said(part.earlier, part.later), labels[part.later]
        evaluation = judge(Judged(later, probability), seed=seed)
        found.append(Origin(part, later, probability, evaluation))
    return found


def in_short(origins: list[Origin]) -> tuple[str, ...]:
    """Say how far the figures moved from origin to origin; nothing for fewer than two."""
    if len(origins) < 2:
        return ()
    aucs = [origin.evaluation.roc_auc for origin in origins]
    ratios = [o.evaluation.mean_predicted / o.evaluation.mean_actual for o in origins]
    return (
        f"Refitted at {len(origins)} moments of the past with preset fast and judged on the leads "
        f"that came next: ROC AUC {min(aucs):.2f} to {max(aucs):.2f}, predicted wins "
        f"{min(ratios):.0%} to {max(ratios):.0%} of the actual ones. The last of these moments "
        "judge the same leads as the other figures.",
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
            f"{e.mean_actual:.1%}",
        )
        for origin in origins
        if (e := origin.evaluation)
    )
    columns = ("Judged", "Learned from", "Leads", "ROC AUC (95 %)", "Predicted", "Won")
    return Section(
        "At several moments of the past", in_short(origins), (Table("Origins", columns, rows),)
    )
