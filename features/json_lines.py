"""A file of JSON lines as a table: one object a line, a column for each name that occurs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import orjson

from features import table
from features.agreement import Export
from features.blocks import Blocks, Lines
from features.cells import Cell, Memo, cell
from features.coded import CodedCells, coded
from features.errors import FileError
from features.source import Source, Text
from features.table import CHUNK_CELLS, Chunk, Form, Reject, checked_header, plain_cell

MOST_NAMES = 20_000
_LONG_INTEGER = re.compile(rb"[0-9]{19}")
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
        self._keys = self._find_keys()
        self.columns = checked_header(self._path, self._keys)
        self.files: tuple[str, ...] = (self._path.name,)
        self.form = Form("JSON lines", encoding=self._text.encoding)

    def _blocks(self) -> Blocks:
        return Blocks(self._text.pieces(), self._path, quoted=False)

    def _find_keys(self) -> list[str]:
        found: dict[str, None] = {}
        blocks = self._blocks()
        while (lines := blocks.take()).raw:
            for _, line in _filled(lines):
                record = _record(line)
                if isinstance(record, dict) and record.keys() - found.keys():
                    found.update(dict.fromkeys(record))
            if len(found) > MOST_NAMES:
                raise FileError(
                    f"{self._path}: its records have more than {MOST_NAMES:,} names of fields up "
                    f"to line {blocks.line - 1}; name fields alike in all records"
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
            for number, line in _filled(lines):
                record = _record(line)
                if isinstance(record, dict):
                    numbers.append(number)
                    records.append(record)
                else:
                    text = line.decode("utf-8", "backslashreplace").strip()[:200]
                    reject(Reject(self._path.name, number, "", text, record))
            columns = {
                name: _column(records, key)
                for name, key in zip(self.columns, self._keys, strict=True)
            }
            yield Chunk(self._path.name, numbers, columns)


def _filled(lines: Lines) -> Iterator[tuple[int, bytes]]:
    """Yield (number, line) of the lines that are not blank."""
    start = 0
    for number, end in enumerate(lines.ends.tolist(), lines.line):
        line = lines.raw[start:end]
        start = end
        if not line.isspace():
            yield number, line


def _record(line: bytes) -> Record | str:
    """Return the object that a line holds, else why there is none."""
    try:
        record = _lenient(line) if _LONG_INTEGER.search(line) else orjson.loads(line)
    except orjson.JSONDecodeError:
        try:
            record = _lenient(line)
        except (ValueError, RecursionError):
            return "is no JSON, or is broken off; write one object a line"
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


def _column(records: list[Record], key: str) -> CodedCells:
    texts: Memo[str, Cell] = Memo(cell)
    values = (record.get(key) for record in records)
    return coded(
        [
            texts[value] if type(value) is str else None if value is None else plain_cell(value)
            for value in values
        ]
    )
