"""The leads that wait to be called, and the calls of a day."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, func, or_, select

from features.agreement import Agreement
from features.cells import Cell
from features.store.recycle import latest_fields, recycled
from features.store.states import handed, steps, words
from features.store.tables import Lead, Score


class Waiting(NamedTuple):
    """A lead that nobody in sales has, with what is known of it."""

    id: str
    fields: dict[str, Cell]
    campaign: str | None = None
    is_back: bool = False
    """Whether it was recycled and its time has come again."""
    owner: str | None = None
    """Who had it last, where it is back."""
    team: str | None = None


def waiting(
    connection: Connection, agreement: Agreement, as_of: datetime, days: int
) -> list[Waiting]:
    """Return the leads that could be called, in the order of their ids.

    They were scored within the last `days` and never handed over, and sales has said nothing of
    them; or they were recycled and are due.
    """
    word, step, hand = words(as_of), steps(as_of), handed(as_of)
    scored = select(Score.lead).where(Score.at >= as_of - timedelta(days=days), Score.at < as_of)
    rows = connection.execute(
        select(Lead.key, Lead.id, Lead.campaign)
        .outerjoin(word, word.c.lead == Lead.key)
        .outerjoin(step, step.c.lead == Lead.key)
        .outerjoin(hand, hand.c.lead == Lead.key)
        .where(
            Lead.erased.is_(None),
            Lead.key.in_(scored),
            hand.c.lead.is_(None),
            step.c.lead.is_(None),
            or_(word.c.code.is_(None), word.c.code == "open"),
        )
    ).all()
    fields = latest_fields(connection, [row.key for row in rows])
    found = [Waiting(row.id, fields.get(row.key, {}), row.campaign) for row in rows]
    due = recycled(connection, agreement, as_of, as_of.date())
    found += [
        Waiting(lead.id, lead.fields, lead.campaign, True, lead.owner, lead.team) for lead in due
    ]
    return sorted(found, key=lambda lead: lead.id)


def called_on(connection: Connection, day: datetime) -> int:
    """Return how many leads were called on a day, by score or by lot."""
    midnight = day.replace(hour=0, minute=0, second=0, microsecond=0)
    rows = select(func.count(func.distinct(Score.lead))).where(
        Score.lane.is_not(None), Score.at >= midnight, Score.at < midnight + timedelta(days=1)
    )
    return int(connection.execute(rows).scalar_one())
