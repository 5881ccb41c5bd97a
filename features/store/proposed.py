"""What past leads would have been under other bounds: first scores, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, func, select
from sqlalchemy.orm import aliased

from features.store.states import DECISIONS, words
from features.store.tables import Disposition, Score

STEP = 0.001
"""Scores are counted by thousandths; bounds between two of them are not told apart."""


class Became(NamedTuple):
    """Leads whose first score lay in one thousandth, of which sales said the same."""

    at_least: float
    code: str | None
    """What sales last said; None: nothing."""
    told: str | None
    """By which word of the CRM, where that is known."""
    leads: int


class Scored(NamedTuple):
    """Leads whose first score lay in one thousandth."""

    at_least: float
    leads: int
    decided: int
    """Sales said that they were won, lost or unqualified."""
    won: int


def first_scores(
    connection: Connection,
    since: datetime,
    until: datetime,
    as_of: datetime,
    model: str | None = None,
) -> list[Became]:
    """Return what became of the leads that were first scored in a stretch of time, by score.

    Args:
        connection: of a reading.
        since: first scores from here on,
        until: and before this.
        as_of: words from this moment on are not seen.
        model: the version by which they were scored; None: by whichever was first.

    """
    earlier = aliased(Score)
    of_it = () if model is None else (earlier.model == model,)
    before = select(func.min(earlier.at)).where(
        earlier.lead == Score.lead, earlier.at < Score.at, *of_it
    )
    first = (
        select(Score.lead, func.min(Score.probability).label("p"))
        .where(Score.at >= since, Score.at < until)
        .where(*(() if model is None else (Score.model == model,)))
        .where(before.correlate(Score).scalar_subquery().is_(None))
        .group_by(Score.lead)
        .cte("first_scores")
        .prefix_with("MATERIALIZED")
    )
    word = words(as_of, Disposition.lead.in_(select(first.c.lead)), Disposition.at >= since)
    said = aliased(Disposition)
    # A little more, so that a bound itself lies in its own thousandth.
    place = func.floor(first.c.p / STEP + 1e-9)
    rows = (
        select(place, said.code, said.told, func.count())
        .select_from(first)
        .outerjoin(word, word.c.lead == first.c.lead)
        .outerjoin(said, said.key == word.c.key)
        .group_by(place, said.code, said.told)
        .order_by(place)
    )
    return [Became(float(n) * STEP, *rest) for n, *rest in connection.execute(rows)]


def counted_by_score(found: Iterable[Became]) -> list[Scored]:
    """Count leads, decided ones and wins by score, from the lowest on."""
    counts: dict[float, list[int]] = {}
    for one in found:
        count = counts.setdefault(one.at_least, [0, 0, 0])
        count[0] += one.leads
        count[1] += one.leads if one.code in DECISIONS else 0
        count[2] += one.leads if one.code == "won" else 0
    return [Scored(at_least, *count) for at_least, count in sorted(counts.items())]
