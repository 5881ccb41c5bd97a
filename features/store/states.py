"""Where leads stand: the word on each that counts, whatever order the words came in.

The newest word counts. Of two of the same moment the one further along does (won over lost, lost
over not ready), so that the order of arrival changes nothing; where an export says the same, sales'
own word does: it knows the reason and the day to come back. Steps (contacted, accepted, ...)
never undo a decision: a call after the sale does not make a customer a lead again.

Whoever says `open` on a page takes back the word that came last, whoever said that: both count
nowhere, for no moment, as though neither had been said (`stands`). So what came before counts
again, and a second taking back takes back the word before that. It has no time of its own: words
lie upon one another in the order in which they came, whatever time they tell. An `open` from
elsewhere is a word as any other: nothing is decided.

    comes in                             stands               counts
    not_ready                            not_ready            not_ready
    contacted                            not_ready contacted  not_ready
    lost                                 all three            lost
    open, on a page                      not_ready contacted  not_ready
    open, on a page                      not_ready            not_ready
    lost, of an export                   not_ready lost       lost
    open, of an export                   all three            open
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time
from functools import cache
from typing import Any

from sqlalchemy import CTE, ColumnElement, Select, Subquery, case, func, or_, select

from features.sections import STEPS
from features.store.tables import TAKES_BACK, Disposition, Handoff

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


def stands(*of: ColumnElement[bool]) -> ColumnElement[bool]:
    """Say of a disposition whether it stands: it takes nothing back, and was not taken back.

    Args:
        of: conditions on the dispositions that are looked at: of all on a lead or of none, or of
            those that were received before a moment, as though no more had come.

    """
    taken = _taken_back(*of).subquery() if of else _ever_taken_back()
    return Disposition.key.not_in(select(taken.c.key))


@cache
def _ever_taken_back() -> CTE:
    # One for all: however often a statement asks, it is written and worked out once.
    return _taken_back().cte("taken_back")


def _taken_back(*of: ColumnElement[bool]) -> Select[int]:
    """Select the keys of the dispositions that were taken back, and of those that take back."""
    d = Disposition
    undone = select(d.lead).where(TAKES_BACK, *of)
    adds = case((TAKES_BACK, -1), else_=1)
    in_order = (d.received, d.at, d.key)
    # Words lie upon one another; one was taken back where later there are fewer than with it.
    height = func.sum(adds).over(partition_by=d.lead, order_by=in_order, rows=(None, 0))
    said = select(d.key, d.lead, d.received, d.at, adds.label("adds"), height.label("height"))
    one = said.where(d.lead.in_(undone), *of).subquery().c
    later = (one.received, one.at, one.key)
    least = func.min(one.height).over(partition_by=one.lead, order_by=later, rows=(1, None))
    one = select(one.key, one.adds, one.height, least.label("least")).subquery().c
    fewer = func.coalesce(one.least, one.height) < one.height
    return select(one.key).where(or_(one.adds == -1, fewer))


def words(as_of: datetime, *of: ColumnElement[bool], since: datetime | None = None) -> Subquery:
    """Select the word that counts for each lead as of a moment (exclusive); steps left out.

    Args:
        as_of: words from this moment on are not seen.
        of: which are looked at, as for `stands`.
        since: only words from here on; earlier ones can count for no lead that has one of these.

    Columns: key, lead, at, code, told, closed, by, value, reason, return_on, origin.

    """
    d = Disposition
    rank = case(PRECEDENCE, value=d.code, else_=0)
    by_sales = case((d.origin == "export", 0), else_=1)
    newest = func.row_number().over(
        partition_by=d.lead,
        order_by=(d.at.desc(), rank.desc(), by_sales.desc(), d.digest.desc()),
    )
    told = (d.key, d.lead, d.at, d.code, d.told, d.closed, d.by, d.value, d.reason, d.return_on)
    ranked = select(*told, d.origin, newest.label("place"))
    ranked = ranked.where(d.code.not_in(STEPS), d.at < as_of, stands(*of), *of)
    if since is not None:
        ranked = ranked.where(d.at >= since)
    one = ranked.subquery()
    kept = [column for column in one.c if column.name != "place"]
    return select(*kept).where(one.c.place == 1).subquery("words")


def worth(word: Any, *of: ColumnElement[bool]) -> ColumnElement[float | None]:
    """Return what the win that a word tells of is worth, of the columns of `words`.

    Sales may say that a lead was won, and the export what it is worth; `of`: as for `stands`.
    """
    d = Disposition
    beside = select(func.max(d.value)).where(d.lead == word.lead, d.at == word.at, d.code == "won")
    told = beside.where(stands(*of), *of).scalar_subquery()
    return case((word.code == "won", func.coalesce(word.value, told)))


def standing(*of: ColumnElement[bool]) -> Subquery:
    """Select the dispositions that stand; `of`: as for `stands`.

    Columns: key, lead, at, code, origin.
    """
    d = Disposition
    return select(d.key, d.lead, d.at, d.code, d.origin).where(stands(*of), *of).subquery()


def steps(as_of: datetime) -> Subquery:
    """Select for each lead the newest step before a moment that stands. Columns: lead, at."""
    return (
        select(Disposition.lead, func.max(Disposition.at).label("at"))
        .where(Disposition.code.in_(STEPS), Disposition.at < as_of, stands())
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
