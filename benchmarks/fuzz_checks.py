"""What schemathesis demands of every reply beside what OpenAPI says of it."""

from __future__ import annotations

import json
from typing import Any

import schemathesis

_SECURE = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


@schemathesis.check
def has_an_id_and_is_not_cached(ctx: Any, response: schemathesis.Response, case: Any) -> None:
    """Every reply can be found in the log and stays out of caches."""
    assert response.headers.get("x-request-id"), "the reply has no request id"
    for name, value in _SECURE.items():
        assert response.headers.get(name) == [value], f"{name} is not {value}"


@schemathesis.check
def problems_say_what_is_wrong(ctx: Any, response: schemathesis.Response, case: Any) -> None:
    """Every refusal is a problem document (RFC 9457) whose detail is a sentence."""
    if response.status_code < 400 or case.method == "HEAD":
        return
    assert response.headers["content-type"] == ["application/problem+json"]
    told = json.loads(response.content)
    assert told["status"] == response.status_code
    assert len(told["detail"]) > 10, "the detail says nothing"


@schemathesis.check
def is_strict_json(ctx: Any, response: schemathesis.Response, case: Any) -> None:
    """No reply holds NaN, Infinity or half a character, which other readers refuse."""
    if "json" in "".join(response.headers.get("content-type", [])) and case.method != "HEAD":
        json.loads(response.content.decode("utf-8"), parse_constant=_refuse)


def _refuse(word: str) -> None:
    raise AssertionError(f"the reply holds {word}")
