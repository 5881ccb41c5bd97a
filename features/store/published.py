"""Models as every service loads them: published in the transaction that made them champion."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, select

from features.store.promotions import Act, Champion, way_here, write_down
from features.store.tables import Promotion, PublishedModel

KEPT = 10
"""So many of the last champions stay published, besides those that a step back can reach."""
LARGEST = 100_000_000
"""Bytes of an archive; a larger one is not fetched."""


class Newest(NamedTuple):
    """The champion that was written down last."""

    champion: Champion
    at: datetime | None
    """When its files were published; None where they are not."""


def newest(connection: Connection) -> Newest | None:
    """Return the champion that was written down last, or None where there is none."""
    of_it = and_(PublishedModel.model == Promotion.model, PublishedModel.digest == Promotion.digest)
    last = (
        select(Promotion.model, Promotion.digest, PublishedModel.at)
        .join(PublishedModel, of_it, isouter=True)
        .order_by(Promotion.key.desc())
        .limit(1)
    )
    found = connection.execute(last).one_or_none()
    return found and Newest(Champion(found.model, found.digest), found.at)


def content_of(connection: Connection, champion: Champion) -> bytes | None:
    """Return a model's archive; None where it is not published, or larger than any model is."""
    kept = select(PublishedModel.content).where(
        *_is(champion), func.length(PublishedModel.content) <= LARGEST
    )
    found: bytes | None = connection.execute(kept).scalar_one_or_none()
    return found


def published(connection: Connection, version: str) -> Champion | None:
    """Return the model that was published last under a version, or None."""
    last = (
        select(PublishedModel.model, PublishedModel.digest)
        .where(PublishedModel.model == version)
        .order_by(PublishedModel.at.desc(), PublishedModel.digest)
        .limit(1)
    )
    found = connection.execute(last).one_or_none()
    return found and Champion(*found)


def promoted(
    connection: Connection,
    champion: Champion,
    content: bytes | None,
    act: Act,
    why: str,
    who: str,
    now: datetime,
) -> None:
    """Write down that a model is champion, with its archive (None: it cannot be had)."""
    write_down(connection, champion, act, why, who, now)
    if content is not None:
        publish(connection, champion, content, now)


def publish(connection: Connection, champion: Champion, content: bytes, now: datetime) -> None:
    """Publish a model, also in place of an archive that is not the same; let go of old ones."""
    if content_of(connection, champion) != content:
        connection.execute(delete(PublishedModel).where(*_is(champion)))
        row = {"model": champion.model, "digest": champion.digest}
        connection.execute(insert(PublishedModel).values(content=content, at=now, **row))
        _let_go(connection)


def _let_go(connection: Connection) -> None:
    last = select(Promotion.model, Promotion.digest).order_by(Promotion.key.desc()).limit(KEPT)
    kept = {*way_here(connection), *(Champion(*row) for row in connection.execute(last))}
    every = connection.execute(select(PublishedModel.model, PublishedModel.digest))
    for champion in [Champion(*row) for row in every]:
        if champion not in kept:
            connection.execute(delete(PublishedModel).where(*_is(champion)))


def _is(champion: Champion) -> tuple[ColumnElement[bool], ...]:
    return PublishedModel.model == champion.model, PublishedModel.digest == champion.digest
