"""What past leads would have been under other bounds: first scores, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, case, func, or_, select
from sqlalchemy.orm import aliased

from features.store.drawn import LeadState
from features.store.hindsight import HindsightScore
from features.store.states import DECISIONS
from features.store.tables import Score

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
        as_of: words after this moment are not seen.
        model: the version by which they were scored; None: by whichever was first.

    """
    state, word = LeadState, _word(since, as_of)
    if model is None:
        first = select(state.probability.label("p"), *word)
        first = first.where(state.scored >= since, state.scored < until)
    else:
        earlier = aliased(Score)
        before = select(func.min(earlier.at)).where(
            earlier.lead == Score.lead, earlier.at < Score.at, earlier.model == model
        )
        # Most were scored by no other before: of these nobody need look for an earlier score.
        is_first = or_(
            state.scored == Score.at, before.correlate(Score).scalar_subquery().is_(None)
        )
        first = (
            select(Score.probability.label("p"), *word)
            .join(state, state.lead == Score.lead)
            .where(Score.model == model, Score.at >= since, Score.at < until, is_first)
        )
    return _counted(connection, first)


def hindsight_scores(
    connection: Connection, since: datetime, until: datetime, as_of: datetime
) -> list[Became]:
    """Return what became of leads that came in then and had no score by its end, by hindsight.

    Args:
        connection: of a reading.
        since: leads from here on,
        until: and before this.
        as_of: words after this moment are not seen.

    """
    state, one = LeadState, HindsightScore
    said = select(one.probability.label("p"), *_word(since, as_of)).join(
        state, state.lead == one.lead
    )
    is_unscored = or_(state.scored.is_(None), state.scored >= until)
    return _counted(connection, said.where(one.at >= since, one.at < until, is_unscored))


def hindsight_of(connection: Connection) -> date | None:
    """Return the day of the model that says in hindsight what leads would have been."""
    found: date | None = connection.execute(select(func.max(HindsightScore.day))).scalar_one()
    return found


def _word(since: datetime, as_of: datetime) -> tuple[Any, Any]:
    """Return what sales last said of a lead, as code and as the CRM's word."""
    is_said = LeadState.said.between(since, as_of)
    return (
        case((is_said, LeadState.code)).label("code"),
        case((is_said, LeadState.told)).label("told"),
    )


def _counted(connection: Connection, leads: Select[Any]) -> list[Became]:
    one = leads.subquery("first_scores").c
    # A little more, so that a bound itself lies in its own thousandth.
    place = func.floor(one.p / STEP + 1e-9)
    rows = (
        select(place, one.code, one.told, func.count())
        .group_by(place, one.code, one.told)
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
