"""Lines of a delimited text as records: at once where they are well formed, with care elsewhere.

`Records` says what a record is, line by line. `plain_block` reads many lines many times faster,
and only where it would find exactly the same.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from features.blocks import CR, LF, QUOTE, Letters, Lines, places_of
from features.coded import CodedCells, Places, narrow

_SAMPLE = 4000
"""Values by which a column is taken to repeat itself or not."""
_WINDOW = 1 << 16
"""Bytes that are decoded at once."""
_LAST_ASCII_SPACE, _FIRST_NOT_ASCII = 0x20, 0x80


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

    def __init__(
        self, lines: Iterator[str], delimiter: str, width: int | None = None, line: int = 1
    ) -> None:
        """Read from the first line on.

        Args:
            lines: with their line ends.
            delimiter: stands between fields.
            width: the number of fields that a record has, where it is known.
            line: the number of the first line.

        """
        self.line = line
        """The number of the next line."""
        self._lines = lines
        self._delimiter = delimiter
        self._width = width
        self._taken: list[str] = []
        self._pushed: list[str] = []

    def left(self) -> list[str]:
        """Return lines that were looked at and are still to be read, in order."""
        return self._pushed[::-1]

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
        self._pushed.extend(reversed(below))
        self._taken[:] = [first]
        return [first.rstrip("\r\n")]


class Block(NamedTuple):
    """Records, each with a field for every column."""

    numbers: list[int]
    """The number of each record's first line."""
    table: Any
    """Their fields as a table of Arrow's strings."""


def record_starts(lines: Lines, delimiter: str, width: int) -> Places | None:
    """Return the places of the lines with which records begin, where all are well formed.

    Returns None where `Records` could find anything but leads: a blank line, a stray quote, too
    few or many fields, a record that does not end, bytes that are no text.
    """
    raw, ends, _ = lines
    if raw.startswith(codecs.BOM_UTF8) or b"\0" in raw or not delimiter.isascii():
        return None
    if not (raw.isascii() or _is_utf8(raw)):
        return None
    letters = np.frombuffer(raw, dtype=np.uint8)
    marks, within = places_of(ord(delimiter), letters), None
    closes = np.ones(len(ends), dtype=bool)
    if b'"' in raw:
        quotes = places_of(QUOTE, letters)
        if not _are_pairs(quotes, letters, delimiter):
            return None
        closes = np.searchsorted(quotes, ends) % 2 == 0
        within = quotes[1::2], np.diff(np.searchsorted(marks, quotes))[::2]
    if np.diff(ends[closes], prepend=0).max(initial=0) > csv.field_size_limit():
        return None
    starts = np.flatnonzero(np.concatenate([[True], closes[:-1]]))
    record_ends = ends[np.append(starts[1:] - 1, len(ends) - 1)]
    splits = np.searchsorted(marks, record_ends)
    if within is not None:  # quotes
        closing, quoted = within
        sums = np.concatenate([[0], np.cumsum(quoted)])
        splits -= sums[np.searchsorted(closing, record_ends)]
    return starts if (np.diff(splits, prepend=0) == width - 1).all() else None


def _is_utf8(raw: bytes) -> bool:
    """Whether it is, looked at part by part: the text of all of it would take much room."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for begin in range(0, len(raw), _WINDOW):
            decoder.decode(raw[begin : begin + _WINDOW])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def plain_block(
    lines: Lines, starts: Places, delimiter: str, names: tuple[str, ...]
) -> Block | None:
    """Return well-formed lines as records; None where Arrow finds others.

    Args:
        lines: of which `record_starts` says that they are well formed.
        starts: what it has found.
        delimiter: stands between fields.
        names: of the columns.

    """
    table = _arrow_table(lines.raw, delimiter, names)
    if table is None or table.num_rows != len(starts):
        return None
    return Block((starts + lines.line).tolist(), table)


def careful_block(rows: list[tuple[int, list[str]]], names: tuple[str, ...]) -> Block:
    """Return records that were read with care, each with a field for each name."""
    import pyarrow

    texts = zip(*(fields for _, fields in rows), strict=True) if rows else ([] for _ in names)
    columns = [pyarrow.array(column, pyarrow.string()) for column in texts]
    return Block([line for line, _ in rows], pyarrow.table(columns, names=list(names)))


def joined_blocks(blocks: list[Block]) -> tuple[list[int], dict[str, CodedCells]]:
    """Return the numbers and the cells of blocks, one below the other."""
    import pyarrow

    table = pyarrow.concat_tables(block.table for block in blocks)
    cells = {name: text_cells(table.column(name).combine_chunks()) for name in table.column_names}
    return [number for block in blocks for number in block.numbers], cells


def _are_pairs(quotes: Places, letters: Letters, delimiter: str) -> bool:
    """Whether each quote opens a field, closes one, or is half of a doubled one inside a field.

    Quotes open and close in turn; a doubled one closes the field and opens it again at once.
    """
    opening, closing = quotes[::2], quotes[1::2]
    if len(opening) != len(closing):
        return False
    last = len(letters) - 1
    border = np.isin(np.arange(256), [ord(delimiter), CR, LF])
    begins = border[letters[opening - 1]] | (opening == 0)
    ends = border[letters[np.minimum(closing + 1, last)]] | (closing == last)
    again = opening[1:] == closing[:-1] + 1
    begins[1:] |= again
    ends[:-1] |= again
    return bool(begins.all() and ends.all())


def _arrow_table(raw: bytes, delimiter: str, names: tuple[str, ...]) -> Any:
    import pyarrow
    import pyarrow.csv as arrow

    try:
        return arrow.read_csv(
            pyarrow.BufferReader(raw),
            arrow.ReadOptions(column_names=names, use_threads=False, block_size=len(raw) + 1),
            arrow.ParseOptions(delimiter=delimiter, newlines_in_values=b'"' in raw),
            arrow.ConvertOptions(
                column_types=dict.fromkeys(names, pyarrow.string()), strings_can_be_null=False
            ),
        )
    except pyarrow.ArrowInvalid:
        return None


def text_cells(column: Any) -> CodedCells:
    """Return a column of Arrow's strings without nulls as cells.

    Values that seldom repeat themselves are kept as they stand: to look for doubles among them
    takes longer than to read them twice.
    """
    sample = column.slice(0, _SAMPLE)
    if 2 * len(sample.unique()) > len(sample) and len(sample) == _SAMPLE:
        return CodedCells(_trimmed(column), narrow(np.arange(len(column)), len(column)))
    found = column.dictionary_encode()
    codes = narrow(found.indices.to_numpy(), len(found.dictionary))
    return CodedCells(_trimmed(found.dictionary), codes)


def _trimmed(values: Any) -> list[Any]:
    """Return texts without white space around them, None for those of nothing else.

    What Arrow takes for white space is what Python does (a test compares all letters).
    """
    import pyarrow.compute

    ends = np.frombuffer(values.buffers()[1], np.int32, len(values) + 1, 4 * values.offset)
    letters = np.frombuffer(values.buffers()[2] or b"", np.uint8)
    filled = ends[1:] > ends[:-1]
    begins = letters[ends[:-1][filled]], letters[ends[1:][filled] - 1]
    if any(((b <= _LAST_ASCII_SPACE) | (b >= _FIRST_NOT_ASCII)).any() for b in begins):
        texts = pyarrow.compute.utf8_trim_whitespace(values).to_pylist()
        return [text or None for text in texts]
    texts = values.to_pylist()
    return texts if filled.all() else [text or None for text in texts]
