"""Recycled: the leads that come back this week and next, by reason, as a nurture list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response

from features.spreadsheet import csv_text
from features.store.database import Store
from features.store.recycle import Due, Recycled, due_leads, with_history
from serving.pages.behind import Behind
from serving.pages.render import HEADERS, show
from serving.recycled import COLUMNS, RecycledReply, rows, with_scores

WHY = {
    "not_ready": "Not ready yet",
    "in_contract": "In contract with another",
    "unreachable": "Not reached",
}
_SHOWN = 20
"""Leads of one week and reason that a page shows; the file has all of them."""
_MOST = 10_000


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

        def read(opened: Store) -> list[Week]:
            with opened.reading() as connection:
                due = due_leads(connection, agreed, at, ends[1])
                found = with_history(connection, _first(due, ends))
            return _weeks(due, with_scores(found, model()), ends)

        values: dict[str, Any] = {"weeks": await store.use(read), "today": at.date()}
        return show(request, "recycled.html", **values)

    @app.get("/recycled/file", include_in_schema=False)
    async def file(request: Request) -> Response:
        """Give the list as CSV that is safe to open in a spreadsheet."""
        agreed, at = agreement(), now()
        until = _ends(at.date())[0 if request.query_params.get("week") == "this" else 1]

        def read(opened: Store) -> str:
            with opened.reading() as connection:
                due = due_leads(connection, agreed, at, until)[:_MOST]
                found: list[Recycled] = with_history(connection, due)
            return csv_text(COLUMNS, rows(with_scores(found, model())))

        told = {"Content-Disposition": f'attachment; filename="nurture-{until}.csv"'}
        text = await store.use(read)
        return Response(text, headers=HEADERS | told, media_type="text/csv; charset=utf-8")


def _ends(today: date) -> tuple[date, date]:
    """Return the Sundays with which this week and the next one end."""
    sunday = today + timedelta(days=6 - today.weekday())
    return sunday, sunday + timedelta(days=7)


def _place(lead: Due | RecycledReply, ends: tuple[date, date]) -> tuple[int, str]:
    """Return where a lead stands: 0 from before this week, 1 this week, 2 the next; and why."""
    return sum(lead.due > end for end in (ends[0] - timedelta(days=7), *ends[:1])), lead.code


def _first(due: Sequence[Due], ends: tuple[date, date]) -> list[Due]:
    """Return the leads that are shown: the first of each week and reason."""
    seen: dict[tuple[int, str], int] = {}
    kept = []
    for lead in due:
        place = _place(lead, ends)
        seen[place] = seen.get(place, 0) + 1
        if seen[place] <= _SHOWN:
            kept.append(lead)
    return kept


def _weeks(
    due: Sequence[Due], leads: Sequence[RecycledReply], ends: tuple[date, date]
) -> list[Week]:
    weeks = []
    until = (ends[0] - timedelta(days=7), *ends)
    for n, name in enumerate(("Waiting from before", "This week", "Next week")):
        parts = []
        for code, why in WHY.items():
            total = sum(_place(lead, ends) == (n, code) for lead in due)
            of_it = [lead for lead in leads if _place(lead, ends) == (n, code)]
            if total:
                parts.append(Part(why, total, of_it))
        weeks.append(Week(name, until[n], sum(part.total for part in parts), parts))
    return weeks
