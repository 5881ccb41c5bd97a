"""A store filled from a simulated CRM, at the speed of the database: what sales would have left."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from features.simulate import Settings, simulate
from features.simulate.crm import Crm
from features.store.bulk import insert_columns
from features.store.database import Store
from features.store.lead_states import draw
from features.store.tables import Disposition, Handoff, Lead, Score, Snapshot, Spend

GRADES = (("A", 0.25), ("B", 0.12), ("C", 0.06), ("D", 0.0))


def filled(
    store: Store, leads: int = 2000, months: int = 12, seed: int = 5, end: date = Settings.end
) -> Crm:
    """Fill a store with leads, true probabilities as scores, hand-offs, words and spend."""
    crm = simulate(Settings(leads=leads, months=months, seed=seed, end=end))
    store.write(lambda connection: _fill(connection, crm))
    store.look_at_tables()
    return crm


def _fill(connection: Any, crm: Crm) -> None:
    told, size = crm.export, len(crm.export["id"])
    keys = list(range(1, size + 1))
    key = dict(zip(told["id"], keys, strict=True))
    created = [_moment(text) for text in told["created_at"]]
    chance = [float(text) for text in crm.truth["probability"][:size]]
    grade = [next(name for name, least in GRADES if p >= least) for p in chance]
    insert_columns(
        connection,
        Lead,
        {
            "key": keys,
            "id": told["id"],
            "created": created,
            "campaign": [text or None for text in told["campaign"]],
            "source": [text or None for text in told["source"]],
            "added": created,
        },
    )
    snapshot = {"key": keys, "lead": keys, "at": created, "origin": ["score"] * size}
    snapshot |= {"digest": ["x"] * size, "fields": ["{}"] * size}
    insert_columns(connection, Snapshot, snapshot)
    score = {"lead": keys, "at": created, "model": ["1"] * size, "agreement": ["1-x"] * size}
    score |= {"probability": chance, "grade": grade, "snapshot": keys}
    insert_columns(connection, Score, score)
    passed = [key[id_] for id_ in crm.handoffs["id"]]
    handoff: dict[str, Any] = {"lead": passed, "at": list(map(_moment, crm.handoffs["at"]))}
    handoff |= {name: crm.handoffs[name] for name in ("owner", "team")} | {"snapshot": passed}
    insert_columns(connection, Handoff, handoff)
    _fill_words(connection, crm, key)
    draw(connection, keys)
    cost = crm.spend
    days = [_moment(text).date() for text in cost["date"]]
    spend: dict[str, Any] = {"campaign": cost["campaign"], "date": days}
    spend |= {"amount": list(map(float, cost["amount"])), "visits": list(map(int, cost["visits"]))}
    insert_columns(connection, Spend, spend)


def _fill_words(connection: Any, crm: Crm, key: dict[str, int]) -> None:
    said = crm.feedback
    at, size = list(map(_moment, said["at"])), len(said["id"])
    until = [_moment(text).date() if text else None for text in said["until"]]
    words: dict[str, Any] = {"lead": [key[id_] for id_ in said["id"]], "at": at}
    words |= {"code": said["disposition"], "by": said["by"], "return_on": until}
    words |= {"value": [float(text) if text else None for text in said["value"]]}
    words |= {"reason": [text or None for text in said["reason"]], "origin": ["rest"] * size}
    words |= {"received": at, "digest": [str(n) for n in range(size)]}
    insert_columns(connection, Disposition, words)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
