"""The leads of the worklist that the model has not scored: found, scored once, or passed over."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, update

from features.cells import Cell
from features.store.bulk import among
from features.store.drawn import Worklist
from features.store.entries import NO_FIELDS, fields_of, newest_snapshots
from features.store.keys import arrive, stay_named
from features.store.scores import GivenScore, add_scores_of_known
from features.store.tables import Disposition, Handoff, Lead, Score, Snapshot


class Wants(NamedTuple):
    """Of which model scores are wanted."""

    model: str
    """The version that scores."""
    with_value: bool
    """Whether it knows values: then lines with a score and without a value count as not scored."""


class Unscored(NamedTuple):
    """A lead of the list that the model has not scored."""

    lead: str
    """Its id."""
    created: datetime | None
    campaign: str | None
    source: str | None
    fields: str
    """What is known of it, as the store keeps it."""
    scored: datetime | None
    """When it was scored last, by whatever model."""

    @property
    def known(self) -> dict[str, Cell]:
        """What is known of it."""
        return fields_of(self.fields)


def unscored(connection: Connection, wants: Wants, limit: int) -> list[Unscored]:
    """Return leads of the list that the model has not scored yet, those handed over last first.

    Args:
        connection: of a reading.
        wants: what counts as scored.
        limit: how many at most.

    """
    by_time = (Worklist.handed.desc(), Worklist.lead)
    old = select(Worklist.lead).where(_is_old(wants)).order_by(*by_time).limit(limit)
    keys = list(connection.execute(old).scalars())
    if not keys:
        return []
    some = among(connection, Lead.key, keys)
    facts = select(Lead.key, Lead.id, Lead.created, Lead.campaign, Lead.source).where(some)
    newest = newest_snapshots(among(connection, Snapshot.lead, keys), Snapshot.fields != NO_FIELDS)
    told = select(Snapshot.lead, Snapshot.fields).where(Snapshot.key.in_(newest))
    fields = dict(connection.execute(told).all())
    last = select(Score.lead, func.max(Score.at)).where(among(connection, Score.lead, keys))
    scored = dict(connection.execute(last.group_by(Score.lead)).all())
    return [
        Unscored(id_, created, campaign, source, fields.get(key, NO_FIELDS), scored.get(key))
        for key, id_, created, campaign, source in connection.execute(facts)
    ]


def _is_old(wants: Wants) -> ColumnElement[bool]:
    is_old = or_(Worklist.model.is_(None), Worklist.model != wants.model)
    if wants.with_value:
        has_no_value = and_(Worklist.expected_value.is_(None), Worklist.probability.is_not(None))
        is_old = or_(is_old, has_no_value)
    return is_old


def add_wanted(
    connection: Connection,
    wants: Wants,
    scores: Sequence[GivenScore],
    cannot: Collection[str],
    now: datetime,
) -> int:
    """Write the scores of such leads down; return how many are new.

    What another keeper has scored meanwhile is not scored twice.

    Args:
        connection: of a write.
        wants: what was asked for.
        scores: of leads that `unscored` gave.
        cannot: ids of those that the model cannot score. They are passed over until something
            more becomes known of them, since their line is drawn anew then.
        now: when this is written down.

    """
    # In the order of every other write: first these locks, then those of rows.
    stay_named(connection)
    arrive(connection)
    ids = [score.lead for score in scores]
    waiting = (
        select(Lead.id)
        .join(Worklist, Worklist.lead == Lead.key)
        .where(among(connection, Lead.id, [*ids, *cannot]), _is_old(wants))
        .order_by(Lead.key)
        .with_for_update(of=Worklist)
    )
    still = set(connection.execute(waiting).scalars())
    if passed := sorted(still.intersection(cannot)):
        keys = select(Lead.key).where(among(connection, Lead.id, passed))
        connection.execute(
            update(Worklist).where(Worklist.lead.in_(keys)).values(model=wants.model)
        )
    wanted = [score for score in scores if score.lead in still]
    return add_scores_of_known(connection, wanted, now) if wanted else 0


def newest_change(connection: Connection) -> tuple[int | None, ...]:
    """Return what changes whenever the list may have got leads without a score."""
    newest = (
        select(func.max(table.key)).scalar_subquery()
        for table in (Handoff, Disposition, Snapshot, Score)
    )
    return tuple(connection.execute(select(*newest)).one())
