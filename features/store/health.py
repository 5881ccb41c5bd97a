"""How the loop is doing, read from the store: what was handed over and what came back."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, or_, select

from features.cells import key_of
from features.coded import CodedCells, coded, joined
from features.store.handoff_states import worked
from features.store.states import DECISIONS, PRECEDENCE, precedence, said_in, stands, words, worth
from features.store.tables import Disposition, Handoff, Lead, Score

Moments = npt.NDArray[np.datetime64]
_AT_ONCE = 10_000
"""Leads whose scores are read and held as objects at once."""


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
    w = worked(since, as_of, as_of).c
    rows = select(w.at, w.team, w.touched, w.answered).order_by(w.at, w.lead)
    return [Passed(*row) for row in connection.execute(rows)]


def lost_reasons(
    connection: Connection, since: datetime, as_of: datetime
) -> Mapping[str, Mapping[str, int]]:
    """Return how often each reason was given, by code, for what was not won.

    Reasons are counted without regard to case and spacing; none is an empty text.
    """
    # The word that counts is the newest one, so that earlier ones need not be looked at.
    word = words(as_of, since=since)
    rows = (
        select(word.c.code, word.c.reason, func.count())
        .where(word.c.code.not_in(("won", "open")))
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
    word = words(as_of, since=since).c
    told = select(func.count(), func.sum(worth(word))).where(word.code == "won")
    leads, value = connection.execute(told).one()
    return Won(leads, value or 0.0)


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


class GivenScore(NamedTuple):
    """The first score that a model gave a lead, and what became of the lead."""

    start: datetime
    """When the lead was created, or else scored; of a further chance: when it was handed over."""
    at: datetime
    closed: datetime | None
    """When the word that counts was said; of an export: when it says that it came about."""
    probability: float
    propensity: float | None
    model: str
    campaign: str | None
    grade: str
    lane: str | None
    code: str | None
    """The word that counts; None where sales has said nothing since the score."""


@dataclass(frozen=True)
class GivenScores:
    """Such scores in columns of shape (scores,), so that millions of them stay small."""

    start: Moments
    at: Moments
    closed: Moments
    """Not a time where nothing was said."""
    probability: npt.NDArray[np.float64]
    propensity: npt.NDArray[np.float64]
    """NaN where no lane drew the lead."""
    model: CodedCells
    campaign: CodedCells
    grade: CodedCells
    lane: CodedCells
    code: CodedCells

    @classmethod
    def of(cls, parts: Iterable[Sequence[GivenScore]]) -> GivenScores:
        """Put rows, given in some parts, into columns."""
        below = zip(*map(_columns, chain([()], parts)), strict=True)
        columns: list[Any] = [
            joined(column) if kind is None else np.concatenate(column)
            for column, kind in zip(below, _KINDS, strict=True)
        ]
        return cls(*columns)

    def __len__(self) -> int:
        return len(self.at)

    def take(self, places: npt.NDArray[np.intp]) -> GivenScores:
        """Return the scores at the given places."""
        return GivenScores(*(column.take(places) for column in vars(self).values()))


_KINDS = (*("datetime64[us]",) * 3, *("float64",) * 2, *(None,) * 5)
"""Of the columns, in their order; None: cells that repeat themselves."""


def _columns(rows: Sequence[GivenScore]) -> list[Any]:
    columns: Iterable[Sequence[Any]] = zip(*rows, strict=True) if rows else [()] * len(_KINDS)
    return [
        coded(column) if kind is None else np.array(column, dtype=kind)
        for column, kind in zip(columns, _KINDS, strict=True)
    ]


def given_scores(connection: Connection, as_of: datetime) -> GivenScores:
    """Return the first score of each lead by each model, with the word that counts.

    The lane is the one in which the lead was first called, on that day or later. A score given
    after a decision was known predicts nothing and is left out. As in a training set, a lead that
    was handed over again has a new chance, and each chance words of its own.
    """
    last = connection.execute(select(func.max(Score.lead))).scalar_one() or 0
    # Some leads at a time: to sort them all at once takes the database much memory.
    return GivenScores.of(
        list(_scores_of(connection, first, as_of)) for first in range(1, last + 1, _AT_ONCE)
    )


def _scores_of(connection: Connection, least: int, as_of: datetime) -> Iterator[GivenScore]:
    """Yield the scores of `_AT_ONCE` leads, from a key on."""
    again = _handed_again(least, as_of)
    handoffs = _by_lead(connection, _handoffs_of(again, as_of))
    said = _by_lead(connection, _words_on(again, as_of))
    for lead, *row in connection.execute(_given(least, again, as_of)):
        score: GivenScore | None = GivenScore(*row)
        if lead in handoffs and score:
            moments = [handoff.at for handoff in handoffs[lead]]
            score = _in_its_chance(score, moments, said.get(lead, ()))
        if score:
            yield score


def _by_lead(connection: Connection, rows: Select[Any]) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = {}
    for row in connection.execute(rows):
        found.setdefault(row.lead, []).append(row)
    return found


def _handed_again(least: int, as_of: datetime) -> Select[Any]:
    """Select those of `_AT_ONCE` leads that have several hand-offs."""
    within = (Handoff.lead.between(least, least + _AT_ONCE - 1), Handoff.at < as_of)
    return select(Handoff.lead).where(*within).group_by(Handoff.lead).having(func.count() > 1)


def _handoffs_of(leads: Select[Any], as_of: datetime) -> Select[Any]:
    """Select all hand-offs of some leads, in order."""
    within = (Handoff.lead.in_(leads), Handoff.at < as_of)
    return select(Handoff.lead).add_columns(Handoff.at).where(*within).order_by(Handoff.at)


def _words_on(leads: Select[Any], as_of: datetime) -> Select[Any]:
    """Select all words on some leads that stand, without the steps."""
    of_them = Disposition.lead.in_(leads)
    return (
        select(Disposition.lead, Disposition.at, Disposition.code, Disposition.origin)
        .add_columns(Disposition.digest, _ended(Disposition).label("ended"))
        .where(of_them, Disposition.code.in_(PRECEDENCE), Disposition.at < as_of, stands(of_them))
    )


def _ended(word: Any) -> ColumnElement[Any]:
    """Return when it came about: an export is read later than what it tells of."""
    return case((word.origin == "export", word.closed), else_=word.at)


def _in_its_chance(
    score: GivenScore, handoffs: Sequence[datetime], words: Sequence[Any]
) -> GivenScore | None:
    """Return a score with what became of the chance that it speaks of; None: that had ended.

    That is the chance in which it was given; once sales has said how that ended, the next one.
    """
    chance = max(0, bisect_right(handoffs, score.at) - 1)
    said = said_in(chance, handoffs, words)
    if chance + 1 < len(handoffs) and any(_before(word, score) for word in said):
        chance += 1
        said = said_in(chance, handoffs, words)
    word = max(said, key=precedence, default=None)
    if word and _before(word, score):
        if word.code in DECISIONS:
            return None
        word = None
    return score._replace(
        start=handoffs[chance] if chance else score.start,
        closed=word and word.ended,
        code=word and word.code,
    )


def _before(word: Any, score: GivenScore) -> bool:
    """Whether sales had said how a chance ended when a score was given."""
    if word.code in DECISIONS:
        return bool(min(word.at, word.ended or word.at) <= score.at)
    return word.code != "open" and bool(word.at <= score.at)


def _given(least: int, again: Select[Any], as_of: datetime) -> Select[Any]:
    """Select the lead and the scores of `_AT_ONCE` leads, from a key on.

    Of leads that were handed over `again` there are those after a decision, too.
    """
    most = least + _AT_ONCE - 1
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
        .where(Score.at < as_of, Score.lead.between(least, most))
        .subquery()
    )
    word = words(as_of, Disposition.lead.between(least, most))
    decided = word.c.code.in_(DECISIONS)
    ended = func.coalesce(_ended(word.c), word.c.at)
    later = and_(ranked.c.at < word.c.at, or_(~decided, ranked.c.at < ended))
    return (
        select(Lead.key, func.coalesce(Lead.created, ranked.c.at), ranked.c.at, _ended(word.c))
        .add_columns(ranked.c.probability, ranked.c.propensity, ranked.c.model, Lead.campaign)
        .add_columns(ranked.c.grade, ranked.c.lane, word.c.code)
        .join(ranked, ranked.c.lead == Lead.key)
        # A word from before the score, as on a lead that comes back, is not what became of it.
        .outerjoin(word, (word.c.lead == Lead.key) & ((word.c.at > ranked.c.at) | decided))
        .where(ranked.c.place == 1)
        .where(or_(word.c.key.is_(None), later, Lead.key.in_(again)))
        .order_by(ranked.c.at, Lead.key, ranked.c.model)
    )
