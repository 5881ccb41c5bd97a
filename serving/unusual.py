"""What is unusual about tonight's file: fields that are lost, values nobody learned, drift.

Leads are looked at by a regular part of each chunk, against the reference of the artefact. A field
is lost where the file lacks it, where nearly all leads lack it that most had in training, or where
most of its values are new to the model or cannot be read though training knew them: a shifted
column, another language, a changed code list. One lost field is worth a word; where a quarter of
them are lost, the scores are hardly those of the model, and a job must not end as if all were well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from features.coded import CodedCells, Places
from features.counted import counted
from features.leads import ROW_NUMBER, Leads
from features.oddities import oddities
from features.table import Table
from serving.members import Vector
from serving.scorer import Scorer
from serving.watch import Bands, FieldSeen, Seen, bands_of, fields_seen

_OF_A_CHUNK = 1_000
"""Leads of each chunk that are looked at, about."""
_LOST = 0.25
"""Share of the fields from which on the loss is more than a word."""
_EMPTY = 0.95
_UNSEEN = 0.5
_REJECTED = 0.01
"""Share of the rows set aside from which on it is more than a word."""
_MOVED = 0.25
"""PSI from which on a field has moved much (Siddiqi 2006, Credit Risk Scorecards)."""
_MOST = 5
"""Fields that are named."""


@dataclass(frozen=True)
class Field:
    """A field tonight and in training."""

    seen: FieldSeen
    absent: bool
    """Whether the file lacks it."""
    missing: float
    """Share of leads without it in training."""
    unseen: float
    """Share of leads in training with a value that is too rare to be learned."""

    @property
    def is_lost(self) -> bool:
        """Whether the model can hardly read it tonight."""
        empty = self.seen.missing >= _EMPTY and self.missing < _UNSEEN
        return self.absent or empty or self.seen.unseen - self.unseen >= _UNSEEN


@dataclass
class Unusual:
    """What is unusual about the leads of one file."""

    scorer: Scorer
    reference: dict[str, Any]
    """Of the artefact."""
    table: Table
    seen: Seen = field(default_factory=lambda: Seen(""))
    _bands: dict[str, Bands] = field(default_factory=dict)

    def part_of(self, leads: Leads) -> Leads:
        """Return a regular part of a chunk, to be looked at."""
        own = leads.only(self.scorer.fields)
        return own.take(range(0, len(leads), max(1, len(leads) // _OF_A_CHUNK)))

    def look(self, part: Leads) -> None:
        """Count a part of a chunk."""
        if not len(part):
            return
        read = self.scorer.encoder.encoded(part)
        self.seen.leads += len(part)
        for each, cells, odd in zip(self.scorer.encoder.fields, read.cells, read.odd, strict=True):
            _add(self.seen.missing, each.field, _leads_of(cells, ~cells.there))
            _add(self.seen.unseen, each.field, _leads_of(cells, odd))
        for place, column in enumerate(self.scorer.encoder.columns):
            if column.name in self.reference:
                bands = self._bands.setdefault(column.name, bands_of(self.reference[column.name]))
                self._count(column.name, bands, read.matrix[:, place])

    def _count(self, name: str, bands: Bands, values: Vector) -> None:
        before = self.seen.bands.get(name, [0.0] * len(bands.shares))
        found = np.bincount(_places(bands, values), minlength=len(before))
        self.seen.bands[name] = (found + before).tolist()

    def fields(self) -> list[Field]:
        """Return the fields that the model reads, tonight and in training."""
        seen = {one.field: one for one in fields_seen(self.seen, self.scorer, self.reference)}
        return [
            Field(
                seen.get(each.field, FieldSeen(each.field, 0.0, 0.0, None)),
                each.field not in self.table.columns,
                min((self._known(c.name).get("missing", 0.0) for c in each.columns), default=0.0),
                self._rare(each.columns[0].name) if each.kind == "category" else 0.0,
            )
            for each in self.scorer.encoder.fields
        ]

    def _known(self, column: str) -> dict[str, Any]:
        known: dict[str, Any] = self.reference.get(column, {})
        return known

    def _rare(self, column: str) -> float:
        shares = self._known(column).get("shares") or [0.0]
        return float(shares[0])

    def of_columns(self) -> Iterator[str]:
        """Tell how columns and form differ from what was agreed on.

        Where most columns are others, none is named: the first line of the file may be a lead.
        """
        agreed = self.scorer.agreement
        roles = [name for name in agreed.columns.model_dump().values() if name]
        known = [n for n in dict.fromkeys([*roles, *agreed.fields]) if n != ROW_NUMBER]
        found = oddities(self.table.columns, self.table.form, known)
        if 2 * len(found.vanished) > len(known):
            yield (
                f"{len(found.vanished)} of the {len(known)} columns that were agreed on are not "
                "in the file: is its first line a header, and in the same language?"
            )
        else:
            yield from found.sentences()


def _places(bands: Bands, values: Vector) -> Places:
    """Return `Bands.place` of each value, shape (values,)."""
    missing, last = np.isnan(values), len(bands.shares) - 1
    there = np.where(missing, 0.0, values)
    if bands.bounds is None:
        found = np.minimum(there.astype(np.intp), last - 1)
    else:
        found = np.searchsorted(bands.bounds, there)
    return np.where(missing, last, found)


def warnings(unusual: Unusual, read: int, rejected: int) -> tuple[list[str], bool]:
    """Return what is unusual in sentences, and whether it is more than a word.

    Args:
        unusual: what the leads show.
        read: rows of the file.
        rejected: rows of these that were set aside.

    """
    found, fields = [], unusual.fields()
    lost = [one for one in fields if one.is_lost]
    alarming = not read or len(lost) >= max(_LOST * len(fields), 2)
    if not read:
        found.append("the file has a header and no rows")
    if unusual.table.form.doubtful:
        found.append(
            f"it is no UTF-8 and was read as {unusual.table.form.encoding}, which hardly ever "
            "holds such letters; where names look wrong, say its encoding (mac_roman, cp850, "
            "shift_jis): encoding in [export] of the agreement"
        )
    if read and rejected > _REJECTED * read:
        found.append(f"{rejected / read:.1%} of the rows are no leads; mend them or the export")
        alarming = True
    if lost and len(lost) >= _LOST * len(fields):
        found.append(
            f"{len(lost)} of the {len(fields)} fields that the model reads are absent, empty or "
            "unlike what it learned: hold the scores back until the export is mended, or retrain"
        )
    found += field_lines(fields)
    return found, alarming


def field_lines(fields: Sequence[Field]) -> Iterator[str]:
    """Tell which fields are lost, and which have moved most."""
    absent = [one.seen.field for one in fields if one.absent]
    if absent:
        yield (
            f"{len(absent)} of the {len(fields)} fields that the model reads are not in the file "
            f"and count as missing: {', '.join(absent)}"
        )
    there = [one for one in fields if not one.absent]
    empty = [one for one in there if one.is_lost and one.seen.missing >= _EMPTY]
    if empty:
        names = ", ".join(f"{o.seen.field} ({o.seen.missing:.0%})" for o in empty[:_MOST])
        yield f"missing tonight though most leads had it in training: {names}{_more(empty)}"
    unread = [one for one in there if one.is_lost and one not in empty]
    unread.sort(key=lambda one: -one.seen.unseen)
    if unread:
        names = ", ".join(f"{o.seen.field} ({o.seen.unseen:.0%})" for o in unread[:_MOST])
        yield f"values that the model does not know or cannot read: {names}{_more(unread)}"
    moved = [one for one in there if (one.seen.psi or 0.0) >= _MOVED]
    moved.sort(key=lambda one: -(one.seen.psi or 0.0))
    if moved:
        names = ", ".join(f"{o.seen.field} ({o.seen.psi:.2f})" for o in moved[:_MOST])
        yield f"spread otherwise than in training (PSI): {names}{_more(moved)}"


def diagnosis(unusual: Unusual, reasons: Counter[str]) -> str:
    """Return what may be wrong with a file that is no export of leads, a line each."""
    lines = [f"{counted(n, 'row')}: {reason}" for reason, n in reasons.most_common(_MOST)]
    lines += unusual.of_columns()
    lines += field_lines(unusual.fields())
    return "".join(f"\n  {line}" for line in lines)


def _more(found: Sequence[object]) -> str:
    return f" and {len(found) - _MOST} more" if len(found) > _MOST else ""


def _add(counts: dict[str, float], name: str, leads: int) -> None:
    counts[name] = counts.get(name, 0.0) + leads


def _leads_of(cells: CodedCells, which: Any) -> int:
    """Return how many leads have one of the values that are marked."""
    return int(which[cells.codes].sum()) if len(which) else 0
