"""What comes into the store: hand-offs, feedback and spend, by request or by file of any length.

Of a file each chunk is stored whole or not at all. A run that was stopped leaves whole chunks; run
again, it repeats what is there and adds the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection

from features.agreement import Agreement
from features.cells import text_of
from features.files import Chunk, Reject, Table
from features.leads import NESTED, Fault, Faults, Leads
from features.spreadsheet import is_in_other_order
from features.store.database import Store
from features.store.feedback import Kept, Result, keep
from features.store.handoffs import (
    Handover,
    Told,
    hand_over,
    own_columns,
    read_handovers,
    told_by_items,
)
from features.store.keys import CHUNK
from features.store.said import FEEDBACK, Early, Reader, Said
from features.store.spend import SPEND, Booked, SpendReader, Spent, book
from features.store.texts import MAX_NAME

Rejecting = Callable[[Reject], None]


def take_feedback_items(
    connection: Connection, items: Sequence[object], agreement: Agreement, now: datetime
) -> list[Result]:
    """Keep the feedback of a request; return what became of each item, in their order."""
    reader = Reader(agreement)
    read = [reader.item(item) for item in items]
    said = [item for item in read if isinstance(item, Said)]
    results = iter(keep(connection, said, agreement, "rest", now))
    return [item if isinstance(item, Fault) else next(results) for item in read]


def take_handoff_items(
    connection: Connection, items: Sequence[object], agreement: Agreement, now: datetime
) -> list[Result]:
    """Hand over the leads of a request; return what became of each item, in their order."""
    faults: Faults = {}
    leads, handovers = read_handovers(told_by_items(items, faults), agreement, faults, now)
    good = [i for i in range(len(items)) if i not in faults]
    passed = [handovers[i] for i in good]
    new = iter(hand_over(connection, leads.take(good), agreement, passed, now))
    return [
        faults[i] if i in faults else "stored" if next(new) else "repeated"
        for i in range(len(items))
    ]


def take_spend_items(
    connection: Connection, items: Sequence[object], agreement: Agreement, who: str, now: datetime
) -> list[Booked | Fault]:
    """Keep the spend of a request; return what became of each item, in their order."""
    reader = SpendReader(agreement, now)
    read = [reader.item(item) for item in items]
    results = iter(book(connection, [i for i in read if isinstance(i, Spent)], who, now))
    return [item if isinstance(item, Fault) else next(results) for item in read]


@dataclass
class Account:
    """What became of the rows of a file: each of them is one of these."""

    read: int = 0
    stored: int = 0
    repeated: int = 0
    waiting: int = 0
    early: int = 0
    """Of those that wait: how many lie before anything was known of their lead."""
    refused: int = 0
    replaced: int = 0
    """Of spend: days whose amount was another before."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Why rows were refused, without what differs from row to row."""
    is_undated: bool = False
    """Whether the file tells no time of its hand-offs, so that all of them are made now."""

    def add(self, result: Kept | Booked | Early | Literal["refused"]) -> None:
        """Count a row."""
        self.read += 1
        if isinstance(result, Early):
            self.early += 1
            result = "waiting"
        setattr(self, result, getattr(self, result) + 1)


class _Aside:
    """Sets rows aside, and counts them."""

    def __init__(self, account: Account, reject: Rejecting, columns: dict[str, str]) -> None:
        self._account = account
        self._reject = reject
        self._columns = columns

    def row(self, reject: Reject) -> None:
        """Set aside a row that cannot be split into fields."""
        self._account.add("refused")
        self._account.reasons[reject.reason] += 1
        self._reject(reject)

    def fault(self, chunk: Chunk, place: int, fault: Fault) -> None:
        """Set aside a row of a chunk."""
        name = self._columns.get(fault.field, fault.field)
        self._account.add("refused")
        reason = fault.plain_reason
        self._account.reasons[f"{name}: {reason.split(' (')[0]}"] += 1
        ids = chunk.columns[self._columns["id"]] if "id" in self._columns else None
        lead = text_of(ids[place])[:MAX_NAME] if ids else ""
        value = text_of(fault.value)
        self._reject(Reject(chunk.file, chunk.lines[place], name, value, reason, lead))


def _nested(chunk: Chunk, columns: Mapping[str, str], free: Sequence[str] = ()) -> Faults:
    """Return the rows of which a part is a list or holds other values, and so says nothing.

    Args:
        chunk: of a file.
        columns: the column of each part.
        free: parts of free text.

    """
    return {
        i: Fault(part, chunk.columns[name][i], NESTED)
        for part, name in columns.items()
        for i in chunk.nested.get(name, ())
        if part not in free and chunk.columns[name][i] is not None
    }


def take_feedback(
    store: Store,
    table: Table,
    agreement: Agreement,
    now: datetime,
    reject: Rejecting,
    progress: Callable[[int], None] = lambda _: None,
) -> Account:
    """Keep the feedback of a file.

    Args:
        store: where it is kept; each chunk in a transaction of its own.
        table: with the columns of `features.store.said.FEEDBACK`, or what others call them.
        agreement: what words and dates mean.
        now: feedback from later on is refused.
        reject: given each row that is refused, with the reason.
        progress: told how many rows are safely stored, or set aside.

    Raises:
        UsageError: when a column that is needed is missing.

    """
    columns = FEEDBACK.columns_of(table.columns, agreement)
    reader = Reader(agreement, _both_orders(table, columns, agreement))
    account = Account()
    aside = _Aside(account, reject, columns)
    for chunk in table.chunks(aside.row):
        nested = _nested(chunk, columns, FEEDBACK.free)
        rows = zip(*(chunk.columns[name] for name in columns.values()), strict=True)
        said = (reader.said(dict(zip(columns, row, strict=True))) for row in rows)
        read = [nested.get(i, item) for i, item in enumerate(said)]
        for part in _parts(len(read)):
            results = _kept(store, read[part], agreement, now)
            for i, result in zip(range(len(read))[part], results, strict=True):
                if isinstance(result, Fault):
                    aside.fault(chunk, i, result)
                else:
                    account.add(result)
            progress(account.read)
    return account


def _kept(
    store: Store, read: Sequence[Said | Fault], agreement: Agreement, now: datetime
) -> list[Result]:
    """Keep what could be read; return for each what became of it, in the order of the input."""
    said = [item for item in read if isinstance(item, Said)]
    results = iter(store.write(lambda c: keep(c, said, agreement, "file", now)))
    return [item if isinstance(item, Fault) else next(results) for item in read]


def _parts(rows: int) -> Iterator[slice]:
    for start in range(0, rows, CHUNK):
        yield slice(start, min(start + CHUNK, rows))


def _both_orders(table: Table, columns: Mapping[str, str], agreement: Agreement) -> bool:
    """Whether some dates of a file can be read in the order alone that is not agreed.

    Somebody's spreadsheet has then turned day and month round where it could: of the dates that
    both orders allow, nobody knows which they are.
    """
    names = [columns[word] for word in ("at", "return_on", "date") if word in columns]
    day_first = agreement.export.day_first
    return any(
        is_in_other_order(value, day_first)
        for chunk in table.chunks(lambda _: None)
        for name in names
        for value in chunk.columns[name].values
    )


def take_handoffs(
    store: Store,
    table: Table,
    agreement: Agreement,
    now: datetime,
    reject: Rejecting,
    progress: Callable[[int], None] = lambda _: None,
) -> Account:
    """Hand over the leads of a file; see `take_feedback` and `read_handovers`."""
    own = own_columns(table.columns, agreement)
    both_orders = _both_orders(table, own, agreement)
    account = Account(is_undated="at" not in own)
    aside = _Aside(account, reject, own)
    for chunk in table.chunks(aside.row):
        faults = _nested(chunk, own)
        told = Told(
            {name: chunk.columns[column] for name, column in own.items()},
            {name: cells for name, cells in chunk.columns.items() if name not in own.values()},
        )
        leads, handovers = read_handovers(told, agreement, faults, now, both_orders)
        for part in _parts(len(leads)):
            some = [i for i in range(len(leads))[part] if i not in faults]
            batch, passed = leads.take(some), [handovers[i] for i in some]
            results = iter(_handed(store, batch, passed, agreement, now))
            for i in range(len(leads))[part]:
                if i in faults:
                    aside.fault(chunk, i, faults[i])
                else:
                    account.add("stored" if next(results) else "repeated")
            progress(account.read)
    return account


def _handed(
    store: Store, leads: Leads, handovers: list[Handover], agreement: Agreement, now: datetime
) -> list[bool]:
    return store.write(lambda c: hand_over(c, leads, agreement, handovers, now))


def take_spend(
    store: Store,
    table: Table,
    agreement: Agreement,
    now: datetime,
    reject: Rejecting,
    progress: Callable[[int], None] = lambda _: None,
    who: str = "cli",
) -> Account:
    """Keep what campaigns cost by a file with the columns of `features.store.spend.SPEND`.

    See `take_feedback`; `who` brings it, for the audit log.
    """
    columns = SPEND.columns_of(table.columns, agreement)
    reader = SpendReader(agreement, now, _both_orders(table, columns, agreement))
    account = Account()
    aside = _Aside(account, reject, columns)
    for chunk in table.chunks(aside.row):
        nested = _nested(chunk, columns, SPEND.free)
        rows = zip(*(chunk.columns[name] for name in columns.values()), strict=True)
        spent = (reader.spent(dict(zip(columns, row, strict=True))) for row in rows)
        read = [nested.get(i, item) for i, item in enumerate(spent)]
        good = [item for item in read if isinstance(item, Spent)]
        results = iter(_booked(store, good, who, now))
        for i, item in enumerate(read):
            if isinstance(item, Fault):
                aside.fault(chunk, i, item)
            else:
                account.add(next(results))
        progress(account.read)
    return account


def _booked(store: Store, spent: Sequence[Spent], who: str, now: datetime) -> list[Booked]:
    return store.write(lambda c: book(c, spent, who, now))
