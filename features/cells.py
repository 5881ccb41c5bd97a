"""What one raw value means, the same for a CSV cell, a Parquet value and a JSON value.

A *cell* is the canonical form of a raw value: text, a number that was typed as one, or
None for missing. Everything downstream starts from cells, so a lead scores the same bit for
bit whichever door it came in by.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from functools import lru_cache
from typing import Generic, TypeVar
from uuid import UUID

from dateutil import parser as dateparser

Cell = str | float | None

K = TypeVar("K")
V = TypeVar("V")

# Beyond this a float no longer holds every integer, and an id would change on its way through.
_EXACT_INTEGER = 2**53
LIST_MARK = ";"
"""Stands between the values of a list, whatever separates the options of a text."""
_EPOCH = re.compile(r"\d{9,13}(?:\.\d+)?")
_TRAILING_ZEROS = re.compile(r"-?(?:0|[1-9]\d*)\.0+")
_LONGEST_DATE = 64
_DATE_LIKE = re.compile(r"\d{1,4}([./-])\d{1,2}\1\d{1,4}(\D.*)?", re.DOTALL)
_DATE_PARTS = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(?=\d)", re.ASCII)
_DAY_FIRST_MARK = "."
"""Between the parts it is how day-first countries write dates, whatever a file does else."""
_SHORT_DATE = re.compile(
    r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})(?: (\d{1,2}):(\d{2})(?::(\d{2}))?(?: ?([ap])m)?)?",
    re.ASCII | re.IGNORECASE,
)
_MONTH_NAME = re.compile(
    r"(?i)\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b.*\d|"
    r"\d.*\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b"
)
# In `GMT+0100` the offset counts from GMT; dateutil would turn its sign round.
_GMT_BEFORE_OFFSET = re.compile(r"\b(?:GMT|UTC)(?=[+-]\d)")
# What a date lacks is taken from here; one without a year so falls out of the allowed range.
_NO_YEAR = datetime(1, 1, 1)
CURRENCY_SIGNS = " \u00a0\u202f'’€$£¥₹%"
"""What may stand anywhere in a number and does not count."""
CURRENCY_CODES = (
    *("EUR", "USD", "GBP", "CHF", "INR", "JPY", "CNY", "CAD", "AUD", "NZD", "SEK"),
    *("NOK", "DKK", "PLN", "CZK", "HUF", "BRL", "MXN", "ZAR", "SGD", "AED"),
)
"""What may stand before or behind one."""
_CODES = "|".join(CURRENCY_CODES)
_CURRENCY_CODE = re.compile(rf"^(?:{_CODES})(?=[\d.,+-])|(?<=[\d.,])(?:{_CODES})$")
_SPACES = [chr(c) for c in range(128) if chr(c).isspace()]
_MARKS_ALONE = re.compile(r"[-+0-9.,]*[0-9]")
"""Most numbers: nothing but digits and their marks, a digit at the end."""
_STRIP_CURRENCY = str.maketrans("", "", CURRENCY_SIGNS)
_KNOWN = 1 << 16
"""Texts that a reader of records knows at most."""


class Memo(dict[K, V], Generic[K, V]):
    """A function's results by argument; how a scalar definition serves a whole column."""

    def __init__(self, function: Callable[[K], V]) -> None:
        super().__init__()
        self._function = function

    def __missing__(self, key: K) -> V:
        value = self[key] = self._function(key)
        return value


def cell(value: object) -> Cell:
    """Return the canonical form of a raw value: stripped text, a float, or None for missing.

    Raises:
        ValueError: for a nested value, which has no single meaning in a table.

    """
    if value is None:
        return None
    if isinstance(value, str):
        if not value.isascii():
            value.encode()  # half a character raises a UnicodeEncodeError, which is a ValueError
        return value.strip() or None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        return _number_cell(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, bytes):
        return value.decode("utf-8").strip() or None
    if isinstance(value, list | tuple):
        if any(isinstance(item, list | tuple) for item in value):
            raise ValueError("a list of lists is not a single value; give text or a number")
        return LIST_MARK.join(text for item in value if (text := text_of(cell(item)))) or None
    raise ValueError(f"a {type(value).__name__} is not a single value; give text or a number")


def _number_cell(value: int | float | Decimal) -> Cell:
    if isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value():
        value = int(value)
    if isinstance(value, int) and abs(value) > _EXACT_INTEGER:
        return str(value)
    number = float(value)
    return None if math.isnan(number) else _unsigned_zero(number)


def _unsigned_zero(number: float) -> float:
    # -0.0 and 0.0 are one key of a dict but not the same bits.
    return number + 0.0


def cell_reader(words: Collection[str]) -> Callable[[object], Cell]:
    """Return the function that gives a raw value's cell, None for the agreed placeholders."""
    reading = missing_as_none(words)
    return lambda value: reading(cell(value))


def record_reader(
    words: Collection[str], common: Collection[Cell] = ()
) -> Callable[[Mapping[str, object]], dict[str, Cell]]:
    """Return the function that does so with each value of a record, faster.

    Texts that were found to be their own cells are known from then on, if they are common.

    Args:
        words: the agreed placeholders.
        common: cells that come again and tell of nobody; others may join them later.

    """
    read, plain = cell_reader(words), _plain_firsts(words)
    begins = placeholder_begins(words)
    known: set[object] = set()

    def other(value: object) -> Cell:
        found = read(value)
        if found is value and value.__class__ is str and value in common:
            if len(known) >= _KNOWN:
                known.clear()
            known.add(found)
        return found

    def cells(record: Mapping[str, object]) -> dict[str, Cell]:
        try:
            # Most that are not known are texts that begin as no placeholder does.
            return {
                name: value  # type: ignore[misc]
                if value in known
                else text
                if value.__class__ is str
                and value not in common
                and value.isascii()
                and (
                    (text := value.strip())[:1] in plain
                    or (text and text[:2].lower() not in begins)
                )
                else other(value)
                for name, value in record.items()
            }
        except TypeError:  # a list, which cannot be looked up
            return {name: other(value) for name, value in record.items()}

    return cells


def placeholder_begins(words: Collection[str]) -> set[str]:
    """Return the first two letters, in small ones, of texts that may be placeholders."""
    return {begin for word in words for begin in _begins(key_of(word)) if begin}


def _begins(key: str) -> Iterator[str]:
    """Yield the first two letters of texts with a key; a space may be any white space there."""
    for second in _SPACES if key[1:2] == " " else [key[1:2]]:
        yield key[:1] + second
    if key.isdecimal():  # 0 may be written as 0.0
        yield (key + ".")[:2]


def _plain_firsts(words: Collection[str]) -> frozenset[str]:
    """Return the letters with which no placeholder begins."""
    firsts = {key_of(word)[:1] for word in words}
    return frozenset(chr(c) for c in range(128) if chr(c).casefold() not in firsts)


def missing_as_none(words: Collection[str]) -> Callable[[Cell], Cell]:
    """Return the function that turns the agreed placeholders (`Select`, `N/A`) into None."""
    missing = {key_of(word) for word in words}
    firsts = {word[:1] for word in missing}
    others = _plain_firsts(words)

    def reading(value: Cell) -> Cell:
        # Most values are told from every placeholder by their first letter.
        if not isinstance(value, str) or value[:1] in others:
            return value
        begins = value[:1].casefold()[:1] in firsts
        return None if begins and key_of(value) in missing else value

    return reading


def text_of(value: Cell) -> str:
    """Return the text a human would write for a cell; whole numbers without `.0`."""
    if isinstance(value, str):
        whole = value[-1:] == "0" and _TRAILING_ZEROS.fullmatch(value)
        return value[: value.index(".")] if whole else value
    if value is None:
        return ""
    exact = value.is_integer() and abs(value) <= _EXACT_INTEGER
    return str(int(value)) if exact else repr(value)


def key_of(value: Cell) -> str:
    """Return what decides whether two categories are the same: case and spacing do not."""
    return " ".join(text_of(value).split()).casefold()


@lru_cache(maxsize=8)
def _number_pattern(decimal: str) -> re.Pattern[str]:
    group, point = ("[.]", ",") if decimal == "," else ("[,]", r"\.")
    # Groups of two are how India writes thousands: 12,34,567.
    grouped = rf"\d{{1,3}}(?:{group}\d{{2,3}})*{group}\d{{3}}"
    return re.compile(rf"[-+]?(?:{grouped}|\d+)?(?:{point}\d*)?(?:[eE][-+]?\d+)?")


def number(value: Cell, decimal: str = ".") -> float:
    """Read a cell as a number; NaN for missing.

    Args:
        value: the cell; a typed number passes through untouched by the file's marks.
        decimal: the decimal mark of text, `.` or `,`; the other one groups thousands.

    Raises:
        ValueError: when the text is not a number, or the number is infinite.

    Example:
        >>> number("€ 1.250,5", decimal=",")
        1250.5

    """
    if value is None:
        return math.nan
    read = value if isinstance(value, float) else _number_of_text(value, decimal)
    if math.isinf(read):
        raise ValueError(f"{text_of(value)!r} is too large for a number")
    return read


def _number_of_text(value: str, decimal: str) -> float:
    plain = value
    if not _MARKS_ALONE.fullmatch(value):
        plain = _CURRENCY_CODE.sub("", value.translate(_STRIP_CURRENCY))
        if not any(c.isdigit() for c in plain):
            raise ValueError(f"{value!r} is not a number")
    other = "." if decimal == "," else ","
    if not _number_pattern(decimal).fullmatch(plain):
        if _number_pattern(other).fullmatch(plain):
            mark = f"read with {decimal!r} before its decimals; see export.decimal"
            raise ValueError(f"{value!r} is not a number, {mark}")
        raise ValueError(f"{value!r} is not a number")
    return _unsigned_zero(float(plain.replace(other, "").replace(decimal, ".")))


def moment(value: Cell, day_first: bool = False) -> datetime:
    """Read a cell as a point in time, in UTC without a zone mark.

    Args:
        value: ISO 8601 text, a common date text, or seconds or milliseconds since 1970.
        day_first: whether `03/04/2026` is the third of April.

    Raises:
        ValueError: when it is no time, or none between 1900 and 2200.

    """
    when = _plain_iso(value) or _in_range(value, day_first)
    return when if when.tzinfo is None else when.astimezone(UTC).replace(tzinfo=None)


def _plain_iso(value: Cell) -> datetime | None:
    """Return what `_in_range` would find in an ISO 8601 text, which most times are; else None."""
    if not isinstance(value, str) or value[4:5] != "-":
        return None
    try:
        when = datetime.fromisoformat(value)
    except ValueError:
        return None
    return when if 1900 <= when.year < 2200 else None


def day(value: Cell, day_first: bool = False) -> date:
    """Read a cell as a day, the one that is written whatever zone stands behind it; see `moment`.

    Raises:
        ValueError: when it is no time, or none between 1900 and 2200.

    """
    return _in_range(value, day_first).date()


def _in_range(value: Cell, day_first: bool) -> datetime:
    when = _from_text(text_of(value), day_first)
    if not 1900 <= when.year < 2200:
        raise ValueError(f"{text_of(value)!r} is not a time between 1900 and 2200")
    return when


def _from_number(value: float) -> datetime:
    if 1e8 <= value < 7.3e9:
        return datetime(1970, 1, 1) + timedelta(seconds=value)
    # Not from 1973 on: 202601051030 is a clock's writing and no count of milliseconds.
    if 3e11 <= value < 7.3e12:
        return datetime(1970, 1, 1) + timedelta(milliseconds=value)
    raise ValueError(f"{text_of(value)!r} is not a time")


def _from_text(value: str, day_first: bool) -> datetime:
    # First, because ISO 8601 would see a year, a day and an hour in 1712011500000.
    if value[4:5] != "-" and _EPOCH.fullmatch(value):
        return _from_number(float(value))
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return _from_short_date(value, day_first) or _by_dateutil(value, day_first)


def _from_short_date(value: str, day_first: bool) -> datetime | None:
    # What most spreadsheets write; dateutil would find the same and take twenty times as long.
    found = _SHORT_DATE.fullmatch(value)
    if not found:
        return None
    first, mark, second, year, *clock, half = found.groups()
    starts_with_day = day_first or mark == _DAY_FIRST_MARK
    day, month = (first, second) if starts_with_day else (second, first)
    hour, minute, second_of_minute = (int(part or 0) for part in clock)
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half in "pP" else 0)
    try:
        return datetime(int(year), int(month), int(day), hour, minute, second_of_minute)
    except ValueError as error:
        raise _not_in_this_order(value, starts_with_day) from error


def _not_in_this_order(value: str, day_first: bool) -> ValueError:
    order = "day first" if day_first else "month first"
    return ValueError(f"{value!r} is not a time, read {order}; see export.day_first")


def _by_dateutil(value: str, day_first: bool) -> datetime:
    # A long text is no date, and searching it for one could take as long as somebody wishes.
    if len(value) > _LONGEST_DATE or not (_DATE_LIKE.fullmatch(value) or _MONTH_NAME.search(value)):
        raise ValueError(f"{value!r} is not a time")
    year_first = value[:4].isdigit()
    parts = _DATE_PARTS.match(value)
    if parts and not year_first:
        day_first = day_first or parts[2] == _DAY_FIRST_MARK
        # Else dateutil would turn the order round where only the other one makes a date.
        month = parts[3] if day_first else parts[1]
        if int(month) > 12:
            raise _not_in_this_order(value, day_first)
    try:
        found: datetime = dateparser.parse(
            _GMT_BEFORE_OFFSET.sub("", value),
            dayfirst=day_first and not year_first,
            yearfirst=year_first,
            default=_NO_YEAR,
            tzinfos=_zone,
        )
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{value!r} is not a time") from error
    return found


def _zone(_name: str, offset: int | None) -> timezone:
    # An abbreviation such as CET names no offset; a wrong hour is better than a lost lead.
    return UTC if offset is None else timezone(timedelta(seconds=offset))
