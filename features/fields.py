"""How one field of a lead becomes columns: each has one scalar definition, `encode`."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal, Protocol

from features.agreement import Agreement, FieldUse
from features.cells import LIST_MARK, Cell, Memo, key_of, moment, number, text_of
from features.contact import email_kind, phone_region
from features.leads import Leads

Codes = tuple[float, ...]

MIN_COUNT = 10
"""A category seen in fewer leads is written nowhere: it could point to a person."""
MAX_LEVELS = 200
MAX_TOKENS = 30
_SECONDS_A_DAY = 86_400.0


@dataclass(frozen=True)
class Column:
    """One column of the matrix: the field it comes from and how a model may read it."""

    field: str
    name: str
    levels: tuple[str, ...] | None
    """For codes 0, 1, ... the category of each (0: rare or unseen); None for a number."""


class FieldEncoder(Protocol):
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

    def encode(self, cell: Cell, created: datetime | None) -> Codes:
        """Return the values of its columns; NaN for missing."""

    def remark(self, cell: Cell) -> str | None:
        """Say what is odd about a cell that is not missing, or None."""

    def shown(self, cell: Cell) -> str | None:
        """Return the value as reasons show it: never more of a person than the model read."""

    def state(self) -> dict[str, Any]:
        """Return what was learned, as JSON values."""


@dataclass(frozen=True)
class NumberEncoder:
    """A number as it is."""

    kind: ClassVar[str] = "number"
    verb: ClassVar[str] = "is"
    field: str
    decimal: str = "."

    @property
    def columns(self) -> tuple[Column, ...]:
        """One column."""
        return (Column(self.field, self.field, None),)

    def encode(self, cell: Cell, created: datetime | None) -> Codes:
        """Return the number; text that is none counts as missing."""
        try:
            return (number(cell, self.decimal),)
        except ValueError:
            return (math.nan,)

    def remark(self, cell: Cell) -> str | None:
        """Name text that is no number."""
        odd = cell is not None and math.isnan(self.encode(cell, None)[0])
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


Derivation = Literal["", "email", "phone"]
DERIVE = {"": text_of, "email": email_kind, "phone": phone_region}
_DERIVED = {"email": "kind of domain", "phone": "region"}


@dataclass(frozen=True)
class CategoryEncoder:
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
        object.__setattr__(self, "_codes", codes)

    @property
    def columns(self) -> tuple[Column, ...]:
        """One column of codes."""
        name = f"{self.field} ({_DERIVED[self.derived]})" if self.derived else self.field
        return (Column(self.field, name, ("other", *self.levels)),)

    def encode(self, cell: Cell, created: datetime | None) -> Codes:
        """Return the code; NaN for missing, 0 for rare or unseen."""
        if cell is None:
            return (math.nan,)
        return (self._codes.get(key_of(DERIVE[self.derived](cell)), 0.0),)

    def remark(self, cell: Cell) -> str | None:
        """Name a category that training did not see often enough."""
        odd = cell is not None and self.encode(cell, None)[0] == 0.0
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
        derive = Memo(DERIVE[derived])
        counts = Counter(derive[c] for c in leads.column(field) if c is not None)
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
class DateEncoder:
    """A date as days before (negative) or after the lead was created."""

    kind: ClassVar[str] = "date"
    verb: ClassVar[str] = "is"
    field: str
    day_first: bool = False

    @property
    def columns(self) -> tuple[Column, ...]:
        """One column, in days."""
        return (Column(self.field, f"{self.field} (days after creation)", None),)

    def encode(self, cell: Cell, created: datetime | None) -> Codes:
        """Return the days; NaN when either time is missing or unreadable."""
        if cell is None or created is None:
            return (math.nan,)
        try:
            return ((moment(cell, self.day_first) - created).total_seconds() / _SECONDS_A_DAY,)
        except ValueError:
            return (math.nan,)

    def remark(self, cell: Cell) -> str | None:
        """Name text that is no time."""
        if cell is None:
            return None
        try:
            moment(cell, self.day_first)
        except ValueError:
            return "is not a date and counts as missing"
        return None

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


@dataclass(frozen=True)
class TokensEncoder:
    """Several options in one cell, or the words of a short text: one column each, and how many."""

    kind: ClassVar[str] = "tokens"
    verb: ClassVar[str] = "contains"
    field: str
    tokens: tuple[str, ...]
    separator: str
    """Between options; empty for words."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """A 0/1 column for each token, then their number."""
        noun = "options" if self.separator else "words"
        flags = [Column(self.field, f"{self.field}: {token}", None) for token in self.tokens]
        return (*flags, Column(self.field, f"{self.field} (number of {noun})", None))

    def encode(self, cell: Cell, created: datetime | None) -> Codes:
        """Return 1 for each token that is there, and the number of tokens; all NaN if missing."""
        if cell is None:
            return (math.nan,) * (len(self.tokens) + 1)
        found = split_tokens(cell, self.separator)
        return (*(float(token in found) for token in self.tokens), float(len(found)))

    def remark(self, cell: Cell) -> str | None:
        """Free choice: nothing is odd."""
        return None

    def shown(self, cell: Cell) -> str | None:
        """Return the tokens the model knows; other words of a text stay where they are."""
        if cell is None:
            return None
        found = split_tokens(cell, self.separator)
        known = [token for token in self.tokens if token in found]
        return ", ".join(known) or "(none known)"

    def state(self) -> dict[str, Any]:
        """Return the tokens and what separates them."""
        return {"tokens": list(self.tokens), "separator": self.separator}

    @classmethod
    def fit(cls, field: str, use: FieldUse, leads: Leads, agreement: Agreement) -> TokensEncoder:
        """Learn the tokens that at least `MIN_COUNT` leads have, most frequent first."""
        separator = use.separator if use.kind == "options" else ""
        counts = Counter(
            token
            for cell in leads.column(field)
            if cell is not None
            for token in split_tokens(cell, separator)
        )
        return cls(field, tuple(_frequent(counts, MAX_TOKENS)), separator)


def split_tokens(cell: Cell, separator: str) -> frozenset[str]:
    """Return the distinct options (or, without a separator, words) of a cell, in small letters."""
    text = text_of(cell)
    parts = text.replace(LIST_MARK, separator).split(separator) if separator else _words(text)
    return frozenset(key for part in parts if (key := key_of(part)))


def _words(text: str) -> Iterable[str]:
    return "".join(c if c.isalpha() else " " for c in text).split()
