"""Scored leads as blocks of columns.

A block is an Arrow record batch: it can be kept on the disk and read back as it was, and every
format is written from blocks alone. So a file is the same whether its blocks were just made or come
from a run that died. What repeats itself stands once in a block, with a code for each row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.agreement import GRADES
from features.cells import Memo, text_of
from features.coded import CodedCells
from features.leads import Leads
from serving.columns import Coded, Reasons, ScoredColumns
from serving.members import Vector
from serving.reasons import ReasonKind

_TEXT = pa.dictionary(pa.int32(), pa.string())
"""Texts that repeat themselves."""
_REASON = pa.struct(
    [
        ("field", _TEXT),
        ("value", _TEXT),
        ("direction", _TEXT),
        ("log_odds", pa.float64()),
        ("text", _TEXT),
    ]
)
_OWN = {
    "probability": pa.float64(),
    "grade": _TEXT,
    "reasons": pa.list_(_REASON),
    "model_version": _TEXT,
    "agreement_version": _TEXT,
    "expected_value": pa.float64(),
    "expected_days": pa.float64(),
    "probability_low": pa.float64(),
    "probability_high": pa.float64(),
    "warnings": pa.list_(_TEXT),
}
OWN_COLUMNS = tuple(_OWN)
"""What leadq says of each lead."""


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
        own, taken = {self.id, *OWN_COLUMNS}, {self.id, *OWN_COLUMNS, *self.kept}
        names = [_other_name(name, taken) if name in own else name for name in self.kept]
        kept = ((name, _TEXT) for name in names)
        return pa.schema([(self.id, pa.string()), *_OWN.items(), *kept])


def _other_name(name: str, taken: set[str]) -> str:
    """Return a name that is free for a column whose own name leadq needs, and take it."""
    while name in taken:
        name = f"{name}_input"
    taken.add(name)
    return name


def block_of(leads: Leads, scored: ScoredColumns, layout: Layout) -> pa.RecordBatch:
    """Return scored leads as a block."""
    same = np.zeros(len(scored), dtype=np.int32)
    arrays = [
        pa.array(scored.ids, pa.string()),
        pa.array(scored.probability),
        _texts(GRADES, scored.grade),
        _reasons(scored.reasons, len(scored)),
        _texts([layout.version], same),
        _texts([layout.agreement], same),
        _numbers(scored.expected_value, len(scored)),
        _numbers(scored.expected_days, len(scored)),
        _numbers(scored.probability_low, len(scored)),
        _numbers(scored.probability_high, len(scored)),
        _lists(scored.warnings, _texts(scored.warnings.kinds, scored.warnings.codes)),
        *(_kept(leads.coded(name)) for name in layout.kept),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=layout.schema)


def _numbers(values: Vector | None, size: int) -> Any:
    return pa.nulls(size, pa.float64()) if values is None else pa.array(values)


def _texts(values: Sequence[str | None], codes: npt.NDArray[Any]) -> Any:
    """Return texts by code; each of them stands in the dictionary once, None not at all."""
    places: Memo[str, int] = Memo(lambda _: len(places))
    place = np.array([-1 if text is None else places[text] for text in values], dtype=np.int32)
    found = place[codes]
    indices = pa.array(found, mask=found < 0)
    return pa.DictionaryArray.from_arrays(indices, pa.array(list(places), pa.string()))


def _lists(things: Coded[Any], values: Any) -> Any:
    ends = np.concatenate([[0], things.ends]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), values)


def _reasons(reasons: Reasons | None, size: int) -> Any:
    if reasons is None:
        return pa.array([[]] * size, _OWN["reasons"])
    names = [part.name for part in _REASON if part.name in ReasonKind._fields]
    parts = {
        name: _texts([getattr(kind, name) for kind in reasons.kinds], reasons.codes)
        for name in names
    }
    parts["log_odds"] = pa.array(reasons.log_odds)
    arrays = [parts[part.name] for part in _REASON]
    return _lists(reasons, pa.StructArray.from_arrays(arrays, fields=list(_REASON)))


def _kept(cells: CodedCells) -> Any:
    texts = [None if cell is None else text_of(cell) for cell in cells.values]
    return _texts(texts, cells.codes)


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
