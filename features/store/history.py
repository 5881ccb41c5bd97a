"""The story of one lead: what was known, who had it, what was scored, what sales said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, select

from features.cells import Cell
from features.store.entries import fields_of
from features.store.states import stands
from features.store.tables import Disposition, Handoff, Lead, Score, Snapshot


@dataclass(frozen=True)
class PastScore:
    """A score that was given, with what was known of the lead then."""

    at: datetime
    model: str
    agreement: str
    probability: float
    grade: str
    fields: dict[str, Cell] | None
    """None where the snapshot was not kept."""


@dataclass(frozen=True)
class PastHandoff:
    """A hand-off of the lead."""

    at: datetime
    owner: str | None
    team: str | None


@dataclass(frozen=True)
class PastWord:
    """What sales said of the lead."""

    at: datetime
    code: str
    by: str | None
    value: float | None
    reason: str | None
    return_on: date | None
    stands: bool = True
    """Whether it counts: it was not taken back, and takes nothing back."""


@dataclass(frozen=True)
class LeadHistory:
    """A lead's story; each list in the order of time."""

    key: int
    id: str
    created: datetime | None
    campaign: str | None
    source: str | None
    handoffs: list[PastHandoff]
    words: list[PastWord]
    last: PastWord | None
    """What came last of what stands: a taking back takes back this."""
    scores: list[PastScore]


def history_of(connection: Connection, id_: str) -> LeadHistory | None:
    """Return the story of a lead, or None where the store does not know it."""
    lead = connection.execute(select(Lead).where(Lead.id == id_)).one_or_none()
    if lead is None:
        return None
    handoffs = select(Handoff.at, Handoff.owner, Handoff.team).where(Handoff.lead == lead.key)
    of_it = Disposition.lead == lead.key
    said = select(
        Disposition.origin,
        Disposition.received,
        Disposition.at,
        Disposition.code,
        Disposition.by,
        Disposition.value,
        Disposition.reason,
        Disposition.return_on,
        stands(of_it).label("stands"),
    ).where(of_it)
    scores = (
        select(Score.at, Score.model, Score.agreement, Score.probability, Score.grade)
        .add_columns(Snapshot.fields)
        .outerjoin(Snapshot, Snapshot.key == Score.snapshot)
        .where(Score.lead == lead.key)
    )
    told = connection.execute(said.order_by(Disposition.at, Disposition.key)).all()
    # Of words that were received together the later one lies on top, as `states.stands` counts.
    came = sorted((row for row in told if row.stands), key=attrgetter("received"))
    return LeadHistory(
        lead.key,
        lead.id,
        lead.created,
        lead.campaign,
        lead.source,
        [PastHandoff(*row) for row in connection.execute(handoffs.order_by(Handoff.at))],
        _words(told),
        _word(came[-1]) if came else None,
        [
            PastScore(
                row.at,
                row.model,
                row.agreement,
                row.probability,
                row.grade,
                None if row.fields is None else fields_of(row.fields),
            )
            for row in connection.execute(scores.order_by(Score.at, Score.key))
        ],
    )


def _words(rows: Sequence[Any]) -> list[PastWord]:
    """Return what was said, once: an export that tells what sales said that day adds nothing."""
    by_sales = {(row.code, row.at.date()) for row in rows if row.origin != "export" and row.stands}
    return [
        _word(row)
        for row in rows
        if row.origin != "export" or (row.code, row.at.date()) not in by_sales
    ]


def _word(row: Any) -> PastWord:
    told = (row.at, row.code, row.by, row.value, row.reason, row.return_on)
    return PastWord(*told, bool(row.stands))
