"""What a run keeps of a training, and what goes into its model's artefact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from serving.artefact import Artefact
from training.figures import figures, tables
from training.golden import golden_rows, reference
from training.later import later_table, window
from training.track import Record
from training.work import THE_STORE

if TYPE_CHECKING:
    from training.train import Training


def artefact_of(training: Training) -> Artefact:
    """Return the registered scorer with what is kept beside it; no lead's data."""
    scorer, labelled = training.scorer, training.labelled
    matrix = scorer.encoder.encode(labelled.history.leads)
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
    }
    return Artefact(
        scorer,
        facts,
        reference(scorer.encoder, matrix),
        golden_rows(scorer.encoder, matrix, scorer.agreement),
    )


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
