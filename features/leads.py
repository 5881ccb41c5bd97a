"""From a table to leads: the agreement is applied, and what cannot be used is set aside.

`admit` is the one definition of which rows are leads; files go through `features.reading`, bodies
of requests call it directly, and `admit_one` says the same of a lead that is alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np

from features.agreement import Agreement, Disposition
from features.cells import Cell, key_of, missing_as_none, moment, number, text_of
from features.coded import CodedCells, Places, Readings, coded, each
from features.counted import named
from features.errors import AgreementError
from features.files import Table
from features.not_leads import reason_of, reasons_of_rows
from features.packed import Packed
from features.plain import moments, suspects

T = TypeVar("T")

ROW_NUMBER = "#row"
"""The id column of an export that has none: the number of the row stands in."""
PROPENSITY = "#propensity"
"""The column in which leads from the store carry the chance with which they were chosen."""

NESTED = "is a list or holds other values; give one text or number"
NESTED_ID = f"the id {NESTED}"
"""Why a row is no lead whose id has no single meaning."""


def has_ids(agreement: Agreement) -> bool:
    """Whether leads can be told apart from file to file, and so be kept in a store."""
    return agreement.columns.id != ROW_NUMBER


class Fault(NamedTuple):
    """Why a row is no lead: the field, the value found, the reason with the cure."""

    field: str
    value: Cell
    reason: str

    @property
    def plain_reason(self) -> str:
        """The reason without the value, which may tell of a person."""
        return self.reason.replace(f"{text_of(self.value)!r} ", "")


class Lead(NamedTuple):
    """A lead that is alone: what was known, nothing about the outcome."""

    id: str
    cells: Mapping[str, Cell]
    created: datetime | None


Faults = dict[int, Fault]
"""Faults by position in the batch; the first one found for a row counts."""


@dataclass(frozen=True)
class Leads:
    """Leads in columns, in the order of the input; what was known, nothing about the outcome."""

    ids: list[str]
    columns: Mapping[str, Sequence[Cell]]
    """Of a file, columns that keep each distinct cell once; of a request, lists."""
    created: list[datetime | None]

    def __len__(self) -> int:
        return len(self.ids)

    def column(self, name: str) -> Sequence[Cell]:
        """Return the cells of a field; a field that is not there is missing in every lead."""
        return self.columns[name] if name in self.columns else [None] * len(self)

    def coded(self, name: str) -> CodedCells:
        """Return the same as a column."""
        if name in self.columns:
            return coded(self.columns[name])
        return CodedCells([None], np.zeros(len(self), dtype=np.intp))

    def only(self, names: Collection[str]) -> Leads:
        """Return the leads with those of the fields that are named and there."""
        return replace(self, columns={n: self.columns[n] for n in names if n in self.columns})

    def take(self, rows: Sequence[int] | Places) -> Leads:
        """Return the leads at the given positions."""
        places = np.asarray(rows, dtype=np.intp)
        at = places.tolist()
        return Leads(
            [self.ids[i] for i in at],
            {
                name: cells.take(places)
                if isinstance(cells, CodedCells)
                else [cells[i] for i in at]
                for name, cells in self.columns.items()
            },
            [self.created[i] for i in at],
        )


@dataclass(frozen=True)
class History:
    """Leads with what became of them, as an export tells it at its time."""

    leads: Leads
    dispositions: list[Disposition]
    closed: list[datetime | None]
    serial: list[float]
    """The agreed serial number; NaN throughout where none is agreed."""

    def __len__(self) -> int:
        return len(self.leads)

    def take(self, rows: Sequence[int] | Places) -> History:
        """Return the rows at the given positions."""
        at = np.asarray(rows, dtype=np.intp).tolist()
        return History(
            self.leads.take(rows),
            [self.dispositions[i] for i in at],
            [self.closed[i] for i in at],
            [self.serial[i] for i in at],
        )


def admit(
    columns: Mapping[str, Sequence[Cell]], agreement: Agreement, faults: Faults, need_created: bool
) -> Leads:
    """Apply the agreement to a batch of cells.

    Args:
        columns: cells by column, all of one length; the id and time columns must be there.
        agreement: says what is what and which words mean missing.
        faults: filled with the rows that are no leads; their other values are of no use.
        need_created: whether a lead without its creation time is a fault (it is in training,
            where a lead must be placed in time).

    """
    return admit_clean(_Clean(columns, agreement), agreement, faults, need_created)


def admit_clean(
    clean: Mapping[str, Sequence[Cell]], agreement: Agreement, faults: Faults, need_created: bool
) -> Leads:
    """Do the same with cells in which no agreed placeholder is left."""
    names = agreement.columns
    # What does not end in a nought is its own text.
    ids = [
        cell if isinstance(cell, str) and cell[-1:] != "0" else text_of(cell)
        for cell in clean[names.id]
    ]
    for i, text in enumerate(ids if not all(ids) else ()):
        if not text:
            faults.setdefault(i, Fault(names.id, None, "the id is missing"))
    for i, reason in reasons_of_rows(ids, agreement, clean):
        faults[i] = Fault(names.id, ids[i], reason)
    created = _times(clean, names.created, agreement, faults, need_created, len(ids))
    return Leads(ids, clean, created)


def admit_one(cells: Mapping[str, Cell], agreement: Agreement) -> Lead | Fault:
    """Do the same with one lead, which need not have a creation time, or say why it is none."""
    names = agreement.columns
    text = text_of(cells.get(names.id))
    cell = cells.get(names.created) if names.created else None
    if not text:
        return Fault(names.id, None, "the id is missing")
    if reason := reason_of(agreement, cells):
        return Fault(names.id, text, reason)
    if names.created is None or cell is None:
        return Lead(text, cells, None)
    try:
        return Lead(text, cells, moment(cell, agreement.export.day_first))
    except ValueError as error:
        return Fault(names.created, cell, str(error))


class _Clean(Mapping[str, Sequence[Cell]]):
    """Columns without the agreed placeholders, each cleaned when it is first asked for.

    An export has columns that nobody reads.
    """

    def __init__(self, columns: Mapping[str, Sequence[Cell]], agreement: Agreement) -> None:
        self._raw = columns
        self._reading = missing_as_none(agreement.export.missing)
        self._suspects = suspects(tuple(agreement.export.missing))
        self._clean: dict[str, Sequence[Cell]] = {}

    def __getitem__(self, name: str) -> Sequence[Cell]:
        found = self._clean.get(name)
        if found is None:
            cells = self._raw[name]
            found = (
                cells.cleared(self._reading, self._suspects)
                if isinstance(cells, CodedCells)
                else list(map(self._reading, cells))
            )
            self._clean[name] = found
        return found

    def __contains__(self, name: object) -> bool:
        return name in self._raw

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    def __len__(self) -> int:
        return len(self._raw)


def _times(
    columns: Mapping[str, Sequence[Cell]],
    name: str | None,
    agreement: Agreement,
    faults: Faults,
    needed: bool,
    rows: int,
) -> list[datetime | None]:
    if name is None or name not in columns:
        return [None] * rows
    day_first, cells = agreement.export.day_first, columns[name]
    values = _parsed(
        cells, lambda c: moment(c, day_first), name, faults, partial(moments, day_first=day_first)
    )
    if needed:
        for i, when in enumerate(values):
            if when is None and cells[i] is None:
                faults.setdefault(i, Fault(name, None, "the time is missing"))
    return values


def _parsed(
    cells: Sequence[Cell],
    read: Callable[[Cell], T],
    name: str,
    faults: Faults,
    quick: Callable[[Packed, Callable[[Cell], T | None]], Readings] | None = None,
) -> list[T | None]:
    wrong: dict[Cell, str] = {}

    def attempt(cell: Cell) -> T | None:
        if cell is None:
            return None
        try:
            return read(cell)
        except ValueError as error:
            wrong[cell] = str(error)
            return None

    if quick and isinstance(cells, CodedCells) and isinstance(cells.values, Packed):
        found = quick(cells.values, attempt).found
        values = [found[code] for code in cells.codes.tolist()]
    else:
        values = each(cells, attempt)
    for i, cell in enumerate(cells if wrong else ()):
        if cell in wrong:
            faults.setdefault(i, Fault(name, cell, wrong[cell]))
    return values


def need_columns(table: Table, agreement: Agreement, names: Iterable[str]) -> None:
    """Raise an `AgreementError` that names the columns which the table does not have.

    Where rows are known by their number alone, one agreed column must be there.
    """
    needed = list(names)
    absent = [name for name in needed if name not in (*table.columns, ROW_NUMBER)]
    if needed == [ROW_NUMBER] and agreement.fields:
        known = {*agreement.fields, *agreement.columns.model_dump().values()}
        absent = sorted(agreement.fields) if known.isdisjoint(table.columns) else []
    if absent:
        is_json = table.form.format == "JSON lines"
        inside = "; leads in a list inside of an object are taken out by jq -c '.NAME[]'"
        raise AgreementError(
            f"{table.files[0]}: the agreement {agreement.name!r} names columns that the file does "
            "not have: "
            f"{named(absent)}; it has: {named(table.columns)}{inside if is_json else ''}"
        )


def admit_history(
    columns: Mapping[str, Sequence[Cell]], agreement: Agreement, faults: Faults
) -> History:
    """Apply the agreement to a chunk of an export with outcomes; see `admit`."""
    leads = admit(columns, agreement, faults, need_created=True)
    names = agreement.columns
    dispositions = _dispositions(columns[names.outcome], agreement, faults)
    closed = _times(leads.columns, names.closed, agreement, faults, False, len(leads))
    _closed_after_created(leads, closed, names.closed or "", faults)
    return History(leads, dispositions, closed, _serials(leads, agreement, faults))


def _dispositions(cells: Sequence[Cell], agreement: Agreement, faults: Faults) -> list[Disposition]:
    # A placeholder is an empty outcome, unless the agreement gives it a meaning of its own.
    meaning: dict[str, Disposition] = {key_of(word): "open" for word in agreement.export.missing}
    meaning |= {key_of(value): disposition for value, disposition in agreement.raw_outcomes()}
    found = each(cells, lambda cell: "open" if cell is None else meaning.get(key_of(cell)))
    for i in (i for i, disposition in enumerate(found) if disposition is None):
        reason = "unknown outcome; put it under its disposition in [outcomes]"
        faults.setdefault(i, Fault(agreement.columns.outcome, cells[i], reason))
    return [disposition or "open" for disposition in found]


def _closed_after_created(
    leads: Leads, closed: list[datetime | None], name: str, faults: Faults
) -> None:
    # A whole day of grace: a closing date without its hour lies before a creation at noon.
    grace = timedelta(days=1)
    for i, (start, end) in enumerate(zip(leads.created, closed, strict=True)):
        if start and end and end < start - grace:
            reason = f"closed before the lead was created ({start.isoformat()})"
            faults.setdefault(i, Fault(name, leads.columns[name][i], reason))


def _serials(leads: Leads, agreement: Agreement, faults: Faults) -> list[float]:
    name = agreement.columns.serial
    if name is None:
        return [float("nan")] * len(leads)
    values = _parsed(
        leads.columns[name], lambda c: number(c, agreement.export.decimal), name, faults
    )
    for i, value in enumerate(values):
        if value is None:
            faults.setdefault(i, Fault(name, leads.columns[name][i], "the serial is missing"))
    return [float("nan") if value is None else value for value in values]
