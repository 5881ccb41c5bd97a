"""From a table to leads: the agreement is applied, and what cannot be used is set aside.

`admit` is the one definition of which rows are leads; files go through `read_history` and
`read_nightly`, REST bodies call it directly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

import numpy as np

from features.agreement import Agreement, Disposition
from features.cells import Cell, key_of, missing_as_none, moment, number, text_of
from features.coded import CodedCells, Places, coded, each, joined
from features.errors import AgreementError
from features.files import Chunk, Reject, Table
from features.packed import give_back
from features.repeats import Hashes, Repeats

T = TypeVar("T")

ROW_NUMBER = "#row"
"""The id column of an export that has none: the number of the row stands in."""
PROPENSITY = "#propensity"
"""The column in which leads from the store carry the chance with which they were chosen."""


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


@dataclass
class Intake:
    """The account of a reading: every row is accepted or stands among the rejects."""

    read: int = 0
    rejects: list[Reject] = field(default_factory=list)

    @property
    def accepted(self) -> int:
        """Rows that became leads."""
        return self.read - len(self.rejects)


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
    ids = [text_of(cell) for cell in clean[names.id]]
    for i, text in enumerate(ids):
        if not text:
            faults.setdefault(i, Fault(names.id, None, "the id is missing"))
    created = _times(clean, names.created, agreement, faults, need_created, len(ids))
    return Leads(ids, clean, created)


def admit_one(cells: Mapping[str, Cell], agreement: Agreement) -> Lead | Fault:
    """Do the same with one lead, which need not have a creation time, or say why it is none."""
    names = agreement.columns
    text = text_of(cells.get(names.id))
    cell = cells.get(names.created) if names.created else None
    if not text:
        return Fault(names.id, None, "the id is missing")
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
        self._clean: dict[str, Sequence[Cell]] = {}

    def __getitem__(self, name: str) -> Sequence[Cell]:
        found = self._clean.get(name)
        if found is None:
            cells = self._raw[name]
            found = (
                cells.changed(self._reading)
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
    day_first = agreement.export.day_first
    values = _parsed(columns[name], lambda c: moment(c, day_first), name, faults)
    if needed:
        for i, cell in enumerate(columns[name]):
            if cell is None:
                faults.setdefault(i, Fault(name, None, "the time is missing"))
    return values


def _parsed(
    cells: Sequence[Cell], read: Callable[[Cell], T], name: str, faults: Faults
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

    values = each(cells, attempt)
    for i, cell in enumerate(cells if wrong else ()):
        if cell in wrong:
            faults.setdefault(i, Fault(name, cell, wrong[cell]))
    return values


def read_history(
    table: Table,
    agreement: Agreement,
    intake: Intake,
    keep: Callable[[History], None] = lambda _: None,
) -> History:
    """Read an export with outcomes whole; rows set aside go to `intake.rejects`.

    Args:
        table: the export.
        agreement: says what is what.
        intake: filled with the account of the reading.
        keep: told each chunk as it is read.

    Raises:
        AgreementError: when columns that the agreement names are not in the table.

    """
    need_columns(table, agreement, _history_columns(agreement))
    ids: list[str] = []
    created: list[datetime | None] = []
    cells: dict[str, list[CodedCells]] = {name: [] for name in table.columns}
    dispositions: list[Disposition] = []
    closed: list[datetime | None] = []
    serial: list[float] = []
    for part in _batches(table, agreement, intake, _admit_history):
        keep(part)
        ids += part.leads.ids
        created += part.leads.created
        dispositions += part.dispositions
        closed += part.closed
        serial += part.serial
        for name, column in cells.items():
            column.append(coded(part.leads.columns[name]).packed())
    # Each column's parts are let go as soon as they are joined: together they are the whole file.
    columns = {name: joined(cells.pop(name)) for name in table.columns}
    give_back()
    return History(Leads(ids, columns, created), dispositions, closed, serial)


def read_nightly(table: Table, agreement: Agreement, intake: Intake) -> Iterator[Leads]:
    """Yield the leads of a file to be scored, a chunk at a time; it needs no outcome column.

    Raises:
        AgreementError: when the id column is not in the table; other fields may be missing.

    """
    need_columns(table, agreement, [agreement.columns.id])
    yield from _batches(table, agreement, intake, _admit_nightly)


def _history_columns(agreement: Agreement) -> list[str]:
    names = agreement.columns
    roles = (names.id, names.outcome, names.created, names.serial, names.closed)
    return [name for name in roles if name]


def need_columns(table: Table, agreement: Agreement, names: Iterable[str]) -> None:
    """Raise an `AgreementError` that names the columns which the table does not have."""
    absent = [name for name in names if name not in (*table.columns, ROW_NUMBER)]
    if absent:
        raise AgreementError(
            f"{table.files[0]}: the agreement {agreement.name!r} names columns that the file does "
            "not have: "
            f"{', '.join(absent)}; it has: {', '.join(table.columns)}"
        )


B = TypeVar("B", Leads, History)


def _batches(
    table: Table,
    agreement: Agreement,
    intake: Intake,
    admitted: Callable[[Chunk, Agreement, Faults], B],
) -> Iterator[B]:
    numbered = agreement.columns.id == ROW_NUMBER and ROW_NUMBER not in table.columns

    def reject(row: Reject) -> None:
        intake.read += 1
        intake.rejects.append(row)

    with closing(Repeats()) as repeats:
        for chunk in table.chunks(reject):
            if numbered:
                chunk.columns[ROW_NUMBER] = coded(_row_ids(chunk, table))
            faults: Faults = {}
            batch = admitted(chunk, agreement, faults)
            _add_repeats(repeats, chunk, agreement.columns.id, faults)
            intake.read += len(chunk.lines)
            for i in sorted(faults):
                name, value, reason = faults[i]
                row = chunk.file, chunk.lines[i], name, text_of(value), reason
                intake.rejects.append(Reject(*row, text_of(chunk.columns[agreement.columns.id][i])))
            good = [i for i in range(len(batch)) if i not in faults]
            yield batch.take(good) if faults else batch


def _add_repeats(repeats: Repeats, chunk: Chunk, name: str, faults: Faults) -> None:
    """Add the rows whose id was seen before to `faults`; the first one keeps the lead."""
    ids, contents = chunk.columns[name], _contents(chunk)
    found = repeats.find(chunk.file, chunk.lines, each(ids, text_of), contents, faults)
    for i, first in found.items():
        same = first.content == contents[i]
        what = "repeats" if same else "the same id with other values as"
        where = "" if first.file == chunk.file else f" of {first.file}"
        faults[i] = Fault(name, ids[i], f"{what} line {first.line}{where}")


def _row_ids(chunk: Chunk, table: Table) -> list[Cell]:
    # In a folder every file has a row 2.
    before = f"{chunk.file}:" if len(table.files) > 1 else ""
    return [f"{before}{line}" for line in chunk.lines]


def _admit_nightly(chunk: Chunk, agreement: Agreement, faults: Faults) -> Leads:
    return admit(chunk.columns, agreement, faults, need_created=False)


def _admit_history(chunk: Chunk, agreement: Agreement, faults: Faults) -> History:
    leads = admit(chunk.columns, agreement, faults, need_created=True)
    names = agreement.columns
    dispositions = _dispositions(chunk.columns[names.outcome], agreement, faults)
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


_MIXER = np.int64(6364136223846793005)
"""An odd factor of many digits; products wrap around (Knuth's, of The Art of Programming 3.3.4)."""


def _contents(chunk: Chunk) -> Hashes:
    """Return a number for each row that tells its cells from other cells."""
    found = np.zeros(len(chunk.lines), dtype=np.int64)
    # By name, because the files of a folder may have the same columns in another order.
    for name in sorted(chunk.columns):
        column = chunk.columns[name]
        hashes = np.fromiter(map(hash, column.values), np.int64, len(column.values))
        found = found * _MIXER + hashes[column.codes]
    return found
