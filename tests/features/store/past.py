"""A past drawn by lot: leads, scores, hand-offs and words, with what is hard to count."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert

from features.store.database import Store
from features.store.tables import Disposition, Handoff, Lead, Score, Snapshot, Spend
from features.store.worklist import refresh

START = datetime(2026, 1, 5)
WEEKS = 30
CAMPAIGNS = ("Spring fair", "spring  FAIR", "Webinar", None)
OWNERS = (("kim", "north"), ("lee", "north"), ("ann", "south"), (None, None))
CODES = (
    "contacted", "accepted", "qualified", "opportunity", "won", "lost", "unqualified",
    "not_ready", "unreachable", "open",
)  # fmt: skip
Row = dict[str, Any]


@dataclass
class Past:
    """The raw rows, as they lie in the store."""

    leads: list[Row] = field(default_factory=list)
    snapshots: list[Row] = field(default_factory=list)
    handoffs: list[Row] = field(default_factory=list)
    scores: list[Row] = field(default_factory=list)
    words: list[Row] = field(default_factory=list)
    spend: list[Row] = field(default_factory=list)

    def keep(self, store: Store) -> None:
        """Write the rows into a store that holds nothing yet."""
        tables = (Lead, Snapshot, Handoff, Score, Disposition, Spend)
        parts = (
            self.leads, self.snapshots, self.handoffs, self.scores, self.words, self.spend,
        )  # fmt: skip
        for table, rows in zip(tables, parts, strict=True):
            store.write(lambda c, table=table, rows=rows: c.execute(insert(table), rows))
        store.write(lambda c: refresh(c, [row["key"] for row in self.leads]))


def drawn(seed: int, leads: int = 300) -> Past:
    """Draw a past of some leads over thirty weeks."""
    lot, past = random.Random(seed), Past()
    for key in range(1, leads + 1):
        _lead(lot, past, key)
    for week in range(WEEKS):
        for campaign in ("Spring fair", "Webinar"):
            day = (START + timedelta(weeks=week, days=lot.randrange(7))).date()
            visits = lot.choice((None, lot.randrange(500)))
            row = {"campaign": campaign, "date": day, "amount": float(lot.randrange(900))}
            past.spend.append(row | {"visits": visits})
    return past


def _moment(lot: random.Random) -> datetime:
    at = START + timedelta(minutes=lot.randrange(WEEKS * 7 * 24 * 60))
    return at.replace(hour=0, minute=0) if lot.random() < 0.15 else at


def _lead(lot: random.Random, past: Past, key: int) -> None:
    created = _moment(lot)
    past.leads.append(
        {"key": key, "id": f"lead-{key:04}", "campaign": lot.choice(CAMPAIGNS), "source": None,
         "created": None if lot.random() < 0.1 else created, "added": created,
         "erased": created if lot.random() < 0.05 else None}
    )  # fmt: skip
    for _ in range(lot.choice((0, 1, 1, 1, 2))):
        probability = lot.random()
        past.scores.append(
            {"lead": key, "at": created + timedelta(minutes=lot.randrange(60_000)), "model": "1",
             "agreement": "1-x", "probability": probability, "grade": _grade(probability)}
        )  # fmt: skip
    times = {created + timedelta(minutes=lot.randrange(30 * 24 * 60))
             for _ in range(lot.choice((0, 1, 1, 1, 2)))}  # fmt: skip
    for at in sorted(times):
        owner, team = lot.choice(OWNERS)
        snapshot = len(past.snapshots) + 1
        past.snapshots.append(
            {"key": snapshot, "lead": key, "at": at, "origin": "handoff", "digest": f"{snapshot}",
             "fields": "{}"}
        )  # fmt: skip
        past.handoffs.append(
            {"lead": key, "at": at, "owner": owner, "team": team, "snapshot": snapshot}
        )
        _words(lot, past, key, at)


def _words(lot: random.Random, past: Past, key: int, handed: datetime) -> None:
    at = handed - timedelta(hours=lot.choice((0, 0, 5, 30)))
    for _ in range(lot.choice((0, 1, 2, 3, 4))):
        at += timedelta(minutes=lot.choice((0, 30, 240, 1440, 9000)))
        when = at.replace(hour=0, minute=0) if lot.random() < 0.3 else at
        code = lot.choice(CODES)
        origin = lot.choice(("rest", "export", "page"))
        why = lot.choice((None, "Too small", "student")) if code == "unqualified" else None
        past.words.append(
            {"lead": key, "at": when, "code": code, "by": "kim",
             "closed": lot.choice((None, when - timedelta(days=3))) if origin == "export" else None,
             "value": float(lot.randrange(5000)) if code == "won" else None,
             "reason": why,
             "return_on": None, "origin": origin, "agreement": None,
             "received": when + timedelta(hours=lot.choice((0, 0, 0, 3, 50))),
             "digest": f"{len(past.words)}"}
        )  # fmt: skip


def _grade(probability: float) -> str:
    return "A" if probability >= 0.5 else "B" if probability >= 0.25 else (
        "C" if probability >= 0.1 else "D"
    )  # fmt: skip
