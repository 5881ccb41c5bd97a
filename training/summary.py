"""What init, check and train say to their users, in words and as JSON values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich import box
from rich.table import Table

from features.agreement import Agreement
from training.leak_report import worst_first
from training.leaks import Finding
from training.propose import Proposal
from training.train import LeftOut, Training


def proposal_lines(proposal: Proposal) -> Iterator[str]:
    """Tell which columns were found, which fields are doubted and what waits for a human."""
    for role, name in proposal.agreement.columns.model_dump().items():
        if name:
            yield f"  {role:<9} {name}"
    won, total = int(proposal.labelled.labels.sum()), len(proposal.labelled.labels)
    yield f"  {total:,} leads have a known outcome, {won:,} of them won ({won / total:.1%})"
    for name, finding in proposal.findings.items():
        if finding.verdict != "fine":
            yield f"  {finding.verdict.replace('_', ' ')}: {name}: {finding.reason}"
    for value, count in proposal.roles.undecided.items():
        yield (
            f"  undecided outcome: {value!r}, {count:,} leads, set aside until [outcomes] says "
            "what it means (then run init again, so that grades and evidence count them)"
        )
    if proposal.undecided:
        yield f"Left out until you decide: {', '.join(proposal.undecided)}"


def training_lines(training: Training, agreement: Agreement) -> Iterator[str]:
    """Tell how the model did on later leads, what it was not taught, and what it left out."""
    e, registered = training.evaluation, training.registered
    yield (
        f"Calling the best tenth first finds {e.won_in_top_tenth:.0%} of the wins, "
        f"{e.lift_top_tenth:.1f} times as many as calling at random."
    )
    if e.roc_auc_low <= 0.5:
        yield "WARNING: not shown to be better than chance: do not call by these scores."
    yield f"  judged on   {e.rows:,} later leads, {e.won:,} won: {training.split.method}"
    yield (
        f"  order       ROC AUC {e.roc_auc:.3f} (95 % interval {e.roc_auc_low:.3f} to "
        f"{e.roc_auc_high:.3f}; 0.5 is chance, 1 is perfect)"
    )
    yield (
        f"  honesty     predicted {e.mean_predicted:.1%}, actually won {e.mean_actual:.1%}; "
        f"off by {e.expected_calibration_error:.1%} on average over ten bands of probability"
    )
    yield f"  agreement   {agreement.label}; {len(training.fields)} fields used"
    if agreement.columns.created and not agreement.columns.closed:
        yield (
            f"  labels      no closing time: only leads older than {agreement.horizon_days} days "
            "count"
        )
    for why, count in training.labelled.unlabelled.items():
        yield f"  no label    {count:,} leads: {why}"
    for name in training.absent:
        yield f"  absent      {name}: agreed, and not in the export; missing in every lead"
    for name, why in training.on_your_word.items():
        yield f"  your word   {name} is used although it looks like a leak: {why}"
    for found in training.left_out:
        yield f"  left out    {_left_out_line(found)}"
    role = "champion" if registered.is_champion else "challenger"
    yield (
        f"Version {registered.version} is {role}; it was fitted anew on all "
        f"{len(training.labelled.labels):,} labelled leads."
    )
    if not registered.is_champion:
        yield f"Make it champion with: leadq promote {registered.version}"


def _left_out_line(found: LeftOut) -> str:
    line = f"{found.field} ({found.verdict.replace('_', ' ')}): {found.reason}"
    if found.auc_with is None:
        return line
    return (
        f"{line}. AUC {found.auc_with:.3f} with it, {found.auc_without:.3f} without (trees alone)"
    )


def training_json(training: Training, agreement: Agreement) -> dict[str, Any]:
    """Tell the same as JSON values."""
    registered = training.registered
    return {
        "version": registered.version,
        "champion": registered.is_champion,
        "run_id": registered.run_id,
        "digest": registered.digest,
        "agreement_version": agreement.label,
        "split": training.split.method,
        "metrics": training.evaluation.as_metrics(),
        "fields": training.fields,
        "absent_fields": training.absent,
        "on_your_word": training.on_your_word,
        "left_out": [vars(found) for found in training.left_out],
        "rows": {
            "read": training.intake.read,
            "rejected": len(training.intake.rejects),
            "labelled": len(training.labelled.labels),
            "unlabelled": dict(training.labelled.unlabelled),
        },
    }


def findings_table(findings: dict[str, Finding]) -> Table:
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
        why = "" if finding.verdict == "fine" else finding.reason
        table.add_row(name, finding.verdict.replace("_", " "), *numbers, model, why)
    return table
