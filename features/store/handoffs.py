"""Hand-offs: a lead is passed from marketing to sales, as it is known at that moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from features.agreement import Agreement
from features.leads import Leads
from features.store.entries import CHUNK, enter
from features.store.feedback import apply_waiting
from features.store.tables import Handoff, Lead


@dataclass(frozen=True)
class Handover:
    """To whom a lead was handed, and when."""

    at: datetime
    owner: str | None = None
    team: str | None = None


def hand_over(
    connection: Connection,
    leads: Leads,
    agreement: Agreement,
    handovers: Sequence[Handover],
    now: datetime,
) -> list[bool]:
    """Write hand-offs down with their snapshots; return which of them were new.

    A hand-off of the same lead at the same moment is the same hand-off, and is kept as it was.
    """
    known = _known_handoffs(connection, leads.ids)
    moments = [handover.at for handover in handovers]
    new = [(id_, at) not in known for id_, at in zip(leads.ids, moments, strict=True)]
    rows = [i for i, is_new in enumerate(new) if is_new]
    fresh = leads.take(rows)
    entered = enter(connection, fresh, agreement, [moments[i] for i in rows], "handoff", now)
    if rows:
        connection.execute(
            insert(Handoff),
            [
                {
                    "lead": lead,
                    "at": moments[i],
                    "owner": handovers[i].owner,
                    "team": handovers[i].team,
                    "snapshot": snapshot,
                }
                for i, lead, snapshot in zip(rows, *entered, strict=True)
            ],
        )
        apply_waiting(connection, fresh.ids)
    return new


def _known_handoffs(connection: Connection, ids: Sequence[str]) -> set[tuple[str, datetime]]:
    found: set[tuple[str, datetime]] = set()
    for start in range(0, len(ids), CHUNK):
        some = (
            select(Lead.id, Handoff.at)
            .join(Handoff, Handoff.lead == Lead.key)
            .where(Lead.id.in_(ids[start : start + CHUNK]))
        )
        found |= {(id_, at) for id_, at in connection.execute(some)}
    return found
