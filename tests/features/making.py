"""What the tests of `features` are made from: a small agreement, files, tables read to the end."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from features.agreement import Agreement, Export, from_dict
from features.cells import Cell
from features.errors import FileError
from features.files import Reject, open_table
from features.leads import History, Leads, need_columns
from features.reading import Intake, admit_nightly, others, read_history
from features.repeats import Repeats

SMALLEST: dict[str, Any] = {
    "format": 1,
    "version": 1,
    "name": "test",
    "columns": {"id": "id", "outcome": "status", "created": "created", "closed": "closed"},
    "outcomes": {"won": ["Won"], "lost": ["Lost"]},
    "grades": {"A": 0.5, "B": 0.25, "C": 0.1},
}


def an_agreement(**sections: Any) -> Agreement:
    """The smallest agreement, with the given sections in place of its own."""
    return from_dict({**SMALLEST, **sections})


@dataclass(frozen=True)
class Read:
    """A table read to the end."""

    columns: tuple[str, ...]
    cells: dict[str, list[Cell]]
    lines: list[int]
    rejects: list[Reject]


def read(path: Path | str, **export: Any) -> Read:
    """Read a table whole."""
    table = open_table(path, Export(**export))
    cells: dict[str, list[Cell]] = {name: [] for name in table.columns}
    lines: list[int] = []
    rejects: list[Reject] = []
    for chunk in table.chunks(rejects.append):
        lines += chunk.lines
        for name, values in chunk.columns.items():
            cells[name] += values
    return Read(table.columns, cells, lines, rejects)


def refused(path: Path | str, match: str, **export: Any) -> None:
    """Expect that a table is refused, with an error that says `match`."""
    with pytest.raises(FileError, match=match):
        read(path, **export)


def a_file(folder: Path, content: str | bytes, name: str = "leads.csv") -> Path:
    """A file in a folder; text is written as UTF-8, its line ends untouched."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def history_of(path: Path, agreement: Agreement) -> tuple[History, Intake]:
    """Read an export with outcomes, and the account of it."""
    intake = Intake()
    return read_history(open_table(path, agreement.export), agreement, intake), intake


def nightly_of(path: Path, agreement: Agreement) -> tuple[list[Leads], Intake]:
    """Read a file to be scored, and the account of it, as `leadq score` does."""
    intake, parts = Intake(), []
    table = open_table(path, agreement.export)
    need_columns(table, agreement, [agreement.columns.id])
    with closing(Repeats()) as repeats:
        for chunk in table.chunks(intake.rejects.append):
            found = admit_nightly(chunk, agreement, len(table.files) > 1)
            again = found.repeated(repeats, agreement.columns.id, found.batch.ids)
            intake.rejects += found.rejected(again)
            parts.append(found.batch.take(others(len(found.batch), again)))
    intake.read = sum(map(len, parts)) + len(intake.rejects)
    return parts, intake
