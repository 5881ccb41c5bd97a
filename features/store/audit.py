"""The audit log: who did what that others must be able to trace; no lead's data."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, insert

from features.store.tables import Audit


def audit(connection: Connection, act: str, what: str, who: str, now: datetime) -> None:
    """Write down who did what."""
    connection.execute(insert(Audit).values(at=now, who=who, act=act, what=what))
