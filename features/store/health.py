"""How the loop is doing, read from the store: what was handed over and what came back."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from features.cells import key_of
from features.sections import STEPS
from features.store.said import GRACE
from features.store.states import DECISIONS, answers, words
from features.store.tables import Disposition, Handoff, Lead, Score


class Passed(NamedTuple):
    """A hand-off and what sales did with it before the next one of the same lead."""

    at: datetime
    team: str | None
    touched: datetime | None
    """When sales first said anything of it."""
    answered: datetime | None
    """When it got a disposition; steps are none."""


def passed(connection: Connection, since: datetime, as_of: datetime) -> list[Passed]:
    """Return the hand-offs of a stretch of time, `since` inclusive, `as_of` exclusive."""
    within = (Handoff.at >= since, Handoff.at < as_of)
    rows = connection.execute(
        select(Handoff.lead, Handoff.at, Handoff.team).where(*within).order_by(Handoff.at)
    ).all()
    touched = select(Handoff.lead).where(*within)
    moments: dict[int, list[datetime]] = {}
    said: dict[int, list[tuple[datetime, str]]] = {}
    every = select(Handoff.lead, Handoff.at).where(Handoff.lead.in_(touched)).order_by(Handoff.at)
    for lead, at in connection.execute(every):
        moments.setdefault(lead, []).append(at)
    answers = (
        select(Disposition.lead, Disposition.at, Disposition.code)
        .where(Disposition.lead.in_(touched), Disposition.at < as_of)
        .order_by(Disposition.at)
    )
    for lead, at, code in connection.execute(answers):
        said.setdefault(lead, []).append((at, code))
    return [_passed(at, team, moments[lead], said.get(lead, [])) for lead, at, team in rows]


def _passed(
    at: datetime,
    team: str | None,
    handoffs: Sequence[datetime],
    said: Sequence[tuple[datetime, str]],
) -> Passed:
    place = bisect_left(handoffs, at) + 1
    later = handoffs[place : place + 1]
    own = [
        (max(when, at), code)
        for when, code in said
        if (answers(when, at) or (place == 1 and when >= at - GRACE))
        and not any(answers(when, following) for following in later)
    ]
    ends = [when for when, code in own if code not in STEPS and code != "open"]
    return Passed(at, team, own[0][0] if own else None, ends[0] if ends else None)


def lost_reasons(
    connection: Connection, since: datetime, as_of: datetime
) -> Mapping[str, Mapping[str, int]]:
    """Return how often each reason was given, by code, for what was not won.

    Reasons are counted without regard to case and spacing; none is an empty text.
    """
    word = words(as_of)
    rows = (
        select(word.c.code, word.c.reason, func.count())
        .where(word.c.at >= since, word.c.code.not_in(("won", "open")))
        .group_by(word.c.code, word.c.reason)
    )
    found: dict[str, Counter[str]] = {}
    for code, reason, count in connection.execute(rows):
        # Here and not in the database: SQLite knows the small letters of English alone.
        found.setdefault(code, Counter())[key_of(reason)] += count
    return found


class Won(NamedTuple):
    """The leads of which sales last said that they were won."""

    leads: int
    value: float
    """What those are worth together of which a value was told."""


def won_leads(connection: Connection, since: datetime, as_of: datetime) -> Won:
    """Return what was won in a stretch of time, `since` inclusive, `as_of` exclusive."""
    word = words(as_of)
    # Sales may say that a lead was won and the export what it is worth.
    beside = (
        select(func.max(Disposition.value))
        .where(Disposition.lead == word.c.lead, Disposition.at == word.c.at)
        .where(Disposition.code == "won")
        .scalar_subquery()
    )
    value = func.coalesce(word.c.value, beside)
    told = select(func.count(), func.coalesce(func.sum(value), 0.0))
    told = told.where(word.c.at >= since, word.c.code == "won")
    return Won(*connection.execute(told).one())


def graded(connection: Connection, grades: Sequence[str], as_of: datetime) -> list[datetime]:
    """Return when each lead first got one of the grades."""
    first = func.min(Score.at)
    rows = (
        select(first)
        .where(Score.grade.in_(grades), Score.at < as_of)
        .group_by(Score.lead)
        .order_by(first)
    )
    return list(connection.execute(rows).scalars())


def first_score(connection: Connection) -> datetime | None:
    """Return when the first score was given, or None."""
    found: datetime | None = connection.execute(select(func.min(Score.at))).scalar_one()
    return found


def decided_by(connection: Connection, as_of: datetime) -> tuple[int, int]:
    """Return how many leads were decided by a moment: by words of sales, and by exports."""
    word = words(as_of)
    rows = select(word.c.origin, func.count()).where(word.c.code.in_(DECISIONS))
    counts: dict[str, int] = dict(connection.execute(rows.group_by(word.c.origin)).all())
    by_exports = counts.pop("export", 0)
    return sum(counts.values()), by_exports


@dataclass(frozen=True)
class GivenScore:
    """The first score that a model gave a lead, and what became of the lead."""

    lead: int
    created: datetime | None
    campaign: str | None
    model: str
    at: datetime
    probability: float
    grade: str
    lane: str | None
    propensity: float | None
    code: str | None
    """The word that counts; None where sales has said nothing since the score."""
    closed: datetime | None
    value: float | None
    origin: str | None


def given_scores(connection: Connection, as_of: datetime) -> list[GivenScore]:
    """Return the first score of each lead by each model, with the word that counts.

    The lane is the one in which the lead was first called, on that day or later. A score given
    after a decision was known predicts nothing and is left out.
    """
    first = func.row_number().over(
        partition_by=(Score.lead, Score.model), order_by=(Score.at, Score.key)
    )
    by_call = (Score.lane.is_(None), Score.at, Score.key)
    lane, propensity = (
        func.first_value(column).over(partition_by=(Score.lead, Score.model), order_by=by_call)
        for column in (Score.lane, Score.propensity)
    )
    ranked = (
        select(Score.lead, Score.model, Score.at, Score.probability, Score.grade)
        .add_columns(lane.label("lane"), propensity.label("propensity"))
        .add_columns(first.label("place"))
        .where(Score.at < as_of)
        .subquery()
    )
    word = words(as_of)
    decided = word.c.code.in_(DECISIONS)
    rows = (
        select(Lead.key, Lead.created, Lead.campaign)
        .add_columns(ranked.c.model, ranked.c.at, ranked.c.probability, ranked.c.grade)
        .add_columns(ranked.c.lane, ranked.c.propensity)
        .add_columns(word.c.code, word.c.at, word.c.value, word.c.origin)
        .join(ranked, ranked.c.lead == Lead.key)
        # A word from before the score, as on a lead that comes back, is not what became of it.
        .outerjoin(word, (word.c.lead == Lead.key) & ((word.c.at > ranked.c.at) | decided))
        .where(ranked.c.place == 1)
        .where(func.coalesce(ranked.c.at < word.c.at, True))
        .order_by(ranked.c.at, Lead.key)
    )
    return [GivenScore(*row) for row in connection.execute(rows)]
