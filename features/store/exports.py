"""An export comes in: its leads as they are known now, and what it says became of them.

An export tells how things stand, not what happened when. So what is kept of it is the first word
on each lead, at the moment when the outcome came about, and after that only what has changed since
the export before, at the moment of reading. The same export again adds nothing.

    export of      says                       kept as
    2026-04-01     won, closed 2026-03-01     won,  at 2026-03-01, closed 2026-03-01
    2026-04-08     won, closed 2026-03-01     nothing
    2026-04-15     lost, closed 2026-03-01    lost, at 2026-04-15, closed 2026-03-01
    2026-04-22     open                       open, at 2026-04-22
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from features.agreement import Agreement
from features.cells import Cell, key_of, number
from features.coded import each
from features.leads import History, has_ids
from features.store.bulk import among, insert_columns
from features.store.database import Store
from features.store.entries import enter
from features.store.lead_states import draw_new
from features.store.tables import Disposition
from features.store.texts import digest_of
from features.store.worklist import refresh


class _Word(NamedTuple):
    """What an export says of a lead."""

    code: str
    closed: datetime | None
    value: float | None


def keep_export(store: Store, history: History, agreement: Agreement, now: datetime) -> None:
    """Write a chunk of an export down, all of it or nothing; without ids, nothing is kept.

    Args:
        store: where to.
        history: leads with what became of them; ids must be distinct.
        agreement: says which columns are what.
        now: the moment of reading.

    Raises:
        StoreError: when the store cannot be reached.

    """
    if has_ids(agreement):
        store.write(lambda connection: _keep(connection, history, agreement, now))


def _keep(connection: Connection, history: History, agreement: Agreement, now: datetime) -> None:
    leads = history.leads
    keys = enter(connection, leads, agreement, [now] * len(leads), "export", now).leads
    draw_new(connection, sorted(keys))
    before = _before(connection, keys)
    words = map(_Word, history.dispositions, history.closed, _values(history, agreement))
    rows = []
    for key, word, told in zip(keys, words, _told_by(history, agreement), strict=True):
        last, digest = before.get(key, (None, ""))
        if word == last or (last is None and word.code == "open"):
            continue
        first = min(word.closed, now) if word.closed and last is None else now
        rows.append((key, first, *word, told, digest_of(_told(digest, word))))
    if not rows:
        return
    names = ("lead", "at", "code", "closed", "value", "told", "digest")
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    same = {"origin": "export", "agreement": agreement.label, "received": now}
    insert_columns(connection, Disposition, columns | {n: [v] * len(rows) for n, v in same.items()})
    refresh(connection, columns["lead"])


def _told(before: str, word: _Word) -> str:
    """Return what makes a digest: the same word again after another one is a new one."""
    return f"export {before} {word.code} {word.closed} {word.value}"


def _told_by(history: History, agreement: Agreement) -> list[str | None]:
    """Return the CRM's own word for each outcome, as the agreement spells it."""
    spelled = {key_of(raw): raw for raw, _ in agreement.raw_outcomes()}
    cells = history.leads.column(agreement.columns.outcome)
    return each(cells, lambda cell: None if cell is None else spelled.get(key_of(cell)))


def _values(history: History, agreement: Agreement) -> list[float | None]:
    """Return what each won lead is worth, where the export says a sum."""
    name, decimal = agreement.columns.value, agreement.export.decimal
    if name is None:
        return [None] * len(history)

    def sum_of(cell: Cell) -> float | None:
        try:
            found = number(cell, decimal)
        except ValueError:
            return None
        return found if found >= 0 and math.isfinite(found) else None

    found = each(history.leads.column(name), sum_of)
    return [
        value if disposition == "won" else None
        for value, disposition in zip(found, history.dispositions, strict=True)
    ]


def _before(connection: Connection, keys: list[int]) -> dict[int, tuple[_Word, str]]:
    """Return the last word of an export on each lead, with its digest."""
    told = (
        select(Disposition.lead, func.max(Disposition.key).label("key"))
        .where(among(connection, Disposition.lead, keys), Disposition.origin == "export")
        .group_by(Disposition.lead)
        .subquery()
    )
    rows = connection.execute(
        select(
            Disposition.lead,
            Disposition.code,
            Disposition.closed,
            Disposition.value,
            Disposition.digest,
        ).join(told, Disposition.key == told.c.key)
    ).all()
    return {
        lead: (_Word(code, closed, value), digest) for lead, code, closed, value, digest in rows
    }
