"""Later leads as an evaluation looks at them: by campaign, by field, by grade, by day."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from features.agreement import Agreement
from features.cells import Cell, text_of
from features.leads import History, Leads
from serving.members import Vector
from training.evaluate import Evaluation
from training.judged import Judged, days_of
from training.labels import Labels
from training.rolling import Origin, predicted_to_actual
from training.splits import Rows
from training.statements import in_the_large
from training.value import values_of

_MOST_LEVELS = 12
_MOST_FIELDS = 4
_FAR_OFF = 0.2
"""Share by which predicted and actual wins may differ before every score carries a warning."""


def judged_rows(
    history: History, rows: Rows, labels: Labels, probability: Vector, agreement: Agreement
) -> Judged:
    """Return labelled rows with what they have in common.

    Args:
        history: of the labelled leads.
        rows: the positions of the later ones.
        labels: theirs, shape (rows,).
        probability: what was said of them, shape (rows,).
        agreement: names campaign, source, value and grades.

    """
    part = history.take(rows)
    columns = agreement.columns
    value = values_of(part, agreement)[0] if columns.value in part.leads.columns else None
    campaign = _names(part.leads.column(columns.campaign)) if columns.campaign else None
    grades: list[str | None] = [agreement.grades.of(p) for p in probability.tolist()]
    return Judged(
        labels,
        probability,
        clusters=days_of(part.leads),
        place=_place(part, agreement),
        campaign=campaign,
        segments=_segments(part.leads, agreement),
        grades=grades,
        company=_company(part.leads, columns.called),
        value=value,
    )


def caution(evaluation: Evaluation | None, origins: list[Origin]) -> str:
    """Return what every reader of a probability must know; empty where nothing is shown.

    Args:
        evaluation: on the judged leads; None where they cannot judge.
        origins: the same recipe at several moments of the past, which tell whether it lasts.

    """
    if evaluation is None:
        return "too few judged leads, or of one outcome only, to check the probabilities"
    here, past = _off_here(evaluation), _off_before(origins)
    if not here and not past:
        return ""
    told = in_the_large(evaluation)
    return (
        f"do not add these probabilities up or plan money by them. On the judged leads: "
        f"{told[0].lower()}{told[1:]} {past or _other_moments(origins)} What is registered has "
        "since learned from those leads too, and was not checked anew"
    )


def _off_here(evaluation: Evaluation) -> bool:
    off = evaluation.figures["predicted_minus_actual"]
    shown = not off.low <= 0 <= off.high
    return shown and abs(off.value) >= _FAR_OFF * evaluation.mean_actual


def _off_before(origins: list[Origin]) -> str:
    """Say that sums were off from moment to moment, where that is shown."""
    mean = predicted_to_actual(origins)
    if mean is None or mean.low <= 1 <= mean.high or abs(mean.value - 1) < _FAR_OFF:
        return ""
    return (
        f"At {len(origins)} moments of the past quick refits predicted "
        f"{mean.value:.0%} of the wins that came (95 % interval {mean.low:.0%} to "
        f"{mean.high:.0%}, each moment taken as one independent figure)."
    )


def _other_moments(origins: list[Origin]) -> str:
    if not origins:
        return "That is one set of leads; others were not looked at."
    return (
        f"That is one stretch of time; at {len(origins)} moments of the past quick refits are not "
        "shown to be off alike."
    )


def _names(cells: Sequence[Cell]) -> list[str | None]:
    return [None if cell is None else text_of(cell) for cell in cells]


def _company(leads: Leads, called: str | None) -> tuple[str, list[str | None]] | None:
    return None if called is None else (called, _names(leads.column(called)))


def _place(history: History, agreement: Agreement) -> Vector | None:
    created = history.leads.created
    if not agreement.columns.created or not any(created):
        return None
    first = min(moment for moment in created if moment)
    days = [np.nan if t is None else (t - first).total_seconds() / 86_400 for t in created]
    return np.array(days)


def _segments(leads: Leads, agreement: Agreement) -> dict[str, list[str | None]]:
    """Return the source and the first few fields with few categories."""
    wanted = [agreement.columns.source] if agreement.columns.source else []
    wanted += [n for n, use in agreement.used_fields().items() if use.kind == "category"]
    found: dict[str, list[str | None]] = {}
    for name in dict.fromkeys(wanted):
        if name == agreement.columns.campaign or name not in leads.columns:
            continue
        names = _names(leads.column(name))
        if 2 <= len(set(names)) <= _MOST_LEVELS and len(found) < _MOST_FIELDS:
            found[name] = names
    return found
