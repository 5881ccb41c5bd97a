"""Files and folders of leads as chunks of columns, with the line of every row.

The seam between the formats and the rest: whoever reads leads sees a `Table`, whether a CSV file,
a Parquet file or a folder of them lies below. Rows that cannot be split into fields are set aside
as rejects; a file that is no table at all ends with a `FileError`.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TextIO

import numpy as np

from features.agreement import Export
from features.cells import Cell, cell
from features.coded import CodedCells, coded
from features.errors import FileError
from features.records import Records, is_text, plain_block

CHUNK_ROWS = 20_000
_LINE_LIMIT = 1_000_000
_SNIFF_LINES = 200
_DELIMITERS = ",;\t|"
_EXCEL_NOTE = re.compile(r'"?sep=.?"?\s*')
_PACKED = {
    b"PK\x03\x04": "a zip archive (or a spreadsheet)",
    b"\x1f\x8b": "a gzip archive",
    b"\x28\xb5\x2f\xfd": "a zstd archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ\x00": "an xz archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet",
    b"%PDF": "a PDF",
}


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


@dataclass(frozen=True)
class Chunk:
    """Some rows of one file: their line numbers and their cells by column."""

    file: str
    lines: list[int]
    columns: dict[str, CodedCells]


class Table(Protocol):
    """A table of leads on disk."""

    columns: tuple[str, ...]
    files: tuple[str, ...]
    """The names of the files that it is made of."""

    def chunks(self, reject: Callable[[Reject], None]) -> Iterator[Chunk]:
        """Yield the rows in order; rows that cannot be read go to `reject`."""


def open_table(path: Path, export: Export | None = None) -> Table:
    """Open a CSV or Parquet file, or a folder of such files, as one table.

    Args:
        path: the file or folder.
        export: how the file writes its values; what it does not say is found out.

    Raises:
        FileError: when it is not there, cannot be read, is empty or is no table.

    """
    try:
        if path.is_dir():
            return _Folder(path, export or Export())
        return _open_file(path, export or Export())
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise FileError(f"{error.filename or path}: {reason}") from error


def _open_file(path: Path, export: Export) -> Table:
    with path.open("rb") as file:
        head = file.read(8)
    if not head:
        raise FileError(f"{path}: the file is empty")
    if head.startswith(b"PAR1"):
        return _Parquet(path)
    for magic, what in _PACKED.items():
        if head.startswith(magic):
            raise FileError(
                f"{path}: is {what}, not a table; unpack or export it as CSV or Parquet"
            )
    return _Csv(path, export)


class _Folder:
    """All `.csv` and `.parquet` files of a folder, by name, as one table."""

    def __init__(self, path: Path, export: Export) -> None:
        files = sorted(p for p in path.iterdir() if _is_part(p))
        if not files:
            raise FileError(f"{path}: the folder holds no .csv and no .parquet file")
        self._parts = [_open_file(file, export) for file in files]
        self.columns = self._parts[0].columns
        self.files = tuple(file.name for file in files)
        for file, part in zip(files, self._parts, strict=True):
            _same_columns(file, part.columns, files[0], self.columns)

    def chunks(self, reject: Callable[[Reject], None]) -> Iterator[Chunk]:
        for part in self._parts:
            yield from part.chunks(reject)


def _is_part(path: Path) -> bool:
    # Hidden files are what other programs leave beside the data, such as `._leads.csv`.
    hidden = path.name.startswith(".")
    return path.suffix.lower() in (".csv", ".parquet") and path.is_file() and not hidden


def _same_columns(
    file: Path, columns: tuple[str, ...], first: Path, wanted: tuple[str, ...]
) -> None:
    odd = sorted(set(columns) ^ set(wanted))
    if odd:
        raise FileError(
            f"{file}: its columns differ from those of {first.name} in {', '.join(odd)}; "
            "files of one folder must have the same columns"
        )


class _Parquet:
    """A Parquet file; its row numbers count from 1."""

    def __init__(self, path: Path) -> None:
        import pyarrow
        import pyarrow.parquet

        self._path = path
        try:
            self._file = pyarrow.parquet.ParquetFile(path)
        except (pyarrow.ArrowException, ValueError) as error:
            raise FileError(f"{path}: is a broken Parquet file: {error}") from error
        self.columns = _checked_header(path, self._file.schema_arrow.names)
        self.files: tuple[str, ...] = (path.name,)

    def chunks(self, reject: Callable[[Reject], None]) -> Iterator[Chunk]:
        import pyarrow

        line = 1
        try:
            for batch in self._file.iter_batches(batch_size=CHUNK_ROWS):
                columns = {
                    name: _parquet_cells(column)
                    for name, column in zip(self.columns, batch.columns, strict=True)
                }
                yield Chunk(self._path.name, list(range(line, line + batch.num_rows)), columns)
                line += batch.num_rows
        except (pyarrow.ArrowException, OSError, OverflowError, ValueError) as error:
            raise FileError(f"{self._path}: unreadable near row {line}: {error}") from error


def _parquet_cells(column: Any) -> CodedCells:
    import pyarrow

    if isinstance(column, pyarrow.DictionaryArray):
        column = column.dictionary_decode()
    try:
        values = column.dictionary_encode(null_encoding="encode")
    except pyarrow.ArrowNotImplementedError:  # lists and other nested values
        return coded(_parquet_cell(value) for value in column.to_pylist())
    cells = [_parquet_cell(value) for value in values.dictionary.to_pylist()]
    return CodedCells(cells, values.indices.to_numpy().astype(np.intp))


def _parquet_cell(value: object) -> Cell:
    try:
        return cell(value)
    except ValueError:
        # A nested value says nothing by itself, but must not cost the columns beside it.
        return json.dumps(value, default=str, ensure_ascii=False)


class _Csv:
    """A delimited text file; a row may span lines inside quotes."""

    def __init__(self, path: Path, export: Export) -> None:
        self._path = path
        self._encoding = export.encoding or _find_encoding(path)
        with self._open() as file:
            sample = list(islice(_lines(file, path), _SNIFF_LINES))
        self._delimiter = export.delimiter or find_delimiter(sample)
        records = Records(iter(sample), self._delimiter)
        first = next(records.read(), None)
        if first is None:
            raise FileError(f"{path}: the file holds no rows")
        if not is_text(first[1]):
            raise FileError(
                f"{path}: the header is not text in {self._encoding}: not a table, or one in "
                "another encoding; then say it: export.encoding in the agreement, --encoding "
                "to leadq init"
            )
        self.columns = _checked_header(path, first[1])
        self.files: tuple[str, ...] = (path.name,)

    def _open(self) -> TextIO:
        return self._path.open(encoding=self._encoding, errors="surrogateescape", newline="")

    def chunks(self, reject: Callable[[Reject], None]) -> Iterator[Chunk]:
        with self._open() as file:
            records = Records(_lines(file, self._path), self._delimiter, len(self.columns))
            next(records.read(), None)  # the header
            while lines := records.take_lines(CHUNK_ROWS):
                line = records.line
                block = plain_block(lines, self._delimiter, self.columns)
                if block is None:
                    records.give_back(lines)
                    yield self._with_care(records, line + len(lines), reject)
                else:
                    records.line += len(lines)
                    numbers = [line + start for start in block.starts]
                    yield Chunk(self._path.name, numbers, block.columns)

    def _with_care(self, records: Records, end: int, reject: Callable[[Reject], None]) -> Chunk:
        """Return the rows of the records that begin before line `end`."""
        rows = list(self._good_rows(records, end, reject))
        columns = {
            name: coded(fields[place].strip() or None for _, fields in rows)
            for place, name in enumerate(self.columns)
        }
        return Chunk(self._path.name, [line for line, _ in rows], columns)

    def _good_rows(
        self, records: Records, end: int, reject: Callable[[Reject], None]
    ) -> Iterator[tuple[int, list[str]]]:
        width = len(self.columns)
        for line, fields in records.read(end):
            fault = _fault(fields, width)
            if fault:
                reject(Reject(self._path.name, line, "", self._delimiter.join(fields)[:200], fault))
            else:
                yield line, fields


def _fault(fields: list[str], width: int) -> str:
    if len(fields) != width:
        return f"{len(fields)} fields instead of {width}; look for a stray delimiter or quote"
    return "" if is_text(fields) else "holds bytes that are not text in this file's encoding"


def _lines(file: TextIO, path: Path) -> Iterator[str]:
    number = 0
    try:
        while line := file.readline(_LINE_LIMIT):
            number += 1
            if len(line) == _LINE_LIMIT:
                raise FileError(
                    f"{path}: line {number} is longer than a million characters: not a table"
                )
            yield _first_line(line) if number == 1 else line
    except UnicodeError as error:
        raise FileError(
            f"{path}: near line {number + 1}: {error}; mend export.encoding, or --encoding"
        ) from error


def _first_line(line: str) -> str:
    # A byte order mark is left over where the agreement names the encoding; `sep=;` is Excel's
    # note to itself, and stays as a blank line so that the count of lines is right.
    line = line.removeprefix("\ufeff")
    return "\n" if _EXCEL_NOTE.fullmatch(line) else line


def _find_encoding(path: Path) -> str:
    """Return the encoding by byte order mark, else UTF-8, else the Windows code page.

    A few broken lines in a UTF-8 file are rows to reject; a file full of them is in another code.
    """
    with path.open("rb") as file:
        head = file.read(2)
        if head in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            return "utf-16"
        file.seek(0)
        if _is_utf8(iter(lambda: file.read(_LINE_LIMIT), b"")):
            return "utf-8-sig"
        file.seek(0)
        special = (
            line for line in iter(lambda: file.readline(_LINE_LIMIT), b"") if not line.isascii()
        )
        broken, good = 0, 0
        for line in special:
            if _is_utf8([line]):
                good += 1
            else:
                broken += 1
    return "cp1252" if broken > good else "utf-8-sig"


def _is_utf8(pieces: Iterable[bytes]) -> bool:
    try:
        for _ in codecs.iterdecode(pieces, "utf-8"):
            pass
    except UnicodeDecodeError:
        return False
    return True


def find_delimiter(sample: list[str]) -> str:
    """Return the delimiter that splits most sample lines into the same, largest count of fields."""

    def consistency(delimiter: str) -> tuple[float, int]:
        widths = [len(fields) for _, fields in Records(iter(sample), delimiter).read()]
        header = widths[0] if widths else 1
        agree = sum(width == header for width in widths) / max(len(widths), 1)
        return (agree if header > 1 else 0.0, header)

    return max(_DELIMITERS, key=consistency)


def _checked_header(path: Path, names: list[str]) -> tuple[str, ...]:
    columns = tuple(name.strip() or f"column_{i}" for i, name in enumerate(names, 1))
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise FileError(
            f"{path}: columns stand twice in the header: {', '.join(twice)}; rename one"
        )
    if len(columns) < 2:
        raise FileError(
            f"{path}: only one column found ({''.join(columns)[:60]!r}); "
            "is it a table? if so, say what delimits its fields: export.delimiter in the "
            "agreement, --delimiter to leadq init"
        )
    return columns
