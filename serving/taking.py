"""The frame of every route that takes something in: whole, once, and answered item by item."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Header, HTTPException, Request
from fastapi.responses import JSONResponse

from features.errors import ReusedKeyError
from features.leads import Fault
from features.store.database import Store
from features.store.replies import Keeping, answer_once, digest_of_request
from features.store.texts import MAX_NAME
from serving.access import caller_of
from serving.problems import problem
from serving.stored import OpenedStore

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=MAX_NAME,
        description="Of your choice, one for each request: sent again, it is answered as before.",
    ),
]
ANOTHER_BODY = "The idempotency key came before with another body."


async def take(
    request: Request,
    store: OpenedStore,
    route: str,
    items: list[Any],
    key: str | None,
    keeping: Keeping,
) -> JSONResponse:
    """Keep the items of a request in one write and answer; sent again, answer as before.

    Raises:
        HTTPException: 409 where the key came before with other items.

    """
    who, now = caller_of(request).name, datetime.now(UTC).replace(tzinfo=None)
    digest = digest_of_request(route, items)

    def answer(opened: Store) -> dict[str, Any]:
        return opened.write(
            lambda c: answer_once(c, who, key, digest, now, lambda: keeping(c, who, now))
        )

    try:
        return JSONResponse(await store.use(answer))
    except ReusedKeyError as error:
        raise HTTPException(409, str(error)) from error


def error_of(fault: Fault) -> dict[str, Any]:
    """Say why an item was refused, as a problem."""
    found = problem(422, fault.plain_reason, fault.field or None)
    return {"error": found.model_dump(exclude_none=True)}
