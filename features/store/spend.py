"""What campaigns cost: read from files and requests, kept once for each campaign and day.

A day's amount may change until the bill is final, so what comes later replaces what stands there,
and the audit log keeps both. Two spellings of a campaign that differ in case or spacing are one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, TypeVar

from sqlalchemy import Connection, select, update

from features.agreement import Agreement
from features.cells import Cell, cell, key_of, missing_as_none, number, text_of
from features.errors import UsageError
from features.leads import Fault
from features.spreadsheet import saved_day
from features.store.audit import audit
from features.store.bulk import insert_columns
from features.store.keys import CHUNK, spend_alone
from features.store.tables import Spend
from features.store.texts import MAX_NAME, storable

T = TypeVar("T")

WORDS = ("campaign", "date", "amount", "visits")
"""What spend consists of; visits may be left out."""
_OTHER_HEADINGS = {
    "campaign": ("campaign_name", "utm_campaign"),
    "date": ("day",),
    "amount": ("spend", "cost", "costs", "amount_spent"),
    "visits": ("clicks", "sessions"),
}
_MOST = 1e12
"""Of an amount and of visits: more is a slip."""

Booked = Literal["stored", "repeated", "replaced"]


@dataclass(frozen=True, slots=True)
class Spent:
    """What a campaign cost on a day, and the visits that this brought."""

    campaign: str
    day: date
    amount: float
    visits: int | None = None

    @property
    def place(self) -> tuple[str, date]:
        """What there is one amount of: the campaign, however it is spelled, and the day."""
        return key_of(self.campaign), self.day


class _UnreadableError(Exception):
    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.reason)
        self.fault = fault


class SpendReader:
    """Reads spend by an agreement: its dates, its decimal mark, its words for missing."""

    def __init__(self, agreement: Agreement, now: datetime, both_orders: bool = False) -> None:
        """Read by an agreement.

        Args:
            agreement: what dates and numbers mean.
            now: what is spent on a later day is refused.
            both_orders: whether the dates are written in both orders; see
                `features.spreadsheet.saved_moment`.

        """
        self._headings = headings(agreement)
        self._clean = missing_as_none(agreement.export.missing)
        self._decimal = agreement.export.decimal
        self._day_first = agreement.export.day_first
        self._both_orders = both_orders
        # The day is that of the campaign's own place, which may be ahead of UTC.
        self._last = (now + timedelta(days=1)).date()
        self._seen: dict[tuple[str, date], Spent] = {}

    def item(self, item: object) -> Spent | Fault:
        """Read one item of a request: an object of raw values."""
        if not isinstance(item, dict):
            return Fault("", None, f"must be an object of {', '.join(WORDS)}")
        cells: dict[str, Cell] = {}
        for name, raw in item.items():
            word = self._headings.get(_plain(name))
            if word is None or word in cells:
                known = ", ".join(WORDS)
                why = "is given twice" if word else f"is no part of spend, which has {known}"
                return Fault(storable(name)[:MAX_NAME], None, why)
            try:
                cells[word] = cell(raw)
            except (ValueError, OverflowError) as error:
                return Fault(word, None, str(error))
        return self.spent(cells)

    def spent(self, cells: Mapping[str, Cell]) -> Spent | Fault:
        """Read one row of cells by the names of `WORDS`; those not there are missing.

        A campaign and day that came before with another amount is a fault: whether the two are to
        be added up, nobody can tell.
        """
        clean = {name: self._clean(value) for name, value in cells.items()}
        try:
            found = Spent(
                _campaign(clean.get("campaign")),
                self._date(clean.get("date")),
                self._amount(clean.get("amount")),
                self._visits(clean.get("visits")),
            )
        except _UnreadableError as error:
            return error.fault
        before = self._seen.setdefault(found.place, found)
        if (before.amount, before.visits) != (found.amount, found.visits):
            reason = (
                f"a row above gives {before.amount:,.2f} for this campaign and day; "
                "make one row of them with the sum"
            )
            return Fault("amount", found.amount, reason)
        return found

    def _date(self, value: Cell) -> date:
        if value is None:
            raise _UnreadableError(Fault("date", None, "the date is missing"))
        first, both = self._day_first, self._both_orders
        found = _read("date", value, lambda v: saved_day(v, first, both))
        if found > self._last:
            reason = f"lies after today ({self._last - timedelta(days=1)}); send it once it is over"
            raise _UnreadableError(Fault("date", found.isoformat(), reason))
        return found

    def _amount(self, value: Cell) -> float:
        if value is None:
            raise _UnreadableError(Fault("amount", None, "the amount is missing; say 0 for none"))
        found = _read("amount", value, lambda v: number(v, self._decimal))
        if not (math.isfinite(found) and 0 <= found <= _MOST):
            reason = "an amount is a sum of money, 0 or more; take a refund off the day it is for"
            raise _UnreadableError(Fault("amount", found, reason))
        return found

    def _visits(self, value: Cell) -> int | None:
        if value is None:
            return None
        found = _read("visits", value, lambda v: number(v, self._decimal))
        if not (math.isfinite(found) and 0 <= found <= _MOST and found == int(found)):
            raise _UnreadableError(Fault("visits", found, "visits are a whole number, 0 or more"))
        return int(found)


def _campaign(value: Cell) -> str:
    text = storable(text_of(value)).strip()
    if not text:
        raise _UnreadableError(Fault("campaign", None, "the campaign is missing"))
    if len(text) > MAX_NAME:
        reason = f"a campaign's name has at most {MAX_NAME} characters"
        raise _UnreadableError(Fault("campaign", None, reason))
    return text


def _read(field: str, value: Cell, read: Callable[[Cell], T]) -> T:
    try:
        return read(value)
    except ValueError as error:
        plain = Fault(field, value, str(error)).plain_reason
        raise _UnreadableError(Fault(field, value, plain)) from None


def headings(agreement: Agreement) -> dict[str, str]:
    """Return which part of spend a heading names, by the heading without case and marks."""
    found = {_plain(other): word for word, others in _OTHER_HEADINGS.items() for other in others}
    if agreement.columns.campaign:
        found[_plain(agreement.columns.campaign)] = "campaign"
    return found | {_plain(word): word for word in WORDS}


def columns_of(names: Iterable[str], agreement: Agreement) -> dict[str, str]:
    """Return the column of a file for each part of spend that it has.

    Raises:
        UsageError: when a part that is needed is not there, or two columns stand for one part.

    """
    known, found = headings(agreement), dict[str, str]()
    for name in names:
        word = known.get(_plain(name))
        if word is None or _plain(found.get(word, "")) == word:
            continue
        if word in found and _plain(name) != word:
            raise UsageError(
                f"the columns {found[word]!r} and {name!r} both stand for {word}; rename one"
            )
        found[word] = name
    if absent := [word for word in WORDS[:3] if word not in found]:
        raise UsageError(
            f"no column for {', '.join(absent)} among {', '.join(names)}; "
            f"spend has the columns {', '.join(WORDS)}"
        )
    return found


def _plain(heading: str) -> str:
    return re.sub(r"[\W_]+", "", heading).casefold()


def book(connection: Connection, spent: Sequence[Spent], who: str, now: datetime) -> list[Booked]:
    """Keep what campaigns cost; return for each what became of it, in the order of the input.

    Another amount for a day that has one replaces it, and the audit log says so. Visits that are
    not told leave those that were.

    Args:
        connection: of a write.
        spent: no two that differ for one campaign and day; see `SpendReader`.
        who: brings it.
        now: when.

    """
    spend_alone(connection)
    spelled = {key_of(name): name for name in connection.execute(_NAMES).scalars()}
    results: list[Booked] = []
    for start in range(0, len(spent), CHUNK):
        some = [
            (spelled.setdefault(item.place[0], item.campaign), item)
            for item in spent[start : start + CHUNK]
        ]
        results += _book(connection, some, who, now)
    return results


_NAMES = select(Spend.campaign).distinct()


def _book(
    connection: Connection, spent: Sequence[tuple[str, Spent]], who: str, now: datetime
) -> list[Booked]:
    there = _there(connection, spent)
    new: dict[tuple[str, date], Spent] = {}
    results: list[Booked] = []
    for name, item in spent:
        place = (name, item.day)
        before = there.get(place)
        if before is None:
            results.append("repeated" if place in new else "stored")
            new.setdefault(place, item)
        elif (item.amount, item.visits) in ((before.amount, before.visits), (before.amount, None)):
            results.append("repeated")
        else:
            _replace(connection, before, item, who, now)
            there[place] = Spent(
                name, item.day, item.amount, before.visits if item.visits is None else item.visits
            )
            results.append("replaced")
    insert_columns(
        connection,
        Spend,
        {
            "campaign": [name for name, _ in new],
            "date": [day for _, day in new],
            "amount": [item.amount for item in new.values()],
            "visits": [item.visits for item in new.values()],
        },
    )
    return results


def _there(
    connection: Connection, spent: Sequence[tuple[str, Spent]]
) -> dict[tuple[str, date], Spent]:
    """Return what stands for the same campaigns within the same days."""
    days = [item.day for _, item in spent]
    rows = select(Spend).where(Spend.date.between(min(days), max(days)))
    return {
        (row.campaign, row.date): Spent(row.campaign, row.date, row.amount, row.visits)
        for row in connection.execute(rows)
    }


def _replace(connection: Connection, before: Spent, item: Spent, who: str, now: datetime) -> None:
    visits = before.visits if item.visits is None else item.visits
    here = (Spend.campaign == before.campaign, Spend.date == before.day)
    connection.execute(update(Spend).where(*here).values(amount=item.amount, visits=visits))
    was, became = (f"{amount:.2f}" for amount in (before.amount, item.amount))
    if visits != before.visits:
        was, became = f"{was} ({before.visits} visits)", f"{became} ({visits} visits)"
    what = f"{before.campaign}, {before.day}: {was} became {became}"
    audit(connection, "spend replaced", what, who, now)
