"""Which model was champion, since when and why. The last one written down is the one that scores.

The registry's alias is moved first, then the move is written down here, with the model's files
(`published`). A process that is killed between the two leaves the alias moved and no word of it;
whoever trains or promotes next writes it down.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from features.store.audit import audit
from features.store.drawn import Worklist
from features.store.hooks import tell_promotion
from features.store.tables import Promotion

Act = Literal["train", "retrain", "promote", "rollback", "found"]


@dataclass(frozen=True)
class Champion:
    """A model by its registered version and the digest of its artefact."""

    model: str
    digest: str


def written(connection: Connection) -> Champion | None:
    """Return the model that was written down last as champion."""
    newest = select(Promotion.model, Promotion.digest).order_by(Promotion.key.desc()).limit(1)
    found = connection.execute(newest).one_or_none()
    return found and Champion(*found)


def write_down(
    connection: Connection, champion: Champion, act: Act, why: str, who: str, now: datetime
) -> None:
    """Write down that a model is champion, if that is news."""
    last = written(connection)
    if last == champion:
        return
    _score_anew(connection, champion)
    before = last.model if last else None
    row = {"model": champion.model, "digest": champion.digest, "previous": before}
    connection.execute(insert(Promotion).values(at=now, act=act, why=why, **row))
    audit(connection, act, f"version {champion.model} is champion; before: {before}", who, now)
    tell_promotion(connection, champion.model, champion.digest, before, now)


def _score_anew(connection: Connection, champion: Champion) -> None:
    """Have leads of the worklist scored that another model of this version has scored.

    A registry that was made anew counts its versions from 1 again.
    """
    of_version = select(Promotion.digest).where(Promotion.model == champion.model)
    newest = connection.execute(of_version.order_by(Promotion.key.desc()).limit(1)).scalar()
    if newest not in (None, champion.digest):
        lines = update(Worklist).where(Worklist.model == champion.model)
        connection.execute(lines.values(model=None))


class Past(NamedTuple):
    """A model that became champion."""

    at: datetime
    model: str
    previous: str | None
    act: str
    """train, retrain, promote, rollback or found."""
    why: str


def past(connection: Connection) -> list[Past]:
    """Return who became champion, in the order of time."""
    rows = select(Promotion.at, Promotion.model, Promotion.previous, Promotion.act, Promotion.why)
    return [Past(*row) for row in connection.execute(rows.order_by(Promotion.key))]


def one_back(connection: Connection) -> Champion | None:
    """Return the model that a step back leads to, or None where there is none.

    A step back undoes the last step that was not itself undone: after 1, 2, 3 and a step back to 2
    the next one leads to 1, and not to 3 again. Two processes may have written down one step.
    """
    past = way_here(connection)
    return past[-2] if len(past) > 1 else None


def way_here(connection: Connection) -> list[Champion]:
    """Return the champions that steps back lead through, the one of today last.

    Who is found to be champion and was so before the last one is taken for a step back that was
    not written down.
    """
    steps = select(Promotion.model, Promotion.digest, Promotion.act).order_by(Promotion.key)
    past: list[Champion] = []
    for model, digest, act in connection.execute(steps):
        champion = Champion(model, digest)
        if act == "rollback" or (act == "found" and past[-2:-1] == [champion]):
            past[-2:] = [champion]
        elif past[-1:] != [champion]:
            past.append(champion)
    return past


def first_promoted(connection: Connection, champion: Champion) -> datetime | None:
    """Return when a model became champion for the first time.

    A registry that was made anew counts its versions from 1 again, so a version alone says little.
    """
    times = select(func.min(Promotion.at)).where(*_is(champion))
    found: datetime | None = connection.execute(times).scalar_one()
    return found


def champion_since(connection: Connection, champion: Champion) -> datetime | None:
    """Return when a model became champion for the last time."""
    times = select(Promotion.at).where(*_is(champion))
    found: datetime | None = connection.execute(
        times.order_by(Promotion.key.desc()).limit(1)
    ).scalar_one_or_none()
    return found


def _is(champion: Champion) -> tuple[ColumnElement[bool], ...]:
    return Promotion.model == champion.model, Promotion.digest == champion.digest
