"""Where leads stand: the word on each that counts, whatever order the words came in.

The newest word counts. Of two of the same moment the one further along does (won over lost, lost
over not ready), so that the order of arrival changes nothing; where an export says the same, sales'
own word does: it knows the reason and the day to come back. Steps (contacted, accepted, ...)
never undo a decision: a call after the sale does not make a customer a lead again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time
from typing import Any

from sqlalchemy import ColumnElement, Subquery, and_, case, func, select

from features.sections import STEPS
from features.store.tables import Disposition, Handoff

DECISIONS = ("won", "lost", "unqualified")
RECYCLED = ("not_ready", "in_contract", "unreachable")
ACCEPTED = ("accepted", "qualified", "opportunity", "won")
"""What says that sales accepted a lead, or more: SAL."""
QUALIFIED = ("qualified", "opportunity", "won")
"""That sales confirmed a possibility, or more: SQL."""
OPPORTUNITY = ("opportunity", "won")
PRECEDENCE = {
    code: n
    for n, code in enumerate(
        ("open", "unreachable", "not_ready", "in_contract", "unqualified", "lost", "won")
    )
}
"""Every disposition; of two of the same moment the one with the greater number counts."""


def answers(word: datetime, handoff: datetime) -> bool:
    """Whether a word was said of a lead after it was handed over.

    A word at midnight is one of which only the day was told; it answers the hand-offs of its day.
    """
    told_by_day = word.time() == time.min and word.date() == handoff.date()
    return word >= handoff or told_by_day


def said_in(chance: int, handoffs: Sequence[datetime], words: Sequence[Any]) -> list[Any]:
    """Return the words that were said of a lead in one of its chances, counted from 0.

    Args:
        chance: the first one takes in what was said before, too; each ends with the next hand-off.
        handoffs: of the lead, in order.
        words: with their moment as `at`.

    """
    ends = handoffs[chance + 1 : chance + 2]
    return [
        word
        for word in words
        if (not chance or answers(word.at, handoffs[chance]))
        and not any(answers(word.at, end) for end in ends)
    ]


def precedence(word: Any) -> tuple[datetime, int, bool, str]:
    """Order the words on a lead: the greatest counts. `words` does the same in the database."""
    return word.at, PRECEDENCE.get(word.code, 0), word.origin != "export", word.digest


def words(as_of: datetime, *which: ColumnElement[bool]) -> Subquery:
    """Select the word that counts for each lead as of a moment (exclusive); steps left out.

    Looked at are the dispositions for which all conditions `which` hold.

    Columns: key, lead, at, code, told, closed, by, value, reason, return_on, origin.
    """
    rank = case(PRECEDENCE, value=Disposition.code, else_=0)
    newest = func.row_number().over(
        partition_by=Disposition.lead,
        order_by=(
            Disposition.at.desc(),
            rank.desc(),
            case((Disposition.origin == "export", 0), else_=1).desc(),
            Disposition.digest.desc(),
        ),
    )
    ranked = (
        select(
            Disposition.key,
            Disposition.lead,
            Disposition.at,
            Disposition.code,
            Disposition.told,
            Disposition.closed,
            Disposition.by,
            Disposition.value,
            Disposition.reason,
            Disposition.return_on,
            Disposition.origin,
            newest.label("place"),
        )
        .where(Disposition.code.not_in(STEPS), Disposition.at < as_of, *which)
        .subquery()
    )
    kept = [column for column in ranked.c if column.name != "place"]
    return select(*kept).where(ranked.c.place == 1).subquery("words")


def standing(*which: ColumnElement[bool]) -> Subquery:
    """Select what was said of leads and not taken back.

    Whoever says `open` on a page takes back the word that came before it, whoever said that, as
    though it had not been said. What comes later counts, whatever time it tells; an `open` from
    elsewhere says only that nothing is decided.

    Args:
        which: of which leads; conditions that hold for all words on a lead or for none.

    Columns: key, lead, at, code, origin.

    """
    d = Disposition
    adds = case((and_(d.code == "open", d.origin == "page"), -1), else_=1)
    in_order = (d.received, d.at, d.key)
    # Words lie upon one another; one was taken back where later there are fewer than with it.
    height = func.sum(adds).over(partition_by=d.lead, order_by=in_order, rows=(None, 0))
    kept = (d.key, d.lead, d.at, d.code, d.origin)
    said = select(*kept, d.received, adds.label("adds"), height.label("height"))
    one = said.where(*which).subquery().c
    later = (one.received, one.at, one.key)
    least = func.min(one.height).over(partition_by=one.lead, order_by=later, rows=(1, None))
    stacked = select(one.key, one.lead, one.at, one.code, one.origin, one.adds, one.height)
    one = stacked.add_columns(least.label("least")).subquery().c
    stands = (one.adds == 1, func.coalesce(one.least, one.height) >= one.height)
    return select(one.key, one.lead, one.at, one.code, one.origin).where(*stands).subquery()


def steps(as_of: datetime) -> Subquery:
    """Select for each lead the newest step before a moment. Columns: lead, at."""
    return (
        select(Disposition.lead, func.max(Disposition.at).label("at"))
        .where(Disposition.code.in_(STEPS), Disposition.at < as_of)
        .group_by(Disposition.lead)
        .subquery("steps")
    )


def handed(as_of: datetime) -> Subquery:
    """Select for each lead its hand-offs before a moment. Columns: lead, first, last, times."""
    return (
        select(
            Handoff.lead,
            func.min(Handoff.at).label("first"),
            func.max(Handoff.at).label("last"),
            func.count().label("times"),
        )
        .where(Handoff.at < as_of)
        .group_by(Handoff.lead)
        .subquery("handed")
    )
