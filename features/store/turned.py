"""Outcomes that were known at a moment beside those that count now, counted by lead.

Sales corrects itself now and then; a file whose outcomes have slipped by a row turns many at once.
A lead that was handed over again has a new chance, and what became of it turns nothing round. Nor
does a lost lead that is won after all, later: its word has a day of its own, which is news. A word
of an export stands at the moment of its reading; it is news only by the closing date beside it.
The other way round nothing is taken for news: outcomes that were dealt out anew make as many
wins lost as losses won, whatever day they bear, while sales seldom undoes a win.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, case, func, or_, select

from features.store.states import DECISIONS, words
from features.store.tables import Disposition, Handoff


class Turned(NamedTuple):
    """Leads that were decided at a moment and are now, by what they were and what they are."""

    won_still: int
    won_no_more: int
    won_only_now: int
    never_won: int


def turned_since(connection: Connection, since: datetime, now: datetime) -> Turned:
    """Count the leads that were decided by the words received up to a moment, and still are.

    Args:
        connection: of a reading.
        since: words received later were not known then.
        now: what happened from this moment on is not seen.

    """
    before, after = (words(now, *known).alias() for known in ((Disposition.received <= since,), ()))
    again = select(Handoff.key).where(
        Handoff.lead == before.c.lead, Handoff.at > before.c.at, Handoff.at < now
    )
    was, is_ = (part.c.code == "won" for part in (before, after))
    own = case((after.c.origin == "export", after.c.closed), else_=after.c.at)
    no_news = or_(was, ~is_, own.is_(None), own <= since)
    counted = (
        select(was, is_, func.count())
        .join(after, before.c.lead == after.c.lead)
        .where(before.c.code.in_(DECISIONS), after.c.code.in_(DECISIONS), ~again.exists(), no_news)
        .group_by(was, is_)
    )
    found = {(bool(w), bool(i)): n for w, i, n in connection.execute(counted).all()}
    pairs = ((True, True), (True, False), (False, True), (False, False))
    return Turned(*(found.get(pair, 0) for pair in pairs))
