"""Which fields a model is taught from, and what is left out and why."""

from __future__ import annotations

from dataclasses import dataclass

from features.agreement import Agreement, FieldUse
from features.leads import History
from training.labels import Labelled
from training.leaks import BECAUSE, Finding, find_leaks


@dataclass(frozen=True)
class LeftOut:
    """A field that could predict and was not used, and why."""

    field: str
    verdict: str
    reason: str
    auc_without: float | None = None
    auc_with: float | None = None
    """ROC AUC of a small model without and with it; None where it was not measured."""


@dataclass(frozen=True)
class Choice:
    """The fields to teach from, and the account of the others."""

    fields: dict[str, FieldUse]
    left_out: list[LeftOut]
    on_your_word: dict[str, str]
    """Fields that look like leaks and are used all the same, with the agreement's reason."""
    absent: list[str]
    """Fields agreed to be used that the export does not have."""
    findings: dict[str, Finding]


def choose_fields(labelled: Labelled, history: History, agreement: Agreement) -> Choice:
    """Choose the fields to predict from.

    What looks like a leak or waits for a decision is left out; a stated reason (`why`) in the
    agreement overrules a verdict.
    """
    present = {n: f for n, f in agreement.fields.items() if n in history.leads.columns}
    both = 0 < labelled.labels.sum() < len(labelled.labels)  # one outcome alone tells no leak
    findings = find_leaks(labelled, history, agreement, present) if both else {}
    chosen: dict[str, FieldUse] = {}
    left_out: list[LeftOut] = []
    for name, use in present.items():
        finding = findings.get(name)
        fine = finding is None or finding.verdict == "fine"
        if use.use == "yes" and (use.why or fine):
            chosen[name] = use
        elif use.use != "no" and finding is not None:
            left_out.append(_left_out(name, use, finding))
        elif use.use == "no" and use.because.startswith(BECAUSE["blocked"]):
            left_out.append(LeftOut(name, "blocked", use.because))
    doubted = {n: f.why for n, f in chosen.items() if n in findings}
    on_your_word = {n: why for n, why in doubted.items() if findings[n].verdict != "fine"}
    absent = [n for n in agreement.used_fields() if n not in history.leads.columns]
    return Choice(chosen, left_out, on_your_word, absent, findings)


def _left_out(name: str, use: FieldUse, finding: Finding) -> LeftOut:
    if finding.verdict == "fine":
        return LeftOut(name, "suspect", use.because or "waits for a decision")
    reason = finding.reason
    if use.use == "yes":
        reason = f"{reason} (the agreement says yes, but gives no why)"
    e = finding.evidence
    return LeftOut(name, finding.verdict, reason, e.auc_without, e.auc_with)
