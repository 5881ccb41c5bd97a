"""Lines of a delimited text as records: at once where they are well formed, with care elsewhere.

`Records` says what a record is, line by line. `plain_columns` reads many lines many times faster,
and only where it would find exactly the same.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np

from features.coded import CodedCells


def is_text(fields: list[str]) -> bool:
    """Whether fields are free of NULs and of the surrogates that stand for undecodable bytes."""
    text = "".join(fields)
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


class Records:
    """Splits lines into records, and recovers when a stray quote would swallow the lines below."""

    def __init__(self, lines: Iterator[str], delimiter: str, width: int | None = None) -> None:
        """Read from the first line on.

        Args:
            lines: with their line ends.
            delimiter: stands between fields.
            width: the number of fields that a record has, where it is known.

        """
        self.line = 1
        """The number of the next line."""
        self._lines = lines
        self._delimiter = delimiter
        self._width = width
        self._taken: list[str] = []
        self._pushed: list[str] = []

    def take_lines(self, most: int) -> list[str]:
        """Return the next lines as they are; `line` stays for the caller to move."""
        pushed = [self._pushed.pop() for _ in range(min(most, len(self._pushed)))]
        return [*pushed, *islice(self._lines, most - len(pushed))]

    def give_back(self, lines: list[str]) -> None:
        """Return lines to be read again."""
        self._pushed.extend(reversed(lines))

    def read(self, end: int | None = None) -> Iterator[tuple[int, list[str]]]:
        """Yield (number of its first line, fields) for every record that is not blank.

        Args:
            end: where to stop; a record that begins before this line is read to its own end.

        """
        reader = self._reader()
        while end is None or self.line < end:
            self._taken.clear()
            try:
                fields = next(reader, None)
                swallowed = bool(fields and len(self._taken) > 1 and self._misfits(fields))
            except csv.Error:
                fields, swallowed = [], True
            if fields is None:
                return
            if swallowed:
                fields = self._give_up_first_line()
                reader = self._reader()
            line = self.line
            self.line += len(self._taken)
            if fields:
                yield line, fields

    def _reader(self) -> Iterator[list[str]]:
        return csv.reader(self._next_lines(), delimiter=self._delimiter, strict=True)

    def _next_lines(self) -> Iterator[str]:
        while (line := self._pushed.pop() if self._pushed else next(self._lines, None)) is not None:
            self._taken.append(line)
            yield line

    def _misfits(self, fields: list[str]) -> bool:
        return self._width is not None and len(fields) != self._width

    def _give_up_first_line(self) -> list[str]:
        """An unclosed quote costs its own line; those below are read again."""
        first, *below = self._taken
        self.give_back(below)
        self._taken[:] = [first]
        return [first.rstrip("\r\n")]


def plain_columns(
    lines: list[str], delimiter: str, names: tuple[str, ...]
) -> dict[str, CodedCells] | None:
    """Return the cells of lines that are one well-formed record each, by column.

    Returns None where `Records` could find anything else than a lead in each line: a blank line,
    a record over several lines, a stray quote, too few or many fields, bytes that are no text.
    """
    import pyarrow
    import pyarrow.csv as arrow

    if not delimiter.isascii() or max(map(len, lines)) > csv.field_size_limit():
        return None
    try:
        raw = "".join(lines).encode()
    except UnicodeEncodeError:
        return None
    if raw.startswith(codecs.BOM_UTF8) or b"\0" in raw or not _is_well_quoted(raw, delimiter):
        return None
    kind = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
    try:
        table = arrow.read_csv(
            pyarrow.BufferReader(raw),
            arrow.ReadOptions(column_names=names, use_threads=False, block_size=len(raw) + 1),
            arrow.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            arrow.ConvertOptions(
                column_types=dict.fromkeys(names, kind), strings_can_be_null=False
            ),
        )
    except pyarrow.ArrowInvalid:
        return None
    if table.num_rows != len(lines):
        return None
    return {name: _cells(table.column(name).chunk(0)) for name in names}


def _cells(column: Any) -> CodedCells:
    cells = [value.strip() or None for value in column.dictionary.to_pylist()]
    return CodedCells(cells, column.indices.to_numpy().astype(np.intp))


def _is_well_quoted(raw: bytes, delimiter: str) -> bool:
    """Whether each quote opens a field, closes one, or is half of a doubled one inside a field.

    Quotes open and close in turn; a doubled one closes the field and opens it again at once.
    """
    if b'"' not in raw:
        return True
    letters = np.frombuffer(b"\n" + raw + b"\n", dtype=np.uint8)
    quotes = np.flatnonzero(letters == ord('"'))
    opening, closing = quotes[::2], quotes[1::2]
    if len(opening) != len(closing):
        return False
    border = np.isin(np.arange(256), [ord(delimiter), ord("\r"), ord("\n")])
    begins, ends = border[letters[opening - 1]], border[letters[closing + 1]]
    again = opening[1:] == closing[:-1] + 1
    begins[1:] |= again
    ends[:-1] |= again
    return bool(begins.all() and ends.all())
