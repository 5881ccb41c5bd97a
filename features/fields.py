"""How one field of a lead becomes columns: each has one scalar definition, `encode`.

It has two steps: `reader` reads the cell, whatever was fitted; `code` looks up what was read. So
leads that are fitted and encoded several times are read once (see `features.coded`).
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from itertools import chain
from typing import Any, ClassVar, Literal, Protocol

from features.agreement import Agreement, FieldUse
from features.cells import LIST_MARK, Cell, key_of, moment, number, text_of
from features.coded import coded
from features.contact import email_kind, phone_region
from features.leads import Leads

Codes = tuple[float, ...]

MIN_COUNT = 10
"""A category seen in fewer leads is written nowhere: it could point to a person."""
MAX_LEVELS = 200
MAX_TOKENS = 30
_SECONDS_A_DAY = 86_400.0
_KEPT = 4096
"""Readings that are kept: service by service most repeat themselves. Of texts none is kept, and of
what is derived from a person's value only what was derived."""


@dataclass(frozen=True)
class Column:
    """One column of the matrix: the field it comes from and how a model may read it."""

    field: str
    name: str
    levels: tuple[str, ...] | None
    """For codes 0, 1, ... the category of each (0: rare or unseen); None for a number."""


class CellReader(Protocol):
    """How one cell becomes values: it is read, then what was read is looked up."""

    @property
    def reader(self) -> Callable[[Cell], Any]:
        """The function that reads a cell which is not missing; the same one for equal reading."""

    def code(self, read: Any, created: datetime | None) -> Codes:
        """Return the values of its columns for what was read, None for a missing cell."""

    def encode(self, cell: Cell, created: datetime | None) -> Codes:
        """Return the values of its columns; NaN for missing."""
        return self.code(None if cell is None else self.reader(cell), created)


class FieldEncoder(CellReader, Protocol):
    """How one field becomes one or more columns."""

    kind: ClassVar[str]
    verb: ClassVar[str]
    """Between field and value in a sentence: is, contains."""

    @property
    def field(self) -> str:
        """The name of the field."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns it fills, in order."""

    def remark(self, cell: Cell) -> str | None:
        """Say what is odd about a cell that is not missing, or None."""

    def shown(self, cell: Cell) -> str | None:
        """Return the value as reasons show it: never more of a person than the model read."""

    def state(self) -> dict[str, Any]:
        """Return what was learned, as JSON values."""


@dataclass(frozen=True)
class NumberEncoder(CellReader):
    """A number as it is."""

    kind: ClassVar[str] = "number"
    verb: ClassVar[str] = "is"
    field: str
    decimal: str = "."

    @property
    def columns(self) -> tuple[Column, ...]:
        """One column."""
        return (Column(self.field, self.field, None),)

    @property
    def reader(self) -> Callable[[Cell], float]:
        """Reads a number; text that is none counts as missing."""
        return _number_reader(self.decimal)

    def code(self, read: float | None, created: datetime | None) -> Codes:
        """Return the number as it is."""
        return (math.nan if read is None else read,)

    def remark(self, cell: Cell) -> str | None:
        """Name text that is no number."""
        odd = cell is not None and math.isnan(self.reader(cell))
        return "is not a number and counts as missing" if odd else None

    def shown(self, cell: Cell) -> str | None:
        """Return the number as text."""
        return None if math.isnan(self.encode(cell, None)[0]) else text_of(cell)

    def state(self) -> dict[str, Any]:
        """Return the decimal mark."""
        return {"decimal": self.decimal}

    @classmethod
    def fit(cls, field: str, use: FieldUse, leads: Leads, agreement: Agreement) -> NumberEncoder:
        """Nothing is learned but the agreed decimal mark."""
        return cls(field, agreement.export.decimal)


@cache
def _number_reader(decimal: str) -> Callable[[Cell], float]:
    @lru_cache(maxsize=_KEPT)
    def read(cell: Cell) -> float:
        try:
            return number(cell, decimal)
        except ValueError:
            return math.nan

    return read


Derivation = Literal["", "email", "phone"]


def _kept_by_hash(derive: Callable[[Cell], str]) -> Callable[[Cell], str]:
    """Keep what was derived from persons' values by their hashes, never the values themselves."""
    known: dict[int, str] = {}

    def read(cell: Cell) -> str:
        key = hash(cell)
        found = known.get(key)
        if found is None:
            if len(known) >= _KEPT:
                known.clear()
            found = known[key] = derive(cell)
        return found

    return read


DERIVE = {"": text_of, "email": _kept_by_hash(email_kind), "phone": _kept_by_hash(phone_region)}
_DERIVED = {"email": "kind of domain", "phone": "region"}


@dataclass(frozen=True)
class CategoryEncoder(CellReader):
    """A category as a code by frequency; what is rare or unseen shares code 0.

    `derived` names what is taken from a personal field in place of its value: the kind of an
    e-mail's domain, the region of a phone number.
    """

    kind: ClassVar[str] = "category"
    verb: ClassVar[str] = "is"
    field: str
    levels: tuple[str, ...]
    derived: Derivation = ""
    _codes: dict[str, float] = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        codes = {key_of(level): float(code) for code, level in enumerate(self.levels, 1)}
        # The spelling of most leads is that of the level, and needs no key.
        for level in self.levels:
            codes.setdefault(level, codes[key_of(level)])
        object.__setattr__(self, "_codes", codes)

    @property
    def columns(self) -> tuple[Column, ...]:
        """One column of codes."""
        name = f"{self.field} ({_DERIVED[self.derived]})" if self.derived else self.field
        return (Column(self.field, name, ("other", *self.levels)),)

    @property
    def reader(self) -> Callable[[Cell], str]:
        """Reads the category, or derives it from a personal value."""
        return DERIVE[self.derived]

    def code(self, read: str | None, created: datetime | None) -> Codes:
        """Return the code; NaN for missing, 0 for rare or unseen."""
        if read is None:
            return (math.nan,)
        code = self._codes.get(read)
        return (self._codes.get(key_of(read), 0.0) if code is None else code,)

    def remark(self, cell: Cell) -> str | None:
        """Name a category that training did not see often enough."""
        if cell is None or (not self.derived and cell in self._codes):
            return None
        odd = self.encode(cell, None)[0] == 0.0
        return "was rare or absent in training" if odd else None

    def shown(self, cell: Cell) -> str | None:
        """Return the category, or what is derived from a personal value."""
        if cell is None:
            return None
        value = DERIVE[self.derived](cell)
        return f"{value} ({_DERIVED[self.derived]})" if self.derived else value

    def state(self) -> dict[str, Any]:
        """Return the categories by code, and what is derived."""
        return {"levels": list(self.levels), "derived": self.derived}

    @classmethod
    def fit(cls, field: str, use: FieldUse, leads: Leads, agreement: Agreement) -> CategoryEncoder:
        """Learn the categories that at least `MIN_COUNT` leads have, most frequent first."""
        derived: Derivation = use.kind if use.kind in ("email", "phone") else ""
        column = coded(leads.column(field))
        counts: Counter[str] = Counter()
        for text, count in zip(column.read(DERIVE[derived]), column.counts(), strict=True):
            if text is not None:
                counts[text] += count
        return cls(field, tuple(_frequent(counts, MAX_LEVELS)), derived)


def _frequent(counts: Counter[str], most: int) -> list[str]:
    """Return the spellings of the most frequent keys; ties by key, so that order is certain."""
    by_key: Counter[str] = Counter()
    spelling: dict[str, tuple[int, str]] = {}
    for text, count in counts.items():
        key = key_of(text)
        by_key[key] += count
        spelling[key] = max(spelling.get(key, (0, "")), (count, text))
    ranked = sorted((-count, key) for key, count in by_key.items() if key and count >= MIN_COUNT)
    return [spelling[key][1] for _, key in ranked[:most]]


@dataclass(frozen=True)
class DateEncoder(CellReader):
    """A date as days before (negative) or after the lead was created."""

    kind: ClassVar[str] = "date"
    verb: ClassVar[str] = "is"
    field: str
    day_first: bool = False

    @property
    def columns(self) -> tuple[Column, ...]:
        """One column, in days."""
        return (Column(self.field, f"{self.field} (days after creation)", None),)

    @property
    def reader(self) -> Callable[[Cell], datetime | None]:
        """Reads a time; text that is none counts as missing."""
        return _date_reader(self.day_first)

    def code(self, read: datetime | None, created: datetime | None) -> Codes:
        """Return the days; NaN when either time is missing or unreadable."""
        if read is None or created is None:
            return (math.nan,)
        return ((read - created).total_seconds() / _SECONDS_A_DAY,)

    def remark(self, cell: Cell) -> str | None:
        """Name text that is no time."""
        odd = cell is not None and self.reader(cell) is None
        return "is not a date and counts as missing" if odd else None

    def shown(self, cell: Cell) -> str | None:
        """Return the date as text."""
        return None if cell is None or self.remark(cell) else text_of(cell)

    def state(self) -> dict[str, Any]:
        """Return the order of day and month."""
        return {"day_first": self.day_first}

    @classmethod
    def fit(cls, field: str, use: FieldUse, leads: Leads, agreement: Agreement) -> DateEncoder:
        """Nothing is learned but the agreed order of day and month."""
        return cls(field, agreement.export.day_first)


@cache
def _date_reader(day_first: bool) -> Callable[[Cell], datetime | None]:
    @lru_cache(maxsize=_KEPT)
    def read(cell: Cell) -> datetime | None:
        try:
            return moment(cell, day_first)
        except ValueError:
            return None

    return read


@dataclass(frozen=True)
class TokensEncoder(CellReader):
    """Several options in one cell, or the words of a short text: one column each, and how many."""

    kind: ClassVar[str] = "tokens"
    verb: ClassVar[str] = "contains"
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

    def code(self, read: frozenset[str] | None, created: datetime | None) -> Codes:
        """Return 1 for each token that is there, and the number of tokens; all NaN if missing."""
        if read is None:
            return (math.nan,) * (len(self.tokens) + 1)
        codes = [0.0] * len(self.tokens)
        for token in read:
            if token in self._places:
                codes[self._places[token]] = 1.0
        return (*codes, float(len(read)))

    def remark(self, cell: Cell) -> str | None:
        """Free choice: nothing is odd."""
        return None

    def shown(self, cell: Cell) -> str | None:
        """Return the tokens the model knows; other words of a text stay where they are."""
        if cell is None:
            return None
        found = self.reader(cell)
        known = [token for token in self.tokens if token in found]
        return ", ".join(known) or "(none known)"

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
        return cls(field, tuple(_frequent(counts, MAX_TOKENS)), separator)


@cache
def _splitter(separator: str) -> Callable[[Cell], frozenset[str]]:
    def split(cell: Cell) -> frozenset[str]:
        return split_tokens(cell, separator)

    return lru_cache(maxsize=_KEPT)(split) if separator else split


def split_tokens(cell: Cell, separator: str) -> frozenset[str]:
    """Return the distinct options (or, without a separator, words) of a cell, in small letters."""
    text = text_of(cell)
    if not separator:
        return frozenset(map(str.casefold, text.translate(_LETTERS_ALONE).split()))
    parts = text.replace(LIST_MARK, separator).split(separator)
    return frozenset(key for part in parts if (key := key_of(part)))


class _LettersAlone(dict[int, int]):
    """Leaves letters as they are and makes a space of anything else; for `str.translate`."""

    def __missing__(self, code: int) -> int:
        self[code] = code if chr(code).isalpha() else ord(" ")
        return self[code]


_LETTERS_ALONE = _LettersAlone()
