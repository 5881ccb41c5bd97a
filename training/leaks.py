"""Fields that give the future away: the evidence, and a verdict with its reason.

A leak is a field that is filled in, or changed, once the outcome is known or nearly so. It makes
a model look brilliant and be useless. The rules, measured on real exports with known leaks:

    blocked   alone it nearly tells the outcome, or it is filled for one outcome only, or whether
              it is filled tells the outcome: nothing honest does that
    suspect   its name says that people write it while they work the lead, and it carries signal;
              or a good part of its values are all but certain; or it is a date that mostly lies
              after the creation of the lead
    cannot_tell   it is the score of another system: only when it is written decides
"""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

from features.agreement import Agreement, FieldUse
from features.cells import Cell, moment
from features.encoder import Column, Encoder
from features.leads import History, Leads
from serving.members import Vector
from training.labels import Labelled, Labels
from training.outcome_words import spoken

Verdict = Literal["blocked", "suspect", "fine", "cannot_tell"]

BECAUSE: dict[Verdict, str] = {
    "blocked": "leak",
    "suspect": "suspected leak",
    "cannot_tell": "possible leak",
}
"""How the agreement names a verdict, before its reason."""
_BINS = 20
_FOLDS = 5
_CERTAIN = 3.0
"""Log-odds from the average at which a value is all but certain."""
_WRITTEN_LATER = re.compile(
    r"(?i)(^|[\W_])("
    r"tags?|labels?|stage|status|close|closed|closing|reason|remarks?|comments?|notes?"
    r"|outcome|result|disposition|quality|profile|rating|rated|temperature|qualified|qualification"
    r"|last\W?(notable\W?)?(activity|contact|modified|action|touch|call|update|interaction)\w*"
    r"|(record|contact|lead|deal)?\W?owner|assignee|assigned\W?to|sales\W?(rep|agent|person)"
    r"|account\W?manager|(call|talk|meeting)\W?(s|duration|minutes|seconds|length|time|count)?|duration|demo"
    r"|quote|quotation|proposal|offer|contract|invoice|payment|deposit|paid|won|lost"
    r"|opportunit(y|ies)|deal|enrol(l?)ed|enrol(l?)ment|follow\W?ups?|next\W?step|converted|conversions?"
    r"|abschluss|angebot|grund|ergebnis|bemerkung|notiz|phase|etapa|motivo|raison|statut"
    r")($|[\W_])"
)
# A person's standing, or what happened before this lead, is known at hand-off.
_KNOWN_BEFORE = re.compile(
    r"(?i)marital|civil|family|employ|occupation|housing|home|citizen|residen|credit"
    r"|(^|[\W_])(prev(ious)?|prior|past|earlier)([\W_]|$)"
)
_OTHER_SCORE = re.compile(
    r"(?i)(^|[\W_])(score|scoring|index|grade|rank|probability|propensity)($|[\W_])"
)
# Some CRMs put the object before the field: in `Deal - Channel` the deal tells nothing.
_OBJECT = re.compile(r"(?i)^(deal|lead|person|organi[sz]ation|contact|company|account) - ")
_A_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Evidence:
    """What the export shows of one field; shares and AUCs between 0 and 1."""

    auc_alone: float
    """ROC AUC of the field on its own, out of fold."""
    auc_error: float
    """Its standard error: with few leads a strong AUC can be chance."""
    auc_missing: float
    """ROC AUC of knowing only whether it is filled."""
    filled_won: float
    filled_lost: float
    filled_open: float | None
    """None where no lead is open."""
    fill_log_ratio: float
    """abs ln(share filled when won / share filled when not)."""
    certain_share: float
    """Share of leads with a value under which the outcome is all but certain."""
    after_created: float | None = None
    """Of a date: share of its values a day or more after the creation; None where unknown."""


@dataclass(frozen=True)
class Finding:
    """The verdict on one field."""

    verdict: Verdict
    evidence: Evidence
    reason: str

    def as_dict(self) -> dict[str, object]:
        """Return it as JSON values."""
        evidence = {
            key: value if value is None else round(value, 4)
            for key, value in asdict(self.evidence).items()
        }
        return {"verdict": self.verdict, "evidence": evidence, "reason": self.reason}


def find_leaks(
    labelled: Labelled, history: History, agreement: Agreement, fields: dict[str, FieldUse]
) -> dict[str, Finding]:
    """Judge every field of `fields`.

    Args:
        labelled: the rows with labels.
        history: all rows, for the open ones among them.
        agreement: says how values are read.
        fields: the fields to judge, and their kinds.

    """
    taught = {n for n in fields if _is_filled(labelled.history.leads, n)}
    never = {n for n in fields if n not in taught and _is_filled(history.leads, n)}
    opened = [i for i, d in enumerate(history.dispositions) if d == "open"]
    open_leads = history.leads.take(opened)
    return {
        name: _finding(name, _evidence(name, use, labelled, open_leads, agreement), name in never)
        for name, use in fields.items()
    }


def _is_filled(leads: Leads, name: str) -> bool:
    return any(cell is not None for cell in leads.column(name))


def _evidence(
    name: str, use: FieldUse, labelled: Labelled, open_leads: Leads, agreement: Agreement
) -> Evidence:
    y = labelled.labels
    cells = labelled.history.leads.columns[name]
    filled = np.array([cell is not None for cell in cells])
    won, lost = _share(filled[y == 1]), _share(filled[y == 0])
    columns = _groups(name, use, labelled.history.leads, agreement)
    auc_alone = max(_auc_alone(groups, y) for groups in columns)
    return Evidence(
        auc_alone=auc_alone,
        auc_error=_auc_error(auc_alone, y),
        auc_missing=max(auc := _auc(y, filled.astype(float)), 1 - auc),
        filled_won=won,
        filled_lost=lost,
        filled_open=_open_fill(open_leads.columns[name]),
        fill_log_ratio=abs(math.log(won / lost)),
        certain_share=max(_certain_share(groups, y) for groups in columns),
        after_created=_after_created(name, use, labelled.history.leads, agreement),
    )


def _after_created(name: str, use: FieldUse, leads: Leads, agreement: Agreement) -> float | None:
    if use.kind != "date":
        return None
    pairs = zip(leads.columns[name], leads.created, strict=True)
    late = [
        read - start >= _A_DAY
        for cell, start in pairs
        if cell is not None and start and (read := _moment(cell, agreement.export.day_first))
    ]
    return sum(late) / len(late) if late else None


def _moment(cell: Cell, day_first: bool) -> datetime | None:
    try:
        return moment(cell, day_first)
    except ValueError:
        return None


def _share(filled: npt.NDArray[np.bool_]) -> float:
    """Return the share that is filled; half a row more either way, so that none is zero."""
    return float((filled.sum() + 0.5) / (len(filled) + 1))


def _open_fill(cells: list[Cell]) -> float | None:
    return sum(cell is not None for cell in cells) / len(cells) if cells else None


def _groups(
    name: str, use: FieldUse, leads: Leads, agreement: Agreement
) -> list[npt.NDArray[np.intp]]:
    """Return a group for each lead by each column of the field: category, bin, or missing."""
    encoder = Encoder.fit(leads, agreement, {name: use})
    matrix = encoder.encode(leads)
    return [_grouped(matrix[:, i], column) for i, column in enumerate(encoder.columns)]


def _grouped(cells: Vector, column: Column) -> npt.NDArray[np.intp]:
    if column.levels is None and not np.isnan(cells).all():
        inner = np.linspace(0, 1, _BINS + 1)[1:-1]
        edges = np.unique(np.quantile(cells[~np.isnan(cells)], inner))
        # A flag that nearly all leads carry has its quantiles in one place; those without it count.
        edges = edges if len(edges) > 1 else np.unique([*edges, np.nanmin(cells)])
        binned = np.searchsorted(edges, cells, side="left").astype(float)
        cells = np.where(np.isnan(cells), -1, binned)
    _, groups = np.unique(np.nan_to_num(cells, nan=-1), return_inverse=True)
    return np.asarray(groups)


def _auc_error(auc: float, y: Labels) -> float:
    """Return the standard error of an AUC (Hanley and McNeil 1982)."""
    won = int(y.sum())
    lost = len(y) - won
    both_won, both_lost = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    spread = (won - 1) * (both_won - auc**2) + (lost - 1) * (both_lost - auc**2)
    return math.sqrt(max(auc * (1 - auc) + spread, 0.0) / (won * lost))


def _auc(y: Labels, score: npt.NDArray[np.float64]) -> float:
    return float(roc_auc_score(y, score))


def _auc_alone(groups: npt.NDArray[np.intp], y: Labels) -> float:
    """Score each lead by how often its group won in the other folds, shrunk to the average."""
    fold = np.arange(len(y)) % _FOLDS
    size = int(groups.max()) + 1
    score = np.empty(len(y))
    for k in range(_FOLDS):
        rest = fold != k
        base = float(y[rest].mean())
        won = np.bincount(groups[rest], weights=y[rest], minlength=size)
        count = np.bincount(groups[rest], minlength=size)
        rate = (won + 5 * base) / (count + 5)
        score[~rest] = rate[groups[~rest]]
    return max(_auc(y, score), 0.5)


def _certain_share(groups: npt.NDArray[np.intp], y: Labels) -> float:
    base = math.log(y.mean() / (1 - y.mean()))
    count = np.bincount(groups)
    won = np.bincount(groups, weights=y)
    odds = np.log((won + 1) / (count - won + 1)) - base
    certain = (np.abs(odds) >= _CERTAIN) & (count >= 20)
    return float(count[certain].sum() / len(y))


def _finding(name: str, evidence: Evidence, never_filled: bool) -> Finding:
    if never_filled:
        reason = "no lead whose outcome is known holds a value, so nothing can be learned from it"
        return Finding("suspect", evidence, reason)
    verdict, reason = _judge(name, evidence)
    return Finding(verdict, evidence, reason)


def _judge(name: str, e: Evidence) -> tuple[Verdict, str]:
    said = spoken(_OBJECT.sub("", name))
    fills = f"filled for {e.filled_won:.0%} of the won leads and {e.filled_lost:.0%} of the others"
    enough = max(e.filled_won, e.filled_lost) >= 0.02
    if e.auc_alone >= 0.85:
        return "blocked", f"alone it tells won from lost with an AUC of {e.auc_alone:.2f}"
    if (e.fill_log_ratio >= 3 and enough) or e.auc_missing >= 0.8:
        return "blocked", f"it is {fills}: whether it is filled gives the outcome away"
    if _OTHER_SCORE.search(said):
        return (
            "cannot_tell",
            "it looks like the score of another system: if that is written or renewed after the "
            "hand-off it knows the outcome, and no statistic of one export shows when",
        )
    if e.after_created is not None and e.after_created >= 0.5:
        return "suspect", (
            f"in {e.after_created:.0%} of the leads it lies after the creation: unless it is a "
            "date that the lead planned, it was written later"
        )
    signal = (
        (e.auc_alone >= 0.55 and e.auc_alone - 2 * e.auc_error > 0.5)
        or (e.fill_log_ratio >= 0.5 and enough)
        or e.auc_missing >= 0.55
    )
    telling = _WRITTEN_LATER.search(said) and not _KNOWN_BEFORE.search(said)
    if telling and signal:
        return "suspect", (
            "its name says that it may be written while a lead is worked, and it carries signal: "
            f"AUC {e.auc_alone:.2f} alone, {fills}"
        )
    if e.certain_share >= 0.1 and e.auc_alone >= 0.7:
        return "suspect", (
            f"{e.certain_share:.0%} of the leads hold a value under which the outcome is all but "
            f"certain (AUC {e.auc_alone:.2f} alone)"
        )
    if e.fill_log_ratio >= 1.5 and enough:
        return "suspect", f"it is {fills}: it may be filled in once the outcome shows"
    return "fine", f"AUC {e.auc_alone:.2f} alone, {fills}"
