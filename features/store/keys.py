"""How many leads are looked up at once, and how writers keep out of each other's way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, select, text
from sqlalchemy.dialects import postgresql, sqlite

from features.store.bulk import among
from features.store.tables import Lead

CHUNK = 5000
"""Leads in one statement; SQLite takes 32,766 parameters and PostgreSQL 65,535."""
_ARRIVALS = 7_310_552
"""The number under which arriving leads and waiting feedback wait for one another."""
_ERASURES = 7_310_553
"""The number under which erasure and whoever writes of leads wait for one another."""
_SPEND = 7_310_554
"""The number under which those who write what campaigns cost wait for one another."""
_HINDSIGHT = 7_310_555
"""The number under which those who write scores in hindsight wait for one another."""


def chunks(keys: Sequence[int]) -> Iterator[Sequence[int]]:
    """Yield keys in parts that one statement takes."""
    for start in range(0, len(keys), CHUNK):
        yield keys[start : start + CHUNK]


def keys_of(connection: Connection, ids: Sequence[str]) -> dict[str, int]:
    """Return the keys of those of the leads that the store knows."""
    some = select(Lead.id, Lead.key).where(among(connection, Lead.id, ids))
    return dict(connection.execute(some).all()) if ids else {}


def insert_new(connection: Connection, table: Any) -> Any:
    """Return an insert that passes over the rows that are there already."""
    insert = postgresql.insert if _is_postgresql(connection) else sqlite.insert
    return insert(table).on_conflict_do_nothing()


def stay_unknown(connection: Connection) -> None:
    """See to it that nothing more becomes known of any lead until this transaction ends.

    Else feedback could be set aside for a lead in the moment in which it arrives, and wait forever.
    On SQLite there is one writer at a time anyhow.
    """
    if _is_postgresql(connection):
        connection.execute(text("SELECT pg_advisory_xact_lock_shared(:n)"), {"n": _ARRIVALS})


def arrive(connection: Connection) -> None:
    """Wait until nobody holds feedback against what is known, and keep them waiting; see above."""
    if _is_postgresql(connection):
        connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _ARRIVALS})


def stay_named(connection: Connection) -> None:
    """See to it that no lead is erased until this transaction ends.

    Else what is written of a lead under its key could come after its erasure, and stay.
    """
    if _is_postgresql(connection):
        connection.execute(text("SELECT pg_advisory_xact_lock_shared(:n)"), {"n": _ERASURES})


def forget(connection: Connection) -> None:
    """Wait until nobody writes of leads, and keep them waiting; see above."""
    if _is_postgresql(connection):
        connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _ERASURES})


def spend_alone(connection: Connection) -> None:
    """Wait until nobody else writes what campaigns cost, and keep them waiting.

    Else two could each find a day without an amount, and one of the amounts be lost.
    """
    if _is_postgresql(connection):
        connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _SPEND})


def hindsight_alone(connection: Connection) -> None:
    """Wait until nobody else writes scores in hindsight, and keep them waiting.

    Else each of two would take away what was there before both, and the rest of both would stay.
    """
    if _is_postgresql(connection):
        connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _HINDSIGHT})


def _is_postgresql(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"
