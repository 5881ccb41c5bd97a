"""What `leadq init` and `leadq train` say to their users, in words and as JSON values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from features.agreement import Agreement
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
    for value in proposal.roles.undecided:
        yield f"  undecided outcome: {value!r}; put it under a disposition in [outcomes]"
    if proposal.undecided:
        yield f"Left out until you decide: {', '.join(proposal.undecided)}"


def training_lines(training: Training, agreement: Agreement) -> Iterator[str]:
    """Tell how the model did on later leads, what it was not taught, and what it left out."""
    e, registered = training.evaluation, training.registered
    yield f"Judged on {e.rows:,} later leads, {e.won:,} won: {training.split.method}."
    yield (
        f"  order       ROC AUC {e.roc_auc:.3f} (95 % interval {e.roc_auc_low:.3f} to "
        f"{e.roc_auc_high:.3f}); the best tenth holds {e.won_in_top_tenth:.0%} of the wins, "
        f"{e.lift_top_tenth:.1f} times its share"
    )
    yield (
        f"  honesty     predicted {e.mean_predicted:.1%}, actually won {e.mean_actual:.1%}; "
        f"off by {e.expected_calibration_error:.1%} on average over ten bands"
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
        "left_out": [vars(found) for found in training.left_out],
        "rows": {
            "read": training.intake.read,
            "rejected": len(training.intake.rejects),
            "labelled": len(training.labelled.labels),
            "unlabelled": dict(training.labelled.unlabelled),
        },
    }
