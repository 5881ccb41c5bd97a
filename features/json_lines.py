"""A file of JSON lines as a table: one object a line, a column for each name that occurs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from types import NoneType
from typing import Any

import orjson

from features import table
from features.agreement import Export
from features.blocks import Blocks, Lines
from features.coded import CodedCells, coded
from features.errors import FileError
from features.source import Source, Text
from features.table import CHUNK_CELLS, Chunk, Form, Reject, Rows, checked_header, plain_cell

MOST_NAMES = 20_000
_WRAPPED = re.compile(rb'\s*\{[^\[{}]*"([^"]{1,60})"\s*:\s*\[\s*(?:\{|$)')
"""How an object begins that holds a list of objects."""
_AS_ZERO = bytes.maketrans(b"123456789", b"000000000")
_LONG_INTEGER = b"0" * 19
"""From 2**63 on orjson reads an integer as the nearest float: an id would become another one."""
_DIGITS = 4000
"""Python reads no integer of more than 4,300."""
Record = dict[str, Any]


class JsonLines:
    """A text file with a JSON object on each line."""

    def __init__(self, source: Source, export: Export) -> None:
        """Find out the names of the columns; a lead may lack any of them.

        Raises:
            FileError: when no line holds an object.

        """
        self._text = Text(source, export.encoding)
        self._path = source.path
        self._keys = self._find_keys(source.head)
        self.columns = checked_header(self._path, self._keys)
        self.files: tuple[str, ...] = (self._path.name,)
        self.form = Form("JSON lines", encoding=self._text.encoding)

    def _blocks(self) -> Blocks:
        return Blocks(self._text.pieces(), self._path, quoted=False)

    def _find_keys(self, head: bytes) -> list[str]:
        found: dict[str, None] = {}
        first: Record | str | None = None
        objects = 0
        blocks = self._blocks()
        while (lines := blocks.take()).raw:
            for _, _, record in _records(lines):
                first = record if first is None else first
                if isinstance(record, dict):
                    objects += 1
                    if not record.keys() <= found.keys():
                        found.update(dict.fromkeys(record))
            if len(found) > MOST_NAMES:
                raise FileError(
                    f"{self._path}: its records have more than {MOST_NAMES:,} names of fields up "
                    f"to line {blocks.line - 1}; name fields alike in all records"
                )
        if objects < 2 and (name := _wrapping(first, head)):
            raise FileError(
                f"{self._path}: is one JSON object that holds the leads as its {name!r}; write "
                "each lead as one object on a line of its own (JSON lines), such as by "
                f"jq -c '.[\"{name}\"][]'"
            )
        if not found:
            raise FileError(
                f"{self._path}: no line is a JSON object; write each lead as one object on a line "
                "of its own (JSON lines), such as by jq -c '.[]'"
            )
        return list(found)

    def chunks(self, reject: Callable[[Reject], None]) -> Iterator[Chunk]:
        """Yield the rows in order; lines that are no JSON object go to `reject`."""
        most = max(1, min(table.CHUNK_ROWS, CHUNK_CELLS // len(self.columns)))
        blocks = self._blocks()
        while (lines := blocks.take(most)).raw:
            numbers, records = [], []
            for number, line, record in _records(lines):
                if isinstance(record, dict):
                    numbers.append(number)
                    records.append(record)
                else:
                    text = line.decode("utf-8", "backslashreplace").strip()[:200]
                    reject(Reject(self._path.name, number, "", text, record))
            rows = [[record.get(key) for key in self._keys] for record in records]
            found = zip(*rows, strict=True) if rows else ([] for _ in self._keys)
            columns: dict[str, CodedCells] = {}
            nested: dict[str, list[int]] = {}
            for name, values in zip(self.columns, found, strict=True):
                kinds = set(map(type, values))
                columns[name] = _column(values, kinds)
                if kinds & {list, dict}:
                    nested[name] = [i for i, v in enumerate(values) if isinstance(v, list | dict)]
            yield Rows(self._path.name, numbers, columns, nested)


def _wrapping(first: Record | str | None, head: bytes) -> str | None:
    """Return the name under which one object holds all leads, None where it is no such object.

    Args:
        first: what the first line that is not blank holds.
        head: the first bytes of the file, where the object may go over several lines.

    """
    if isinstance(first, dict):
        # A lead may hold a list of objects too, and then has its id beside it.
        [(name, value), *others] = first.items() or [("", None)]
        is_list = isinstance(value, list) and value and isinstance(value[0], dict)
        return name if is_list and not others else None
    begins = _WRAPPED.match(head)
    return begins[1].decode("utf-8", "replace") if begins else None


def _records(lines: Lines) -> Iterator[tuple[int, bytes, Record | str]]:
    """Yield (number, line, its object or why there is none) of the lines that are not blank."""
    has_long = _LONG_INTEGER in lines.raw.translate(_AS_ZERO)
    read = _lenient if has_long else orjson.loads
    start = 0
    for number, end in enumerate(lines.ends.tolist(), lines.line):
        line = lines.raw[start:end]
        start = end
        if not line.isspace():
            yield number, line, _record(line, read)


def _record(line: bytes, read: Callable[[bytes], Any]) -> Record | str:
    try:
        record = read(line)
    except (ValueError, RecursionError):
        try:
            record = _lenient(line)
        except (ValueError, RecursionError):
            return "is no JSON, or is broken off; write one object a line"
    return record if isinstance(record, dict) else "is no JSON object; write one object a line"


def _lenient(line: bytes) -> Any:
    """Read what orjson refuses or would change: NaN, Infinity, huge integers.

    Raises:
        ValueError: for what is no JSON, and for half a character, which is no text.

    """
    record = json.loads(line.decode(), parse_int=_integer)
    json.dumps(record, ensure_ascii=False).encode()
    return record


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= _DIGITS else digits


def _column(values: Sequence[Any], kinds: set[type]) -> CodedCells:
    # Of equal values each kind makes another cell: 1 and true, and integers beyond 2**53.
    if kinds <= {str, int, NoneType} or kinds <= {str, float, NoneType}:
        return coded(values).changed(plain_cell)
    return coded(map(plain_cell, values))
