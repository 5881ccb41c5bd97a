"""What is kept to be quick, held against what happened, and drawn anew where it says otherwise.

Every write draws the lines of its leads anew. A service of an older leadq that goes on beside a
store that was brought up to date does not, or does it by older rules; and what a line says may
change from one leadq to the next. So all lines are held against the events after each step of the
schema, and every night.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, Select, func, select, union_all

from features.store import handoff_states, lead_states
from features.store.bulk import among
from features.store.database import Store
from features.store.drawn import HandoffState, LeadState, Worklist
from features.store.tables import Lead, Row
from features.store.worklist import lines_of, refresh

_AT_ONCE = 10_000
"""Leads that are looked at by one statement a table."""
_WRITTEN_AT_ONCE = 500
"""Leads whose lines are drawn in one write, so that nobody who writes beside it waits long."""
_OF_EVENTS = ("handed", "owner", "team", "campaign", "touched", "step")
"""What a line of the worklist says that only what happened decides; the rest the keeper scores."""


def mend(store: Store) -> int:
    """Draw the lines anew that say otherwise than what happened; return of how many leads."""
    found = 0
    with store.reading() as connection:
        parts = list(_parts(connection))
    for keys in parts:
        with store.reading() as connection:
            leads = stale(connection, keys)
        for start in range(0, len(leads), _WRITTEN_AT_ONCE):
            some = leads[start : start + _WRITTEN_AT_ONCE]
            store.write(partial(refresh, leads=some))
        found += len(leads)
    return found


def mend_within(connection: Connection) -> None:
    """Do the same within one write."""
    for keys in _parts(connection):
        if leads := stale(connection, keys):
            refresh(connection, leads)


def _parts(connection: Connection) -> Iterator[list[int]]:
    keys = list(connection.execute(select(Lead.key).order_by(Lead.key)).scalars())
    for start in range(0, len(keys), _AT_ONCE):
        yield keys[start : start + _AT_ONCE]


def stale(connection: Connection, keys: Sequence[int]) -> list[int]:
    """Return those of some leads, in order, of which a line is not what their events say."""
    found = _listed_otherwise(connection, keys)
    for table, module in ((LeadState, lead_states), (HandoffState, handoff_states)):
        found |= _otherwise(connection, table, module.lines_of(connection, keys), keys)
    return sorted(found)


def _otherwise(
    connection: Connection, table: type[Row], lines: Select[Any], keys: Sequence[int]
) -> set[int]:
    """Return the leads that have a line which only one of both has."""
    columns = table.__table__.c
    kept = select(*columns).where(among(connection, columns.lead, keys))
    both = union_all(kept, lines).subquery().c
    alone = select(both.lead).group_by(*both).having(func.count() == 1)
    return set(connection.execute(alone).scalars())


def _listed_otherwise(connection: Connection, keys: Sequence[int]) -> set[int]:
    of_events = [Worklist.__table__.c[name] for name in _OF_EVENTS]
    listed = select(Worklist.lead, *of_events).where(among(connection, Worklist.lead, keys))
    kept = {tuple(row) for row in connection.execute(listed)}
    drawn = {
        (line["lead"], *(line[name] for name in _OF_EVENTS)) for line in lines_of(connection, keys)
    }
    return {lead for lead, *_ in kept ^ drawn}
