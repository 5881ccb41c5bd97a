"""Files as leads: read a chunk at a time, with an account of the rows that are set aside.

What a row is by itself hangs on its chunk alone (`Admitted`); whether its id came before hangs on
all rows before it. So chunks can be read by several processes, and one looks for what repeats.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar, cast

import numpy as np

from features.agreement import Agreement, Disposition
from features.cells import Cell, text_of
from features.coded import CodedCells, Places, coded, joined
from features.files import Chunk, Reject, Table
from features.leads import (
    NESTED_ID,
    ROW_NUMBER,
    Fault,
    Faults,
    History,
    Leads,
    admit,
    admit_history,
    need_columns,
)
from features.packed import give_back
from features.repeats import Marks, Repeats, marks_of


@dataclass
class Intake:
    """The account of a reading: every row is accepted or stands among the rejects."""

    read: int = 0
    rejects: list[Reject] = field(default_factory=list)

    @property
    def accepted(self) -> int:
        """Rows that became leads."""
        return self.read - len(self.rejects)


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
    for part in _histories(table, agreement, intake):
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


def _history_columns(agreement: Agreement) -> list[str]:
    names = agreement.columns
    roles = (names.id, names.outcome, names.created, names.serial, names.closed)
    return [name for name in roles if name]


B = TypeVar("B", Leads, History)


@dataclass(frozen=True)
class Admitted(Generic[B]):
    """The rows of a chunk by themselves: an id that came before is still among the leads."""

    file: str
    batch: B
    """Those that are leads."""
    places: Places
    """Which row each of them is."""
    rejects: dict[int, Reject]
    """The others, by row."""
    marks: Marks
    """By what each row is known again."""

    def repeated(self, repeats: Repeats, name: str, ids: Sequence[str]) -> dict[int, Reject]:
        """Return, by place in the batch, the leads whose id came before; the first one counts.

        Args:
            repeats: what came before; these rows are added.
            name: of the id column.
            ids: of the batch.

        """
        again: dict[int, Reject] = {}
        places = self.places.tolist()
        lead = dict(zip(places, range(len(places)), strict=True)).__getitem__
        found = repeats.find(self.file, self.marks, self.rejects)
        for row, first in found.items():
            same = first.content == self.marks["content"][row]
            what = "repeats" if same else "the same id with other values as"
            where = "" if first.file == self.file else f" of {first.file}"
            text, line = ids[lead(row)], int(self.marks["line"][row])
            reason = f"{what} line {first.line}{where}"
            again[lead(row)] = Reject(self.file, line, name, text, reason, text)
        return again

    def rejected(self, again: Mapping[int, Reject]) -> list[Reject]:
        """Return all rows that are set aside, in their order, those that came again among them."""
        places = self.places.tolist()
        all_ = self.rejects | {places[lead]: reject for lead, reject in again.items()}
        return [all_[row] for row in sorted(all_)]


def nobody() -> Admitted[Leads]:
    """Return what no rows are."""
    marks = marks_of([], [], np.zeros(0, dtype=np.uint64))
    return Admitted("", Leads([], {}, []), np.zeros(0, dtype=np.intp), {}, marks)


def others(count: int, left_out: Collection[int]) -> Places:
    """Return the places below `count` but for some."""
    mask = np.ones(count, dtype=np.bool_)
    mask[list(left_out)] = False
    return np.flatnonzero(mask)


def admit_nightly(chunk: Chunk, agreement: Agreement, several: bool) -> Admitted[Leads]:
    """Return what the rows of a chunk are by themselves.

    Args:
        chunk: of a file to be scored.
        agreement: says what is what.
        several: whether the table has several files.

    """
    return _admitted(chunk, agreement, several, _admit_nightly)


def _admitted(
    chunk: Chunk,
    agreement: Agreement,
    several: bool,
    admitted: Callable[[Mapping[str, CodedCells], Agreement, Faults], B],
) -> Admitted[B]:
    name, columns, lines = agreement.columns.id, chunk.columns, chunk.lines
    if name == ROW_NUMBER and ROW_NUMBER not in columns:
        columns = _beside(columns, coded(_row_ids(chunk, several)))
    faults: Faults = {}
    for i in chunk.nested.get(name, ()):
        if (cell := columns[name][i]) is not None:
            faults[i] = Fault(name, cell, NESTED_ID)
    batch = admitted(columns, agreement, faults)
    leads = batch if isinstance(batch, Leads) else batch.leads
    marks = marks_of(lines, leads.ids, chunk.contents)
    rejects = {
        i: Reject(*(chunk.file, lines[i], field, text_of(value), reason, text_of(columns[name][i])))
        for i, (field, value, reason) in faults.items()
    }
    good = others(len(batch), rejects)
    return Admitted(chunk.file, batch.take(good) if rejects else batch, good, rejects, marks)


def _histories(table: Table, agreement: Agreement, intake: Intake) -> Iterator[History]:
    def reject(row: Reject) -> None:
        intake.read += 1
        intake.rejects.append(row)

    several = len(table.files) > 1
    with closing(Repeats()) as repeats:
        for chunk in table.chunks(reject):
            found = _admitted(chunk, agreement, several, admit_history)
            history = found.batch
            again = found.repeated(repeats, agreement.columns.id, history.leads.ids)
            rejects = found.rejected(again)
            intake.read += len(history) - len(again) + len(rejects)
            intake.rejects += rejects
            yield history.take(others(len(history), again)) if again else history


def _beside(columns: Mapping[str, CodedCells], row_ids: CodedCells) -> Mapping[str, CodedCells]:
    """Return columns with the numbers of the rows; no column is read for that."""
    parts = [{ROW_NUMBER: row_ids}, cast(dict[str, CodedCells], columns)]
    return ChainMap(*parts)


def _row_ids(chunk: Chunk, several: bool) -> list[Cell]:
    # In a folder every file has a row 2.
    before = f"{chunk.file}:" if several else ""
    return [f"{before}{line}" for line in chunk.lines]


def _admit_nightly(
    columns: Mapping[str, CodedCells], agreement: Agreement, faults: Faults
) -> Leads:
    return admit(columns, agreement, faults, need_created=False)
