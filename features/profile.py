"""What a column of an export looks like: how full, how varied, and how best read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

from features.agreement import Kind
from features.cells import Cell, key_of, moment, number, text_of
from features.encoder import MIN_COUNT, split_tokens

_PHONE = re.compile(r"[+(]?[\d][\d\s()./-]{5,20}\d")
_CODE_NAME = re.compile(
    r"(?i:(^|[\W_])(id|code|zip|plz|postcode|postal|sku|cp)($|[\W_]))|(?<=[a-z])I[dD]$"
)
_PHONE_NAME = re.compile(r"(?i)phone|tel|mobile|handy|cell|móvil|fax")
_SHORT_DATE = re.compile(r"(\d{1,2})([./-])(\d{1,2})[./-]\d{2,4}.*", re.DOTALL)
_MOSTLY = 0.98
"""The share of distinct values that must read as numbers: one slip makes no category."""
_SEPARATORS = ";|"
_COMMON = 0.5
"""Share of rows with a value that ten leads have, from which on codes are told apart one by one."""


@dataclass(frozen=True)
class Profile:
    """One column, described."""

    name: str
    rows: int
    filled: int
    distinct: int
    most_common: int
    """Rows that hold the most frequent value."""
    kind: Kind
    separator: str
    """Between the options of a multi-select field; empty otherwise."""
    is_integer: bool
    increasing: float
    """Share of neighbouring rows in which a number rises; -1 where it is no number."""
    is_counter: bool
    """Whether it merely counts the rows of the file: 0, 1, 2, ..."""
    words: float
    """Mean number of words of a filled cell."""

    @property
    def fill(self) -> float:
        """Share of rows that hold a value."""
        return self.filled / self.rows if self.rows else 0.0

    @property
    def is_number(self) -> bool:
        """Whether its values read as numbers, whatever they stand for."""
        return self.increasing >= 0

    @property
    def is_unique(self) -> bool:
        """Whether nearly every row has a value of its own, as an id has."""
        return self.fill > 0.98 and self.distinct >= 0.95 * self.filled

    @property
    def is_near_constant(self) -> bool:
        """Whether too few rows differ from the rest to learn from."""
        empty = self.rows - self.filled
        return self.rows - max(self.most_common, empty) < MIN_COUNT

    @property
    def is_identifier(self) -> bool:
        """Whether its values mark single leads and not kinds of leads."""
        mostly_own = self.filled >= 20 and self.distinct > 0.9 * self.filled
        if self.kind == "number":
            return mostly_own and self.is_integer and bool(_CODE_NAME.search(self.name))
        return mostly_own and self.kind == "category"


def profile(name: str, cells: list[Cell], decimal: str, day_first: bool) -> Profile:
    """Describe a column from its cells, placeholders already taken as missing."""
    counts: Counter[Cell] = Counter(cell for cell in cells if cell is not None)
    filled = sum(counts.values())
    keys: Counter[str] = Counter()
    for cell, count in counts.items():
        keys[key_of(cell)] += count
    numbers = _numbers(counts, decimal)
    is_number = filled > 0 and len(numbers) >= _MOSTLY * len(counts)
    kind, separator = _kind(name, counts, filled, is_number, day_first)
    return Profile(
        name=name,
        rows=len(cells),
        filled=filled,
        distinct=len(keys),
        most_common=max(keys.values(), default=0),
        kind=kind,
        separator=separator,
        is_integer=is_number and all(value.is_integer() for value in numbers.values()),
        increasing=_increasing(cells, numbers) if is_number else -1.0,
        is_counter=is_number and _is_counter(cells, numbers),
        words=sum(len(text_of(c).split()) * n for c, n in counts.items()) / max(filled, 1),
    )


def _numbers(cells: Iterable[Cell], decimal: str) -> dict[Cell, float]:
    found = {}
    for cell in cells:
        try:
            found[cell] = number(cell, decimal)
        except ValueError:
            continue
    return found


def _increasing(cells: list[Cell], numbers: dict[Cell, float]) -> float:
    values = [numbers[cell] for cell in cells if cell in numbers]
    if len(values) < 2:
        return 0.5
    pairs = pairwise(values)
    return sum(a < b for a, b in pairs) / (len(values) - 1)


def _is_counter(cells: list[Cell], numbers: dict[Cell, float]) -> bool:
    first = numbers.get(cells[0], -1.0)
    return first in (0.0, 1.0) and all(
        numbers.get(cell) == first + i for i, cell in enumerate(cells)
    )


def _kind(
    name: str, counts: Counter[Cell], filled: int, is_number: bool, day_first: bool
) -> tuple[Kind, str]:
    def share(test: Callable[[Cell], bool]) -> float:
        return sum(n for cell, n in counts.items() if test(cell)) / max(filled, 1)

    if not filled:
        return "category", ""
    if share(lambda c: "@" in text_of(c)) > 0.9:
        return "email", ""
    # Before numbers: without its spaces +49 30 123456 is one.
    if share(_is_phone if _PHONE_NAME.search(name) else _is_international_phone) > 0.8:
        return "phone", ""
    if is_number:
        # Rare codes have no weight of their own; as numbers they go with their neighbours.
        is_code = _CODE_NAME.search(name) and share(lambda c: counts[c] >= MIN_COUNT) >= _COMMON
        return ("category" if is_code else "number"), ""
    if share(lambda c: is_time(c, day_first)) > 0.95:
        return "date", ""
    separator = _separator(counts, filled)
    if separator:
        return "options", separator
    words = sum(len(text_of(c).split()) * n for c, n in counts.items()) / filled
    varied = len(counts) > max(50, 0.3 * filled)
    return ("text", "") if varied and words >= 2 else ("category", "")


def _is_phone(cell: Cell) -> bool:
    return bool(_PHONE.fullmatch(text_of(cell)))


def _is_international_phone(cell: Cell) -> bool:
    return text_of(cell).startswith("+") and _is_phone(cell)


def is_time(cell: Cell, day_first: bool) -> bool:
    """Whether a cell is the text of a time; bare numbers are not taken for one."""
    if not isinstance(cell, str) or cell.isdigit():
        return False
    try:
        moment(cell, day_first)
    except ValueError:
        return False
    return True


def _separator(counts: Counter[Cell], filled: int) -> str:
    for separator in _SEPARATORS:
        several = sum(n for cell, n in counts.items() if separator in text_of(cell))
        options: set[str] = set()
        for cell in counts:
            options |= split_tokens(cell, separator)
        if several >= 0.05 * filled and len(options) < max(3, 0.7 * len(counts)):
            return separator
    return ""


def find_decimal(columns: Iterable[list[Cell]]) -> str:
    """Return the decimal mark under which more columns read as numbers; `.` if it is even."""
    by_comma = by_point = 0
    for cells in columns:
        texts = {c for c in cells[:2000] if isinstance(c, str) and ("," in c or "." in c)}
        if not texts:
            continue
        by_comma += len(_numbers(texts, ",")) >= _MOSTLY * len(texts)
        by_point += len(_numbers(texts, ".")) >= _MOSTLY * len(texts)
    return "," if by_comma > by_point else "."


def find_day_first(cells: list[Cell]) -> bool | None:
    """Return whether days come first in a column's dates; None when every date fits both ways."""
    day = month = False
    for text in {text_of(cell) for cell in cells}:
        found = _SHORT_DATE.fullmatch(text)
        if found and found[2] != ".":  # dotted dates are day first by themselves
            day |= int(found[1]) > 12
            month |= int(found[3]) > 12
    return day if day != month else None
