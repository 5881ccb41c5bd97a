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
import pyarrow.compute as pc

from features.agreement import GRADES
from features.cells import Cell, Memo, text_of
from features.coded import CodedCells
from features.leads import Leads
from features.packed import Packed
from features.texts import numbered
from serving.columns import Coded, Reasons, ScoredColumns
from serving.members import Vector
from serving.reason_kinds import Shown
from serving.reasons import NOT_KNOWN, RARE, effect_words

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
    kinds = reasons.kinds
    value, words = _shown(kinds.shown)
    effects, firsts = numbered(2 * kinds.place + kinds.raises)
    said = map(effect_words, kinds.place[firsts].tolist(), kinds.raises[firsts].tolist())
    effect = pa.array(said, pa.string()).take(pa.array(effects))
    text = pc.binary_join_element_wise(words.take(pa.array(kinds.value)), effect, ": ")
    fields = [shown.field.field for shown in kinds.shown]
    field_of = np.repeat(np.arange(len(fields)), [len(shown.values) for shown in kinds.shown])
    parts = {
        "field": _texts(fields, field_of[kinds.value][reasons.codes]),
        "value": _encoded(value, kinds.value[reasons.codes]),
        "direction": _texts(["down", "up"], kinds.raises.astype(np.intp)[reasons.codes]),
        "log_odds": pa.array(reasons.log_odds),
        "text": _encoded(text, reasons.codes),
    }
    arrays = [parts[part.name] for part in _REASON]
    return _lists(reasons, pa.StructArray.from_arrays(arrays, fields=list(_REASON)))


def _encoded(texts: Any, places: npt.NDArray[Any]) -> Any:
    """Return texts by their places; each of them stands in the dictionary once."""
    found = texts.dictionary_encode()
    return pa.DictionaryArray.from_arrays(found.indices.take(pa.array(places)), found.dictionary)


def _shown(shown: Sequence[Shown]) -> tuple[Any, Any]:
    """Return the values of all fields as they are shown, and in words as `words_of` says them."""
    values, words = [pa.array([], pa.string())], [pa.array([], pa.string())]
    for field, own, odd in shown:
        texts = _arrow(own)
        rare = pa.array(np.where(odd, RARE, ""), pa.string())
        said = pc.binary_join_element_wise(f"{field.field} {field.verb} ", texts, rare, "")
        values.append(texts)
        words.append(said.fill_null(f"{field.field} {NOT_KNOWN}"))
    return pa.concat_arrays(values), pa.concat_arrays(words)


def _arrow(texts: Sequence[Cell]) -> Any:
    if not isinstance(texts, Packed):
        return pa.array(texts, pa.string())
    found = texts.arrow().cast(pa.string())
    return pc.if_else(pa.array(texts.filled), found, pa.scalar(None, pa.string()))


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
