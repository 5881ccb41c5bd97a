"""The alignment report over REST: the same figures as page and file."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import FastAPI, HTTPException, Query
from fastapi.responses import Response

from features.agreement import Agreement
from features.errors import UsageError
from features.store.database import Store
from serving.alignment.files import content
from serving.alignment.period import MONTH, WEEK, asked_for
from serving.alignment.report import Report, Reports
from serving.problems import documented
from serving.stored import OpenedStore


def add_report(
    app: FastAPI,
    store: OpenedStore,
    agreement: Callable[[], Agreement],
    now: Callable[[], datetime],
) -> None:
    """Add the route; `now` gives this moment (UTC)."""
    reports = Reports()

    @app.get(
        "/v1/report",
        response_model=Report,
        responses=documented(
            _404="There is no such week or month, or it has not begun.",
            _422="A parameter does not have the form that is asked for.",
        ),
        summary="What happened in a week?",
    )
    async def tell_report(
        week: Annotated[str | None, Query(description="As 2026-W47.", pattern=WEEK)] = None,
        month: Annotated[str | None, Query(description="As 2026-11.", pattern=MONTH)] = None,
    ) -> Response:
        """Tell the alignment report of a week or of a month; of neither: of the last whole week.

        Funnel by campaign, promises of both sides, waits, disagreements, changes and decisions, as
        known at the end of the time, or now where it still runs. Shares have 95 % intervals.
        """
        agreed, at = agreement(), now()

        def read(opened: Store) -> bytes:
            found = reports.report(opened, agreed, asked_for(week, month, at), at)
            return content(found, ".json")

        try:
            return Response(await store.use(read), media_type="application/json")
        except UsageError as error:
            raise HTTPException(404, str(error)) from error
