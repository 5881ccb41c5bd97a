"""What stands beside a lead: the notes on it, and what its campaign has cost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, func, select
from sqlalchemy.orm import InstrumentedAttribute

from features.campaign import campaign_key
from features.store.tables import Lead, Note, Spend


class LeadNote(NamedTuple):
    """A note on a lead, for the campaign that brought it."""

    at: datetime
    text: str
    by: str | None


class Cost(NamedTuple):
    """What a campaign has cost, and how many leads it brought."""

    spent: float | None
    """None where no spend is told of it."""
    leads: int

    @property
    def each(self) -> float | None:
        """What a lead of it has cost on average."""
        return None if self.spent is None or not self.leads else self.spent / self.leads


def notes_on(connection: Connection, key: int) -> list[LeadNote]:
    """Return the notes on a lead, in the order of time."""
    rows = select(Note.at, Note.text, Note.by).where(Note.lead == key).order_by(Note.at, Note.key)
    return [LeadNote(*row) for row in connection.execute(rows)]


def cost_of(connection: Connection, campaign: str) -> Cost:
    """Return what a campaign has cost, all its spellings together (`campaign_key`)."""
    key = campaign_key(campaign)
    told = {*_distinct(connection, Lead.campaign), *_distinct(connection, Spend.campaign)}
    names = [name for name in told if campaign_key(name) == key]
    spent = select(func.sum(Spend.amount)).where(Spend.campaign.in_(names)).scalar_subquery()
    leads = select(func.count()).where(Lead.campaign.in_(names)).scalar_subquery()
    return Cost(*connection.execute(select(spent, leads)).one())


def _distinct(
    connection: Connection, column: InstrumentedAttribute[str] | InstrumentedAttribute[str | None]
) -> Iterator[str]:
    """Yield what stands in an indexed column, from each to the next one in the index.

    `DISTINCT` would walk over all leads.
    """
    one = select(func.min(column).label("name")).cte("one", recursive=True)
    following = select(func.min(column)).where(column > one.c.name).scalar_subquery()
    each = one.union_all(select(following).where(one.c.name.is_not(None)))
    yield from connection.execute(select(each.c.name).where(each.c.name.is_not(None))).scalars()
