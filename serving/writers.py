"""Scored leads as blocks of columns, and the files that are written from them.

A block is an Arrow record batch: it can be kept on the disk and read back as it was, and every
format is written from blocks alone. So a file is the same whether its blocks were just made or come
from a run that died. A reason stands in it as the code of its words; the words, which are few,
stand beside it once.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from features.cells import Cell, text_of
from features.coded import each
from features.leads import Leads
from serving.columns import Reasons, ScoredColumns

OWN_COLUMNS = (
    "probability",
    "grade",
    "reasons",
    "model_version",
    "agreement_version",
    "expected_value",
    "expected_days",
    "probability_low",
    "probability_high",
)
_NUMBERS = OWN_COLUMNS[-4:]
"""Numbers that a model may lack."""
_REASONS = 1 + OWN_COLUMNS.index("reasons")
"""The place of the reasons among the columns."""
_CODE = pa.struct([("kind", pa.int32()), ("log_odds", pa.float64())])
_KINDS = b"kinds"
_REASON = pa.struct(
    [
        ("field", pa.string()),
        ("value", pa.string()),
        ("direction", pa.string()),
        ("log_odds", pa.float64()),
        ("text", pa.string()),
    ]
)


class Layout(NamedTuple):
    """What the rows of an output hold beside the scores."""

    id: str
    """The agreed id column."""
    kept: tuple[str, ...]
    """Columns of the input that go along."""
    version: str
    """Of the model."""
    agreement: str
    """Its label."""

    @property
    def schema(self) -> pa.Schema:
        """Names and types of all columns."""
        kinds = (
            *(pa.float64(), pa.string(), pa.list_(_REASON), pa.string(), pa.string()),
            *(pa.float64() for _ in _NUMBERS),
        )
        own = zip(OWN_COLUMNS, kinds, strict=True)
        taken = {self.id, *OWN_COLUMNS}
        kept = ((f"{n}_input" if n in taken else n, pa.string()) for n in self.kept)
        return pa.schema([(self.id, pa.string()), *own, *kept])


def block_of(leads: Leads, scores: ScoredColumns, layout: Layout) -> pa.RecordBatch:
    """Return scored leads as a block: the columns of the output, but for the words of reasons."""
    rows = len(scores)
    columns = [
        scores.ids,
        scores.probability,
        scores.grades(),
        _codes(scores.reasons, rows),
        *([name] * rows for name in (layout.version, layout.agreement)),
        *(_or_nothing(getattr(scores, name), rows) for name in _NUMBERS),
        *(each(leads.column(name), _as_text) for name in layout.kept),
    ]
    kinds = [] if scores.reasons is None else scores.reasons.kinds
    schema = layout.schema
    kept = schema.set(_REASONS, schema.field(_REASONS).with_type(pa.list_(_CODE)))
    arrays = [_array(column, f.type) for column, f in zip(columns, kept, strict=True)]
    told = json.dumps([list(kind) for kind in kinds])
    return pa.RecordBatch.from_arrays(arrays, schema=kept.with_metadata({_KINDS: told}))


def _array(column: Any, kind: pa.DataType) -> pa.Array:
    return column if isinstance(column, pa.Array) else pa.array(column, kind)


def _or_nothing(numbers: Any, rows: int) -> Any:
    return [None] * rows if numbers is None else numbers


def _codes(reasons: Reasons | None, rows: int) -> pa.Array:
    """Return the reasons of each lead as codes and log-odds."""
    if reasons is None:
        return pa.array([[]] * rows, pa.list_(_CODE))
    codes = pa.array(reasons.codes, pa.int32())
    items = pa.StructArray.from_arrays([codes, pa.array(reasons.log_odds)], fields=list(_CODE))
    ends = np.concatenate([[0], reasons.ends]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), items)


def _kinds(block: pa.RecordBatch) -> list[list[Any]]:
    """Return what stands for the codes of a block: field, value, direction and text of each."""
    found: list[list[Any]] = json.loads(block.schema.metadata[_KINDS])
    return found


def _as_text(cell: Cell) -> str | None:
    return cell if cell is None or isinstance(cell, str) else text_of(cell)


def packed(block: pa.RecordBatch) -> bytes:
    """Return a block as bytes, to be kept."""
    out = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_stream(out, block.schema, options=options) as stream:
        stream.write_batch(block)
    return bytes(out.getvalue())


def unpacked(content: bytes) -> pa.RecordBatch:
    """Read a block that was packed."""
    with pa.ipc.open_stream(content) as stream:
        return stream.read_next_batch()


class Writer(Protocol):
    """What turns blocks into a file."""

    def write(self, block: pa.RecordBatch) -> None:
        """Add the rows of a block."""

    def close(self) -> None:
        """End the file."""


class _CsvWriter:
    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._file = path.open("w", newline="", encoding="utf-8")
        self._rows = csv.writer(self._file)
        self._rows.writerow(schema.names)

    def write(self, block: pa.RecordBatch) -> None:
        columns = [column.to_pylist() for column in _without_reasons(block)]
        columns.insert(_REASONS, list(_reasons_as_json(block)))
        self._rows.writerows(zip(*columns, strict=True))

    def close(self) -> None:
        self._file.close()


class _JsonLinesWriter:
    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._file = path.open("w", encoding="utf-8")
        self._heads = [f"{json.dumps(name, ensure_ascii=False)}: " for name in schema.names]

    def write(self, block: pa.RecordBatch) -> None:
        columns: list[Any] = [
            [json.dumps(cell, ensure_ascii=False) for cell in column.to_pylist()]
            for column in _without_reasons(block)
        ]
        columns.insert(_REASONS, _reasons_as_json(block))
        for row in zip(*columns, strict=True):
            cells = (head + cell for head, cell in zip(self._heads, row, strict=True))
            self._file.write("{" + ", ".join(cells) + "}\n")

    def close(self) -> None:
        self._file.close()


def _without_reasons(block: pa.RecordBatch) -> list[pa.Array]:
    return [column for place, column in enumerate(block.columns) if place != _REASONS]


def _reasons_as_json(block: pa.RecordBatch) -> Iterator[str]:
    """Yield the reasons of each lead as a JSON list; each kind is written once."""
    begins, ends = [], []
    for field, value, direction, text in _kinds(block):
        head = json.dumps(
            {"field": field, "value": value, "direction": direction}, ensure_ascii=False
        )
        begins.append(f'{head[:-1]}, "log_odds": ')
        ends.append(f', "text": {json.dumps(text, ensure_ascii=False)}}}')
    reasons = block.column(_REASONS)
    codes, effects = (part.to_pylist() for part in reasons.flatten().flatten())
    texts = [
        f"{begins[code]}{effect!r}{ends[code]}" for code, effect in zip(codes, effects, strict=True)
    ]
    for start, end in pairwise(reasons.offsets.to_pylist()):
        yield f"[{', '.join(texts[start:end])}]"


class _ParquetWriter:
    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._schema = schema
        self._writer = pyarrow.parquet.ParquetWriter(path, schema)

    def write(self, block: pa.RecordBatch) -> None:
        # One row group for each block: its bounds are those of the input's chunks.
        if block.num_rows:
            columns = list(block.columns)
            columns[_REASONS] = _reasons_in_words(block)
            self._writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=self._schema))

    def close(self) -> None:
        self._writer.close()


def _reasons_in_words(block: pa.RecordBatch) -> pa.Array:
    """Return the reasons of each lead, shape (rows,), of lists of structs."""
    reasons = block.column(_REASONS)
    codes, effects = reasons.flatten().flatten()
    field, value, direction, text = (
        pa.array(words, pa.string()).take(codes) for words in _columns(_kinds(block), 4)
    )
    items = [field, value, direction, effects, text]
    return pa.ListArray.from_arrays(
        reasons.offsets, pa.StructArray.from_arrays(items, fields=list(_REASON))
    )


def _columns(rows: Sequence[Sequence[Any]], width: int) -> list[list[Any]]:
    return [[row[place] for row in rows] for place in range(width)]


WRITERS: dict[str, Callable[[Path, pa.Schema], Writer]] = {
    ".csv": _CsvWriter,
    ".parquet": _ParquetWriter,
    ".jsonl": _JsonLinesWriter,
}
"""By the ending of the file."""
