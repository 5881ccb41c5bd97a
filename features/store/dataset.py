"""The training set as of a moment: what was known of each lead, and what became of it.

One row is one chance to win: a lead that was handed over is a row for each hand-off, as it was
known at that moment; one that never was is a row as it was first known. A hand-off that told no
field is read with what was last known before it, or else first known after it. What sales said
between two hand-offs belongs to the first of them, so that a lead which came back as not ready and
was won a year later is one `not_ready` and one `won`, not a contradiction. The first chance begins
when the lead was created, each further one with its hand-off.

    hand-off  2026-01-10   not_ready on 01-20           row 1: not_ready
    hand-off  2026-06-01   lost on 06-10, won on 06-12  row 2: won, its time begins on 06-01

Erased leads are not in it. Nothing of the moment itself or later is seen.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain, groupby
from operator import methodcaller
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import Connection, Select, func, or_, select
from sqlalchemy.orm import aliased

from features.agreement import Agreement, Disposition
from features.cells import Cell, number
from features.coded import CodedCells, coded, each, joined
from features.leads import PROPENSITY, History, Leads, admit
from features.store.entries import NO_FIELDS
from features.store.states import DECISIONS, PRECEDENCE, precedence, said_in, stands
from features.store.tables import Disposition as Word
from features.store.tables import Handoff, Lead, Score, Snapshot

_CHUNK = 20_000
"""Leads whose snapshots are held as text at once."""
_Rows = Select[*tuple[Any, ...]]


class _Chance(NamedTuple):
    """One row: a lead as it was known when a chance began, and what became of that."""

    id: str
    start: datetime
    fields: str
    word: Any | None
    propensity: float | None


def training_set(connection: Connection, agreement: Agreement, moment: datetime) -> History:
    """Read the leads that the store knew at a moment, with what had become of them by then.

    Args:
        connection: of a reading.
        agreement: says which columns are what.
        moment: what happened from this moment on is not seen.

    """
    last = connection.execute(select(func.max(Lead.key))).scalar_one() or 0
    parts = [
        _history(found, agreement)
        for first in range(1, last + 1, _CHUNK)
        if (found := list(_chances(connection, first, first + _CHUNK - 1, moment)))
    ]
    names = sorted({name for part in parts for name in part.leads.columns})
    columns = {name: joined([_column(part.leads, name) for part in parts]) for name in names}
    return History(
        Leads(
            [id_ for part in parts for id_ in part.leads.ids],
            columns,
            [created for part in parts for created in part.leads.created],
        ),
        [disposition for part in parts for disposition in part.dispositions],
        [closed for part in parts for closed in part.closed],
        [serial for part in parts for serial in part.serial],
    )


def new_outcomes(
    connection: Connection, since: datetime | None, learned_until: datetime | None = None
) -> int:
    """Count the leads on which there is a decision that the last training cannot have known.

    Such a decision was received after the training, or had a time that was still to come then, and
    there was none alike before it. A training on an
    export read what the export held and not the store: there a decision of before the export's end
    is taken for known, however late it was received.

    Args:
        connection: of a reading.
        since: the moment of the training; None: everything is new.
        learned_until: the end of the export that was learned from; None: the store was.

    """
    told = select(func.count(Word.lead.distinct())).where(Word.code.in_(DECISIONS), stands())
    if since is not None:
        known = aliased(Word)
        alike = select(known.key).where(
            known.lead == Word.lead,
            known.code == Word.code,
            known.received <= since,
            known.at < since,
        )
        told = told.where(or_(Word.received > since, Word.at >= since), ~alike.exists())
    if learned_until is not None:
        told = told.where(Word.at > learned_until)
    return int(connection.execute(told).scalar_one())


def _column(leads: Leads, name: str) -> CodedCells:
    if name in leads.columns:
        return coded(leads.columns[name])
    # A lead that no queue drew was sure to be called.
    return CodedCells([1.0 if name == PROPENSITY else None], np.zeros(len(leads), dtype=np.intp))


def _chances(connection: Connection, first: int, last: int, moment: datetime) -> Iterator[_Chance]:
    """Yield the rows of the leads whose keys lie between two, both included."""
    known = select(Lead.key, Lead.id, Lead.created).where(
        Lead.key.between(first, last), Lead.erased.is_(None)
    )
    handed = _by_lead(connection, _handed(first, last, moment))
    fresh = _by_lead(connection, _known_beside(first, last, moment))
    words = _by_lead(connection, _words(first, last, moment))
    drawn = _by_lead(connection, _drawn(first, last, moment))
    for key, id_, created in connection.execute(known.order_by(Lead.key)).all():
        starts = handed.get(key) or fresh.get(key, [])[:1]
        moments = [start.at for start in starts]
        for i, (_, at, told) in enumerate(starts):
            fields = told if told != NO_FIELDS else _known_at(at, fresh.get(key, ()))
            said = said_in(i, moments, words.get(key, ()))
            before = starts[i - 1].at if i else datetime.min
            until = at if i or handed.get(key) else moment
            lanes = [score for score in drawn.get(key, ()) if before < score.at <= until]
            yield _Chance(
                id_,
                at if i else created or at,
                fields,
                max(said, key=precedence, default=None),
                lanes[-1].propensity if lanes else None,
            )


def _by_lead(connection: Connection, rows: _Rows) -> dict[int, list[Any]]:
    found = connection.execute(rows).all()
    return {lead: list(some) for lead, some in groupby(found, key=lambda row: row[0])}


def _handed(first: int, last: int, moment: datetime) -> _Rows:
    return (
        select(Handoff.lead, Handoff.at, Snapshot.fields)
        .join(Snapshot, Snapshot.key == Handoff.snapshot)
        .where(Handoff.lead.between(first, last), Handoff.at < moment)
        .order_by(Handoff.lead, Handoff.at)
    )


def _known_at(at: datetime, snapshots: Sequence[Any]) -> str:
    """Return what was last known before a moment, or else first known after it."""
    before = [snapshot.fields for snapshot in snapshots if snapshot.at <= at]
    if before:
        return str(before[-1])
    return str(snapshots[0].fields) if snapshots else NO_FIELDS


def _known_beside(first: int, last: int, moment: datetime) -> _Rows:
    """Select what is known of leads of which not every hand-off told the fields."""
    told = aliased(Snapshot)
    passed = select(Handoff.key).where(Handoff.lead == Snapshot.lead, Handoff.at < moment)
    bare = passed.join(told, told.key == Handoff.snapshot).where(told.fields == NO_FIELDS)
    return (
        select(Snapshot.lead, Snapshot.at, Snapshot.fields)
        .where(Snapshot.lead.between(first, last), Snapshot.at < moment)
        .where(Snapshot.fields != NO_FIELDS, or_(~passed.exists(), bare.exists()))
        .order_by(Snapshot.lead, Snapshot.at, Snapshot.key)
    )


def _words(first: int, last: int, moment: datetime) -> _Rows:
    """Select what sales and exports said, without the steps: these leave a lead open."""
    of_them = Word.lead.between(first, last)
    return (
        select(Word.lead, Word.at, Word.code, Word.closed, Word.value, Word.origin, Word.digest)
        .where(of_them, Word.at < moment, Word.code.in_(PRECEDENCE), stands(of_them))
        .order_by(Word.lead)
    )


def _drawn(first: int, last: int, moment: datetime) -> _Rows:
    """Select the chances by which leads were drawn into the queue."""
    return (
        select(Score.lead, Score.at, Score.propensity)
        .where(Score.lead.between(first, last), Score.at < moment, Score.propensity.is_not(None))
        .order_by(Score.lead, Score.at, Score.key)
    )


def _history(chances: Sequence[_Chance], agreement: Agreement) -> History:
    """Apply the agreement to rows, as to those of a file."""
    names = agreement.columns
    columns = _cells(chances)
    columns[names.id] = coded(chance.id for chance in chances)
    if names.value and names.value not in agreement.used_fields():
        columns[names.value] = _values(chances, columns.get(names.value))
    if any(chance.propensity is not None for chance in chances):
        columns[names.propensity or PROPENSITY] = coded(
            chance.propensity or 1.0 for chance in chances
        )
    leads = admit(columns, agreement, {}, need_created=False)
    starts: list[datetime | None] = [None] * len(leads)
    if names.created:
        starts = [chance.start for chance in chances]
    dispositions: list[Disposition] = [c.word.code if c.word else "open" for c in chances]
    history = History(
        Leads(leads.ids, leads.columns, starts),
        dispositions,
        [_closed(chance.word) for chance in chances],
        _serials(leads, agreement),
    )
    if names.serial is None:
        return history
    # A lead without its serial has no place in time.
    return history.take([i for i, serial in enumerate(history.serial) if not math.isnan(serial)])


def _cells(chances: Sequence[_Chance]) -> dict[str, CodedCells]:
    known: list[Mapping[str, Cell]] = [json.loads(chance.fields) for chance in chances]
    names = dict.fromkeys(chain.from_iterable(known))
    return {name: coded(map(methodcaller("get", name), known)) for name in names}


def _values(chances: Sequence[_Chance], told: CodedCells | None) -> CodedCells:
    """Return what each win was worth: what sales said, else what was known of the lead."""
    before: Sequence[Cell] = told or [None] * len(chances)
    return coded(
        cell if chance.word is None or chance.word.value is None else chance.word.value
        for chance, cell in zip(chances, before, strict=True)
    )


def _closed(word: Any | None) -> datetime | None:
    if word is None or word.code == "open":
        return None
    closed: datetime | None = word.closed if word.origin == "export" else word.at
    return closed


def _serials(leads: Leads, agreement: Agreement) -> list[float]:
    name, decimal = agreement.columns.serial, agreement.export.decimal
    if name is None:
        return [math.nan] * len(leads)

    def serial_of(cell: Cell) -> float:
        try:
            return number(cell, decimal)
        except ValueError:
            return math.nan

    return each(leads.column(name), serial_of)
