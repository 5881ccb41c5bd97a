"""What a run keeps of a training, and what goes into its model's artefact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from serving.artefact import Artefact
from training.figures import figures, tables
from training.golden import golden_rows, reference, score_reference
from training.later import later_table, window
from training.splits import MOST_JUDGED, regular
from training.track import Record
from training.work import THE_STORE

if TYPE_CHECKING:
    from training.train import Training

_LOOKED_AT = 500
"""Leads at most on which the weight of fields is measured."""
_EVERY = 5
"""Of the hundred steps of a curve, each fifth is kept."""


def artefact_of(training: Training) -> Artefact:
    """Return the registered scorer with what is kept beside it; no lead's data."""
    scorer, labelled = training.scorer, training.labelled
    some = regular(np.arange(len(labelled.labels)), MOST_JUDGED)
    matrix = scorer.encoder.encode(labelled.history.leads.take(some))
    facts: dict[str, Any] = {
        "leads": len(labelled.labels),
        "won": int(labelled.labels.sum()),
        "split": training.split.method,
        "scored_by": training.verdict.scorer,
        "verdict": training.verdict.sentence,
        "caution": training.caution,
        "from_store": training.work.source == THE_STORE,
        "as_of": labelled.as_of.isoformat() if labelled.as_of else "",
        "doubted": {
            name: training.choice.findings[name].verdict for name in training.choice.on_your_word
        },
        "parameters": training.parameters,
        "tuned": dict(training.work.effort.tuned),
        "evaluation": _metrics(training),
        "shown": _shown(training),
        "scores": score_reference(training.later.probability),
    }
    return Artefact(
        scorer,
        facts,
        reference(scorer.encoder, matrix),
        golden_rows(scorer.encoder, matrix, scorer.agreement),
    )


def _shown(training: Training) -> dict[str, Any]:
    """Return what the model's page draws: curves by step, and of each field its weight and verdict.

    Names of fields and numbers alone: reasons and evidence could repeat what a lead holds.
    """
    findings = training.choice.findings
    shown: dict[str, Any] = {
        "drivers": _drivers(training),
        "leaks": {name: f.verdict for name, f in findings.items() if f.verdict != "fine"},
    }
    if (found := training.evaluation) is not None:
        every = slice(None, None, _EVERY)
        shown["gain"] = [
            [round(part, 4) for part in curve[every]] for curve in vars(found.gain).values()
        ]
        shown["calibration"] = [
            [round(v, 5) for v in (b.predicted, b.actual.value, b.actual.low, b.actual.high)]
            + [b.rows]
            for b in found.reliability.bins
        ]
    return shown


def _drivers(training: Training) -> dict[str, float]:
    """Return by how much each field moves the log-odds, in the mean over some of the leads."""
    leads, scorer = training.labelled.history.leads, training.scorer
    some = leads.take(range(0, len(leads), -(-len(leads) // _LOOKED_AT)))
    moved: dict[str, float] = {}
    for score in scorer.score(some, reasons=len(scorer.encoder.fields)):
        for reason in score.reasons:
            by = abs(reason.log_odds) / len(some)
            moved[reason.field] = moved.get(reason.field, 0.0) + by
    ordered = sorted(moved.items(), key=lambda item: (-item[1], item[0]))
    return {name: round(by, 4) for name, by in ordered}


def record_of(training: Training, name: str, page: str) -> Record:
    """Return what the run keeps: parameters, metrics, tags, figures, tables and the report."""
    labelled, later, evaluation = training.labelled, training.later, training.evaluation
    agreement = training.scorer.agreement
    return Record(
        name=name,
        parameters={**training.parameters, **_counts(training)},
        metrics={**_metrics(training), **training.further.as_metrics()},
        tags={
            "agreement": agreement.label,
            "data": later.data_digest,
            "data_window": window(labelled.history.leads.created),
            "scored_by": training.verdict.scorer,
            **({} if evaluation is None else _judged(training)),
        },
        figures={} if evaluation is None else figures(evaluation),
        tables={
            **({} if evaluation is None else tables(evaluation)),
            "left_out.json": [vars(found) for found in training.choice.left_out],
            "leaks.json": {n: f.as_dict() for n, f in training.choice.findings.items()},
            "unlabelled.json": dict(labelled.unlabelled),
        },
        page=page,
        later=later_table(later.leads.ids, later.labels, later.probability, later.leads.created),
        trials=() if training.tuned is None else training.tuned.tried,
    )


def _judged(training: Training) -> dict[str, str]:
    """Name the leads that judged it; a run without these tags is compared with no other."""
    later = training.later
    return {"judged_on": later.judged_digest, "judged_window": window(later.leads.created)}


def _metrics(training: Training) -> Mapping[str, float]:
    return {} if training.evaluation is None else training.evaluation.as_metrics()


def _counts(training: Training) -> dict[str, Any]:
    labelled = training.labelled
    return {
        "split": training.split.method[:500],
        "horizon_days": training.scorer.agreement.horizon_days,
        "fields": len(training.choice.fields),
        "rows_read": training.intake.read,
        "rows_rejected": len(training.intake.rejects),
        "rows_labelled": len(labelled.labels),
        "rows_earlier": len(training.split.earlier),
        "rows_later": len(training.split.later),
        "won": int(labelled.labels.sum()),
    }
