"""A delimited text (CSV) as a table; a row may span lines inside quotes."""

from __future__ import annotations

import io
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import ClassVar

from features.agreement import Export
from features.blocks import Blocks, Lines
from features.coded import Columns, Contents
from features.errors import FileError
from features.records import (
    Block,
    Records,
    careful_block,
    columns_of,
    is_text,
    joined_blocks,
    plain_block,
    well_formed,
)
from features.source import Source, Text
from features.table import Chunk, Form, Reject, Rows, checked_header
from features.texts import Split, split

_SNIFF_LINES = 200
_SNIFF_BYTES = 1 << 20
_DELIMITERS = ",;\t|"
_RULE = re.compile(rb":?-+:?")
_FEW = 64
"""Lines among which it is not looked for those that are well formed."""


@dataclass(frozen=True)
class PlainRows:
    """Some well-formed rows as they stand in the file, until somebody asks for their cells."""

    file: str
    raw: bytes
    """Whole lines of UTF-8."""
    line: int
    """The number of the first one."""
    records: int
    """How many they are."""
    delimiter: str
    names: tuple[str, ...]
    nested: ClassVar[Mapping[str, Sequence[int]]] = {}

    @property
    def lines(self) -> list[int]:
        """The line of each row."""
        found: list[int] = (self._split.lines + self.line).tolist()
        return found

    @property
    def contents(self) -> Contents:
        """A number for each row that tells its cells from other cells."""
        return self._split.contents

    @cached_property
    def columns(self) -> Columns:
        """The cells of each column."""
        coding = zip(self.names, self._split.coding, strict=True)
        known = {name: found for name, found in coding if found is not None}
        return Columns(columns_of(self._split, self.names), known)

    @cached_property
    def _split(self) -> Split:
        return split(self.raw, self.records, self.delimiter, self.names)

    def of_file(self, name: str) -> PlainRows:
        """Return the same as rows of a file with that name."""
        return replace(self, file=name)


def _lines_of(text: str) -> list[str]:
    return io.StringIO(text, newline="").readlines()


class Delimited:
    """A delimited text file."""

    def __init__(self, source: Source, export: Export) -> None:
        """Read the header; what the export does not say is found out.

        Raises:
            FileError: when it is no table.

        """
        self._text = Text(source, export.encoding)
        self._name = source.path.name
        self._path = source.path
        sample = _sample(self._supply(self._blocks()))
        looks_like = find_delimiter(sample)
        self._delimiter = export.delimiter or looks_like
        first = next(Records(iter(sample), self._delimiter).read(), None)
        if first is None:
            raise FileError(f"{self._path}: the file holds no rows")
        if not is_text(first[1]):
            raise FileError(
                f"{self._path}: the header is not text in {self._text.encoding}: not a table, or "
                "one in another encoding; then say it: export.encoding in the agreement, "
                "--encoding to leadq init"
            )
        if len(first[1]) == 1 and looks_like != self._delimiter:
            raise FileError(
                f"{self._path}: the header is not split by {self._delimiter!r}, as it is agreed, "
                f"and looks as if by {looks_like!r}; mend export.delimiter, or --delimiter"
            )
        self.columns = checked_header(self._path, first[1])
        self.files: tuple[str, ...] = (self._name,)
        self.form = Form(
            *("CSV", self._delimiter, self._text.encoding), doubtful=self._text.is_doubtful
        )

    def _blocks(self) -> Blocks:
        return Blocks(self._text.pieces(), self._path)

    def chunks(self, reject: Callable[[Reject], None]) -> Iterator[Chunk]:
        """Yield the rows in order; rows that cannot be read go to `reject`."""
        blocks = self._blocks()
        self._pass_header(blocks)
        self._pass_rule(blocks, reject)
        while (lines := blocks.take()).raw:
            records = well_formed(lines.raw, self._delimiter, len(self.columns))
            if records is not None:
                how = self._delimiter, self.columns
                yield PlainRows(self._name, lines.raw, lines.line, records, *how)
            else:
                blocks.give_back(lines.raw, lines.line)
                end = lines.line + len(lines.ends)
                found = joined_blocks(list(self._in_parts(blocks, end, reject)))
                yield Rows(self._name, found.numbers, Columns(found.columns))

    def _in_parts(
        self, blocks: Blocks, end: int, reject: Callable[[Reject], None]
    ) -> Iterator[Block]:
        """Yield the records that begin before line `end`, with care where they are not well formed.

        Parts get smaller round what is not, and larger behind it.
        """
        size = max(_FEW, (end - blocks.line) // 4)
        while blocks.line < end:
            lines = blocks.take(min(size, end - blocks.line))
            records = well_formed(lines.raw, self._delimiter, len(self.columns))
            if records is not None:
                yield plain_block(lines, records, self._delimiter, self.columns)
                size *= 2
            elif len(lines.ends) > _FEW:
                blocks.give_back(lines.raw, lines.line)
                size = max(_FEW, len(lines.ends) // 4)
            else:
                yield self._with_care(blocks, lines, reject)

    def _pass_header(self, blocks: Blocks) -> None:
        waiting: deque[str] = deque()
        records = Records(self._supply(blocks, waiting), self._delimiter)
        next(records.read(), None)
        self._give_back(blocks, records, waiting)

    def _pass_rule(self, blocks: Blocks, reject: Callable[[Reject], None]) -> None:
        """Set the line aside that Markdown draws below the header of a table."""
        lines = blocks.take(1)
        if self._delimiter == "|" and _is_rule(lines.raw):
            text = lines.raw.decode().strip()
            reason = "is the line that Markdown draws below a header, and no lead"
            reject(Reject(self._name, lines.line, "", text, reason))
        else:
            blocks.give_back(lines.raw, lines.line)

    def _with_care(self, blocks: Blocks, lines: Lines, reject: Callable[[Reject], None]) -> Block:
        """Return the records that begin in `lines`; they may end below."""
        waiting = deque(self._split(lines.raw))
        supply = self._supply(blocks, waiting)
        records = Records(supply, self._delimiter, len(self.columns), lines.line)
        rows = list(self._good_rows(records, lines.line + len(lines.ends), reject))
        self._give_back(blocks, records, waiting)
        return careful_block(rows, self.columns)

    def _supply(self, blocks: Blocks, waiting: deque[str] | None = None) -> Iterator[str]:
        """Yield the lines that wait, then those of the blocks; these wait until they are asked."""
        waiting = deque() if waiting is None else waiting
        while True:
            if not waiting:
                waiting.extend(self._split(blocks.take(_SNIFF_LINES).raw))
            if not waiting:
                return
            yield waiting.popleft()

    def _split(self, raw: bytes) -> list[str]:
        return _lines_of(raw.decode("utf-8", self._text.errors))

    def _give_back(self, blocks: Blocks, records: Records, waiting: deque[str]) -> None:
        rest = "".join([*records.left(), *waiting])
        blocks.give_back(rest.encode("utf-8", self._text.errors), records.line)

    def _good_rows(
        self, records: Records, end: int, reject: Callable[[Reject], None]
    ) -> Iterator[tuple[int, list[str]]]:
        width = len(self.columns)
        for line, fields in records.read(end):
            fault = _fault(fields, width)
            if fault:
                reject(Reject(self._name, line, "", self._delimiter.join(fields)[:200], fault))
            else:
                yield line, fields


def _is_rule(line: bytes) -> bool:
    """Whether Markdown draws the line below a header; one that has no long dash is a lead."""
    cells = line.strip().removeprefix(b"|").removesuffix(b"|").split(b"|")
    return b"---" in line and all(_RULE.fullmatch(cell.strip()) for cell in cells)


def _sample(lines: Iterator[str]) -> list[str]:
    sample: list[str] = []
    for line in islice(lines, _SNIFF_LINES):
        sample.append(line)
        if sum(map(len, sample)) > _SNIFF_BYTES:
            break
    return sample


def _fault(fields: list[str], width: int) -> str:
    if len(fields) != width:
        return f"{len(fields)} fields instead of {width}; look for a stray delimiter or quote"
    return "" if is_text(fields) else "holds bytes that are not text in this file's encoding"


def find_delimiter(sample: list[str]) -> str:
    """Return the delimiter that splits most sample lines into the same, largest count of fields."""

    def consistency(delimiter: str) -> tuple[float, int]:
        widths = [len(fields) for _, fields in Records(iter(sample), delimiter).read()]
        header = widths[0] if widths else 1
        agree = sum(width == header for width in widths) / max(len(widths), 1)
        return (agree if header > 1 else 0.0, header)

    return max(_DELIMITERS, key=consistency)
