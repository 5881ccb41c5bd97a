"""Several options in one cell, or the words of a short text, as columns; see `features.fields`."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import chain
from typing import Any, ClassVar

import numpy as np

from features import plain
from features.agreement import Agreement, FieldUse
from features.cells import LIST_MARK, Cell, key_of, text_of
from features.coded import CodedCells, coded
from features.fields import MAX_TOKENS, CellReader, Codes, Column, Mask, Matrix, frequent, is_short
from features.leads import Leads
from features.packed import Packed


@dataclass(frozen=True)
class TokensEncoder(CellReader):
    """Several options in one cell, or the words of a short text: one column each, and how many."""

    kind: ClassVar[str] = "tokens"
    verb: ClassVar[str] = "contains"
    oddity: ClassVar[str] = ""
    field: str
    tokens: tuple[str, ...]
    separator: str
    """Between options; empty for words."""
    _places: dict[str, int] = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        places = {token: place for place, token in enumerate(self.tokens)}
        object.__setattr__(self, "_places", places)

    @property
    def columns(self) -> tuple[Column, ...]:
        """A 0/1 column for each token, then their number."""
        noun = "options" if self.separator else "words"
        flags = [Column(self.field, f"{self.field}: {token}", None) for token in self.tokens]
        return (*flags, Column(self.field, f"{self.field} (number of {noun})", None))

    @property
    def reader(self) -> Callable[[Cell], frozenset[str]]:
        """Splits a cell into its tokens."""
        return _splitter(self.separator)

    def keeps(self, cell: Cell, codes: Codes) -> bool:
        """Options that all are known were chosen from a list; others may have been typed in."""
        return bool(self.separator) and is_short(cell) and sum(codes[:-1]) == codes[-1]

    def code(self, read: frozenset[str] | None, created: datetime | None) -> Codes:
        """Return 1 for each token that is there, and the number of tokens; all NaN if missing."""
        if read is None:
            return (math.nan,) * (len(self.tokens) + 1)
        codes = [0.0] * len(self.tokens)
        for token in read:
            if token in self._places:
                codes[self._places[token]] = 1.0
        return (*codes, float(len(read)))

    def of_values(self, cells: CodedCells) -> Matrix:
        """Return the codes of each of the values of a column, shape (values, columns)."""
        values = cells.values
        if self.separator or not isinstance(values, Packed):
            return super().of_values(cells)
        codes, others = plain.known(self.tokens).words(values, plain.folds())
        places, split = np.flatnonzero(others), self.reader
        if len(places):
            codes[places] = self.codes([split(cell) for cell in values.take(places)])
        return codes

    def codes(self, read: Sequence[frozenset[str] | None]) -> Matrix:
        """Return the same for each, shape (read, columns): all tokens are looked up at once."""
        sizes = np.array([math.nan if found is None else len(found) for found in read])
        found = [self._places.get(token, -1) for tokens in read if tokens for token in tokens]
        rows = np.repeat(np.arange(len(read)), np.nan_to_num(sizes).astype(np.intp))
        places = np.array(found, dtype=np.intp)
        known = places >= 0
        codes = np.zeros((len(read), len(self.tokens) + 1))
        codes[rows[known], places[known]] = 1.0
        codes[:, -1] = sizes
        codes[np.isnan(sizes)] = math.nan
        return codes

    def remark(self, cell: Cell, codes: Codes) -> str | None:
        """Free choice: nothing is odd."""
        return None

    def odd(self, cells: CodedCells, codes: Matrix) -> Mask:
        """Nothing is odd."""
        return np.zeros(len(cells.values), dtype=np.bool_)

    def shows(self, cell: Cell, read: frozenset[str]) -> str:
        """Return the tokens the model knows; other words of a text stay where they are."""
        places = sorted(self._places[token] for token in read if token in self._places)
        return ", ".join(self.tokens[place] for place in places) or "(none known)"

    def state(self) -> dict[str, Any]:
        """Return the tokens and what separates them."""
        return {"tokens": list(self.tokens), "separator": self.separator}

    @classmethod
    def fit(cls, field: str, use: FieldUse, leads: Leads, agreement: Agreement) -> TokensEncoder:
        """Learn the tokens that at least `MIN_COUNT` leads have, most frequent first."""
        separator = use.separator if use.kind == "options" else ""
        column = coded(leads.column(field))
        found = column.read(_splitter(separator))
        counts = Counter(chain.from_iterable(found[code] or () for code in column.codes.tolist()))
        return cls(field, tuple(frequent(counts, MAX_TOKENS)), separator)


@cache
def _splitter(separator: str) -> Callable[[Cell], frozenset[str]]:
    def split(cell: Cell) -> frozenset[str]:
        return split_tokens(cell, separator)

    return split


def split_tokens(cell: Cell, separator: str) -> frozenset[str]:
    """Return the distinct options (or, without a separator, words) of a cell, in small letters."""
    if not separator:
        text = cell if isinstance(cell, str) else text_of(cell)
        if text.isascii():  # what most are, and quicker by bytes
            return frozenset(text.encode().translate(_SMALL_LETTERS).decode().split())
        return frozenset(text.translate(_LETTERS_ALONE).casefold().split())
    parts = text_of(cell).replace(LIST_MARK, separator).split(separator)
    return frozenset(key for part in parts if (key := key_of(part)))


class _LettersAlone(dict[int, int]):
    """Leaves letters as they are and makes a space of anything else; for `str.translate`."""

    def __missing__(self, code: int) -> int:
        self[code] = code if chr(code).isalpha() else ord(" ")
        return self[code]


_LETTERS_ALONE = _LettersAlone()
_SMALL_LETTERS = bytes(
    ord(letter.lower()) if (letter := chr(code)).isascii() and letter.isalpha() else ord(" ")
    for code in range(256)
)
"""The same for ASCII, and in small letters."""
