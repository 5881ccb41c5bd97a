"""Scores of many leads in columns: what files and requests of many leads are written from.

A million leads give a few thousand different reasons, so each is put into words once and stands
for its leads by a code. The numbers and words are those that `explain` gives each lead alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from features.agreement import GRADES, Grade
from features.encoder import Encoded, Encoder, Matrix
from serving.kernel import by_field, strongest
from serving.members import Vector
from serving.reason_kinds import ReasonKinds, kinds_of
from serving.reasons import MATTERS, MISSED, Reason, ReasonKind

Ints = npt.NDArray[np.intp]
Codes = npt.NDArray[np.integer[Any]]
Kind = TypeVar("Kind")


@dataclass(frozen=True)
class Coded(Generic[Kind]):
    """Some things of each lead, one lead behind the other, as codes of the kinds that occur."""

    ends: Ints
    """Where those of each lead end, shape (leads,); they begin where those before end."""
    codes: Codes
    """Positions in `kinds`."""
    kinds: Sequence[Kind]

    def by_lead(self) -> Iterator[tuple[Kind, ...]]:
        """Yield those of each lead."""
        kinds = list(self.kinds)
        found = [kinds[code] for code in self.codes.tolist()]
        for start, end in pairwise([0, *self.ends.tolist()]):
            yield tuple(found[start:end])


@dataclass(frozen=True)
class Reasons(Coded[ReasonKind]):
    """The reasons of each lead, strongest first; with base and rest they make its score."""

    kinds: ReasonKinds
    log_odds: Vector
    """The effect of each, in the order of `codes`."""
    base: float
    """Where an average lead starts."""
    rest: list[float]
    """What the other fields of each lead add up to."""
    missed: Coded[str]
    """Fields that are missing and would have mattered."""

    def whole(self) -> Iterator[tuple[Reason, ...]]:
        """Yield the reasons of each lead with their log-odds."""
        kinds = map(list(self.kinds).__getitem__, self.codes.tolist())
        pairs = zip(kinds, self.log_odds.tolist(), strict=True)
        make = Reason._make
        found = [
            make((field, value, direction, effect, text))
            for (field, value, direction, text), effect in pairs
        ]
        for start, end in pairwise([0, *self.ends.tolist()]):
            yield tuple(found[start:end])


@dataclass(frozen=True)
class ScoredColumns:
    """What leadq says of leads, in their order; `serving.scorer.Score` says what each part is."""

    ids: list[str]
    probability: Vector
    grade: Ints
    """Positions in `GRADES`."""
    probability_low: Vector | None
    probability_high: Vector | None
    expected_value: Vector | None
    expected_days: Vector | None
    reasons: Reasons | None
    """None where none were asked for."""
    warnings: Coded[str]
    """What is odd about each lead: values that count as missing or are new to the model, and
    missing fields that would have mattered."""

    def __len__(self) -> int:
        return len(self.ids)

    def grades(self) -> list[Grade]:
        """Return the grade of each lead."""
        return [GRADES[place] for place in self.grade.tolist()]


def reasons_of(
    encoder: Encoder, leads: Encoded, parts: Matrix, log_odds: Vector, most: int
) -> Reasons:
    """Return the reasons of leads.

    Args:
        encoder: says which columns belong to which field.
        leads: as it read them, one at least.
        parts: contributions, shape (leads, columns + 1), the base last.
        log_odds: the scores, shape (leads,).
        most: how many reasons of each lead at most.

    """
    effects = by_field(parts, encoder.bounds)
    order = strongest(effects, most)
    chosen = np.take_along_axis(effects, order, axis=1)
    given = chosen != 0.0  # those without an effect come last
    base = float(parts[0, -1])
    rest = log_odds - base
    for effect in chosen.T:
        rest = rest - effect
    lead = np.repeat(np.arange(len(order)), given.sum(axis=1))
    kinds, codes = kinds_of(encoder.fields, leads, lead, order[given], chosen[given])
    none = np.empty((len(order), 0), dtype=np.bool_)  # of a model without fields
    missing = np.column_stack([none, *(~cells.there[cells.codes] for cells in leads.cells)])
    rows, fields = np.nonzero(missing & (np.abs(effects) >= MATTERS))
    missed = _coded(rows, fields, [field.field for field in encoder.fields], len(order))
    return Reasons(
        _ends(lead, len(order)), codes, kinds, chosen[given], base, rest.tolist(), missed
    )


def warnings_of(encoder: Encoder, leads: Encoded, reasons: Reasons | None) -> Coded[str]:
    """Return what is odd about each lead: remarks about its values, then fields that are missed."""
    rows: list[Ints] = [np.empty(0, dtype=np.intp)]
    codes: list[Codes] = [np.empty(0, dtype=np.intp)]
    kinds = []
    for field, cells, odd in zip(encoder.fields, leads.cells, leads.odd, strict=True):
        kinds.append(f"{field.field}: {field.oddity}")
        if odd.any():
            rows.append(np.flatnonzero(odd[cells.codes]))
            codes.append(np.full(len(rows[-1]), len(kinds) - 1))
    if reasons is not None:
        rows.append(_rows(reasons.missed.ends))
        codes.append(reasons.missed.codes + len(kinds))
        kinds += [f"{name}: {MISSED}" for name in reasons.missed.kinds]
    return _coded(np.concatenate(rows), np.concatenate(codes), kinds, len(leads.matrix))


def _coded(rows: Ints, codes: Codes, kinds: list[str], size: int) -> Coded[str]:
    order = np.argsort(rows, kind="stable")
    return Coded(_ends(rows[order], size), codes[order], kinds)


def _ends(rows: Ints, size: int) -> Ints:
    """Return where the things of each of `size` rows end, for rows in order."""
    return np.cumsum(np.bincount(rows, minlength=size))


def _rows(ends: Ints) -> Ints:
    """Return the row of each thing."""
    return np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))
