"""How far later leads differ from those that the model learned from, field by field."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2

from features.cells import Cell, key_of, number
from features.coded import CodedCells, coded
from serving.members import Vector
from serving.rates import Interval, difference_of_rates
from training.intervals import benjamini_hochberg, rate_of
from training.labels import Labels

_BINS = 10
_CATEGORIES = 20
_NUMBERS = 0.9
"""From this share on of filled cells that are numbers, a field is one of numbers."""
_FALSE_ALARMS = 0.05
_SOME, _MUCH = 0.1, 0.25
"""Bounds of PSI in use since Siddiqi 2006, Credit Risk Scorecards."""
Verdict = Literal["little", "not shown", "moved", "moved much"]


@dataclass(frozen=True)
class FieldMoved:
    """How far one field moved between earlier and later leads."""

    field: str
    psi: float
    """Population stability index over deciles of the earlier leads, or over categories."""
    psi_by_chance: float
    """What two samples of the same leads would show on average."""
    moved_share: float
    """Share of leads that would have to change their band or category to undo it (0 … 1)."""
    missing_before: float
    missing_after: float
    q: float
    """Share of false alarms if this field and all odder ones are called moved."""
    verdict: Verdict
    """`not shown`: by custom it would have moved, but chance explains it."""

    @property
    def has_moved(self) -> bool:
        """Whether it is shown to have moved."""
        return self.verdict in ("moved", "moved much")


@dataclass(frozen=True)
class Drift:
    """From the leads learned from to the later ones."""

    fields: tuple[FieldMoved, ...]
    """The most moved first."""
    rate_before: Interval
    rate_after: Interval
    rate_change: Interval
    """Win rate of later leads minus that of earlier ones."""


def drift(
    earlier: Mapping[str, Sequence[Cell]],
    later: Mapping[str, Sequence[Cell]],
    y_earlier: Labels,
    y_later: Labels,
    decimal: str = ".",
) -> Drift:
    """Compare earlier and later leads, field by field and in their win rate.

    Args:
        earlier: cells of each field of the leads learned from; `later` the same fields of others.
        later: see `earlier`.
        y_earlier: outcomes of the earlier leads, shape (rows,).
        y_later: outcomes of the later ones.
        decimal: mark of the export, by which text is read as a number.

    """
    before, after = (rate_of(y, np.ones(len(y))) for y in (y_earlier, y_later))
    fields = [_counts(earlier[name], later[name], decimal) for name in earlier]
    p = np.array([_chance(a, b) for a, b, _, _ in fields])
    q = benjamini_hochberg(p) if fields else p
    found = [
        _field(name, *counts, share)
        for name, counts, share in zip(earlier, fields, q.tolist(), strict=True)
    ]
    found.sort(key=lambda f: (-f.psi, f.field))
    return Drift(tuple(found), before, after, difference_of_rates(after, before))


def psi(before: Vector, after: Vector) -> float:
    """Return the population stability index of counts by band, half a lead added to each.

    Σ (a − b) ln(a / b) over shares a and b: the symmetric Kullback–Leibler divergence.
    """
    b, a = (x / x.sum() for x in (before + 0.5, after + 0.5))
    return float(((a - b) * np.log(a / b)).sum())


def _chance(before: Vector, after: Vector) -> float:
    """Return the chance of a PSI as high among samples of the same leads.

    PSI / (1/n + 1/m) follows chi-square with bands − 1 degrees of freedom, about (Yurdakul
    & Naranjo 2020, J. Risk Model Validation 14).
    """
    bands = len(before)
    if bands < 2:
        return 1.0
    unit = 1 / before.sum() + 1 / after.sum()
    return float(chi2.sf(psi(before, after) / unit, bands - 1))


def _field(
    name: str, before: Vector, after: Vector, empty_before: float, empty_after: float, q: float
) -> FieldMoved:
    value = psi(before, after)
    verdict: Verdict = "little"
    if value >= _SOME:
        moved: Verdict = "moved much" if value >= _MUCH else "moved"
        verdict = moved if q <= _FALSE_ALARMS else "not shown"
    by_chance = (len(before) - 1) * (1 / before.sum() + 1 / after.sum())
    share = float(np.abs(before / before.sum() - after / after.sum()).sum() / 2)
    return FieldMoved(name, value, by_chance, share, empty_before, empty_after, q, verdict)


def _counts(
    earlier: Sequence[Cell], later: Sequence[Cell], decimal: str
) -> tuple[Vector, Vector, float, float]:
    """Return counts by band of earlier and later cells, and the share that is missing in each."""
    both = coded(earlier), coded(later)
    a, b = (_numbers(cells, decimal) for cells in both)
    empty = [_missing(cells) for cells in both]
    filled = sum(len(cells) for cells in both) - sum(empty)
    if filled and np.isfinite(np.concatenate([a, b])).sum() >= _NUMBERS * filled:
        codes = _bands(a, b)
    else:
        codes = _categories(*both)
    used, codes_both = np.unique(np.concatenate(codes), return_inverse=True)
    parts = np.split(codes_both, [len(earlier)])
    before, after = (np.bincount(c, minlength=len(used)).astype(np.float64) for c in parts)
    return before, after, empty[0] / len(earlier), empty[1] / len(later)


def _missing(cells: CodedCells) -> int:
    return sum(n for c, n in zip(cells.values, cells.counts(), strict=True) if c is None)


def _numbers(cells: CodedCells, decimal: str) -> Vector:
    return np.array([_number(c, decimal) for c in cells.values], dtype=np.float64)[cells.codes]


def _number(cell: Cell, decimal: str) -> float:
    try:
        return math.nan if cell is None else number(cell, decimal)
    except ValueError:
        return math.nan


def _bands(earlier: Vector, later: Vector) -> list[npt.NDArray[np.intp]]:
    """Cut at the deciles of the earlier numbers; what is no number is a band of its own."""
    known = earlier[np.isfinite(earlier)]
    inner = np.linspace(0, 1, _BINS + 1)[1:-1]
    edges = np.unique(np.quantile(known, inner)) if len(known) else np.array([])
    # `left`: a number on an edge falls below it, so that a frequent one has a band of its own.
    return [
        np.where(np.isfinite(x), np.searchsorted(edges, x, side="left"), len(edges) + 1)
        for x in (earlier, later)
    ]


def _categories(earlier: CodedCells, later: CodedCells) -> list[npt.NDArray[np.intp]]:
    """Code the most frequent categories of both; 0 is missing, 1 all others."""
    both = earlier, later
    keys = [[None if c is None else key_of(c) for c in cells.values] for cells in both]
    seen: Counter[str] = Counter()
    for cells, told in zip(both, keys, strict=True):
        for key, count in zip(told, cells.counts(), strict=True):
            if key is not None:
                seen[key] += count
    rows = len(earlier) + len(later)
    ranked = sorted(seen.items(), key=lambda item: (-item[1], item[0]))[:_CATEGORIES]
    often = [key for key, n in ranked if n >= max(10, rows / 200)]
    codes: dict[str | None, int] = {key: i for i, key in enumerate(sorted(often), start=2)}
    codes[None] = 0
    return [
        np.array([codes.get(key, 1) for key in told], dtype=np.intp)[cells.codes]
        for cells, told in zip(both, keys, strict=True)
    ]
