"""Scores that were given: each with the version that gave it and the lead as it was known then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, select

from features.agreement import Agreement
from features.leads import Leads, has_ids
from features.store.bulk import Columns, among, insert_columns
from features.store.database import Store
from features.store.entries import Known, enter, enter_known
from features.store.hooks import tell_scores
from features.store.keys import keys_of, stay_named
from features.store.tables import Lead, Score
from features.store.worklist import rescored


@dataclass(frozen=True)
class Given:
    """The scores of some leads, by one version of the model, in the order of the leads."""

    model: str
    """The registered version."""
    probability: Sequence[float]
    grade: Sequence[str]
    lane: Sequence[str | None] | None = None
    """model or exploration; None where no queue was drawn."""
    propensity: Sequence[float | None] | None = None
    """The probability with which the lane drew each lead."""
    expected_value: Sequence[float | None] | None = None
    """Probability times the value if won; None where the model knows no values."""


def keep_scores(
    store: Store, leads: Leads, given: Given, agreement: Agreement, now: datetime
) -> None:
    """Write leads with their scores down, all of them or none; without ids, nothing is kept.

    The same scores of the same moment again add nothing.

    Args:
        store: where to.
        leads: ids must be distinct.
        given: what was said of them.
        agreement: by which they were scored.
        now: when.

    Raises:
        StoreError: when the store cannot be reached.

    """
    if has_ids(agreement):
        store.write(lambda connection: add_scores(connection, leads, given, agreement, now))


def add_scores(
    connection: Connection, leads: Leads, given: Given, agreement: Agreement, now: datetime
) -> None:
    """Do the same within a write; see `keep_scores`."""
    rows = len(leads)
    entered = enter(connection, leads, agreement, [now] * rows, "score", now)
    columns: Columns = {
        "lead": entered.leads,
        "at": [now] * rows,
        "model": [given.model] * rows,
        "agreement": [agreement.label] * rows,
        "probability": given.probability,
        "grade": given.grade,
        "lane": given.lane or [None] * rows,
        "propensity": given.propensity or [None] * rows,
        "snapshot": entered.snapshots,
        "expected_value": given.expected_value or [None] * rows,
    }
    insert_columns(connection, Score, columns, if_absent=True)
    rescored(connection, entered.leads)
    tell_scores(connection, entered.leads, now, now, now)


class GivenScore(NamedTuple):
    """A score that was given a while ago, with the lead as it was known then."""

    lead: str
    """Its id."""
    created: datetime | None
    campaign: str | None
    source: str | None
    fields: str
    """The snapshot; see `features.store.entries.Known`."""
    at: datetime
    model: str
    agreement: str
    """Its label."""
    probability: float
    grade: str
    expected_value: float | None = None


def add_given_scores(connection: Connection, scores: Sequence[GivenScore], now: datetime) -> int:
    """Write scores down that were given before; return how many are new.

    Those that are there already are passed over with all they tell: the same scores again change
    nothing, whatever came between.

    Args:
        connection: of a write.
        scores: by several models and agreements, if need be; a lead may have several.
        now: when this is written down.

    """
    known = _there(connection, scores)
    new = sorted(
        (score for score in scores if (score.lead, score.at, score.model) not in known),
        key=lambda score: score.at,
    )
    if not new:
        return 0
    ids, created, campaign, source, fields, at, model, agreement, probability, grade, worth = zip(
        *new, strict=True
    )
    leads = Known(ids, created, campaign, source, fields)
    entered = enter_known(connection, leads, at, "score", now)
    columns: Columns = {
        "lead": entered.leads,
        "at": at,
        "model": model,
        "agreement": agreement,
        "probability": probability,
        "grade": grade,
        "snapshot": entered.snapshots,
        "expected_value": worth,
    }
    insert_columns(connection, Score, columns, if_absent=True)
    rescored(connection, entered.leads)
    tell_scores(connection, entered.leads, at[0], at[-1], now)
    return len(new)


def add_scores_of_known(connection: Connection, scores: Sequence[GivenScore], now: datetime) -> int:
    """Do the same for leads that the store still knows.

    Whoever was erased since they were read is passed over: to write them down would bring them
    back.
    """
    stay_named(connection)
    there = keys_of(connection, [score.lead for score in scores])
    return add_given_scores(connection, [s for s in scores if s.lead in there], now)


def _there(connection: Connection, scores: Sequence[GivenScore]) -> set[tuple[str, datetime, str]]:
    """Return lead, moment and model of those of the scores that the store has."""
    moments = [score.at for score in scores]
    some = (
        select(Lead.id, Score.at, Score.model)
        .join(Score, Score.lead == Lead.key)
        .where(
            among(connection, Lead.id, [score.lead for score in scores]),
            Score.at.between(min(moments), max(moments)),
        )
    )
    return {(id_, at, model) for id_, at, model in connection.execute(some)}


def recent_scores(connection: Connection, model: str, since: datetime, most: int) -> list[float]:
    """Return the probabilities that a version gave lately, the newest first, `most` at most."""
    given = select(Score.probability).where(Score.model == model, Score.at >= since)
    return list(connection.execute(given.order_by(Score.at.desc()).limit(most)).scalars())
