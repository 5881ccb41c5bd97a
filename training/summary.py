"""What init, check and train say to their users, in words and as JSON values."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import numpy as np
from rich import box
from rich.table import Table

from features.agreement import Agreement
from training.choose import Choice, LeftOut
from training.evaluate import Evaluation
from training.leak_report import reason_of, verdict_of, worst_first
from training.leaks import Finding
from training.page import OF_THE_RULES, fitted_on
from training.propose import Proposal
from training.rolling import in_short
from training.shown import Verdict
from training.statements import (
    campaign_sentences,
    grade_sentences,
    in_the_large,
    order_sentences,
)
from training.train import Training

_WIDER = 1.1
"""From here on it is worth a line that companies come again; the report tells it always."""
_LEAST_SHOWN = 0.00005
"""A difference of log loss that four digits do not show."""


def proposal_lines(proposal: Proposal) -> Iterator[str]:
    """Tell which columns were found, which fields are doubted and what waits for a human."""
    for role, name in proposal.agreement.columns.model_dump().items():
        if name:
            yield f"  {role:<9} {name}"
    if proposal.notes["created"]:
        yield f"WARNING: {proposal.notes['created']}"
    won, total = int(proposal.labelled.labels.sum()), len(proposal.labelled.labels)
    yield f"  {total:,} leads have a known outcome, {won:,} of them won ({won / total:.1%})"
    for name, finding in proposal.findings.items():
        if finding.verdict != "fine":
            yield f"  {finding.verdict.replace('_', ' ')}: {name}: {reason_of(finding)}"
    for value, count in proposal.roles.undecided.items():
        yield (
            f"  undecided outcome: {value!r}, {count:,} leads, set aside until [outcomes] says "
            "what it means (then run init again, so that grades and evidence count them)"
        )
    if proposal.undecided:
        yield f"Left out until you decide: {', '.join(proposal.undecided)}"


def training_lines(
    training: Training, agreement: Agreement, standing: str | None = None
) -> Iterator[str]:
    """Tell on one screen how what is registered did on judged leads, and what taught it nothing.

    The report tells the rest.
    """
    e, choice, verdict = training.evaluation, training.choice, training.verdict
    if e is None or verdict.scorer == "rules":
        yield verdict.sentence
    if training.growth:
        yield f"How many more would do: {training.growth}"
    if e is not None and verdict.scorer == "rules":
        yield OF_THE_RULES
    if e is not None:
        yield from order_sentences(e)
    if training.caution:
        yield f"WARNING: {training.caution}"
    elif e is not None:
        yield in_the_large(e)
    yield f"  judged on   {len(training.later.labels):,} leads: {training.split.method}"
    if e is not None:
        yield from _figure_lines(e, verdict, agreement)
        yield from (f"  campaigns   {sentence}" for sentence in campaign_sentences(e))
        if e.is_better_than_chance:
            yield from (f"  grades      {sentence}" for sentence in grade_sentences(e.grades))
        if e.companies is not None and e.companies.wider >= _WIDER:
            yield f"  companies   {e.companies.sentence}"
    yield from (f"  past        {sentence}" for sentence in in_short(training.origins))
    yield from (f"  value       {sentence}" for sentence in training.further.value_in_short)
    yield from (f"  when        {sentence}" for sentence in training.further.timing_in_short)
    if training.tuned is not None:
        yield f"  tried       {training.tuned.sentence}"
    yield f"  agreement   {agreement.label}; {len(choice.fields)} fields used"
    if standing:
        yield f"  signed      {standing}"
    yield from _label_lines(training, agreement)
    yield from _field_lines(choice)
    yield from _registered_lines(training)


def _figure_lines(e: Evaluation, verdict: Verdict, agreement: Agreement) -> Iterator[str]:
    if not e.is_flat:
        yield (
            f"  order       ROC AUC {e.roc_auc:.3f} (95 % interval {e.roc_auc_low:.3f} to "
            f"{e.roc_auc_high:.3f}; 0.5 is chance, 1 is perfect)"
        )
    yield f"  honesty     predicted {e.mean_predicted:.1%}, actually won {e.mean_actual:.1%}"
    if verdict.log_loss_model is not None and verdict.log_loss_rules is not None:
        yield (
            f"  beside      log loss {verdict.log_loss_model:.4f} of the model, "
            f"{verdict.log_loss_rules:.4f} of "
            f"{'the agreed points' if agreement.points else 'one probability for all'}"
            f"{_difference(verdict)}"
        )


def _difference(verdict: Verdict) -> str:
    saved = verdict.saved
    if saved is None or not np.isfinite(saved.low):
        return ""
    if max(abs(saved.low), abs(saved.high)) < _LEAST_SHOWN:
        return ""
    return (
        f" (difference {-saved.value:+.4f}, 95 % interval {-saved.high:+.4f} to {-saved.low:+.4f})"
    )


def _field_lines(choice: Choice) -> Iterator[str]:
    for name in choice.absent:
        yield f"  absent      {name}: agreed, and not in the export; missing in every lead"
    for name, why in choice.on_your_word.items():
        yield f"  your word   {name} is used although it looks like a leak: {why}"
    blocked = [found.field for found in choice.left_out if found.verdict == "blocked"]
    if blocked:
        yield f"  left out    {', '.join(blocked)} (blocked as leaks; leadq check says why)"
    for found in choice.left_out:
        if found.verdict != "blocked":
            yield f"  left out    {_left_out_line(found)}"


def _label_lines(training: Training, agreement: Agreement) -> Iterator[str]:
    if agreement.columns.created and not agreement.columns.closed:
        yield (
            f"  labels      no closing time: only leads older than {agreement.horizon_days} days "
            "count"
        )
    counts = [f"{count:,} {why}" for why, count in training.labelled.unlabelled.items()]
    if counts:
        yield f"  no label    {'; '.join(counts)}"
    if training.labelled.if_open_were_lost:
        yield f"  no label    WARNING: {training.labelled.if_open_were_lost}"
    if training.work.propensity is not None:
        yield from (f"  chosen      {told}" for told in training.work.propensity.sentences)


def _registered_lines(training: Training) -> Iterator[str]:
    registered = training.registered
    role = "champion" if registered.is_champion else "challenger"
    role += " because it is the first" if registered.is_first else ""
    what = ""
    if training.verdict.scorer == "rules":
        has_points = bool(training.scorer.encoder.fields)
        what = " and scores by the agreed points" if has_points else ", and scores all leads alike"
    yield (
        f"Version {registered.version} is {role}{what}; it was fitted anew on "
        f"{fitted_on(training)}."
    )
    if not registered.is_champion:
        yield f"Make it champion with: leadq promote {registered.version}"


def _left_out_line(found: LeftOut) -> str:
    line = f"{found.field} ({found.verdict.replace('_', ' ')}): {found.reason}"
    if found.auc_with is None:
        return line
    return f"{line}. AUC of a small model: {found.auc_with:.3f}, without it {found.auc_without:.3f}"


def hindsight_line(leads: int, day: datetime) -> str:
    """Tell of the leads that a model of a past day scored."""
    return (
        f"{leads:,} leads that came in from {day:%Y-%m-%d} on are scored in hindsight: proposals "
        "are tried on that, and nobody is told."
    )


def training_json(
    training: Training, agreement: Agreement, standing: str | None = None
) -> dict[str, Any]:
    """Tell the same as JSON values."""
    registered, choice, e = training.registered, training.choice, training.evaluation
    return {
        "version": registered.version,
        "champion": registered.is_champion,
        "run_id": registered.run_id,
        "digest": registered.digest,
        "agreement_version": agreement.label,
        "agreement_standing": standing,
        "split": training.split.method,
        "scored_by": training.verdict.scorer,
        "verdict": training.verdict.sentence,
        "learnt": training.verdict.learnt,
        "how_many_more": training.growth,
        "caution": training.caution,
        "metrics": {} if e is None else {**e.as_metrics(), **training.further.as_metrics()},
        "fields": list(choice.fields),
        "absent_fields": choice.absent,
        "on_your_word": choice.on_your_word,
        "left_out": [vars(found) for found in choice.left_out],
        "rows": {
            "read": training.intake.read,
            "rejected": len(training.intake.rejects),
            "labelled": len(training.labelled.labels),
            "unlabelled": dict(training.labelled.unlabelled),
        },
    }


def findings_table(findings: dict[str, Finding], agreement: Agreement) -> Table:
    """Set the fields out with their evidence, the worst first."""
    table = Table(
        "field", "verdict", "alone (AUC)", "filled: won", "not won", "open", "model with (without)",
        "why", box=box.SIMPLE,
    )  # fmt: skip
    for name, finding in worst_first(findings):
        e = finding.evidence
        opened = "-" if e.filled_open is None else f"{e.filled_open:.0%}"
        model = "-" if e.auc_with is None else f"{e.auc_with:.2f} ({e.auc_without:.2f})"
        numbers = (f"{e.auc_alone:.2f}", f"{e.filled_won:.0%}", f"{e.filled_lost:.0%}", opened)
        reason = "" if finding.verdict == "fine" else reason_of(finding)
        table.add_row(name, verdict_of(name, finding, agreement), *numbers, model, reason)
    return table
