"""What campaigns cost, over REST: each item answered by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Literal

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from features.agreement import Agreement
from features.cells import text_of
from features.home import ServeSettings
from features.leads import Fault
from features.store.intake import take_spend_items
from features.store.spend import Booked
from features.store.texts import MAX_NAME, storable
from serving.bodies import whole_items
from serving.described import body_of
from serving.problems import WITH_A_BODY, Problem, documented
from serving.stored import OpenedStore
from serving.taking import ANOTHER_BODY, Key, error_of, take

_RESULTS = ("stored", "repeated", "replaced", "refused")


class BookedReply(BaseModel):
    """What became of one item."""

    campaign: str | None
    date: str | None
    result: Literal["stored", "repeated", "replaced", "refused"] = Field(
        description="repeated: it was there already; replaced: the day had another amount."
    )
    error: Problem | None = Field(None, description="Why it was refused.")


class SpendReply(BaseModel):
    """What became of all items: read = stored + repeated + replaced + refused."""

    read: int
    stored: int
    repeated: int
    replaced: int
    refused: int
    results: list[BookedReply] = Field(description="In the order of the input.")


def add_spend(
    app: FastAPI, store: OpenedStore, agreement: Callable[[], Agreement], limits: ServeSettings
) -> None:
    """Add the route; see `serving.intake.add_intake`."""

    @app.post(
        "/v1/spend",
        response_model=SpendReply,
        response_model_exclude_none=True,
        responses=documented(*WITH_A_BODY, _409=ANOTHER_BODY),
        openapi_extra=body_of("spend", _FIELDS, _EXAMPLE),
        summary="Say what campaigns cost",
    )
    async def spend(request: Request, key: Key = None) -> JSONResponse:
        """Keep what campaigns cost by day: campaign, date, amount, visits.

        The same again adds nothing. Another amount for a day replaces the one that stands there;
        the audit log keeps both.
        """
        items = whole_items(await request.body(), "spend", limits)
        agreed = agreement()
        return await take(
            request,
            store,
            "spend",
            items,
            key,
            lambda c, who, now: _reply(items, take_spend_items(c, items, agreed, who, now)),
        )


_FIELDS = {
    "campaign": "As the leads name it; case and spacing do not matter.",
    "date": "The day, as ISO 8601.",
    "amount": "What it cost that day, in the currency of your values; 0 or more.",
    "visits": "Visits that it brought that day; may be left out.",
}
_EXAMPLE = {"campaign": "Spring fair", "date": "2026-03-02", "amount": 420.5, "visits": 96}


def _reply(items: Sequence[Any], results: Sequence[Booked | Fault]) -> dict[str, Any]:
    words = ["refused" if isinstance(result, Fault) else result for result in results]
    counts = Counter(words)
    return {
        "read": len(items),
        **{word: counts[word] for word in _RESULTS},
        "results": [
            _named(item)
            | {"result": word}
            | (error_of(result) if isinstance(result, Fault) else {})
            for item, word, result in zip(items, words, results, strict=True)
        ],
    }


def _named(item: Any) -> dict[str, str | None]:
    told = item if isinstance(item, dict) else {}
    return {name: _text(told.get(name)) for name in ("campaign", "date")}


def _text(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    return storable(text_of(value))[:MAX_NAME] or None
