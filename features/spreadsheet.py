"""What a spreadsheet does to a table: text acts as formulas, dates become numbers of days.

CSV that a person will open there is written so that no cell acts; what a person has saved from
there is read where it has one meaning alone, and told where it has two.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta

from features.cells import Cell, day, moment, text_of

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What makes Excel and LibreOffice calculate (OWASP, CSV injection)."""
FORMULA = r'(?:^|;)[" ]*[=+\-@\t\r\n＝＋－＠]'
"""Where it does: first in a cell but for quotes and spaces, or behind a semicolon, at which much of
Europe splits cells.
"""

_NUMBER_OF_DAYS = re.compile(r"[0-9]{5}(?:[.,][0-9]+)?")
_DAY_ZERO = datetime(1899, 12, 30)
"""From here Excel, LibreOffice and Google Sheets count days (from March 1900 on alike)."""
_SLASHED = re.compile(r"(\d{1,2})([/-])(\d{1,2})\2(\d{2}|\d{4})(?!\d)", re.ASCII)
ROUNDED_NUMBER = re.compile(r"\d(?:[.,]\d+)?E\+?\d{2,3}", re.IGNORECASE)
"""How a spreadsheet shows a number that is too long for its cell; the last digits are lost."""


def csv_text(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return rows as CSV whose cells are all safe; without a header where that is empty."""
    text = io.StringIO(newline="")
    # Ends of lines as RFC 4180 has them; with others a lone \r in a cell would begin a line.
    writer = csv.writer(text)
    if header:
        writer.writerow(map(safe_cell, header))
    writer.writerows([safe_cell(cell) for cell in row] for row in rows)
    return text.getvalue()


def safe_cell(text: str) -> str:
    """Return a text that a spreadsheet shows as it is; numbers stay numbers."""
    return ";".join(map(_safe_part, text.encode("utf-8", "backslashreplace").decode().split(";")))


def _safe_part(text: str) -> str:
    """Return what a spreadsheet may take for a cell of its own, as it shows it."""
    acts = text.lstrip('" ').startswith(_FORMULA) and not _is_number(text)
    return f"'{text}" if acts else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def saved_moment(value: Cell, day_first: bool, both_orders: bool = False) -> datetime:
    """Read a time that may have been through a spreadsheet; see `features.cells.moment`.

    A number of days from 2000 to 2099 is a time: 46342.5 is 16 November 2026 at noon.

    Args:
        value: the cell.
        day_first: whether `03/04/2026` is the third of April.
        both_orders: whether dates beside it are certainly written in the other order, so that
            those which both orders allow have no meaning.

    Raises:
        ValueError: when it is no time, or may be one of two.

    """
    return _counted(value, both_orders) or moment(value, day_first)


def saved_day(value: Cell, day_first: bool, both_orders: bool = False) -> date:
    """Read a day that may have been through a spreadsheet; see `saved_moment`."""
    counted = _counted(value, both_orders)
    return counted.date() if counted else day(value, day_first)


def _counted(value: Cell, both_orders: bool) -> datetime | None:
    """Return the time that a number of days stands for; refuse what has two meanings."""
    text = text_of(value)
    if _NUMBER_OF_DAYS.fullmatch(text):
        days = float(text.replace(",", "."))
        when = _DAY_ZERO + timedelta(seconds=round(days * 86_400))
        return when if 2000 <= when.year < 2100 else None
    found = _SLASHED.match(text)
    if found and len(found[4]) == 2 and found[2] == "-":
        raise ValueError(f"{text!r} may begin with its day or with its year; write 2026-11-22")
    if found and both_orders and _has_two_meanings(found):
        raise ValueError(
            f"{text!r} may be day first or month first, and dates beside it are written in both "
            "orders; write 2026-11-22"
        )
    return None


def is_in_other_order(value: Cell, day_first: bool) -> bool:
    """Whether a date can be read in the order alone that was not agreed."""
    found = _SLASHED.match(text_of(value))
    if not found:
        return False
    first, second = int(found[1]), int(found[3])
    day, month = (second, first) if day_first else (first, second)
    return 12 < day <= 31 and 1 <= month <= 12


def _has_two_meanings(found: re.Match[str]) -> bool:
    first, second = int(found[1]), int(found[3])
    return first != second and max(first, second) <= 12
