"""The way in and out of the pages, and the files that they need."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from features.store.audit import audit
from features.store.database import Store
from features.store.replies import use_up
from features.store.sessions import end_session
from serving.pages.assets import asset
from serving.pages.behind import Behind
from serving.pages.forms import fields_of, inside, signed_fields_of
from serving.pages.render import HEADERS, places_of, session_of, show
from serving.pages.sessions import set_cookie

_KEPT = {"Cache-Control": "public, max-age=31536000, immutable"}


def add_entry(app: FastAPI, behind: Behind) -> None:
    """Add the routes."""
    store, sessions, now = behind.store, behind.sessions, behind.now

    @app.get("/", include_in_schema=False)
    async def start(request: Request) -> Response:
        """Lead to the first page that somebody may see."""
        places = places_of(session_of(request))
        if not places:
            raise HTTPException(403, "there is no page for this key yet")
        return _to(places[0].path)

    @app.get("/static/{name}", include_in_schema=False)
    async def static(name: str) -> Response:
        found = asset(name)
        if found is None:
            raise HTTPException(404, "there is no such file; load the page again")
        return Response(found.content, headers=HEADERS | _KEPT, media_type=found.kind)

    @app.get("/sign-in", include_in_schema=False)
    async def sign_in_page(request: Request) -> Response:
        if not sessions.has_keys:
            return _to("/")
        onward, is_lost = inside(request.query_params.get("next")), "sent" in request.query_params
        return show(request, "sign_in.html", next=onward, is_lost=is_lost)

    @app.post("/sign-in", include_in_schema=False)
    async def sign_in(request: Request) -> Response:
        """Exchange a key for a session."""
        fields = await fields_of(request)
        key, address = fields.get("key", ""), request.client.host if request.client else ""
        onward = inside(fields.get("next"))
        try:
            cookie = sessions.sign_in(key, address)
        except HTTPException as refused:
            words = _NOT_GOOD.get(refused.status_code, str(refused.detail))
            values = {"next": onward, "fault": words, "is_lost": False}
            return show(request, "sign_in.html", refused.status_code, refused.headers, **values)
        return await _let_in(request, cookie, onward)

    @app.get("/sign-in/once", include_in_schema=False)
    async def once(request: Request) -> Response:
        """Ask whether to sign in by an address that is good once.

        Opening it uses nothing up: programs that look through mail open addresses too.
        """
        if not sessions.has_keys:
            return _to("/")
        word = request.query_params.get("word", "")
        sessions.of_link(word)
        return show(request, "sign_in_once.html", word=word)

    @app.post("/sign-in/once", include_in_schema=False)
    async def sign_in_once(request: Request) -> Response:
        """Sign in by the word of such an address, and use it up."""
        fields = await fields_of(request)
        cookie, nonce = sessions.of_link(fields.get("word", ""))
        at = now()
        if not await store.use(lambda s: s.write(lambda c: use_up(c, f"sign-in {nonce}", at))):
            raise HTTPException(401, "this address has been used; ask for a new one, or use a key")
        return await _let_in(request, cookie, "/") if sessions.has_keys else _to("/")

    @app.post("/sign-out", include_in_schema=False)
    async def sign_out(request: Request) -> Response:
        await signed_fields_of(request)
        session, at = session_of(request), now()
        token, who = session.token, session.caller.name
        await store.use(lambda s: s.write(lambda c: end_session(c, token, who, at)))
        sessions.end(session, at)
        return _to("/sign-in", {"Set-Cookie": set_cookie("", request.headers)})

    async def _let_in(request: Request, cookie: str, onward: str) -> Response:
        who, at = cookie.partition(".")[0], now()

        def note(opened: Store) -> None:
            opened.write(lambda c: audit(c, "sign in", "the pages", who, at))

        await store.use(note)
        return _to(onward, {"Set-Cookie": set_cookie(cookie, request.headers)})


_NOT_GOOD = {
    401: "This key is not known, or its time is over. Look for a slip, or ask for a new one.",
    403: "This key opens no pages; ask for one with the scope sales, marketing, admin or read.",
}


def _to(path: str, headers: dict[str, str] | None = None) -> Response:
    return RedirectResponse(path, 303, headers)
