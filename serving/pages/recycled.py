"""Recycled: the leads that come back this week and next, by reason, as a nurture list."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from itertools import groupby
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response, StreamingResponse

from features.spreadsheet import csv_text
from features.store.database import Store
from features.store.recycle import Due, DuePart, due_leads, due_parts, with_history
from serving.pages.behind import Behind
from serving.pages.render import HEADERS, show
from serving.recycled import COLUMNS, RecycledReply, rows, with_scores
from serving.worklist import called_of

WHY = {
    "not_ready": "Not ready yet",
    "in_contract": "In contract with another",
    "unreachable": "Not reached",
}
_SHOWN = 20
"""Leads of one week and reason that a page shows; the file has all of them."""
_AT_ONCE = 1000
"""Leads of the file that are read and scored at once, or those of one day."""


@dataclass(frozen=True)
class Part:
    """Leads that come back in one week for one reason."""

    why: str
    total: int
    leads: Sequence[RecycledReply]
    """The first of them."""


@dataclass(frozen=True)
class Week:
    """Leads that come back in one week, or came back before and still wait."""

    name: str
    until: date
    """The last day."""
    total: int
    parts: Sequence[Part]


def add_recycled(app: FastAPI, behind: Behind) -> None:
    """Add the routes."""
    store, agreement, model, now = behind.store, behind.agreement, behind.model, behind.now

    @app.get("/recycled", include_in_schema=False)
    async def recycled(request: Request) -> Response:
        """Show who comes back this week and next."""
        agreed, at = agreement(), now()
        ends = _ends(at.date())

        def read(opened: Store) -> tuple[list[Week], dict[str, str]]:
            with opened.reading() as connection:
                parts = due_parts(connection, agreed, at, ends, _SHOWN)
                due = [lead for part in parts for lead in part.leads]
                found = with_history(connection, due)
            called = {lead.id: called_of(lead.fields, agreed) for lead in found}
            return _weeks(parts, with_scores(found, model()), ends), called

        weeks, called = await store.use(read)
        values: dict[str, Any] = {"weeks": weeks, "called": called, "today": at.date()}
        return show(request, "recycled.html", **values)

    @app.get("/recycled/file", include_in_schema=False)
    async def file(request: Request) -> Response:
        """Give the whole list as CSV that is safe to open in a spreadsheet, some days at a time."""
        agreed, at = agreement(), now()
        until = _ends(at.date())[1 if request.query_params.get("week") == "this" else 2]

        def listed(opened: Store) -> list[Due]:
            with opened.reading() as connection:
                return due_leads(connection, agreed, at, until)

        def told(due: Sequence[Due], opened: Store) -> list[list[str]]:
            with opened.reading() as connection:
                found = with_history(connection, due)
            return list(rows(with_scores(found, model())))

        async def lines() -> AsyncIterator[str]:
            yield csv_text(COLUMNS, ())
            for part in _by_days(due):
                yield csv_text((), await store.use(partial(told, part)))

        # Whatever is wrong with the store is answered before the file begins.
        due = await store.use(listed)
        disposition = {"Content-Disposition": f'attachment; filename="nurture-{until}.csv"'}
        media = "text/csv; charset=utf-8"
        return StreamingResponse(lines(), headers=HEADERS | disposition, media_type=media)


def _by_days(due: Sequence[Due]) -> Iterator[list[Due]]:
    """Yield leads in parts of whole days, since those of a day are ordered among themselves."""
    part: list[Due] = []
    for _, of_a_day in groupby(due, key=lambda lead: lead.due):
        part += of_a_day
        if len(part) >= _AT_ONCE:
            yield part
            part = []
    if part:
        yield part


def _ends(today: date) -> tuple[date, date, date]:
    """Return the Sundays with which the week before, this one and the next one end."""
    week, sunday = timedelta(days=7), today + timedelta(days=6 - today.weekday())
    return sunday - week, sunday, sunday + week


def _weeks(
    parts: Sequence[DuePart], leads: Sequence[RecycledReply], ends: Sequence[date]
) -> list[Week]:
    scored = {lead.id: lead for lead in leads}
    place = {lead.id: n for n, lead in enumerate(leads)}
    weeks = []
    for n, name in enumerate(("Waiting from before", "This week", "Next week")):
        found = []
        for code, why in WHY.items():
            for part in parts:
                if (part.span, part.code) == (n, code):
                    ids = sorted((lead.id for lead in part.leads), key=place.__getitem__)
                    found.append(Part(why, part.total, [scored[id_] for id_ in ids]))
        weeks.append(Week(name, ends[n], sum(part.total for part in found), found))
    return weeks
