"""Leads as both sides look them up over REST: who comes back, one lead's story, erasure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Annotated

from fastapi import FastAPI, HTTPException, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from pydantic import BaseModel, Field

from features.agreement import Agreement
from features.store.database import Store
from features.store.history import LeadHistory, history_of
from features.store.recycle import Recycled, due_leads, with_history
from features.store.texts import storable
from serving.access import caller_of
from serving.artefact import LoadedModel
from serving.erasing import Aside, erase_leads
from serving.problems import documented
from serving.recycled import RecycledReply, with_scores
from serving.stored import OpenedStore
from serving.story import HistoryReply, history_reply
from serving.why import changes

_UNKNOWN_LEAD = "Nothing is known of such a lead."
_PARAMETER = "A parameter does not have the form that is asked for."


class RecycledList(BaseModel):
    """The leads that come back by a day, the longest due first."""

    until: date
    total: int = Field(description="How many there are; `leads` may hold fewer.")
    leads: list[RecycledReply]


def add_desk(
    app: FastAPI,
    store: OpenedStore,
    agreement: Callable[[], Agreement],
    model: Callable[[], LoadedModel | None],
    aside: Aside,
    load: Callable[[Store, str], LoadedModel],
) -> None:
    """Add the routes.

    Args:
        app: the service.
        store: where leads are kept.
        agreement: gives the one whose delays hold.
        model: gives the one that scores, if there is one.
        aside: the folders beside the store, which erasure clears too.
        load: gives an older model, which explains older scores.

    """

    @app.get(
        "/v1/recycled", responses=documented(_422=_PARAMETER), summary="Which leads come back?"
    )
    async def list_recycled(
        ahead: Annotated[int, Query(ge=0, le=3650, description="Days to look ahead.")] = 0,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
    ) -> RecycledList:
        """List leads whose time has come again, each with its history and a fresh score."""
        agreed, now = agreement(), _now()
        until = now.date() + timedelta(days=ahead)

        def read(opened: Store) -> tuple[int, list[Recycled]]:
            with opened.reading() as connection:
                due = due_leads(connection, agreed, now, until)
                return len(due), with_history(connection, due[:limit])

        total, found = await store.use(read)
        leads = await run_in_threadpool(with_scores, found, model())
        return RecycledList(until=until, total=total, leads=leads)

    @app.get(
        "/v1/leads/{lead:path}/history",
        responses=documented(_404=_UNKNOWN_LEAD, _422=_PARAMETER),
        summary="What happened to it?",
    )
    async def tell_history(lead: str) -> HistoryReply:
        """Tell a lead's story, and why its score changed each time."""

        def read(opened: Store) -> LeadHistory | None:
            with opened.reading() as connection:
                return history_of(connection, storable(lead))

        history = await store.use(read)
        if history is None:
            raise HTTPException(404, "nothing is known of such a lead; hand it over first")
        scores = history.scores
        found = await store.use(lambda opened: changes(scores, partial(load, opened)))
        return history_reply(history, found)

    @app.delete(
        "/v1/leads/{lead:path}",
        status_code=204,
        response_class=Response,
        responses=documented(_404=_UNKNOWN_LEAD, _422=_PARAMETER),
        summary="Erase a person",
    )
    async def erase_lead(lead: str, request: Request) -> None:
        """Erase a lead's data from everything that is kept; the counts stay."""
        ids, who = [storable(lead)], caller_of(request).name
        if not await store.use(lambda opened: erase_leads(opened, aside, ids, who, _now())):
            raise HTTPException(404, "nothing is known of such a lead")


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
