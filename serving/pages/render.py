"""Templates become answers: with the navigation of who looks, and headers that keep pages apart.

Jinja2 is imported with the first page, so that a worker scores before it.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse

from features.counted import counted
from serving.doors import PAGES
from serving.pages.assets import path_of
from serving.pages.sessions import Session
from serving.shown import ago, day, moment, money, percent, plain, signed, span

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'",
    "X-Frame-Options": "DENY",
    # Without it a browser would not say where a form comes from, which `need_same_host` asks for.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class Place(NamedTuple):
    """A page in the navigation."""

    path: str
    name: str


_PLACES = (
    Place("/queue", "Queue"),
    Place("/campaigns", "Campaigns"),
    Place("/recycled", "Recycled"),
    Place("/alignment", "Alignment"),
    Place("/agreement", "Agreement"),
    Place("/model", "Model"),
)


def places_of(session: Session | None) -> list[Place]:
    """Return the pages that somebody may see, in the order of the navigation."""
    if session is None:
        return []
    return [place for place in _PLACES if session.may(PAGES.get(("GET", place.path), ()))]


def session_of(request: Request) -> Session:
    """Return who looks at a page, as the check in front of the routes found out."""
    session: Session = request.state.session
    return session


def show(
    request: Request,
    template: str,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **values: Any,
) -> HTMLResponse:
    """Answer with a template, filled with values.

    A template has `session` (None before signing in), `places` and `here` (the path) beside them.
    """
    session = getattr(request.state, "session", None)
    here = request.url.path
    text = render(template, session=session, places=places_of(session), here=here, **values)
    return HTMLResponse(text, status, {**HEADERS, **(headers or {})})


def render(template: str, **values: Any) -> str:
    """Fill a template with values; whatever they hold is shown as text."""
    return _environment().get_template(template).render(**values)


def compile_ahead() -> threading.Thread:
    """Compile all templates in a thread, so that nobody's first page waits for it."""

    def compile_all() -> None:
        environment = _environment()
        for name in environment.list_templates():
            environment.get_template(name)

    thread = threading.Thread(target=compile_all, name="templates", daemon=True)
    thread.start()
    return thread


_REFUSED = {
    403: "Not with this key",
    404: "Nothing here",
    409: "Somebody was faster",
    422: "This cannot be taken",
    429: "Too much at once",
    503: "Not ready yet",
}
"""What people are told in place of HTTP's own phrases."""


def refusal(status: int, detail: str, is_part: bool, session: Session | None = None) -> str:
    """Return a refusal as a page, or as the part of one that htmx puts into its notice."""
    title = _REFUSED.get(status) or HTTPStatus(status).phrase
    name = "notice.html" if is_part else "refused.html"
    seen = {"session": session, "places": places_of(session), "here": ""}
    return render(name, **seen, title=title, detail=detail, status=status)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    from serving.adding import adding, moved_by
    from serving.charts import svg

    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"static": path_of, "svg": svg, "adding": adding, "moved_by": moved_by}
    made.filters |= {
        "percent": percent,
        "money": money,
        "day": day,
        "moment": moment,
        "ago": ago,
        "span": span,
        "plain": plain,
        "count": counted,
        "signed": signed,
        "in_path": lambda text: quote(text, safe=""),
    }
    return made
