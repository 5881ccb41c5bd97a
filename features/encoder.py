"""From cells to the numbers a model reads, fitted once and kept as JSON.

Every field has one scalar definition, `encode(cell, created)`; a column is that definition applied
to each distinct cell. So one lead and a million leads encode alike, to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from features.agreement import Agreement, FieldUse
from features.cells import Cell
from features.coded import CodedCells, Times
from features.dates import DateEncoder
from features.fields import (
    KEPT,
    MAX_LEVELS,
    MAX_TOKENS,
    MIN_COUNT,
    CategoryEncoder,
    Codes,
    Column,
    FieldEncoder,
    Mask,
    Matrix,
    NumberEncoder,
)
from features.leads import Leads
from features.points import points_of_state
from features.texts import spread
from features.tokens import TokensEncoder, split_tokens

__all__ = [
    "MAX_LEVELS",
    "MAX_TOKENS",
    "MIN_COUNT",
    "CategoryEncoder",
    "Column",
    "DateEncoder",
    "Encoder",
    "FieldEncoder",
    "Matrix",
    "NumberEncoder",
    "TokensEncoder",
    "split_tokens",
]

_BY_KIND: dict[str, Any] = {
    "number": NumberEncoder,
    "category": CategoryEncoder,
    "email": CategoryEncoder,
    "phone": CategoryEncoder,
    "date": DateEncoder,
    "options": TokensEncoder,
    "text": TokensEncoder,
}
_BY_STATE: dict[str, Any] = {
    encoder.kind: encoder
    for encoder in (NumberEncoder, CategoryEncoder, DateEncoder, TokensEncoder)
}
_BY_STATE["points"] = points_of_state
_KNOWN: Callable[[dict[Cell, Codes], Cell], Codes | None] = dict.get


class Encoded(NamedTuple):
    """Leads as a model reads them."""

    matrix: Matrix
    """Shape (leads, columns)."""
    cells: list[CodedCells]
    """Of each field, what was read."""
    odd: list[Mask]
    """Of each field, whether there is a remark about each of the values of its cells."""


class Encoder:
    """The fields a model reads, in order, and the columns they fill."""

    def __init__(self, fields: tuple[FieldEncoder, ...]) -> None:
        self.fields = fields
        self.columns: tuple[Column, ...] = tuple(c for field in fields for c in field.columns)
        self._names = [field.field for field in fields]
        self._readers = [field.reader for field in fields]
        self._familiar = [field.familiar() for field in fields]
        self.common: set[Cell] = set().union(*self._familiar)
        """Cells of which it keeps what they come to."""
        self.bounds: npt.NDArray[np.int64] = np.cumsum([0, *(len(f.columns) for f in fields)])
        """Where the columns of each field begin, and where the last end."""

    def __reduce__(self) -> tuple[type[Encoder], tuple[tuple[FieldEncoder, ...]]]:
        """Pickle what was learned, and none of the cells that came by since."""
        return Encoder, (self.fields,)

    @classmethod
    def fit(cls, leads: Leads, agreement: Agreement, fields: dict[str, FieldUse]) -> Encoder:
        """Learn categories and tokens of `fields` from leads; the outcome plays no part."""
        return cls(
            tuple(_BY_KIND[use.kind].fit(n, use, leads, agreement) for n, use in fields.items())
        )

    def encode(self, leads: Leads) -> Matrix:
        """Return the matrix, shape (leads, columns), float64; missing is NaN.

        A field that the leads do not have at all counts as missing.
        """
        return self.encoded(leads).matrix

    def encoded(self, leads: Leads) -> Encoded:
        """Return the matrix with the columns that it was made from."""
        cells = [leads.coded(field.field) for field in self.fields]
        values: list[tuple[Matrix, npt.NDArray[np.integer[Any]] | None]] = []
        odd: list[Mask] = []
        created: Times | None = None
        for field, column in zip(self.fields, cells, strict=True):
            codes = field.of_values(column)
            odd.append(field.odd(column, codes))
            if isinstance(field, DateEncoder):
                if created is None:
                    created = np.array(leads.created, dtype="datetime64[us]")
                values.append((field.by_row(column, created), None))
            else:
                values.append((codes, column.codes))
        return Encoded(spread(values, len(leads)), cells, odd)

    def alone(
        self, cells: Mapping[str, Cell], created: datetime | None
    ) -> tuple[list[float], dict[str, str]]:
        """Return the row of a lead that is alone, and what is odd about its cells, by field.

        Most cells are those that many leads have; what they come to is looked up whole.
        """
        odd: dict[str, str] = {}
        known = map(_KNOWN, self._familiar, map(cells.get, self._names))
        codes = [
            self._unfamiliar(place, cells, created, odd) if found is None else found
            for place, found in enumerate(known)
        ]
        return list(chain.from_iterable(codes)), odd

    def _unfamiliar(
        self,
        place: int,
        cells: Mapping[str, Cell],
        created: datetime | None,
        odd: dict[str, str],
    ) -> Codes:
        """Return the codes of a cell, and keep them where they may be kept."""
        field, familiar = self.fields[place], self._familiar[place]
        cell = cells.get(field.field)
        codes = field.code(self._readers[place](cell), created)
        if remark := field.remark(cell, codes):
            odd[field.field] = remark
        elif field.keeps(cell, codes):
            if len(familiar) >= KEPT:
                # A new one, as other threads look into the one that there is.
                self._familiar[place] = familiar = field.familiar()
                self.common.clear()
                self.common.update(*self._familiar)
            familiar[cell] = codes
            self.common.add(cell)
        return codes

    def keeps(self, place: int, cell: Cell) -> bool:
        """Whether what a cell of the field at a place comes to is kept: nothing is odd about it."""
        return cell in self._familiar[place]

    def as_dict(self) -> list[dict[str, Any]]:
        """Return the state as JSON values; `from_dict` reads it back."""
        return [{"field": f.field, "kind": f.kind, **f.state()} for f in self.fields]

    @classmethod
    def from_dict(cls, state: list[dict[str, Any]]) -> Encoder:
        """Build an encoder from its state."""
        return cls(tuple(_field_from_dict(dict(item)) for item in state))


def _field_from_dict(item: dict[str, Any]) -> FieldEncoder:
    encoder = _BY_STATE[item.pop("kind")]
    frozen = {
        key: tuple(value) if isinstance(value, list) else value for key, value in item.items()
    }
    built: FieldEncoder = encoder(**frozen)
    return built
