"""What an export shows of a field: how it is filled, by whom and when, and what it tells alone.

Every figure comes with what chance may do to it, so that few leads accuse nobody.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

from features.agreement import Agreement, FieldUse
from features.cells import Cell, moment, text_of
from features.encoder import Column, Matrix
from features.leads import History, Leads
from serving.members import Mask, Vector
from training.labels import Labels
from training.outcome_words import is_plain_yes_or_no, meaning_of

_BINS = 20
_FOLDS = 5
_FEW = 20
"""Leads with a value, or open leads, below which nothing is said of them."""
_CERTAIN_ODDS = 3.0
_CERTAIN_RATE = 0.9
_MAJORITY = 0.75
"""Where so many leads end alike, a value of which nearly all end so tells little."""
_AGES = 10
_A_DAY = timedelta(days=1)
_A_FEW_VALUES = 3
_MOST_WORDS = 300
"""Distinct values of a field beyond which they are texts or numbers, not words of a list."""
_OWN = 0.9
"""Share of distinct values above which they mark single leads."""
_LONGEST = 15
"""Digits of a number that a float still holds exactly."""
_BAD_ENDS = ("lost", "unqualified", "unreachable")
Groups = npt.NDArray[np.intp]


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
    fill_low: float
    """The same less two standard errors, at least 0."""
    nonzero_low: float
    """The same for the share of leads with a number other than zero; 0 where it is no number."""
    certain_share: float
    """Share of leads with a value under which the outcome is all but certain, and surprising."""
    is_scale: bool = False
    """Whether it is a number of more than a few values, as honest fields that tell much are."""
    ending_words: float = 0.0
    """Share of its values that are words for how working a lead ended badly."""
    after_created: float | None = None
    """Of a date: share of its values a day or more after the creation; None where unknown."""
    filled_young: float | None = None
    """Share filled in the youngest third of all leads; None without creation times."""
    filled_old: float | None = None
    """The same in the oldest third."""
    open_low: float | None = None
    """ln(share filled when decided / when open, at equal age), less two standard errors."""
    auc_without: float | None = None
    """ROC AUC of a small model of the honest fields without it; None where not measured."""
    auc_with: float | None = None
    """The same with it."""


@dataclass(frozen=True)
class Exhibit:
    """One field with its columns of the encoded matrix, and all leads of the export."""

    name: str
    use: FieldUse
    cells: Sequence[Cell]
    """Of the leads with a label."""
    matrix: Matrix
    """Its columns of the matrix, shape (leads with a label, columns)."""
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Crowd:
    """All leads of the export, the open and the young ones among them."""

    leads: Leads
    opened: Mask
    by_age: npt.NDArray[np.intp]
    """Rows with a creation time, the oldest first."""

    @classmethod
    def of(cls, history: History) -> Crowd:
        """Put the leads of a history in order."""
        created = history.leads.created
        known = [i for i, when in enumerate(created) if when is not None]
        ordered = sorted(known, key=lambda i: created[i] or datetime.min)
        opened = np.array([d == "open" for d in history.dispositions], dtype=bool)
        return cls(history.leads, opened, np.array(ordered, dtype=np.intp))

    def part_of(self, parts: int) -> Groups:
        """Return the part of history, 0 the oldest, that each row of `by_age` falls in."""
        return np.arange(len(self.by_age)) * parts // max(len(self.by_age), 1)


def weigh(field: Exhibit, y: Labels, leads: Leads, crowd: Crowd, agreement: Agreement) -> Evidence:
    """Gather the evidence on one field.

    Args:
        field: the field and its values.
        y: labels, shape (leads with a label,).
        leads: the leads with a label.
        crowd: all leads of the export.
        agreement: says how values are read.

    """
    filled = _filled(field.cells)
    ratio, error = _log_ratio(filled, y)
    groups = [_grouped(field.matrix[:, i], column) for i, column in enumerate(field.columns)]
    groups += _running_numbers(field)
    alone = max(_auc_alone(g, y) for g in groups)
    auc_filled = _auc(y, filled.astype(float))
    every = _filled(crowd.leads.column(field.name))
    young, old = _by_age(every, crowd)
    return Evidence(
        auc_alone=alone,
        auc_error=auc_error(alone, y),
        auc_missing=max(auc_filled, 1 - auc_filled),
        filled_won=float(filled[y == 1].mean()),
        filled_lost=float(filled[y == 0].mean()),
        filled_open=float(every[crowd.opened].mean()) if crowd.opened.any() else None,
        fill_log_ratio=abs(ratio),
        fill_low=max(abs(ratio) - 2 * error, 0.0),
        nonzero_low=_nonzero_low(field, y),
        certain_share=max(_certain_share(g, y) for g in groups),
        is_scale=field.use.kind == "number" and len(set(field.cells) - {None}) > _A_FEW_VALUES,
        ending_words=_ending_words(field),
        after_created=_after_created(field, leads, agreement),
        filled_young=young,
        filled_old=old,
        open_low=_open_low(every, crowd),
    )


def _filled(cells: Sequence[Cell]) -> Mask:
    return np.array([cell is not None for cell in cells], dtype=bool)


def _share(flags: Mask) -> float:
    """Return the share that is set; half a row more either way, so that none is zero."""
    return float((flags.sum() + 0.5) / (len(flags) + 1))


def _log_ratio(flags: Mask, y: Labels) -> tuple[float, float]:
    """Return ln(share set when won / when not) and its standard error (Katz et al. 1978)."""
    some, others = flags[y == 1], flags[y == 0]
    a, b = _share(some), _share(others)
    variance = (1 - a) / (a * (len(some) + 1)) + (1 - b) / (b * (len(others) + 1))
    return math.log(a / b), math.sqrt(variance)


def _nonzero_low(field: Exhibit, y: Labels) -> float:
    if field.use.kind != "number":
        return 0.0
    ratio, error = _log_ratio(np.nan_to_num(field.matrix[:, 0]) != 0, y)
    return max(abs(ratio) - 2 * error, 0.0)


def _grouped(cells: Vector, column: Column) -> Groups:
    """Return a group for each lead: category, bin, or missing."""
    if column.levels is None and not np.isnan(cells).all():
        inner = np.linspace(0, 1, _BINS + 1)[1:-1]
        edges = np.unique(np.quantile(cells[~np.isnan(cells)], inner))
        # A flag that nearly all leads carry has its quantiles in one place; those without it count.
        edges = edges if len(edges) > 1 else np.unique([*edges, np.nanmin(cells)])
        binned = np.searchsorted(edges, cells, side="left").astype(float)
        cells = np.where(np.isnan(cells), -1, binned)
    _, groups = np.unique(np.nan_to_num(cells, nan=-1), return_inverse=True)
    return np.asarray(groups)


def _running_numbers(field: Exhibit) -> list[Groups]:
    """Return bands of an id that is a number: one given at the sale lies above the others."""
    values = [cell for cell in field.cells if cell is not None]
    if field.use.kind != "category" or len(set(values)) <= _OWN * len(values):
        return []
    numbers = [_integer(cell) for cell in field.cells]
    if sum(np.isnan(numbers)) > len(field.cells) - len(values):
        return []
    return [_grouped(np.array(numbers), Column(field.name, field.name, None))]


def _integer(cell: Cell) -> float:
    said = "" if cell is None else text_of(cell)
    return float(said) if said.isdecimal() and len(said) <= _LONGEST else np.nan


def auc_error(auc: float, y: Labels) -> float:
    """Return the standard error of an AUC (Hanley and McNeil 1982)."""
    won = int(y.sum())
    lost = len(y) - won
    both_won, both_lost = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    spread = (won - 1) * (both_won - auc**2) + (lost - 1) * (both_lost - auc**2)
    return math.sqrt(max(auc * (1 - auc) + spread, 0.0) / (won * lost))


def _auc(y: Labels, score: npt.NDArray[np.float64]) -> float:
    return float(roc_auc_score(y, score))


def _auc_alone(groups: Groups, y: Labels) -> float:
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


def _certain_share(groups: Groups, y: Labels) -> float:
    """Return the share of leads with a value that settles what was open before.

    Where nine of ten leads are lost, an honest answer may well rule a sale out; no honest answer
    makes it certain.
    """
    base = float(y.mean())
    count = np.bincount(groups)
    rate = (np.bincount(groups, weights=y) + 1) / (count + 2)
    odds = np.log(rate / (1 - rate)) - math.log(base / (1 - base))
    sure_win = (odds >= _CERTAIN_ODDS) & (rate >= _CERTAIN_RATE) & (base <= _MAJORITY)
    sure_loss = (odds <= -_CERTAIN_ODDS) & (rate <= 1 - _CERTAIN_RATE) & (base >= 1 - _MAJORITY)
    certain = (sure_win | sure_loss) & (count >= _FEW)
    return float(count[certain].sum() / len(y))


def _ending_words(field: Exhibit) -> float:
    """Return the share of values such as `no answer`, `lost` or `not interested`."""
    count = Counter(cell for cell in field.cells if cell is not None)
    if field.use.kind in ("number", "date") or not count:
        return 0.0
    if len(count) > _MOST_WORDS:  # texts of their own: a regular part stands for all
        step = -(-len(count) // _MOST_WORDS)
        count = Counter({value: count[value] for value in sorted(count, key=str)[::step]})
    words = [value for value in count if isinstance(value, str) and not is_plain_yes_or_no(value)]
    return sum(count[w] for w in words if meaning_of(w) in _BAD_ENDS) / count.total()


def _after_created(field: Exhibit, leads: Leads, agreement: Agreement) -> float | None:
    if field.use.kind != "date":
        return None
    pairs = zip(field.cells, leads.created, strict=True)
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


def _by_age(filled: Mask, crowd: Crowd) -> tuple[float | None, float | None]:
    if len(crowd.by_age) < 3:
        return None, None
    third, held = crowd.part_of(3), filled[crowd.by_age]
    return float(held[third == 2].mean()), float(held[third == 0].mean())


def _open_low(filled: Mask, crowd: Crowd) -> float | None:
    """Compare decided with open leads of equal age, so that a new form accuses no field."""
    held, is_open = filled[crowd.by_age], crowd.opened[crowd.by_age]
    tenth = crowd.part_of(_AGES)
    waiting = np.bincount(tenth[is_open], minlength=_AGES)
    decided = np.bincount(tenth[~is_open], minlength=_AGES)
    shared = (waiting > 0) & (decided > 0)
    leads = int(waiting[shared].sum())
    if leads < _FEW:
        return None
    full = np.bincount(tenth[~is_open], weights=held[~is_open], minlength=_AGES)
    rate = float((full[shared] / decided[shared]) @ waiting[shared]) / leads
    still = _share(held[is_open & shared[tenth]])
    error = math.sqrt((1 - still) / (still * leads))
    return max(math.log(rate / still) - 2 * error, 0.0) if rate else 0.0
