"""Which door a request knocks at: the route's name, its methods, and who may use it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from features.store.api_keys import Scope

_SALES: tuple[Scope, ...] = ("sales", "admin", "read")
_SELLING: tuple[Scope, ...] = ("sales", "admin")
_MARKETING: tuple[Scope, ...] = ("marketing", "admin", "read")
_MEETING: tuple[Scope, ...] = ("sales", "marketing", "admin")
_BOTH: tuple[Scope, ...] = ("sales", "marketing", "admin", "read")

Named = tuple[str, str]
"""A method and a path, with names in braces for what is open in it."""

# Every route stands here: one that is not listed cannot be built, so none is open by mistake.
SCOPES: Mapping[Named, Scope | None] = {
    ("POST", "/v1/score"): "score",
    ("POST", "/v1/handoffs"): "feedback",
    ("POST", "/v1/feedback"): "feedback",
    ("POST", "/v1/spend"): "feedback",
    ("GET", "/v1/campaigns"): "read",
    ("GET", "/v1/recycled"): "read",
    ("GET", "/v1/leads/{lead:path}/history"): "read",
    ("DELETE", "/v1/leads/{lead:path}"): "admin",
    ("GET", "/v1/report"): "read",
    ("GET", "/v1/model"): "read",
    ("GET", "/metrics"): "read",
    ("GET", "/docs"): "read",
    ("GET", "/openapi.json"): "read",
    ("GET", "/healthz"): None,
    ("GET", "/readyz"): None,
}
SCORE, HEALTH, READY = "/v1/score", "/healthz", "/readyz"
"""Routes that the shell answers without the app."""
ALONE = (SCORE, HEALTH, READY, "/v1/model", "/metrics", "/docs", "/openapi.json")
"""Routes that need no store."""
# The same for pages: who is signed in needs one of these scopes, none means that all may come.
PAGES: Mapping[Named, tuple[Scope, ...]] = {
    ("GET", "/"): _BOTH,
    ("GET", "/static/{name}"): (),
    ("GET", "/sign-in"): (),
    ("POST", "/sign-in"): (),
    ("GET", "/sign-in/once"): (),
    ("POST", "/sign-in/once"): (),
    ("POST", "/sign-out"): _BOTH,
    ("GET", "/queue"): _SALES,
    ("GET", "/model"): _BOTH,
    ("GET", "/agreement"): _BOTH,
    ("GET", "/agreement/proposal"): _BOTH,
    ("GET", "/agreement/proposal/file"): _BOTH,
    ("GET", "/campaigns"): _MARKETING,
    ("GET", "/campaigns/what-if"): _MARKETING,
    ("GET", "/campaigns/file"): _MARKETING,
    ("GET", "/recycled"): _BOTH,
    ("GET", "/recycled/file"): _BOTH,
    ("GET", "/alignment"): _BOTH,
    ("GET", "/alignment/file"): _BOTH,
    ("POST", "/alignment/decisions"): _MEETING,
    ("POST", "/alignment/decisions/{key}/done"): _MEETING,
    ("POST", "/alignment/answers"): _MEETING,
    ("GET", "/leads/{lead:path}"): _BOTH,
    ("POST", "/leads/{lead:path}/words"): _SELLING,
    ("POST", "/leads/{lead:path}/notes"): _SELLING,
}


@dataclass(frozen=True)
class Door:
    """One method of one route."""

    method: str
    route: str
    """The path as the documentation names it; in metrics and logs it stands for all leads."""
    scope: Scope | None
    """What a key must be for; None: open to all."""
    takes_body: bool
    page: tuple[Scope, ...] | None = None
    """Of a page: the scopes of which who is signed in needs one; none: open to all."""

    @property
    def is_page(self) -> bool:
        """Whether it is for browsers."""
        return self.page is not None

    @property
    def keeps(self) -> bool:
        """Whether what is sent to it is kept."""
        return self.takes_body and self.route != "/sign-out"


class Doors:
    """Doors of the service, found by method and path.

    They are made from the tables above alone: a request finds its door before the app that
    answers it is there.
    """

    def __init__(self, named: Collection[Named]) -> None:
        """Make the doors of some routes, in the order in which they are looked at.

        Raises:
            LookupError: when the tables do not say who may use a route.

        """
        self.named = frozenset(named)
        self._fixed: dict[Named, Door] = {}
        self._open: list[tuple[re.Pattern[str], Door]] = []
        self._allowed: dict[str, list[str]] = {}
        for method, path in named:
            self._add(method, path)

    def _add(self, method: str, path: str) -> None:
        named = (method, path)
        if named not in SCOPES and named not in PAGES:
            raise LookupError(f"{method} {path}: say in serving/doors.py who may use it")
        takes_body = method in ("POST", "PUT", "PATCH")
        door = Door(method, shown(path), SCOPES.get(named), takes_body, PAGES.get(named))
        if "{" in path:
            self._open.append((pattern_of(path), door))
        else:
            self._fixed[method, path] = door
            self._allowed.setdefault(path, []).append(method)

    def find(self, method: str, path: str) -> Door | None:
        """Return the door of a method and a path, or None where there is none."""
        door = self._fixed.get((method, path))
        if door is not None or path in self._allowed:
            return door
        matches = (door for at, door in self._open if door.method == method and at.match(path))
        return next(matches, None)

    def methods(self, path: str) -> list[str]:
        """Return the methods that a path has; empty where it leads nowhere."""
        found = self._allowed.get(path) or self._methods_of_the_first(path)
        if not found:
            return []
        return sorted({*found, *(["HEAD"] if "GET" in found else []), "OPTIONS"})

    def _methods_of_the_first(self, path: str) -> list[str]:
        """Return the methods of the first route that a path may mean: a lead's id takes any."""
        routes = [door.route for at, door in self._open if at.match(path)]
        return [door.method for _, door in self._open if door.route in routes[:1]]


def shown(path: str) -> str:
    """Return a path as the documentation writes it."""
    return path.replace(":path}", "}")


def pattern_of(path: str) -> re.Pattern[str]:
    """Return what paths match, as the app reads them: a name takes one part, or any (`:path`)."""
    parts = re.split(r"\{\w+(:path)?\}", path)
    texts = [re.escape(text) for text in parts[::2]]
    opens = [".*" if any_ else "[^/]+" for any_ in parts[1::2]]
    return re.compile("".join(map("".join, zip(texts, [*opens, "$"], strict=True))))
