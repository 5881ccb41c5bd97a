"""What a model of a past day says of the leads that came in later: told to nobody.

It stands apart from the scores that were given, so that whatever rests on these never sees it. Only
a proposal is tried on it; see `proposed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, Float, ForeignKey, Index, String, delete
from sqlalchemy.orm import Mapped, mapped_column

from features.store.bulk import Columns, insert_columns
from features.store.database import Store
from features.store.keys import hindsight_alone, keys_of, stay_named
from features.store.tables import Key, Row


class HindsightScore(Row):
    """What a model of a past day says of a lead that came in later; nobody was told."""

    __tablename__ = "hindsight_scores"
    __table_args__ = (Index(None, "at"),)

    lead: Mapped[int] = mapped_column(
        Key, ForeignKey("leads.key"), primary_key=True, autoincrement=False
    )
    at: Mapped[datetime]
    """When the lead came in."""
    day: Mapped[date]
    """Of the model: it learned what was known before."""
    model: Mapped[str] = mapped_column(String(16))
    """Its registered version."""
    probability: Mapped[float] = mapped_column(Float)


@dataclass(frozen=True)
class Hindsight:
    """What a model of a past day says of leads, in their order."""

    day: date
    ids: list[str]
    """Distinct."""
    at: list[datetime]
    """When each came in."""
    probability: list[float]


def keep_hindsight(store: Store, found: Hindsight, model: str) -> int:
    """Write it down in the place of what an earlier one said, all of it or nothing.

    Leads that the store does not know, or that were erased meanwhile, are passed over. Of two who
    write at once the one who ends last counts, for all leads.

    Args:
        store: where to.
        found: what is said.
        model: the registered version.

    Returns:
        For how many leads it was written down.

    Raises:
        StoreError: when the store cannot be reached.

    """
    return store.write(lambda connection: _keep(connection, found, model))


def _keep(connection: Connection, found: Hindsight, model: str) -> int:
    stay_named(connection)
    hindsight_alone(connection)
    connection.execute(delete(HindsightScore))
    keys = keys_of(connection, found.ids)
    said = zip(found.ids, found.at, found.probability, strict=True)
    rows = [(keys[id_], at, probability) for id_, at, probability in said if id_ in keys]
    leads, at, probability = ([row[i] for row in rows] for i in range(3))
    columns: Columns = {
        "lead": leads,
        "at": at,
        "day": [found.day] * len(rows),
        "model": [model] * len(rows),
        "probability": probability,
    }
    insert_columns(connection, HindsightScore, columns)
    return len(rows)
