"""Scores that were given: each with the version that gave it and the lead as it was known then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from features.agreement import Agreement
from features.leads import Leads, has_ids
from features.store.bulk import Columns, insert_columns
from features.store.database import Store
from features.store.entries import enter
from features.store.tables import Score


@dataclass(frozen=True)
class Given:
    """The scores of some leads, by one version of the model, in the order of the leads."""

    model: str
    """The registered version."""
    probability: Sequence[float]
    grade: Sequence[str]
    lane: Sequence[str | None] | None = None
    """model or exploration; None where no queue was drawn."""
    propensity: Sequence[float | None] | None = None
    """The probability with which the lane drew each lead."""


def keep_scores(
    store: Store, leads: Leads, given: Given, agreement: Agreement, now: datetime
) -> None:
    """Write leads with their scores down, all of them or none; without ids, nothing is kept.

    The same scores of the same moment again add nothing.

    Args:
        store: where to.
        leads: ids must be distinct.
        given: what was said of them.
        agreement: by which they were scored.
        now: when.

    Raises:
        StoreError: when the store cannot be reached.

    """
    if has_ids(agreement):
        store.write(lambda connection: add_scores(connection, leads, given, agreement, now))


def add_scores(
    connection: Connection, leads: Leads, given: Given, agreement: Agreement, now: datetime
) -> None:
    """Do the same within a write; see `keep_scores`."""
    rows = len(leads)
    entered = enter(connection, leads, agreement, [now] * rows, "score", now)
    columns: Columns = {
        "lead": entered.leads,
        "at": [now] * rows,
        "model": [given.model] * rows,
        "agreement": [agreement.label] * rows,
        "probability": given.probability,
        "grade": given.grade,
        "lane": given.lane or [None] * rows,
        "propensity": given.propensity or [None] * rows,
        "snapshot": entered.snapshots,
    }
    insert_columns(connection, Score, columns, if_absent=True)
