"""The files that scores are written to, a block at a time; see `serving.blocks`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from features.spreadsheet import FORMULA, safe_cell

_LINE_END = "\r\n"
"""Of CSV (RFC 4180)."""
_SPECIAL = '[",\r\n]'
"""What a cell of CSV stands in quotes for."""


class Writer(Protocol):
    """What turns blocks into a file."""

    def write(self, block: pa.RecordBatch) -> None:
        """Add the rows of a block."""

    def close(self) -> None:
        """End the file."""


class _Lines:
    """A text file of one line for each row."""

    def __init__(
        self, path: Path, lines: Callable[[pa.RecordBatch], pa.Array], end: str, first: str
    ) -> None:
        self._lines, self._end = lines, end
        self._file = path.open("wb")
        self._file.write(first.encode())

    def write(self, block: pa.RecordBatch) -> None:
        lines = _joined([self._lines(block), self._end])
        if len(lines):
            # The texts of an array lie one behind the other.
            _, ends, texts = lines.buffers()
            self._file.write(texts.slice(0, np.frombuffer(ends, np.int32)[len(lines)]))

    def close(self) -> None:
        self._file.close()


class _Parquet:
    """A row group for each block: its bounds are those of the input's chunks."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        # The schema is that of what is written, not of the codes by which texts are kept here.
        self._writer = pyarrow.parquet.ParquetWriter(
            path,
            schema,
            store_schema=False,
            use_dictionary=[p for field in schema for p in _texts_in(field.name, field.type)],
            write_statistics=[f.name for f in schema if not pa.types.is_list(f.type)],
        )

    def write(self, block: pa.RecordBatch) -> None:
        if block.num_rows:
            self._writer.write_batch(block)

    def close(self) -> None:
        self._writer.close()


def _texts_in(path: str, kind: Any) -> Iterable[str]:
    """Yield the paths of texts that repeat themselves, as Parquet names them."""
    if pa.types.is_dictionary(kind):
        yield path
    elif pa.types.is_list(kind):
        yield from _texts_in(f"{path}.list.element", kind.value_type)
    elif pa.types.is_struct(kind):
        for field in kind:
            yield from _texts_in(f"{path}.{field.name}", field.type)


def _csv_lines(block: pa.RecordBatch) -> pa.Array:
    return _joined([_csv_cells(column) for column in block.columns], ",")


def _csv_cells(column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _by_code(column, map(_csv_cell, column.dictionary.to_pylist())).fill_null("")
    if pa.types.is_floating(kind):
        return column.cast(pa.string()).fill_null("")
    if not pa.types.is_list(kind):
        return _csv_texts(column)
    if pa.types.is_struct(kind.value_type):
        return _quoted(_json_values(column))
    texts = _by_code(column.values, column.values.dictionary.to_pylist())
    return _csv_texts(pc.binary_join(pa.ListArray.from_arrays(column.offsets, texts), "; "))


def _csv_texts(column: pa.Array) -> pa.Array:
    """Return texts of which hardly any repeats itself as cells."""
    if pc.any(pc.match_substring_regex(column, FORMULA)).as_py():
        column = pa.array([safe_cell(text) for text in column.to_pylist()], pa.string())
    return pc.if_else(pc.match_substring_regex(column, _SPECIAL), _quoted(column), column)


def _csv_cell(text: str) -> str:
    """Return a text as a cell that a spreadsheet shows as it is."""
    return str(_csv_texts(pa.array([safe_cell(text)], pa.string()))[0])


def _quoted(column: pa.Array) -> pa.Array:
    return _joined(['"', pc.replace_substring(column, '"', '""'), '"'])


def _json_lines(block: pa.RecordBatch) -> pa.Array:
    return _objects(block.schema.names, map(_json_values, block.columns))


def _json_values(column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _by_code(column, map(_json_text, column.dictionary.to_pylist())).fill_null("null")
    if pa.types.is_floating(kind):
        return column.cast(pa.string()).fill_null("null")
    if pa.types.is_list(kind):
        values = pa.ListArray.from_arrays(column.offsets, _json_values(column.values))
        return _joined(["[", pc.binary_join(values, ","), "]"])
    if pa.types.is_struct(kind):
        return _objects([part.name for part in kind], map(_json_values, column.flatten()))
    return pa.array(map(_json_text, column.to_pylist()), pa.string())


def _json_text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _objects(names: Sequence[str], columns: Iterable[pa.Array]) -> pa.Array:
    """Return a JSON object for each row of columns of JSON."""
    parts: list[Any] = []
    for name, column in zip(names, columns, strict=True):
        parts += [f"{',' if parts else '{'}{_json_text(name)}:", column]
    return _joined([*parts, "}"])


def _joined(parts: Sequence[Any], between: str = "") -> pa.Array:
    """Return the text of each row from texts and columns of them."""
    return pc.binary_join_element_wise(*parts, between)


def _by_code(column: pa.Array, texts: Iterable[str]) -> pa.Array:
    """Return the texts that the codes of a column stand for."""
    return pa.array(texts, pa.string()).take(column.indices)


def _csv(path: Path, schema: pa.Schema) -> Writer:
    header = ",".join(map(_csv_cell, schema.names))
    return _Lines(path, _csv_lines, _LINE_END, f"{header}{_LINE_END}")


WRITERS: dict[str, Callable[[Path, pa.Schema], Writer]] = {
    ".csv": _csv,
    ".parquet": _Parquet,
    ".jsonl": lambda path, _: _Lines(path, _json_lines, "\n", ""),
}
"""By the ending of the file."""
