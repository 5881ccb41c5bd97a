"""Sessions of the pages that somebody has ended: a copy of their cookie is good for nothing."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from features.store.audit import audit
from features.store.replies import use_up, used_since

_KIND = "sign-out"


def end_session(connection: Connection, session: str, who: str, now: datetime) -> None:
    """End a session, by the token that its forms carry, and write down who did it."""
    use_up(connection, f"{_KIND} {session}", now)
    audit(connection, "sign out", "the pages", who, now)


def ended_sessions(connection: Connection, since: datetime) -> dict[str, datetime]:
    """Return the sessions that were ended since a moment, and when."""
    return used_since(connection, _KIND, since)
