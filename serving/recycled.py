"""Leads that come back, each with its history and a fresh score."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, Field

from features.counted import counted
from features.store.recycle import Recycled
from serving.artefact import LoadedModel
from serving.replies import Moment, ResultReply, score_records

_REASONS = 3
_NAMED = {
    "in_contract": "contract ends",
    "not_ready": "ask again on",
    "unreachable": "try again on",
}


class EventReply(BaseModel):
    """A hand-off, or a word of sales."""

    at: Moment
    what: str
    by: str | None


class RecycledReply(BaseModel):
    """A lead whose time comes again."""

    id: str
    campaign: str | None
    code: Literal["not_ready", "in_contract", "unreachable"]
    said_at: Moment
    reason: str | None
    due: date = Field(description="The day from which it may be taken up again.")
    return_on: date | None = Field(description="The day that sales named.")
    owner: str | None = Field(description="Who had it last.")
    history: list[EventReply]
    score: ResultReply | None = Field(
        description="By the champion, from what is known of it now; null without a model."
    )


def with_scores(leads: Sequence[Recycled], model: LoadedModel | None) -> list[RecycledReply]:
    """Describe recycled leads, scored afresh where there is a model.

    Of those due on one day the likeliest comes first. Days to the sale are not told: they count
    from a creation that may lie years back.
    """
    scores: Sequence[Any] = [None] * len(leads)
    if model is not None and leads:
        id_column = model.artefact.scorer.agreement.columns.id
        records = [{**lead.fields, id_column: lead.id} for lead in leads]
        found = score_records(model, records, _REASONS)["results"]
        scores = [{**score, "expected_days": None} for score in found]
    replies = [
        RecycledReply(
            id=lead.id,
            campaign=lead.campaign,
            code=lead.code,
            said_at=lead.said,
            reason=lead.reason,
            due=lead.due,
            return_on=lead.return_on,
            owner=lead.owner,
            history=[EventReply(**event._asdict()) for event in lead.history],
            score=score,
        )
        for lead, score in zip(leads, scores, strict=True)
    ]
    return sorted(replies, key=lambda reply: (reply.due, -_chance(reply)))


def _chance(lead: RecycledReply) -> float:
    return (lead.score and lead.score.probability) or 0.0


COLUMNS = (
    *("id", "campaign", "code", "due", "return_on", "said_at", "reason", "owner"),
    *("probability", "grade", "reasons"),
)


def rows(leads: Sequence[RecycledReply]) -> Iterator[list[str]]:
    """Give the cells of each lead for a nurture list, by `COLUMNS`."""
    for lead in leads:
        known = [getattr(lead, name) for name in COLUMNS[:8]]
        score = lead.score
        scored: list[object] = ["", "", ""]
        if score is not None and score.error is None:
            texts = "; ".join(reason.text for reason in score.reasons)
            scored = [score.probability, score.grade, texts]
        yield ["" if cell is None else str(cell) for cell in (*known, *scored)]


def recycled_lines(leads: Sequence[RecycledReply], until: date, most: int) -> Iterator[str]:
    """Tell which leads come back, the longest due first."""
    if not leads:
        yield f"no lead comes back by {until}"
        return
    come = "comes" if len(leads) == 1 else "come"
    yield f"{counted(len(leads), 'lead')} {come} back by {until}, the longest due first:"
    width = min(max(len(lead.id) for lead in leads[:most]), 40)
    for lead in leads[:most]:
        score = lead.score
        scored = f"{score.probability:6.1%} {score.grade}  " if score and score.grade else ""
        reason = f": {lead.reason}" if lead.reason else ""
        named = f", {_NAMED[lead.code]} {lead.return_on}" if lead.return_on else ""
        yield f"  {lead.id:{width}}  {lead.due}  {scored}{lead.code}{named}{reason}"
    if len(leads) > most:
        yield f"  and {len(leads) - most:,} more; write them all with -o FILE.csv"
