"""What every reader of leads gives: a table as chunks of columns, with the line of every row."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

from features.cells import Cell, cell
from features.coded import CodedCells, Contents, contents_of
from features.counted import named
from features.errors import FileError

CHUNK_ROWS = 20_000
"""Rows of a chunk at most."""
CHUNK_BYTES = 8 << 20
"""Bytes of a chunk's text at most; so a line cannot be longer either."""


CHUNK_CELLS = 2_000_000
"""Cells of a chunk at most, where a row takes no bytes for a cell that it lacks."""


class Reject(NamedTuple):
    """A row that was set aside: where it stands, which field, what it held, why, and whose it is.

    The id is empty where it is not known: the row could not be split into fields.
    """

    file: str
    line: int
    field: str
    value: str
    reason: str
    id: str = ""


class Chunk(Protocol):
    """Some rows of one file: their line numbers and their cells by column.

    It may hold them as they stand in the file, until somebody asks.
    """

    @property
    def file(self) -> str:
        """The name of the file."""

    @property
    def lines(self) -> list[int]:
        """The line of each row."""

    @property
    def columns(self) -> Mapping[str, CodedCells]:
        """The cells of each column."""

    @property
    def contents(self) -> Contents:
        """A number for each row that tells its cells from other cells."""

    @property
    def nested(self) -> Mapping[str, Sequence[int]]:
        """By column the positions of values that are lists or hold others."""

    def of_file(self, name: str) -> Chunk:
        """Return the same as rows of a file with that name."""


@dataclass(frozen=True)
class Rows:
    """Some rows that are read."""

    file: str
    lines: list[int]
    columns: Mapping[str, CodedCells]
    nested: Mapping[str, Sequence[int]] = field(default_factory=dict)

    @property
    def contents(self) -> Contents:
        """A number for each row that tells its cells from other cells."""
        return contents_of(self.columns, len(self.lines))

    def of_file(self, name: str) -> Rows:
        """Return the same as rows of a file with that name."""
        return replace(self, file=name)


class Form(NamedTuple):
    """How a table is written."""

    format: str
    delimiter: str = ""
    encoding: str = ""
    doubtful: bool = False
    """Whether the encoding was found out, and its letters are seldom such."""


class Table(Protocol):
    """A table of leads: a file, several files, or a table of a database."""

    columns: tuple[str, ...]
    files: tuple[str, ...]
    """The names of the files that it is made of."""
    form: Form
    """How it is written; of several files, the first one."""

    def chunks(self, reject: Callable[[Reject], None]) -> Iterator[Chunk]:
        """Yield the rows in order; rows that cannot be read go to `reject`.

        Where a chunk ends depends on what is read alone, so that one who reads again finds the
        same chunks.
        """


_UNSEEN = "\ufeff\u200b\u200e\u200f\u202a\u202b\u202c\u2060\u2066\u2067\u2068\u2069"
"""Marks of byte order, of the direction of writing, and spaces without width."""


def _shown(name: str) -> str:
    """Return a name without what nobody sees at its ends: by it columns are found."""
    return name.strip().strip(_UNSEEN).strip()


def checked_header(where: object, names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of columns; one without a name is named by its place.

    Raises:
        FileError: when there are fewer than two, or one stands there twice.

    """
    columns = tuple(_shown(name) or f"column_{i}" for i, name in enumerate(names, 1))
    twice = sorted(name for name, times in Counter(columns).items() if times > 1)
    if twice:
        raise FileError(f"{where}: columns stand twice in the header: {named(twice)}; rename one")
    if len(columns) < 2:
        raise FileError(
            f"{where}: only one column found ({''.join(columns)[:60]!r}); "
            "is it a table? if so, remove lines above the header, or say what delimits its "
            "fields: export.delimiter in the agreement, --delimiter to leadq init"
        )
    return columns


def plain_cell(value: object) -> Cell:
    """Return the cell of a typed value; a nested one as JSON.

    A nested value says nothing by itself, but must not cost the columns beside it.
    """
    try:
        return cell(value)
    except ValueError:
        return json.dumps(value, default=str, ensure_ascii=False)
