"""A lead's story as both sides read it: in lines for a terminal, as a reply of the API."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import date, datetime
from itertools import groupby
from operator import attrgetter, itemgetter

from pydantic import BaseModel, Field

from features.cells import Cell
from features.store.history import LeadHistory
from serving.replies import Moment
from serving.why import Change, change_lines


class HandoffReply(BaseModel):
    """A hand-off of the lead."""

    at: Moment
    owner: str | None
    team: str | None


class WordReply(BaseModel):
    """What sales said of the lead."""

    at: Moment
    code: str
    by: str | None
    value: float | None
    reason: str | None
    return_on: date | None
    stands: bool = Field(description="False: it was taken back, or takes back another.")


class PastScoreReply(BaseModel):
    """A score that was given."""

    at: Moment
    model_version: str
    agreement_version: str
    probability: float
    grade: str


class FieldChangeReply(BaseModel):
    """What one field did to the difference between two scores."""

    field: str = Field(description="Empty for where an average lead starts.")
    before: Cell
    after: Cell
    log_odds: float


class ChangeReply(BaseModel):
    """Why a score differs from the one before it; the parts add up to `log_odds`."""

    at: Moment
    log_odds: float
    data: list[FieldChangeReply]
    time: float = Field(description="What time alone did: nothing, fields do not look at the day.")
    model: list[FieldChangeReply]
    agreement: str
    unexplained: str


class HistoryReply(BaseModel):
    """A lead's story; each list in the order of time."""

    id: str
    created: Moment | None
    campaign: str | None
    handoffs: list[HandoffReply]
    words: list[WordReply]
    scores: list[PastScoreReply]
    changes: list[ChangeReply]


def history_reply(history: LeadHistory, changes: Sequence[Change]) -> HistoryReply:
    """Describe a lead's story for the API."""
    return HistoryReply(
        id=history.id,
        created=history.created,
        campaign=history.campaign,
        handoffs=[HandoffReply(**asdict(handoff)) for handoff in history.handoffs],
        words=[WordReply(**asdict(word)) for word in history.words],
        scores=[
            PastScoreReply(
                at=score.at,
                model_version=score.model,
                agreement_version=score.agreement,
                probability=score.probability,
                grade=score.grade,
            )
            for score in history.scores
        ],
        changes=[
            ChangeReply(
                at=change.later.at,
                log_odds=change.log_odds,
                data=[FieldChangeReply(**asdict(part)) for part in change.data],
                time=change.time,
                model=[FieldChangeReply(**asdict(part)) for part in change.model],
                agreement=change.agreement,
                unexplained=change.unexplained,
            )
            for change in changes
        ],
    )


def history_lines(history: LeadHistory, changes: Sequence[Change]) -> Iterator[str]:
    """Tell a lead's story in the order of time, then why its score changed."""
    since = f", created {history.created:%Y-%m-%d}" if history.created else ""
    yield f"{history.id}{since}{f', campaign {history.campaign}' if history.campaign else ''}"
    events = sorted(_events(history), key=itemgetter(0))
    for _, group in groupby(events, key=itemgetter(2)):
        (at, line, _), *again = group
        yield f"  {at:%Y-%m-%d %H:%M}  {line}"
        if again:
            yield f"  {again[-1][0]:%Y-%m-%d %H:%M}  {_further(len(again))}"
    if changes:
        yield "why the score changed:"
    for unchanged, same in groupby(changes, key=attrgetter("is_none")):
        if unchanged:
            yield f"  {_further(len(list(same)))}"
        else:
            yield from (f"  {line}" for change in same for line in change_lines(change))


def _further(count: int) -> str:
    return f"{count} further score{'' if count == 1 else 's'}, unchanged"


def _events(history: LeadHistory) -> Iterator[tuple[datetime, str, object]]:
    """Yield when, what, and what makes two that follow each other the same."""
    for handoff in history.handoffs:
        whom = f" to {handoff.owner}" if handoff.owner else ""
        team = f" ({handoff.team})" if handoff.team else ""
        yield handoff.at, f"handed over{whom}{team}", handoff
    for word in history.words:
        details = [f"by {word.by}"] if word.by else []
        details += [f"value {word.value:,.0f}"] if word.value is not None else []
        details += [f"back on {word.return_on}"] if word.return_on else []
        details += [word.reason] if word.reason else []
        what = word.code if word.stands or word.code == "open" else f"{word.code} (taken back)"
        yield word.at, f"{what}{': ' if details else ''}{', '.join(details)}", word
    for score in history.scores:
        line = f"scored {score.probability:.1%} {score.grade} by version {score.model}"
        yield score.at, line, (score.model, score.probability, score.grade)
