"""How the API describes itself: OpenAPI, true for every route, and one page made from it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from html import escape
from typing import Annotated, Any

from fastapi import FastAPI, Query
from fastapi.openapi.utils import get_openapi

from serving.artefact import LoadedModel
from serving.doors import HEALTH, READY, SCOPES, SCORE
from serving.inbound import ROUTES as SIGNED
from serving.problems import WITH_A_BODY, documented
from serving.replies import ScoreReply, Status, openapi_example
from serving.scoring import MOST_REASONS, REASONS

_LEAD = "$response.body#/results/0/id"
_STORY = {"operationId": "tell_history", "parameters": {"lead": _LEAD}}
_ERASURE = {"operationId": "erase_lead", "parameters": {"lead": _LEAD}}
_SAID = {"id": _LEAD, "code": "won", "at": "2026-03-05"}
_WORD = {"operationId": "feedback", "requestBody": _SAID}
_HANDED = {"id": _LEAD, "at": "2026-03-02"}
_HANDING = {"operationId": "handoffs", "requestBody": _HANDED}
# What may follow upon what: a lead is scored, handed over, worked, looked up, erased.
_FOLLOWS: dict[str, dict[str, Any]] = {
    SCORE: {"handOver": _HANDING, "say": _WORD, "lookUp": _STORY, "erase": _ERASURE},
    "/v1/handoffs": {"say": _WORD, "lookUp": _STORY, "erase": _ERASURE},
    "/v1/feedback": {"handOver": _HANDING, "lookUp": _STORY, "erase": _ERASURE},
}


def body_of(
    many: str, fields: Mapping[str, str], example: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Describe a body that holds one item or many.

    Of an item nothing is demanded here: one that is wrong is answered in its place, and never
    costs the others.

    Args:
        many: the name under which a list of items stands.
        fields: what an item may tell, with what it means.
        example: an item.

    """
    told = {name: {"description": meaning} for name, meaning in fields.items()}
    schema = {
        "type": "object",
        "description": f'Either {{"{many}": [...]}} or one of them: an object.',
        "properties": {many: {"type": "array", "items": {"properties": told}}, **told},
    }
    content: dict[str, Any] = {"schema": schema}
    if example is not None:
        content["example"] = {many: [example]}
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


def describe(app: FastAPI, model: Callable[[], LoadedModel | None], *, has_keys: bool) -> None:
    """Describe the routes that the shell answers, and show an example lead of the model.

    Args:
        app: the service with all its other routes.
        model: gives the one that scores, if there is one.
        has_keys: whether a key is asked for.

    """

    @app.post(
        SCORE,
        responses=documented(*WITH_A_BODY),
        openapi_extra=body_of("leads", {}),
        summary="Score one lead or many",
    )
    async def score(
        reasons: Annotated[
            int, Query(ge=0, le=MOST_REASONS, description="Reasons for each lead.")
        ] = REASONS,
    ) -> ScoreReply:
        """Return probability, grade and reasons of each lead, in the order of the input.

        Send `{"leads": [{...}, ...]}` or one bare lead. A lead that cannot be scored has `error`
        in its place; the others are scored all the same.
        """
        raise NotImplementedError(_BY_SHELL)

    @app.get(HEALTH, response_model_exclude_none=True, summary="Is the service alive?")
    async def healthz() -> Status:
        """Answer as long as the process runs."""
        raise NotImplementedError(_BY_SHELL)

    @app.get(
        READY, responses=documented(), response_model_exclude_none=True, summary="Can it score?"
    )
    async def readyz() -> Status:
        """Answer 200 once a verified model is loaded, and 503 with the reason until then.

        `detail` says why a newer champion does not score, where there is one. 503 is also
        answered where the routes beside scores cannot be built.
        """
        raise NotImplementedError(_BY_SHELL)

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = get_openapi(
                title=app.title, version=app.version, summary=app.summary, routes=app.routes
            )
            _say_what_follows(app.openapi_schema)
            if has_keys:
                _say_scopes(app.openapi_schema)
        body = app.openapi_schema["paths"][SCORE]["post"]["requestBody"]["content"]
        if (loaded := model()) is not None:
            # A synthetic lead, so that it can be pasted.
            body["application/json"]["example"] = {"leads": [openapi_example(loaded)]}
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # the way that FastAPI documents


def _say_what_follows(schema: dict[str, Any]) -> None:
    """Say of each route which others take the ids in its replies, where they are there."""
    known = {
        told["operationId"] for methods in schema["paths"].values() for told in methods.values()
    }
    for path, follows in _FOLLOWS.items():
        links = {name: link for name, link in follows.items() if link["operationId"] in known}
        if path in schema["paths"] and links:
            schema["paths"][path]["post"]["responses"]["200"]["links"] = links


def _say_scopes(schema: dict[str, Any]) -> None:
    """Say of each route which scope of a key it needs."""
    schema["components"]["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": _KEY},
        "signature": {
            "type": "apiKey",
            "in": "header",
            "name": "webhook-signature",
            "description": _SIGNED,
        },
    }
    for (method, path), scope in SCOPES.items():
        route = schema["paths"].get(path.replace(":path}", "}"), {})
        if scope is not None and method.lower() in route:
            ways: list[dict[str, list[str]]] = [{"key": [scope]}]
            route[method.lower()]["security"] = ways
            if path in SIGNED:
                ways.append({"signature": []})


def page_of(schema: dict[str, Any]) -> str:
    """Return the description as one HTML page without scripts, which a closed network can show."""
    operations = [
        _operation(method, path, told)
        for path, methods in schema["paths"].items()
        for method, told in methods.items()
    ]
    return _PAGE.format(
        title=escape(schema["info"]["title"]),
        summary=escape(schema["info"]["summary"]),
        operations="\n".join(operations),
    )


def _operation(method: str, path: str, told: dict[str, Any]) -> str:
    rows = [
        (p["name"], f"{p['in']}: {p.get('description', '')}") for p in told.get("parameters", ())
    ]
    replies = [(status, reply["description"]) for status, reply in told["responses"].items()]
    return _OPERATION.format(
        method=method.upper(),
        path=escape(path),
        summary=escape(told["summary"]),
        text=escape(told.get("description", "")),
        example=_example(told),
        parameters=_table(rows),
        replies=_table(replies),
    )


def _example(told: dict[str, Any]) -> str:
    content = told.get("requestBody", {}).get("content", {}).get("application/json", {})
    if "example" not in content:
        return ""
    return f"<pre>{escape(json.dumps(content['example'], ensure_ascii=False, indent=1))}</pre>"


def _table(rows: list[tuple[str, str]]) -> str:
    lines = [f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in rows]
    return f"<table>{''.join(lines)}</table>" if lines else ""


_BY_SHELL = "the shell answers this route"
_SIGNED = (
    "A message signed by Standard Webhooks in place of a key, with the headers webhook-id and "
    "webhook-timestamp; its secret is shown by leadq hooks inbound."
)
_KEY = "A key made by leadq keys new, with the scope that stands at the route."
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width">
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto }}
h2 {{ font-size: 1.1rem; margin-top: 2.5rem; border-top: 1px solid #ccc; padding-top: 1rem }}
code, pre {{ font: 14px/1.4 ui-monospace, monospace }}
pre {{ background: #f4f4f4; padding: .7rem; overflow-x: auto }}
p {{ white-space: pre-line }}
th {{ text-align: left; vertical-align: top; padding-right: 1rem; font-weight: normal }}
td, th {{ border-top: 1px solid #eee }}
</style></head><body>
<h1>{title}</h1>
<p>{summary} The same for programs: <a href="openapi.json">openapi.json</a></p>
{operations}
</body></html>
"""
_OPERATION = """<h2><code>{method} {path}</code> {summary}</h2>
<p>{text}</p>{example}{parameters}{replies}"""
