"""`leadq check`: an export held against an agreement."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from features.agreement import Agreement
from features.errors import UsageError
from features.files import open_table
from features.leads import Intake, read_history
from training.labels import label
from training.leaks import Finding, find_leaks


@dataclass(frozen=True)
class Check:
    """What an export looks like under an agreement."""

    intake: Intake
    labels: dict[str, int]
    """Leads won, not won, and without a label by reason."""
    findings: dict[str, Finding]
    remarks: list[str]


def check(path: Path, agreement: Agreement) -> Check:
    """Read an export under an agreement and judge its fields, the excluded ones included.

    Raises:
        UsageError: when the export does not fit the agreement, or no lead has a label.

    """
    intake = Intake()
    table = open_table(path, agreement.export)
    history = read_history(table, agreement, intake)
    labelled = label(history, agreement)
    won, total = int(labelled.labels.sum()), len(labelled.labels)
    labels = {"won": won, "not won": total - won, **labelled.unlabelled}
    if not 2 <= won <= total - 2:
        raise UsageError(
            f"{path}: {total} leads have a label and {won} of them are won: nothing can be said "
            "of its fields; check [outcomes] and horizon_days in the agreement"
        )
    present = {n: f for n, f in agreement.fields.items() if n in table.columns}
    findings = find_leaks(labelled, history, agreement, present)
    dispositions = Counter(history.dispositions)
    remarks = [f"{name}: {count:,} leads" for name, count in dispositions.most_common()]
    remarks += _differences(table.columns, agreement)
    return Check(intake, labels, findings, remarks)


def _differences(columns: tuple[str, ...], agreement: Agreement) -> list[str]:
    roles = {name for name in agreement.columns.model_dump().values() if name}
    extra = [n for n in columns if n not in agreement.fields and n not in roles]
    absent = [n for n in agreement.used_fields() if n not in columns]
    return [
        *(f"not in the agreement, so not used: {name}" for name in extra),
        *(f"agreed but not in the export, so missing in every lead: {name}" for name in absent),
    ]
