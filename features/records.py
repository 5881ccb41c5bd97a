"""Lines of a delimited text as records: at once where they are well formed, with care elsewhere.

`Records` says what a record is, line by line. `plain_block` reads many lines many times faster,
and only where it would find exactly the same (`well_formed`).
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from features import texts
from features.blocks import Lines
from features.packed import Packed, joined

_WINDOW = 1 << 16
"""Bytes that are decoded at once."""


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
    """Records, each with a text for every column."""

    numbers: list[int]
    """The number of each record's first line."""
    columns: dict[str, Packed]


def well_formed(raw: bytes, delimiter: str, width: int) -> int | None:
    """Return how many records of `width` fields lines are, where `Records` would set none aside.

    None where there is a blank line, a stray quote, too few or many fields, a record that does not
    end or is very long, a NUL, bytes that are no text.
    """
    if raw.startswith(codecs.BOM_UTF8) or not delimiter.isascii():
        return None
    if not (raw.isascii() or _is_utf8(raw)):
        return None
    found = texts.well_formed(raw, delimiter, width, csv.field_size_limit())
    return None if found < 0 else found


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


def careful_block(rows: list[tuple[int, list[str]]], names: tuple[str, ...]) -> Block:
    """Return records that were read with care, each with a field for each name."""
    fields = zip(*(fields for _, fields in rows), strict=True) if rows else ([] for _ in names)
    columns = {
        name: Packed.of([field.strip() for field in own])
        for name, own in zip(names, fields, strict=True)
    }
    return Block([line for line, _ in rows], columns)


def plain_block(lines: Lines, records: int, delimiter: str, names: tuple[str, ...]) -> Block:
    """Return lines as records, where `well_formed` says that they are so many."""
    found = texts.split(lines.raw, records, delimiter, names)
    return Block((found.lines + lines.line).tolist(), columns_of(found, names))


def columns_of(found: texts.Split, names: tuple[str, ...]) -> dict[str, Packed]:
    """Return the columns of lines that were split."""
    bounds = zip(names, found.begins, found.ends, strict=True)
    return {name: Packed(found.letters, begins, ends) for name, begins, ends in bounds}


def joined_blocks(blocks: Sequence[Block]) -> Block:
    """Return blocks, one below the other, as one."""
    numbers = [number for block in blocks for number in block.numbers]
    names = blocks[0].columns
    return Block(numbers, {name: joined([b.columns[name] for b in blocks]) for name in names})
