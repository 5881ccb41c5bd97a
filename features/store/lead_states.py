"""Each lead as it stands now, on one line: its first score, and the word that counts.

It says nothing that leads, scores, words and hand-offs do not say: whatever is written of a lead,
its line is drawn anew from them within the same write. So who counts 100,000 leads walks over one
table and no history.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    FromClause,
    Integer,
    Select,
    Subquery,
    and_,
    case,
    cast,
    delete,
    func,
    insert,
    not_,
    or_,
    select,
    union_all,
)

from features.sections import STEPS
from features.store.bulk import among
from features.store.drawn import LeadState
from features.store.keys import chunks
from features.store.states import ACCEPTED, OPPORTUNITY, QUALIFIED, standing, words, worth
from features.store.tables import Disposition, Handoff, Lead, Score

_EVER = datetime.max


def draw(connection: Connection, leads: Sequence[int]) -> None:
    """Draw the lines of leads anew.

    Args:
        connection: of a write.
        leads: their keys, each once and in order.

    """
    for some in chunks(leads):
        # Of two words on one lead at once the second must see the first. Keys come in order, so
        # that no two writers wait for each other.
        held = select(Lead.key).where(among(connection, Lead.key, some)).order_by(Lead.key)
        connection.execute(held.with_for_update(key_share=True)).all()
        connection.execute(delete(LeadState).where(among(connection, LeadState.lead, some)))
        names = [column.name for column in LeadState.__table__.columns]
        connection.execute(insert(LeadState).from_select(names, lines_of(connection, some)))


def draw_new(connection: Connection, leads: Sequence[int]) -> None:
    """Do the same of those alone that have no line yet, or another first score than there."""
    first = select(func.min(Score.at)).where(Score.lead == Lead.key).scalar_subquery()
    is_other = and_(first.is_not(None), or_(LeadState.scored.is_(None), LeadState.scored != first))
    for some in chunks(leads):
        changed = (
            select(Lead.key)
            .outerjoin(LeadState, LeadState.lead == Lead.key)
            .where(among(connection, Lead.key, some), or_(LeadState.lead.is_(None), is_other))
            .order_by(Lead.key)
        )
        draw(connection, list(connection.execute(changed).scalars()))


def known_at(connection: Connection, as_of: datetime) -> FromClause:
    """Return the lines of leads as of a moment (exclusive): what is dated ahead is not said yet.

    A line knows the newest word alone, and there is little to draw anew: of a date without its
    hour, in a zone ahead of UTC.
    """
    lines = LeadState.__table__
    said = select(Disposition.lead).where(Disposition.at >= as_of)
    ahead = said.union(select(Handoff.lead).where(Handoff.at >= as_of))
    leads = sorted(connection.execute(ahead).scalars())
    if not leads:
        return lines
    others = select(lines).where(not_(among(connection, lines.c.lead, leads)))
    return union_all(others, lines_of(connection, leads, as_of)).subquery("lead_states")


def lines_of(connection: Connection, leads: Sequence[int], as_of: datetime = _EVER) -> Select[Any]:
    """Select the lines of leads as their events make them, in the order of the table's columns.

    Args:
        connection: to the store.
        leads: their keys.
        as_of: words and hand-offs from this moment on are not seen.

    """
    of_them = among(connection, Disposition.lead, leads)
    words_, scores = words(as_of, of_them), _first_scores(connection, leads)
    steps, handoffs = _said(connection, leads, as_of), _handed(connection, leads, as_of)
    word, score, said, handed = words_.c, scores.c, steps.c, handoffs.c
    ended = case((word.origin == "export", word.closed))
    return (
        select(Lead.key, func.coalesce(Lead.created, Lead.added), Lead.campaign, Lead.source)
        .add_columns(score.at, score.model, score.probability, score.expected_value)
        .add_columns(score.grade, score.snapshot, word.key, word.code, word.told, word.at)
        .add_columns(
            func.coalesce(ended, word.at), worth(word, of_them), word.return_on, word.reason
        )
        .add_columns(said.stepped, func.coalesce(said.accepted, 0))
        .add_columns(said.sal, said.sql, said.opportunity, handed.at)
        .add_columns(case((Lead.erased.is_(None), 0), else_=1))
        .outerjoin(scores, score.lead == Lead.key)
        .outerjoin(words_, word.lead == Lead.key)
        .outerjoin(steps, said.lead == Lead.key)
        .outerjoin(handoffs, handed.lead == Lead.key)
        .where(among(connection, Lead.key, leads))
    )


def _first_scores(connection: Connection, leads: Sequence[int]) -> Subquery:
    place = func.row_number().over(partition_by=Score.lead, order_by=(Score.at, Score.key))
    ranked = (
        select(Score.lead, Score.at, Score.model, Score.probability, Score.expected_value)
        .add_columns(Score.grade, Score.snapshot, place.label("place"))
        .where(among(connection, Score.lead, leads))
        .subquery()
    )
    return select(ranked).where(ranked.c.place == 1).subquery("score")


def _said(connection: Connection, leads: Sequence[int], as_of: datetime) -> Subquery:
    d = standing(among(connection, Disposition.lead, leads)).c
    accepted = and_(d.code.in_(ACCEPTED), d.code != "won")
    return (
        select(d.lead, func.max(case((d.code.in_(STEPS), d.at))).label("stepped"))
        .add_columns(cast(func.max(case((accepted, 1), else_=0)), Integer).label("accepted"))
        .add_columns(func.min(case((d.code.in_(ACCEPTED), d.at))).label("sal"))
        .add_columns(func.min(case((d.code.in_(QUALIFIED), d.at))).label("sql"))
        .add_columns(func.min(case((d.code.in_(OPPORTUNITY), d.at))).label("opportunity"))
        .where(d.at < as_of)
        .group_by(d.lead)
        .subquery("said")
    )


def _handed(connection: Connection, leads: Sequence[int], as_of: datetime) -> Subquery:
    return (
        select(Handoff.lead, func.max(Handoff.at).label("at"))
        .where(among(connection, Handoff.lead, leads), Handoff.at < as_of)
        .group_by(Handoff.lead)
        .subquery("handed")
    )
