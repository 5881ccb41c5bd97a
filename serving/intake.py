"""What comes in over REST: hand-offs and feedback, each answered by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Literal

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from features.agreement import Agreement
from features.cells import cell, text_of
from features.home import ServeSettings
from features.leads import Fault
from features.store.feedback import Result
from features.store.intake import take_feedback_items, take_handoff_items
from features.store.said import Early
from features.store.texts import MAX_NAME, storable
from serving.bodies import whole_items
from serving.described import body_of
from serving.problems import WITH_A_BODY, Problem, documented
from serving.stored import OpenedStore
from serving.taking import ANOTHER_BODY, Key, error_of, take

Word = Literal["stored", "repeated", "waiting", "refused"]


class ItemReply(BaseModel):
    """What became of one item."""

    id: str | None
    result: Word = Field(
        description="repeated: it was there already; waiting: kept until its lead is handed over."
    )
    error: Problem | None = Field(None, description="Why it was refused.")
    why: str | None = Field(
        None, description="Why it waits though its lead is known: it lies before the hand-off."
    )


class IntakeReply(BaseModel):
    """What became of all items: read = stored + repeated + waiting + refused."""

    agreement_version: str
    read: int
    stored: int
    repeated: int
    waiting: int
    refused: int
    results: list[ItemReply] = Field(description="In the order of the input.")


def add_intake(
    app: FastAPI, store: OpenedStore, agreement: Callable[[], Agreement], limits: ServeSettings
) -> None:
    """Add the routes.

    Args:
        app: the service.
        store: where it is kept.
        agreement: gives the one by which words are read.
        limits: how much is taken in one request.

    """

    @app.post(
        "/v1/handoffs",
        response_model=IntakeReply,
        response_model_exclude_none=True,
        responses=documented(*WITH_A_BODY, _409=ANOTHER_BODY),
        openapi_extra=body_of("handoffs", _HANDOFF_FIELDS, _HANDOFF),
        summary="Hand leads to sales",
    )
    async def handoffs(request: Request, key: Key = None) -> JSONResponse:
        """Hand over one lead or many: id, at (missing: now), owner, team, fields.

        Where no owner is named, the agreement's routes name one. A lead handed over again later
        has a new hand-off; the same lead at the same time is the same one.
        """
        items = whole_items(await request.body(), "handoffs", limits)
        _check_fields(items, limits.fields)
        agreed = agreement()
        return await take(
            request,
            store,
            "handoffs",
            items,
            key,
            lambda c, _, now: _reply(items, take_handoff_items(c, items, agreed, now), agreed),
        )

    @app.post(
        "/v1/feedback",
        response_model=IntakeReply,
        response_model_exclude_none=True,
        responses=documented(*WITH_A_BODY, _409=ANOTHER_BODY),
        openapi_extra=body_of("feedback", _FEEDBACK_FIELDS, _FEEDBACK),
        summary="Say what became of leads",
    )
    async def feedback(request: Request, key: Key = None) -> JSONResponse:
        """Keep one word of sales or many: id, code, at, by, value, reason, return_on.

        The same words again add nothing. What is said of a lead that is not known yet waits for it.
        """
        items = whole_items(await request.body(), "feedback", limits)
        agreed = agreement()
        return await take(
            request,
            store,
            "feedback",
            items,
            key,
            lambda c, _, now: _reply(items, take_feedback_items(c, items, agreed, now), agreed),
        )


_HANDOFF_FIELDS = {
    "id": "Of the lead.",
    "at": "When it is handed over, as ISO 8601; missing: now.",
    "owner": "Who gets it; missing: the agreement's routes say.",
    "team": "Of the owner.",
    "fields": "What is known of the lead, by name.",
}
_FEEDBACK_FIELDS = {
    "id": "Of the lead.",
    "code": "What became of it: a word of the agreement.",
    "at": "When that was, as ISO 8601.",
    "by": "Who says so.",
    "value": "What it is worth.",
    "reason": "In sales' own words.",
    "return_on": "The day from which the lead may be asked again.",
}
_HANDOFF = {
    "id": "web-1",
    "at": "2026-03-02T09:00:00Z",
    "owner": "kim",
    "team": "north",
    "fields": {"industry": "Software", "visits": 7},
}
_FEEDBACK = {
    "id": "web-1",
    "code": "not_ready",
    "at": "2026-03-05T14:30:00Z",
    "by": "kim",
    "reason": "no budget this year",
    "return_on": "2027-01-10",
}


def _check_fields(items: list[Any], most: int) -> None:
    """Refuse more names of fields than leads have: each would be a column of the whole request."""
    fields = (item.get("fields") for item in items if isinstance(item, dict))
    names = {name for some in fields if isinstance(some, dict) for name in some}
    if len(names) > most:
        raise HTTPException(413, f"{len(names):,} names of fields; at most {most:,}")


def _reply(
    items: list[Any],
    results: Sequence[Result],
    agreed: Agreement,
) -> dict[str, Any]:
    words = [_word(result) for result in results]
    counts = Counter(words)
    return {
        "agreement_version": agreed.label,
        "read": len(items),
        **{word: counts[word] for word in ("stored", "repeated", "waiting", "refused")},
        "results": [
            {"id": _id(item), "result": word} | _reason(result)
            for item, word, result in zip(items, words, results, strict=True)
        ],
    }


def _word(result: Result) -> Word:
    if isinstance(result, Fault):
        return "refused"
    return "waiting" if isinstance(result, Early) else result


def _reason(result: Result) -> dict[str, Any]:
    if isinstance(result, Early):
        return {"why": result.reason}
    return error_of(result) if isinstance(result, Fault) else {}


def _id(item: Any) -> str | None:
    """Return the id as the store would know it, so that erasure finds the reply."""
    found = item.get("id") if isinstance(item, dict) else None
    if not isinstance(found, str | int | float):
        return None
    return text_of(cell(storable(found) if isinstance(found, str) else found))[:MAX_NAME] or None
