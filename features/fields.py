"""How one field of a lead becomes columns: each has one scalar definition, `encode`.

It has two steps: `reader` reads the cell, whatever was fitted; `code` looks up what was read. So
leads that are fitted and encoded several times are read once (see `features.coded`).
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache, wraps
from itertools import chain
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
import numpy.typing as npt

from features import plain
from features.agreement import Agreement, FieldUse
from features.cells import Cell, Memo, key_of, number, text_of
from features.coded import QUICK, CodedCells, Places, coded
from features.contact import email_kind
from features.leads import Leads
from features.packed import Packed
from features.phones import phone_region
from features.texts import NOT_PLAIN

Codes = tuple[float, ...]
Matrix = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

MIN_COUNT = 10
"""A category seen in fewer leads is written nowhere: it could point to a person."""
MAX_LEVELS = 200
MAX_TOKENS = 30
_SHORT = 64
KEPT = 4096
"""Readings that are kept: service by service most repeat themselves. Of texts and options none is
kept, and of what is derived from a person's value only what was derived."""


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
    def columns(self) -> tuple[Column, ...]:
        """The columns it fills, in order."""

    @property
    def reader(self) -> Callable[[Cell], Any]:
        """The function that reads a cell which is not missing; the same one for equal reading."""

    def code(self, read: Any, created: datetime | None) -> Codes:
        """Return the values of its columns for what was read, None for a missing cell."""

    def encode(self, cell: Cell, created: datetime | None) -> Codes:
        """Return the values of its columns; NaN for missing."""
        return self.code(None if cell is None else self.reader(cell), created)

    def keeps(self, cell: Cell, codes: Codes) -> bool:
        """Whether the codes of a cell may be kept: not of what may tell of a person."""
        return False

    def familiar(self) -> dict[Cell, Codes]:
        """Return codes that are known before a cell comes, and about which nothing is odd."""
        return {None: self.code(None, None)}

    def shows(self, cell: Cell, read: Any) -> str | None:
        """Return a cell as reasons show it: never more of a person than the model read.

        Args:
            cell: that is not missing.
            read: what the reader made of it.

        """

    def shown(self, cell: Cell) -> str | None:
        """Return the same of any cell; None for what is not known."""
        return None if cell is None else self.shows(cell, self.reader(cell))

    def shown_of(self, cells: CodedCells, places: Places) -> tuple[Sequence[Cell], Places | None]:
        """Return some of the values of a column as `shown` does, None for what is not known.

        Args:
            cells: the column.
            places: of the values, in `cells.values`.

        Returns:
            What is shown, and where in it the text of each place stands; None: it has its own.

        """
        found: Memo[Cell, int] = Memo(lambda _: len(found))
        shown = cells.shown(self.reader, places)
        at = [found[None if cell is None else self.shows(cell, read)] for cell, read in shown]
        return list(found), np.array(at, dtype=np.intp)

    def of_values(self, cells: CodedCells) -> Matrix:
        """Return what each of the values of a column comes to, shape (values, columns).

        It is `encode` of each, where that does not hang on when leads were created.
        """
        found, codes = cells.readings(self.reader)
        return self.codes(found) if codes is None else self.codes(found)[codes]

    def codes(self, read: Sequence[Any]) -> Matrix:
        """Return `code` of each, where it does not hang on when leads were created.

        Returns:
            The values, shape (read, columns).

        """
        memo: Memo[Any, Codes] = Memo(lambda value: self.code(value, None))
        shape = len(read), len(self.columns)
        rows = (memo[value] for value in read)
        return np.fromiter(chain.from_iterable(rows), np.float64, math.prod(shape)).reshape(shape)


class FieldEncoder(CellReader, Protocol):
    """How one field becomes one or more columns."""

    kind: ClassVar[str]
    verb: ClassVar[str]
    """Between field and value in a sentence: is, contains."""

    @property
    def field(self) -> str:
        """The name of the field."""

    oddity: ClassVar[str]
    """What is said of a cell that is odd."""

    def remark(self, cell: Cell, codes: Codes) -> str | None:
        """Say what is odd about a cell, or None.

        Args:
            cell: the cell; about a missing one nothing is odd.
            codes: what `encode` gives for it.

        """

    def odd(self, cells: CodedCells, codes: Matrix) -> Mask:
        """Tell of which values of a column there is a remark.

        Args:
            cells: the column.
            codes: what the encoder gives for each of its values, shape (values, columns).

        """

    def state(self) -> dict[str, Any]:
        """Return what was learned, as JSON values."""


@dataclass(frozen=True)
class NumberEncoder(CellReader):
    """A number as it is."""

    kind: ClassVar[str] = "number"
    verb: ClassVar[str] = "is"
    oddity: ClassVar[str] = "is not a number and counts as missing"
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

    def keeps(self, cell: Cell, codes: Codes) -> bool:
        """Numbers tell of nobody."""
        return is_short(cell)

    def code(self, read: float | None, created: datetime | None) -> Codes:
        """Return the number as it is."""
        return (math.nan if read is None else read,)

    def codes(self, read: Sequence[float | None]) -> Matrix:
        """Return the same for each, shape (read, 1)."""
        return np.array(read, dtype=np.float64).reshape(-1, 1)

    def remark(self, cell: Cell, codes: Codes) -> str | None:
        """Name text that is no number."""
        return self.oddity if cell is not None and math.isnan(codes[0]) else None

    def odd(self, cells: CodedCells, codes: Matrix) -> Mask:
        """Tell which are NaN though there is a cell."""
        return np.isnan(codes[:, 0]) & cells.there

    def shows(self, cell: Cell, read: float) -> str | None:
        """Return the number as text."""
        return None if math.isnan(read) else text_of(cell)

    def shown_of(self, cells: CodedCells, places: Places) -> tuple[Sequence[Cell], Places | None]:
        """Return some of the values as `shown` does."""
        if not isinstance(cells.values, Packed):
            return super().shown_of(cells, places)
        shown = plain.whole(cells.values.take(places))
        return shown.only(~np.isnan(cells.readings(self.reader).found[places])), None

    def state(self) -> dict[str, Any]:
        """Return the decimal mark."""
        return {"decimal": self.decimal}

    @classmethod
    def fit(cls, field: str, use: FieldUse, leads: Leads, agreement: Agreement) -> NumberEncoder:
        """Nothing is learned but the agreed decimal mark."""
        return cls(field, agreement.export.decimal)


def is_short(cell: Cell) -> bool:
    """Whether a cell may be kept by its length: long ones hardly come again."""
    return not isinstance(cell, str) or len(cell) <= _SHORT


@cache
def _number_reader(decimal: str) -> Callable[[Cell], float]:
    @lru_cache(maxsize=KEPT)
    def read(cell: Cell) -> float:
        try:
            return number(cell, decimal)
        except ValueError:
            return math.nan

    QUICK[read] = lambda cells: plain.numbers(cells, read.__wrapped__, decimal)
    return read


Derivation = Literal["", "email", "phone"]


def _kept_by_hash(derive: Callable[[Cell], str]) -> Callable[[Cell], str]:
    """Keep what was derived from persons' values by their hashes, never the values themselves."""
    known: dict[int, str] = {}

    @wraps(derive)
    def read(cell: Cell) -> str:
        key = hash(cell)
        found = known.get(key)
        if found is None:
            if len(known) >= KEPT:
                known.clear()
            found = known[key] = derive(cell)
        return found

    return read


DERIVE = {"": text_of, "email": _kept_by_hash(email_kind), "phone": _kept_by_hash(phone_region)}
QUICK[DERIVE["email"]] = lambda cells: plain.mails(cells, email_kind)
QUICK[DERIVE["phone"]] = lambda cells: plain.phones(cells, phone_region)
_DERIVED = {"email": "kind of domain", "phone": "region"}


@dataclass(frozen=True)
class CategoryEncoder(CellReader):
    """A category as a code by frequency; what is rare or unseen shares code 0.

    `derived` names what is taken from a personal field in place of its value: the kind of an
    e-mail's domain, the region of a phone number.
    """

    kind: ClassVar[str] = "category"
    verb: ClassVar[str] = "is"
    oddity: ClassVar[str] = "was rare or absent in training"
    field: str
    levels: tuple[str, ...]
    derived: Derivation = ""
    _codes: dict[str, float] = dataclasses.field(init=False, repr=False, compare=False)
    _by_key: dict[str, float] = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        codes = {key_of(level): float(code) for code, level in enumerate(self.levels, 1)}
        object.__setattr__(self, "_by_key", dict(codes))
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
        return (math.nan if read is None else self._code_of(read),)

    def of_values(self, cells: CodedCells) -> Matrix:
        """Return the code of each of the values of a column, shape (values, 1)."""
        values = cells.values
        if self.derived or not isinstance(values, Packed):
            return super().of_values(cells)
        places, codes = plain.known(tuple(self._by_key)).find(values), np.zeros((len(values), 1))
        known = places >= 0
        codes[known, 0] = np.array([*self._by_key.values(), 0.0])[places[known]]
        others = np.flatnonzero(places == NOT_PLAIN)
        codes[others] = self.codes([*values.take(others)])
        return codes

    def codes(self, read: Sequence[str | None]) -> Matrix:
        """Return the same for each, shape (read, 1)."""
        codes = [math.nan if text is None else self._code_of(text) for text in read]
        return np.array(codes, dtype=np.float64).reshape(-1, 1)

    def familiar(self) -> dict[Cell, Codes]:
        """Return the codes of the categories as training saw them spelled, and of none."""
        levels = () if self.derived else self.levels
        return {cell: self.encode(cell, None) for cell in (None, *levels)}

    def _code_of(self, text: str) -> float:
        code = self._codes.get(text)
        return self._codes.get(key_of(text), 0.0) if code is None else code

    def remark(self, cell: Cell, codes: Codes) -> str | None:
        """Name a category that training did not see often enough."""
        return self.oddity if codes[0] == 0.0 else None

    def odd(self, cells: CodedCells, codes: Matrix) -> Mask:
        """Tell which have the code of what is rare or unseen."""
        rare: Mask = codes[:, 0] == 0.0
        return rare

    def shows(self, cell: Cell, read: str) -> str:
        """Return the category, or what is derived from a personal value."""
        return f"{read} ({_DERIVED[self.derived]})" if self.derived else read

    def shown_of(self, cells: CodedCells, places: Places) -> tuple[Sequence[Cell], Places | None]:
        """Return some of the values as `shown` does: of what is derived, each kind once."""
        if not isinstance(cells.values, Packed):
            return super().shown_of(cells, places)
        if not self.derived:
            return plain.whole(cells.values.take(places)), None
        found, codes = cells.readings(self.reader)
        shown = [None if read is None else self.shows(None, read) for read in found]
        return shown, places if codes is None else codes[places].astype(np.intp, copy=False)

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
        return cls(field, tuple(frequent(counts, MAX_LEVELS)), derived)


def frequent(counts: Counter[str], most: int) -> list[str]:
    """Return the spellings of the most frequent keys; ties by key, so that order is certain."""
    by_key: Counter[str] = Counter()
    spelling: dict[str, tuple[int, str]] = {}
    for text, count in counts.items():
        key = key_of(text)
        by_key[key] += count
        spelling[key] = max(spelling.get(key, (0, "")), (count, text))
    ranked = sorted((-count, key) for key, count in by_key.items() if key and count >= MIN_COUNT)
    return [spelling[key][1] for _, key in ranked[:most]]
