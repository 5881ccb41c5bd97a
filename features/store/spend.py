"""What campaigns cost: read from files and requests, kept once for each campaign and day.

A day's amount may change until the bill is final, so what comes later replaces what stands there,
and the audit log keeps both. Two spellings of a campaign that differ in case or spacing are one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, TypeVar

from sqlalchemy import Connection, select, update

from features.agreement import Agreement
from features.cells import Cell, key_of, missing_as_none, number, text_of
from features.leads import Fault
from features.spreadsheet import saved_day
from features.store.audit import audit
from features.store.bulk import insert_columns
from features.store.keys import CHUNK, spend_alone
from features.store.layout import Layout, UnreadableError, read_part
from features.store.tables import Spend
from features.store.texts import MAX_NAME, storable

T = TypeVar("T")

SPEND = Layout(
    "spend",
    ("campaign", "date", "amount", "visits"),
    needed=("campaign", "date", "amount"),
    others={
        "campaign": ("campaign_name", "utm_campaign"),
        "date": ("day",),
        "amount": ("spend", "cost", "costs", "amount_spent"),
        "visits": ("clicks", "sessions"),
    },
    agreed=lambda agreement: {"campaign": agreement.columns.campaign},
)
"""What spend consists of."""
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
        self._headings = SPEND.headings(agreement)
        self._clean = missing_as_none(agreement.export.missing)
        self._decimal = agreement.export.decimal
        self._day_first = agreement.export.day_first
        self._both_orders = both_orders
        # The day is that of the campaign's own place, which may be ahead of UTC.
        self._last = (now + timedelta(days=1)).date()
        self._seen: dict[tuple[str, date], Spent] = {}

    def item(self, item: object) -> Spent | Fault:
        """Read one item of a request: an object of raw values."""
        cells = SPEND.cells_of(item, self._headings)
        return cells if isinstance(cells, Fault) else self.spent(cells)

    def spent(self, cells: Mapping[str, Cell]) -> Spent | Fault:
        """Read one row of cells by the parts of `SPEND`; those not there are missing.

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
        except UnreadableError as error:
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
            raise UnreadableError("date", None, "the date is missing")
        first, both = self._day_first, self._both_orders
        found = read_part("date", value, lambda v: saved_day(v, first, both))
        if found > self._last:
            reason = f"lies after today ({self._last - timedelta(days=1)}); send it once it is over"
            raise UnreadableError("date", found.isoformat(), reason)
        return found

    def _amount(self, value: Cell) -> float:
        if value is None:
            raise UnreadableError("amount", None, "the amount is missing; say 0 for none")
        found = read_part("amount", value, lambda v: number(v, self._decimal))
        if not (math.isfinite(found) and 0 <= found <= _MOST):
            reason = "an amount is a sum of money, 0 or more; take a refund off the day it is for"
            raise UnreadableError("amount", found, reason)
        return found

    def _visits(self, value: Cell) -> int | None:
        if value is None:
            return None
        found = read_part("visits", value, lambda v: number(v, self._decimal))
        if not (math.isfinite(found) and 0 <= found <= _MOST and found == int(found)):
            raise UnreadableError("visits", found, "visits are a whole number, 0 or more")
        return int(found)


def _campaign(value: Cell) -> str:
    text = storable(text_of(value)).strip()
    if not text:
        raise UnreadableError("campaign", None, "the campaign is missing")
    if len(text) > MAX_NAME:
        reason = f"a campaign's name has at most {MAX_NAME} characters"
        raise UnreadableError("campaign", None, reason)
    return text


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
