"""The alignment report as a page, with what both heads write down when they meet."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from features.errors import UsageError
from features.store.agreements import SIDES, Side
from features.store.database import Store
from features.store.meetings import MARKS, answer, decide, mark_done
from serving.alignment.files import content
from serving.alignment.period import Period, asked_for
from serving.alignment.report import QUESTIONS, Report, Reports
from serving.alignment.told import facts, sections, title
from serving.pages.behind import Behind
from serving.pages.forms import inside, signed_fields_of
from serving.pages.render import HEADERS, session_of, show
from serving.pages.sessions import Session

_MEDIA = {".html": "text/html; charset=utf-8", ".pdf": "application/pdf"}
_INSTANT = timedelta(microseconds=1)
MAY_DECIDE = ("sales", "marketing", "admin")


def add_alignment(app: FastAPI, behind: Behind) -> None:
    """Add the routes."""
    store, agreement, now = behind.store, behind.agreement, behind.now
    reports = Reports()

    async def reported(request: Request) -> Report:
        """Read the report that the address asks for."""
        agreed, at, asked = agreement(), now(), request.query_params

        def read(opened: Store) -> Report:
            period = asked_for(asked.get("week"), asked.get("month"), at)
            return reports.report(opened, agreed, period, at)

        try:
            return await store.use(read)
        except UsageError as error:
            raise HTTPException(404, str(error)) from error

    @app.get("/alignment", include_in_schema=False)
    async def alignment(request: Request) -> Response:
        """Show the report of a week or a month; of neither: of the last whole week."""
        report, session, at = await reported(request), session_of(request), now()
        whole = (*report.missed_decisions, *report.decisions)
        values: dict[str, Any] = {
            "report": report,
            "at": at,
            "title": title(report),
            "small_print": facts(report),
            "sections": sections(report),
            "address": address,
            "file": lambda kind: f"/alignment/file?{_asks(report.period)}&kind={kind}",
            "other": _other(report),
            "may_decide": session.may(MAY_DECIDE),
            "open_decisions": [d for d in whole if d.done_at is None],
            "sides": sides_of(session),
            "questions": QUESTIONS,
            "marks": MARKS,
            "week": Period.week_of(report.as_of - _INSTANT).name,
        }
        return show(request, "alignment.html", **values)

    @app.get("/alignment/file", include_in_schema=False)
    async def file(request: Request) -> Response:
        """Give the report as a file to keep."""
        report = await reported(request)
        kind = f".{request.query_params.get('kind', 'html')}"
        if kind not in _MEDIA:
            raise HTTPException(404, f"there is no such file; kinds are {', '.join(_MEDIA)}")
        name = f"alignment-{report.period.name}{kind}"
        written = await store.use(lambda _: content(report, kind))
        disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(written, headers=HEADERS | disposition, media_type=_MEDIA[kind])

    @app.post("/alignment/decisions", include_in_schema=False)
    async def decided(request: Request) -> Response:
        """Write down what was decided."""
        fields, session, at = await signed_fields_of(request), session_of(request), now()

        def write(opened: Store) -> None:
            told = (fields.get("text", ""), fields.get("owner", ""), _day(fields.get("due", "")))
            what = (*told, fields.get("consequence", ""))
            opened.write(lambda c: decide(c, *what, session.name, session.caller.name, at))

        return await _written(write, fields.get("back"))

    @app.post("/alignment/decisions/{key}/done", include_in_schema=False)
    async def done(key: int, request: Request) -> Response:
        """Write down that a decision is carried out."""
        fields, session, at = await signed_fields_of(request), session_of(request), now()
        who = session.caller.name
        return await _written(
            lambda opened: opened.write(lambda c: mark_done(c, key, who, at)), fields.get("back")
        )

    @app.post("/alignment/answers", include_in_schema=False)
    async def answered(request: Request) -> Response:
        """Take how a side says that a week goes."""
        fields, session, at = await signed_fields_of(request), session_of(request), now()
        side = next((s for s in sides_of(session) if s == fields.get("side")), None)
        if side is None:
            raise HTTPException(403, "each side answers for itself; sign in by a key of that side")

        def write(opened: Store) -> None:
            week = asked_for(fields.get("week", ""), None, at).name
            mark, comment = _number(fields.get("mark", "")), fields.get("comment", "")
            who = (session.name, session.caller.name)
            opened.write(lambda c: answer(c, week, side, mark, comment, *who, at))

        return await _written(write, fields.get("back"))

    async def _written(write: Any, back: str | None) -> Response:
        try:
            await store.use(write)
        except UsageError as error:
            raise HTTPException(422, str(error)) from error
        return RedirectResponse(inside(back or "/alignment"), 303)


def sides_of(session: Session) -> list[Side]:
    """Return the sides for which somebody may answer."""
    return [side for side in SIDES if session.may((side, "admin"))]


def address(period: Period) -> str:
    """Return the address of a period's report."""
    return f"/alignment?{_asks(period)}"


def _asks(period: Period) -> str:
    return urlencode({"week" if period.is_week else "month": period.name})


def _other(report: Report) -> Period:
    """Return the month of a week, or the last week of a month."""
    last = report.as_of - _INSTANT
    return Period.named(f"{last:%Y-%m}") if report.period.is_week else Period.week_of(last)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError("say by which day it will be done") from None


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 3 else 0
