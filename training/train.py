"""`leadq train`: from an export and an agreement to a registered, judged model."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from features.agreement import Agreement, FieldUse
from features.errors import UsageError
from features.files import open_table
from features.home import Home
from features.leads import History, Intake, read_history
from serving.artefact import Artefact
from serving.members import Vector
from training.evaluate import Evaluation, evaluate
from training.figures import calibration_figure, gain_figure
from training.fit import Fitted, Recipe, fit, recency_weights
from training.golden import golden_rows, reference
from training.labels import Labelled, label
from training.leaks import BECAUSE, Finding, find_leaks
from training.splits import Rows, Split, order, split
from training.track import Record, Registered, register

_FEWEST_TO_FIT = 10
_FEWEST_TO_JUDGE = 5
"""Won and not-won leads below which neither a fit nor a figure means anything."""
Progress = Callable[[str], None]


@dataclass(frozen=True)
class LeftOut:
    """A field that could predict and was not used, and why."""

    field: str
    verdict: str
    reason: str
    auc_without: float | None = None
    auc_with: float | None = None
    """ROC AUC on later leads, of trees alone, without and with it; None where it is blocked."""


@dataclass(frozen=True)
class Training:
    """What `leadq train` tells its user."""

    intake: Intake
    labelled: Labelled
    split: Split
    evaluation: Evaluation
    left_out: list[LeftOut]
    on_your_word: dict[str, str]
    """Fields that look like leaks and are used all the same, with the agreement's reason."""
    fields: list[str]
    absent: list[str]
    """Fields agreed to be used that the export does not have."""
    fitted: Fitted
    registered: Registered


@dataclass(frozen=True)
class _Work:
    """What the steps of a training share."""

    labelled: Labelled
    agreement: Agreement
    split: Split
    place: Vector | None
    seed: int

    def fit(
        self, rows: Rows, fields: dict[str, FieldUse], recipe: Recipe, progress: Progress
    ) -> Fitted:
        place = None if self.place is None else self.place[rows]
        return fit(
            self.labelled.history.leads.take(rows.tolist()),
            self.labelled.labels[rows],
            recency_weights(place, len(rows)),
            self.agreement,
            fields,
            recipe,
            self.seed,
            progress,
        )

    def judge(self, fitted: Fitted) -> Vector:
        """Score the later leads as they would be served."""
        later = self.labelled.history.leads.take(self.split.later.tolist())
        return fitted.scorer.probabilities(later)

    @property
    def later_labels(self) -> Any:
        return self.labelled.labels[self.split.later]


def train(
    path: Path,
    agreement: Agreement,
    home: Home,
    name: str | None = None,
    recipe: Recipe = "blend",
    seed: int = 0,
    promote: bool = False,
    progress: Progress = lambda _: None,
) -> Training:
    """Train, judge and register a model.

    The figures come from a fit on earlier leads, judged on later ones. The model that is
    registered is then fitted anew on all of them.

    Raises:
        UsageError: when the export does not fit the agreement, or holds too little to learn from.

    """
    intake = Intake()
    progress("reading the export")
    history = read_history(open_table(path, agreement.export), agreement, intake)
    labelled = label(history, agreement)
    _enough(labelled.labels, labelled, _FEWEST_TO_FIT, "in the export")
    work = _prepare(labelled, agreement, seed)
    progress("looking for leaks")
    fields, left_out, on_your_word = choose_fields(labelled, history, agreement)
    if not fields:
        raise UsageError(
            "no field is left to predict from; look at [fields] of the agreement and set "
            'use = "yes" where a field is known at hand-off'
        )
    fitted = work.fit(work.split.earlier, fields, recipe, _prefixed(progress, "earlier leads"))
    probability = work.judge(fitted)
    evaluation = evaluate(work.later_labels, probability, seed)
    left_out = _what_they_would_change(work, fields, left_out, progress)
    final = work.fit(_all_rows(labelled), fields, recipe, _prefixed(progress, "all leads"))
    progress("registering")
    artefact = _artefact(final, labelled, work, evaluation)
    record = _record(name or recipe, work, final, evaluation, probability, intake, left_out)
    registered = register(home, artefact, record, promote)
    return Training(
        intake,
        labelled,
        work.split,
        evaluation,
        left_out,
        on_your_word,
        list(fields),
        [n for n in agreement.used_fields() if n not in history.leads.columns],
        final,
        registered,
    )


def _prepare(labelled: Labelled, agreement: Agreement, seed: int) -> _Work:
    parts = split(labelled.history, labelled.labels, agreement, seed)
    _enough(labelled.labels[parts.earlier], labelled, _FEWEST_TO_FIT, "among the earlier leads")
    _enough(labelled.labels[parts.later], labelled, _FEWEST_TO_JUDGE, "among the later leads")
    return _Work(labelled, agreement, parts, order(labelled.history, agreement), seed)


def _enough(labels: Any, labelled: Labelled, fewest: int, where: str) -> None:
    won, lost = int(labels.sum()), int(len(labels) - labels.sum())
    if won < fewest or lost < fewest:
        account = "; ".join(f"{n} {why}" for why, n in labelled.unlabelled.items())
        raise UsageError(
            f"too little to learn from: {won} won and {lost} not won {where}, at least {fewest} "
            f"of each are needed. Without a label: {account or 'none'}. Bring a longer history, or "
            "check [outcomes] and horizon_days in the agreement"
        )


def _all_rows(labelled: Labelled) -> Rows:
    return np.arange(len(labelled.labels))


def _prefixed(progress: Progress, prefix: str) -> Progress:
    return lambda step: progress(f"fitting on {prefix}: {step}")


def choose_fields(
    labelled: Labelled, history: History, agreement: Agreement
) -> tuple[dict[str, FieldUse], list[LeftOut], dict[str, str]]:
    """Return the fields to predict from, those left out, and those used on a human's word.

    What looks like a leak or waits for a decision is left out; a stated reason (`why`) in the
    agreement overrules a verdict.
    """
    present = {n: f for n, f in agreement.fields.items() if n in labelled.history.leads.columns}
    asked = {n: f for n, f in present.items() if f.use != "no"}
    findings = find_leaks(labelled, history, agreement, asked)
    chosen: dict[str, FieldUse] = {}
    left_out: list[LeftOut] = []
    for name, use in present.items():
        if use.use == "no":
            if use.because.startswith(BECAUSE["blocked"]):
                left_out.append(LeftOut(name, "blocked", use.because))
        elif use.use == "yes" and (use.why or findings[name].verdict == "fine"):
            chosen[name] = use
        else:
            left_out.append(_left_out(name, use, findings[name]))
    on_your_word = {n: f.why for n, f in chosen.items() if findings[n].verdict != "fine"}
    return chosen, left_out, on_your_word


def _left_out(name: str, use: FieldUse, finding: Finding) -> LeftOut:
    if finding.verdict == "fine":
        return LeftOut(name, "suspect", use.because or "waits for a decision")
    reason = finding.reason
    if use.use == "yes":
        reason = f"{reason} (the agreement says yes, but gives no why)"
    return LeftOut(name, finding.verdict, reason)


def _what_they_would_change(
    work: _Work, fields: dict[str, FieldUse], left_out: list[LeftOut], progress: Progress
) -> list[LeftOut]:
    """Measure, with trees alone, the AUC on later leads with each undecided field added."""
    undecided = [found for found in left_out if found.verdict != "blocked"]
    if not undecided:
        return left_out
    progress("what the undecided fields would change")
    without = _auc_of_trees(work, fields)
    measured = {}
    for found in undecided:
        progress(f"what {found.field!r} would change")
        use = {**fields, found.field: work.agreement.fields[found.field]}
        with_it = _auc_of_trees(work, use)
        measured[found.field] = replace(found, auc_without=without, auc_with=with_it)
    return [measured.get(found.field, found) for found in left_out]


def _auc_of_trees(work: _Work, fields: dict[str, FieldUse]) -> float:
    fitted = work.fit(work.split.earlier, fields, "trees", lambda _: None)
    return float(roc_auc_score(work.later_labels, work.judge(fitted)))


def _artefact(final: Fitted, labelled: Labelled, work: _Work, evaluation: Evaluation) -> Artefact:
    matrix = final.scorer.encoder.encode(labelled.history.leads)
    facts = {
        "leads": len(labelled.labels),
        "won": int(labelled.labels.sum()),
        "split": work.split.method,
        "parameters": final.parameters,
        "evaluation": evaluation.as_metrics(),
    }
    encoder = final.scorer.encoder
    return Artefact(
        final.scorer,
        facts,
        reference(encoder, matrix),
        golden_rows(encoder, matrix, work.agreement),
    )


def _record(
    name: str,
    work: _Work,
    final: Fitted,
    evaluation: Evaluation,
    probability: Vector,
    intake: Intake,
    left_out: list[LeftOut],
) -> Record:
    labelled = work.labelled
    return Record(
        name=name,
        parameters={
            **final.parameters,
            "split": work.split.method[:500],
            "horizon_days": work.agreement.horizon_days,
            "fields": len(final.scorer.encoder.fields),
            "rows_read": intake.read,
            "rows_rejected": len(intake.rejects),
            "rows_labelled": len(labelled.labels),
            "rows_earlier": len(work.split.earlier),
            "rows_later": len(work.split.later),
            "won": int(labelled.labels.sum()),
        },
        metrics=evaluation.as_metrics(),
        tags={
            "agreement": work.agreement.label,
            "data": data_digest(labelled, _all_rows(labelled)),
            "judged_on": data_digest(labelled, work.split.later),
        },
        figures={
            "gain.png": gain_figure(work.later_labels, probability),
            "calibration.png": calibration_figure(work.later_labels, probability),
        },
        tables={
            "left_out.json": [vars(found) for found in left_out],
            "unlabelled.json": dict(labelled.unlabelled),
        },
    )


def data_digest(labelled: Labelled, rows: Rows) -> str:
    """Return a digest of ids and labels: equal for the same leads, and it gives none away."""
    total = hashlib.sha256()
    ids = labelled.history.leads.ids
    for lead, won in sorted((ids[i], int(labelled.labels[i])) for i in rows.tolist()):
        total.update(f"{lead}\x1f{won}\x1e".encode())
    return total.hexdigest()[:32]
