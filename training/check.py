"""`leadq check`: an export held against an agreement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from features.agreement import Agreement, FieldUse, Rule
from features.cells import Cell, moment, number, text_of
from features.errors import UsageError
from features.files import open_table
from features.leads import History
from features.points import points_faults
from features.profile import profile
from features.reading import Intake, read_history
from training.labels import Labelled, label
from training.leaks import Finding, find_leaks
from training.propensity import propensity_of

_MISFIT = 0.1
"""The share of values that may fail to read before a field's kind is doubted."""


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
    findings |= _closing_time(labelled, history, agreement)
    dispositions = Counter(history.dispositions)
    remarks = [f"{name}: {count:,} leads" for name, count in dispositions.most_common()]
    remarks.append(_taught(labels))
    remarks += _differences(table.columns, agreement)
    remarks += _rules_without_field(table.columns, agreement)
    remarks += points_faults(agreement)
    remarks += _misfits(history, present, agreement)
    chosen = propensity_of(labelled.history.leads, agreement)
    remarks += [] if chosen is None else chosen.sentences
    return Check(intake, labels, findings, remarks)


def _taught(labels: dict[str, int]) -> str:
    """Say how many of these leads teach, and why the others do not."""
    won, not_won, *without = labels.items()
    told = f"{won[1] + not_won[1]:,} leads have a known outcome, {won[1]:,} of them won"
    return "; ".join([told, *(f"{count:,} {why}" for why, count in without)])


def _closing_time(labelled: Labelled, history: History, agreement: Agreement) -> dict[str, Finding]:
    """Judge the column that the agreement names as closing time: its role is its verdict."""
    name = agreement.columns.closed
    if name is None or name in agreement.fields or name not in history.leads.columns:
        return {}
    use = {name: FieldUse(use="no", kind="date")}
    evidence = find_leaks(labelled, history, agreement, use)[name].evidence
    evidence = replace(evidence, auc_without=None, auc_with=None)
    reason = "the agreement names it as the closing time: it is known when the lead is decided"
    return {name: Finding("blocked", evidence, reason)}


def _differences(columns: tuple[str, ...], agreement: Agreement) -> list[str]:
    roles = {name for name in agreement.columns.model_dump().values() if name}
    extra = [n for n in columns if n not in agreement.fields and n not in roles]
    absent = [n for n in agreement.used_fields() if n not in columns]
    return [
        *(f"not in the agreement, so not used: {name}" for name in extra),
        *(f"agreed but not in the export, so missing in every lead: {name}" for name in absent),
    ]


def _rules_without_field(columns: tuple[str, ...], agreement: Agreement) -> Iterator[str]:
    """Name the rules of personas and routes that no lead of this export can meet."""
    rules: list[tuple[str, list[Rule]]] = [
        *((f"persona {persona.name!r}", persona.all) for persona in agreement.personas),
        *((f"the route to {route.owner!r}", route.all) for route in agreement.routes),
    ]
    for whose, conditions in rules:
        for rule in conditions:
            if rule.field not in columns:
                yield (
                    f"{whose} asks for {rule.field!r}, which the export does not have: mend the "
                    "name, or remove the rule"
                )


def _misfits(history: History, fields: dict[str, FieldUse], agreement: Agreement) -> Iterator[str]:
    """Name the used fields whose values are not of the kind that the agreement says."""
    for name, use in fields.items():
        cells = [cell for cell in history.leads.columns[name] if cell is not None]
        if use.use == "no" or not cells:
            continue
        share = sum(not _fits(cell, use, agreement) for cell in cells) / len(cells)
        if share > _MISFIT and (use.kind != "options" or share == 1):
            yield (
                f"{name} is agreed as {_A[use.kind]}, and {share:.0%} of its values are none; "
                f"they look like {_A[_looks_like(name, cells, agreement)]}: mend its kind"
            )


_A = {
    "number": "a number",
    "category": "a category",
    "date": "a date",
    "options": "a list of options",
    "text": "text",
    "email": "an e-mail address",
    "phone": "a phone number",
}


def _fits(cell: Cell, use: FieldUse, agreement: Agreement) -> bool:
    """Whether a value can be read as the kind says; categories and text take anything."""
    try:
        if use.kind == "number":
            number(cell, agreement.export.decimal)
        if use.kind == "date":
            moment(cell, agreement.export.day_first)
    except ValueError:
        return False
    said = text_of(cell)
    if use.kind == "email":
        return "@" in said
    if use.kind == "phone":
        return sum(c.isdigit() for c in said) >= 5
    return use.kind != "options" or use.separator in said


def _looks_like(name: str, cells: Sequence[Cell], agreement: Agreement) -> str:
    return profile(name, list(cells), agreement.export.decimal, agreement.export.day_first).kind
