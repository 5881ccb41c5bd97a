"""What the tests of the store are made from: leads, hand-offs and words of sales."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from features.agreement import Agreement
from features.leads import Leads, admit
from features.store.database import Store
from features.store.feedback import Result, keep
from features.store.handoffs import Handover, hand_over
from features.store.said import Said
from tests.features.making import an_agreement

MONDAY = datetime(2026, 3, 2, 9)
NOW = datetime(2026, 6, 30, 12)


def agreed(**sections: Any) -> Agreement:
    """An agreement with a campaign, on top of the smallest one."""
    columns = {
        "id": "id",
        "outcome": "status",
        "created": "created",
        "closed": "closed",
        "campaign": "campaign",
    }
    return an_agreement(**({"columns": columns} | sections))


def some_leads(*ids: str, **fields: Any) -> Leads:
    """Leads of one campaign, alike but for the given fields."""
    columns: dict[str, list[Any]] = {
        "id": list(ids),
        "created": ["2026-03-01"] * len(ids),
        "campaign": ["Spring fair"] * len(ids),
        "visits": ["3"] * len(ids),
    }
    columns |= {name: [value] * len(ids) for name, value in fields.items()}
    return admit(columns, agreed(), {}, need_created=False)


def hand(store: Store, *ids: str, at: datetime = MONDAY, **fields: Any) -> list[bool]:
    """Hand leads to sales."""
    handovers = [Handover(at, "kim", "north")] * len(ids)
    leads = some_leads(*ids, **fields)
    return store.write(lambda c: hand_over(c, leads, agreed(), handovers, NOW))


def say(store: Store, *said: Said) -> list[Result]:
    """Give feedback."""
    return store.write(lambda c: keep(c, said, agreed(), "rest", NOW))


def lost(id_: str, days: float = 3, **more: Any) -> Said:
    """Say that a lead was lost some days after Monday."""
    return Said(id_, "lost", MONDAY + timedelta(days=days), **more)
