"""The queue: whom sales calls today, why, and one click to say what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from features.leads import Fault
from features.sections import DISPOSITIONS, STEPS
from features.store.answering import Answer, add_note, answer
from features.store.database import Store
from features.store.listed import Wanted, known_of, line_of
from features.store.said import MAX_REASON, Said
from features.store.texts import storable
from serving.pages.behind import Behind
from serving.pages.forms import inside, signed_fields_of
from serving.pages.render import session_of, show
from serving.worklist import Item, Part, items_of, part_of

_CHOICES = ("owner", "campaign", "grade")
_CODES = (*STEPS, *DISPOSITIONS)
MAY_ANSWER = ("sales", "admin")


def add_queue(app: FastAPI, behind: Behind) -> None:
    """Add the routes."""
    store, agreement, model, now = behind.store, behind.agreement, behind.model, behind.now

    @app.get("/queue", include_in_schema=False)
    async def queue(request: Request) -> Response:
        """Show a part of the worklist; what is chosen stands in the address."""
        asked = {name: storable(request.query_params.get(name, ""))[:500] for name in _CHOICES}
        page, at, scorer = _page(request.query_params.get("page")), now(), model()
        agreed = agreement()

        def read(opened: Store) -> Part:
            return part_of(opened, agreed, scorer, Wanted(**asked), page, at)

        part = await store.use(read)
        asked["campaign"] = part.choice.spelling(asked["campaign"])
        values: dict[str, Any] = {
            "part": part,
            "asked": asked,
            "at": at,
            "may_answer": session_of(request).may(MAY_ANSWER),
            "capacity": agreed.capacity.leads_per_day,
            "address": partial(_address, asked),
        }
        return show(request, "queue.html", **values)

    @app.post("/leads/{lead:path}/words", include_in_schema=False)
    async def say(lead: str, request: Request) -> Response:
        """Take what somebody says of a lead, unless another said something meanwhile."""
        fields, session, at = await signed_fields_of(request), session_of(request), now()
        said = said_of(storable(lead), fields, session.name, at)
        if isinstance(said, Fault):
            raise HTTPException(422, f"{said.field}: {said.reason}")
        seen, who = fields.get("seen", ""), session.caller.name
        agreed = agreement()

        def write(opened: Store) -> tuple[Answer | None, Item | None]:
            done = opened.write(lambda c: answer(c, said, agreed, seen, who, at))
            return done, None if done is None else _item_now(opened, done.key, at)

        found, item = await store.use(write)
        if found is None:
            raise HTTPException(404, "nothing is known of such a lead")
        if found.fault is not None:
            raise HTTPException(422, f"{found.fault.field}: {found.fault.reason}")
        if "hx-request" not in request.headers:
            if found.meanwhile:
                raise HTTPException(409, _told(found))
            return RedirectResponse(inside(fields.get("back") or _path_of(lead)), 303)
        values: dict[str, Any] = {"said": said, "found": found, "item": item, "at": at}
        values["back"] = inside(fields.get("back") or "/queue")
        status = 409 if found.meanwhile else 200
        counts = {} if found.meanwhile else {"HX-Trigger": "answered"}
        return show(request, "answered.html", status, counts, **values, may_answer=True)

    def _item_now(opened: Store, key: int, at: datetime) -> Item | None:
        with opened.reading() as connection:
            line = line_of(connection, key)
            if line is None:
                return None
            known = known_of(connection, [key], at)
        (item,) = items_of([line], known, [False], agreement(), model(), at)
        return item

    @app.post("/leads/{lead:path}/notes", include_in_schema=False)
    async def note(lead: str, request: Request) -> Response:
        """Take a note for the campaign that brought a lead."""
        fields, session, at = await signed_fields_of(request), session_of(request), now()
        text = storable(fields.get("text", ""))
        if not text or len(text) > MAX_REASON:
            raise HTTPException(422, f"say something, in at most {MAX_REASON:,} characters")
        who = (session.name, session.caller.name)
        id_ = storable(lead)
        is_known = await store.use(
            lambda opened: opened.write(lambda c: add_note(c, id_, text, *who, at))
        )
        if not is_known:
            raise HTTPException(404, "nothing is known of such a lead")
        if "hx-request" not in request.headers:
            return RedirectResponse(_path_of(lead), 303)
        return show(request, "noted.html")


def said_of(lead: str, fields: Mapping[str, str], by: str, at: datetime) -> Said | Fault:
    """Read what a form says of a lead."""
    code = fields.get("code", "")
    if code not in _CODES:
        return Fault("code", None, f"say one of {', '.join(_CODES)}")
    value = fields.get("value")
    try:
        worth = None if value is None else float(value)
    except ValueError:
        return Fault("value", None, "is no number; write it as 1234.50")
    returns = fields.get("return_on")
    try:
        back = None if returns is None else date.fromisoformat(returns)
    except ValueError:
        return Fault("return_on", None, "is no day; write it as 2026-12-31")
    if code in ("not_ready", "in_contract") and back is None:
        return Fault("return_on", None, f"{code.replace('_', ' ')} needs the day to come back")
    if code == "won" and worth is None:
        return Fault("value", None, "won needs what it is worth")
    return Said(lead, code, at, by, worth, storable(fields.get("reason", "")) or None, back)


def _path_of(lead: str) -> str:
    return f"/leads/{quote(lead, safe='')}"


def _page(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 7 else 1


def _address(asked: Mapping[str, str], **changed: Any) -> str:
    """Return the address of the list as it is chosen, with some of it changed."""
    query = {name: str(value) for name, value in {**asked, **changed}.items() if value}
    return f"/queue?{urlencode(query)}" if query else "/queue"


def _told(found: Answer) -> str:
    last = found.meanwhile[-1]
    return f"{last.by or 'somebody'} said {last.what} meanwhile; nothing of yours was written"
