"""Which model was champion, since when and why. The registry's alias is the truth of today.

The alias is moved first, then the move is written down here. A process that is killed between the
two leaves the new champion in place and no word of it; `written` shows that, and whoever starts
next writes it down.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, insert, select

from features.store.audit import audit
from features.store.tables import Promotion

Act = Literal["train", "retrain", "promote", "rollback", "found"]


@dataclass(frozen=True)
class Champion:
    """A model by its registered version and the digest of its artefact."""

    model: str
    digest: str


def written(connection: Connection) -> str | None:
    """Return the version that was written down last as champion."""
    newest = select(Promotion.model).order_by(Promotion.key.desc()).limit(1)
    found: str | None = connection.execute(newest).scalar_one_or_none()
    return found


def write_down(
    connection: Connection, champion: Champion, act: Act, why: str, who: str, now: datetime
) -> None:
    """Write down that a model is champion, if that is news."""
    before = written(connection)
    if before == champion.model:
        return
    row = {"model": champion.model, "digest": champion.digest, "previous": before}
    connection.execute(insert(Promotion).values(at=now, act=act, why=why, **row))
    audit(connection, act, f"version {champion.model} is champion; before: {before}", who, now)


def one_back(connection: Connection) -> str | None:
    """Return the version that a step back leads to, or None where there is none.

    A step back undoes the last step that was not itself undone: after 1, 2, 3 and a step back to 2
    the next one leads to 1, and not to 3 again.
    """
    steps = select(Promotion.model, Promotion.act).order_by(Promotion.key)
    past: list[str] = []
    for model, act in connection.execute(steps):
        if act == "rollback" and len(past) > 1:
            past.pop()
        else:
            past.append(model)
    return past[-2] if len(past) > 1 else None


def champion_since(connection: Connection, version: str) -> datetime | None:
    """Return when a version became champion for the last time."""
    times = select(Promotion.at).where(Promotion.model == version)
    found: datetime | None = connection.execute(
        times.order_by(Promotion.key.desc()).limit(1)
    ).scalar_one_or_none()
    return found
