"""What campaigns cost, over REST: each item answered by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from features.agreement import Agreement
from features.cells import text_of
from features.errors import ReusedKeyError
from features.home import ServeSettings
from features.leads import Fault
from features.store.database import Store
from features.store.intake import take_spend_items
from features.store.replies import answer_once, digest_of_request
from features.store.spend import Booked
from features.store.texts import MAX_NAME, storable
from serving.access import caller_of
from serving.bodies import whole_items
from serving.described import body_of
from serving.intake import ANOTHER_BODY, Key
from serving.problems import WITH_A_BODY, Problem, documented, problem
from serving.stored import OpenedStore

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
        agreed, now = agreement(), datetime.now(UTC).replace(tzinfo=None)
        who, digest = caller_of(request).name, digest_of_request("spend", items)

        def answer(opened: Store) -> dict[str, Any]:
            return opened.write(
                lambda c: answer_once(
                    c,
                    who,
                    key,
                    digest,
                    now,
                    lambda: _reply(items, take_spend_items(c, items, agreed, who, now)),
                )
            )

        try:
            return JSONResponse(await store.use(answer))
        except ReusedKeyError as error:
            raise HTTPException(409, str(error)) from error


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
            _named(item) | {"result": word} | _error(result)
            for item, word, result in zip(items, words, results, strict=True)
        ],
    }


def _error(result: Booked | Fault) -> dict[str, Any]:
    if not isinstance(result, Fault):
        return {}
    found = problem(422, result.plain_reason, result.field or None)
    return {"error": found.model_dump(exclude_none=True)}


def _named(item: Any) -> dict[str, str | None]:
    told = item if isinstance(item, dict) else {}
    return {name: _text(told.get(name)) for name in ("campaign", "date")}


def _text(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    return storable(text_of(value))[:MAX_NAME] or None
