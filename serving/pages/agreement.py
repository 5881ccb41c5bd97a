"""The agreement as a page, and what a change of it would have meant, before anybody signs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import Response

from features.agreement import Agreement
from features.errors import AgreementError
from features.sections import DISPOSITIONS
from serving.agreed import (
    GRADES,
    as_toml,
    in_words,
    past_scores,
    proposed,
    read_anew,
    signed,
    would,
)
from serving.pages.behind import Behind
from serving.pages.render import HEADERS, show

_OUTCOME = "means "
"""Begins the name of a field that says what an outcome of the CRM means."""


def add_agreement(app: FastAPI, behind: Behind) -> None:
    """Add the routes."""
    store, agreement, now = behind.store, behind.agreement, behind.now

    @app.get("/agreement", include_in_schema=False)
    async def page(request: Request) -> Response:
        """Show what both sides agreed on, who signed it, and what changed."""
        agreed = agreement()
        found = await store.use(signed)
        return show(request, "agreement.html", agreed=agreed, sections=in_words(agreed, found))

    @app.get("/agreement/proposal", include_in_schema=False)
    async def proposal(request: Request) -> Response:
        """Show what a change would have meant; what is proposed stands in the address."""
        agreed, fault = agreement(), ""
        proposal = agreed
        try:
            proposal = _proposed(agreed, request.query_params)
        except AgreementError as error:
            fault = str(error)
        scored = await store.use(lambda opened: past_scores(opened, agreed, now()))
        anew, unknown = read_anew(scored.leads, agreed, proposal)
        values: dict[str, Any] = {
            "agreed": agreed,
            "proposal": proposal,
            "fault": fault,
            "typed": request.query_params,
            "grades": GRADES,
            "dispositions": DISPOSITIONS,
            "outcomes": dict(proposal.raw_outcomes()),
            "outcome": _OUTCOME,
            "now_": would(agreed, scored.leads),
            "then": would(proposal, anew),
            "unknown": unknown,
            "scored": scored,
            "is_changed": bool(request.url.query),
            "file": f"/agreement/proposal/file?{request.url.query}",
        }
        return show(request, "proposal.html", 422 if fault else 200, **values)

    @app.get("/agreement/proposal/file", include_in_schema=False)
    async def file(request: Request) -> Response:
        """Give the proposal as a file; the agreement that holds is not touched."""
        try:
            text = as_toml(_proposed(agreement(), request.query_params))
        except AgreementError as error:
            raise HTTPException(422, str(error)) from error
        name = {"Content-Disposition": 'attachment; filename="agreement.toml"'}
        return Response(text, headers=HEADERS | name, media_type="application/toml")


def _proposed(agreed: Agreement, asked: Mapping[str, str]) -> Agreement:
    """Return the agreement that a form proposes; what it leaves out stays as it is."""
    changes: dict[str, dict[str, Any]] = {}
    for grade in GRADES[:-1]:
        if text := asked.get(grade):
            changes.setdefault("grades", {})[grade] = _share(grade, text)
    _need_order(agreed.grades.model_dump() | changes.get("grades", {}))
    if text := asked.get("mql"):
        changes.setdefault("bar", {})["mql_probability"] = _share("the MQL", text)
    if text := asked.get("handoff"):
        changes.setdefault("bar", {})["handoff_grade"] = text
    if text := asked.get("capacity"):
        if not (text.isdecimal() and len(text) < 7 and int(text)):
            raise AgreementError(f"the calls of a day: {text[:20]!r} is no whole number from 1 on")
        changes["capacity"] = {"leads_per_day": int(text)}
    meanings = dict(agreed.raw_outcomes())
    moved = {raw: asked.get(_OUTCOME + raw, code) for raw, code in meanings.items()}
    if moved != meanings:
        if "won" not in moved.values():
            raise AgreementError("no word of the CRM would mean won; leave at least one")
        changes["outcomes"] = {
            code: [raw for raw, now in moved.items() if now == code] for code in DISPOSITIONS
        }
    return proposed(agreed, changes)


def _need_order(bounds: Mapping[str, float]) -> None:
    if not bounds["A"] > bounds["B"] > bounds["C"]:
        told = ", ".join(f"{grade} {100 * bound:g}%" for grade, bound in bounds.items())
        raise AgreementError(f"A must begin above B, and B above C; here {told}")


def _share(what: str, text: str) -> float:
    """Read per cent as a share."""
    try:
        share = float(text.replace(",", ".")) / 100
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise AgreementError(f"{what}: {text[:20]!r} is no number of per cent from 0 to 100")
    return round(share, 6)
