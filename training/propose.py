"""`leadq init`: read an export, propose an agreement, say why, mark what a human must decide."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import numpy as np

from features.agreement import Agreement, Export, FieldUse, Grades, from_dict
from features.cells import Cell, key_of, missing_as_none, moment
from features.errors import AgreementError
from features.files import Reject, Table, open_table
from features.leads import History
from features.profile import Profile, find_day_first, find_decimal, profile
from features.reading import Intake, read_history
from training.labels import Labelled, label, last_moment
from training.leaks import BECAUSE, Finding, find_leaks
from training.outcome_words import (
    PERSONAL_NAMES,
    PERSONAL_NUMBERS,
    PROTECTED_NAMES,
    SERIAL_NAMES,
    name_rank,
    spoken,
)
from training.roles import Roles, Told, find_roles
from training.scorecard import propose_points

# What forms and CRMs write for "nothing was chosen".
_PLACEHOLDERS = (
    "Select", "Please select", "Choose", "unknown", "N/A", "NA", "#N/A", "n.a.", "none", "null",
    "nan", "nil", "not specified", "not provided", "undefined", "-", "--", "?", "unbekannt", "k.A.",
    "keine Angabe", "inconnu", "desconocido", "sconosciuto",
)  # fmt: skip
_IDENTIFIER = "marks single leads, not kinds of leads"
_HORIZONS = (7, 14, 30, 60, 90, 120, 180, 270, 365)


@dataclass(frozen=True)
class Proposal:
    """A proposed agreement with everything that was found on the way."""

    agreement: Agreement
    roles: Roles
    findings: dict[str, Finding]
    intake: Intake
    labelled: Labelled
    notes: dict[str, str] = field(default_factory=dict)
    """A remark to stand above a key of the agreement."""

    @property
    def undecided(self) -> list[str]:
        """The fields a human must decide on."""
        return [name for name, use in self.agreement.fields.items() if use.use == "decide"]


def propose(path: Path, told: Told) -> Proposal:
    """Propose an agreement for an export.

    Args:
        path: the export, a file or folder.
        told: what the user said already.

    Raises:
        FileError: when the export is no table.
        AgreementError: when a named column is not there, or id or outcome cannot be found.

    """
    written = told.export()
    table = open_table(path, written)
    unknown = [name for name in told.named_columns() if name not in table.columns]
    if unknown:
        raise AgreementError(
            f"{path}: no column {', '.join(unknown)}; it has: {', '.join(table.columns)}"
        )
    raw = _read_cells(path, table)
    missing = _placeholders(raw)
    reading = missing_as_none(missing)
    cells = {name: [reading(cell) for cell in column] for name, column in raw.items()}
    decimal = find_decimal(cells.values())
    day_first, day_note = _day_first(cells)
    profiles = {n: profile(n, column, decimal, day_first) for n, column in cells.items()}
    roles = find_roles(profiles, cells, told)
    export = written.model_copy(
        update={"decimal": decimal, "day_first": day_first, "missing": missing}
    )
    draft = _draft(path, roles, export, _uses(profiles, roles, told))
    one_day = _one_day(cells, roles.columns.created, day_first)
    return _completed(path, draft, roles, told, {"day_first": day_note, "created": one_day})


def _read_cells(path: Path, table: Table) -> dict[str, list[Cell]]:
    rejects: list[Reject] = []
    columns: dict[str, list[Cell]] = {name: [] for name in table.columns}
    for chunk in table.chunks(rejects.append):
        for name, cells in chunk.columns.items():
            columns[name] += cells
    if not next(iter(columns.values())):
        raise AgreementError(f"{path}: the file has a header and no usable row below it")
    return columns


def _placeholders(columns: dict[str, list[Cell]]) -> list[str]:
    known = {key_of(word) for word in _PLACEHOLDERS}
    found = {
        cell
        for cells in columns.values()
        for cell in set(cells)
        if isinstance(cell, str) and key_of(cell) in known
    }
    return sorted(found)


def _day_first(columns: dict[str, list[Cell]]) -> tuple[bool, str]:
    answers = {find_day_first(cells) for cells in columns.values()} - {None}
    if True in answers:
        return True, "dates are written day first"
    return False, "dates are written month first" if answers else ""


def _one_day(columns: dict[str, list[Cell]], created: str | None, day_first: bool) -> str:
    """Say so where all leads carry one creation day; empty otherwise."""
    days = set()
    for cell in dict.fromkeys(columns.get(created or "", [])):
        with suppress(ValueError):
            days |= {moment(cell, day_first).date()} if cell is not None else set()
        if len(days) > 1:
            return ""
    if not days:
        return ""
    return (
        f"all leads carry one creation day, {days.pop()} ({created!r}): no order in time can be "
        "learned from it. If they were only copied into the CRM on that day, name the true "
        f"creation time with --created, or leave this one out with --exclude {created!r}"
    )


def _uses(profiles: dict[str, Profile], roles: Roles, told: Told) -> dict[str, FieldUse]:
    columns = roles.columns
    no_features = {columns.id, columns.outcome, columns.closed, columns.created, columns.serial}
    return {name: _use(p, told) for name, p in profiles.items() if name not in no_features}


def _use(p: Profile, told: Told) -> FieldUse:
    base = FieldUse(use="yes", kind=p.kind, separator=p.separator or ";")
    if p.name in told.exclude:
        return base.model_copy(update={"use": "no", "because": "left out by --exclude"})
    if p.name in told.include:
        return base.model_copy(update={"why": "declared honest by --include"})
    because = _why_not(p)
    return base.model_copy(update={"use": "no", "because": because}) if because else base


def _why_not(p: Profile) -> str:
    name = spoken(p.name)
    if p.filled == 0:
        return "empty"
    if p.kind in ("email", "phone"):
        return ""  # read by the kind of its domain or by its region, never raw
    # A number called *Facebook* or *Address 2* counts something.
    is_named = PERSONAL_NAMES.fullmatch(name) and p.kind != "number"
    if is_named or PERSONAL_NUMBERS.fullmatch(name):
        return "personal: never used raw"
    if PROTECTED_NAMES.search(name):
        return "protected: a person must not be judged by it"
    if p.is_near_constant:
        return "nearly the same in every lead"
    if p.is_identifier or _is_serial(p):
        return _IDENTIFIER
    return ""


def _is_serial(p: Profile) -> bool:
    return p.is_integer and p.is_unique and name_rank(p.name, SERIAL_NAMES) is not None


def _draft(path: Path, roles: Roles, export: Export, uses: dict[str, FieldUse]) -> Agreement:
    return from_dict(
        {
            "format": 1,
            "version": 1,
            "name": path.resolve().stem or "leads",
            "columns": roles.columns.model_dump(),
            "export": export.model_dump(),
            "outcomes": {**roles.outcomes},
            "grades": {"A": 0.5, "B": 0.25, "C": 0.1},
            "fields": {name: use.model_dump() for name, use in uses.items()},
        },
        "the proposal",
    )


def _completed(
    path: Path, draft: Agreement, roles: Roles, told: Told, notes: dict[str, str]
) -> Proposal:
    intake = Intake()
    history = read_history(open_table(path, draft.export), draft, intake)
    horizon, horizon_note = _horizon(history, draft)
    draft = draft.model_copy(update={"horizon_days": horizon})
    labelled = label(history, draft)
    wins = int(labelled.labels.sum())
    if wins < 2 or wins > len(labelled.labels) - 2:
        one_day = f"{notes['created']}; else " if notes["created"] else ""
        raise AgreementError(
            f"{path}: {len(labelled.labels)} leads have a known outcome and {wins} of them are "
            f"won, read by {draft.columns.outcome!r}; {one_day}name the outcome with --outcome, "
            "its values with --won and --lost"
        )
    judged = {
        name: use
        for name, use in draft.fields.items()
        if name not in {*told.include, *told.exclude} and (use.use == "yes" or _marks_leads(use))
    }
    findings = find_leaks(labelled, history, draft, judged)
    fields = {n: _decided(use, findings.get(n)) for n, use in draft.fields.items()}
    grades = _grades(float(labelled.labels.mean()))
    bar = draft.bar.model_copy(update={"mql_probability": grades.C})
    agreement = draft.model_copy(update={"fields": fields, "grades": grades, "bar": bar})
    points = propose_points(labelled, agreement)
    agreement = agreement.model_copy(update={"points": points})
    return Proposal(
        agreement, roles, findings, intake, labelled, {**notes, "horizon_days": horizon_note}
    )


def _horizon(history: History, draft: Agreement) -> tuple[int, str]:
    """Propose a horizon in which 9 of 10 wins come, and which the history outlasts thrice."""
    end = last_moment(history)
    if not draft.columns.created or end is None:
        return 90, "without creation times no horizon applies: an outcome counts whenever it came"
    known = [t for t in history.leads.created if t]
    span = (end - min(known)) / timedelta(days=1)
    pairs = zip(history.leads.created, history.closed, history.dispositions, strict=True)
    days = [(c - t) / timedelta(days=1) for t, c, d in pairs if t and c and d == "won"]
    typical = float(np.quantile(days, 0.9)) if len(days) >= 20 else 90.0
    wanted = next((h for h in _HORIZONS if h > typical), _HORIZONS[-1])
    fits = [h for h in _HORIZONS if h <= span / 3] or [max(1, math.floor(span / 3))]
    horizon = min(wanted, fits[-1])
    why = f"9 of 10 wins came within {typical:.0f} days" if len(days) >= 20 else "the usual"
    return horizon, f"{why}; the export covers {span:.0f} days"


def _marks_leads(use: FieldUse) -> bool:
    # An invoice number marks a lead, and gives it away by being there at all.
    return use.because == _IDENTIFIER


def _decided(use: FieldUse, finding: Finding | None) -> FieldUse:
    if finding is None or finding.verdict == "fine":
        return use
    if _marks_leads(use) and finding.verdict != "blocked":
        return use
    decision = "no" if finding.verdict == "blocked" else "decide"
    because = f"{BECAUSE[finding.verdict]}: {finding.reason}"
    return use.model_copy(update={"use": decision, "because": because})


def _grades(base: float) -> Grades:
    """A: twice the average or better, B: better than average, C: half of it."""
    bounds = {"A": (base + min(1, 3 * base)) / 2, "B": base, "C": base / 2}
    return Grades(**{grade: float(f"{bound:.2g}") for grade, bound in bounds.items()})


def decide(proposal: Proposal, name: str, honest: bool) -> Proposal:
    """Return the proposal with a human's decision on one field."""
    use = proposal.agreement.fields[name]
    change = (
        {"use": "yes", "why": "decided when the agreement was made"} if honest else {"use": "no"}
    )
    fields = {**proposal.agreement.fields, name: use.model_copy(update=change)}
    agreement = proposal.agreement.model_copy(update={"fields": fields})
    return replace(proposal, agreement=agreement)
