"""Lines of a delimited text as records: at once where they are well formed, with care elsewhere.

`Records` says what a record is, line by line. `plain_block` reads many lines many times faster,
and only where it would find exactly the same.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from features.coded import CodedCells, Places

_CR, _LF = ord("\r"), ord("\n")
_LONG_VALUE = 200
"""Lines that a quoted value is followed beyond the end of a block."""
Letters = npt.NDArray[np.uint8]


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
        """Return the next lines as they are; `line` stays for the caller to move.

        They may be some more than `most`, so as not to end within a quoted value.
        """
        rest = self._rest()
        lines = list(islice(rest, most))
        quotes = sum(line.count('"') for line in lines)
        while quotes % 2 and len(lines) < most + _LONG_VALUE and (line := next(rest, "")):
            lines.append(line)
            quotes += line.count('"')
        return lines

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
        for line in self._rest():
            self._taken.append(line)
            yield line

    def _rest(self) -> Iterator[str]:
        while (line := self._pushed.pop() if self._pushed else next(self._lines, None)) is not None:
            yield line

    def _misfits(self, fields: list[str]) -> bool:
        return self._width is not None and len(fields) != self._width

    def _give_up_first_line(self) -> list[str]:
        """An unclosed quote costs its own line; those below are read again."""
        first, *below = self._taken
        self.give_back(below)
        self._taken[:] = [first]
        return [first.rstrip("\r\n")]


class Block(NamedTuple):
    """Well-formed records."""

    starts: list[int]
    """The place of each record's first line among the lines."""
    columns: dict[str, CodedCells]


def plain_block(lines: list[str], delimiter: str, names: tuple[str, ...]) -> Block | None:
    """Return lines that are well-formed records with a field for each name, else None.

    Returns None where `Records` could find anything but leads: a blank line, a stray quote, too
    few or many fields, a record that does not end, bytes that are no text.
    """
    try:
        raw = "".join(lines).encode()
    except UnicodeEncodeError:
        return None
    if raw.startswith(codecs.BOM_UTF8) or b"\0" in raw or not delimiter.isascii():
        return None
    letters = np.frombuffer(b"\n" + raw + delimiter.encode(), dtype=np.uint8)
    quotes = np.flatnonzero(letters == ord('"'))
    ends = _line_ends(letters)
    if len(ends) != len(lines) or not _are_pairs(quotes, letters, delimiter):
        return None
    closes = np.searchsorted(quotes, ends) % 2 == 0
    if np.diff(ends[closes], prepend=0).max() > csv.field_size_limit():
        return None
    table = _arrow_table(raw, delimiter, names)
    starts = np.flatnonzero(np.concatenate([[True], closes[:-1]]))
    if table is None or table.num_rows != len(starts):
        return None
    return Block(starts.tolist(), {name: _cells(table.column(name).chunk(0)) for name in names})


def _line_ends(letters: Letters) -> Places:
    """Return where each line ends, of a text with one letter before it and one behind."""
    text, following = letters[1:-1], letters[2:]
    ends = np.flatnonzero((text == _LF) | ((text == _CR) & (following != _LF))) + 1
    if letters[-2] not in (_CR, _LF):  # the last line of a file may go without
        ends = np.append(ends, len(letters) - 1)
    return ends


def _are_pairs(quotes: Places, letters: Letters, delimiter: str) -> bool:
    """Whether each quote opens a field, closes one, or is half of a doubled one inside a field.

    Quotes open and close in turn; a doubled one closes the field and opens it again at once.
    """
    opening, closing = quotes[::2], quotes[1::2]
    if len(opening) != len(closing):
        return False
    border = np.isin(np.arange(256), [ord(delimiter), _CR, _LF])
    begins, ends = border[letters[opening - 1]], border[letters[closing + 1]]
    again = opening[1:] == closing[:-1] + 1
    begins[1:] |= again
    ends[:-1] |= again
    return bool(begins.all() and ends.all())


def _arrow_table(raw: bytes, delimiter: str, names: tuple[str, ...]) -> Any:
    import pyarrow
    import pyarrow.csv as arrow

    kind = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
    try:
        return arrow.read_csv(
            pyarrow.BufferReader(raw),
            arrow.ReadOptions(column_names=names, use_threads=False, block_size=len(raw) + 1),
            arrow.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            arrow.ConvertOptions(
                column_types=dict.fromkeys(names, kind), strings_can_be_null=False
            ),
        )
    except pyarrow.ArrowInvalid:
        return None


def _cells(column: Any) -> CodedCells:
    cells = [value.strip() or None for value in column.dictionary.to_pylist()]
    return CodedCells(cells, column.indices.to_numpy().astype(np.intp))
