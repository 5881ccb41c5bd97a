"""Campaigns: what each brings and costs, whose budget matters, and what if money moved."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import Response

from features.errors import UsageError
from features.spreadsheet import csv_text
from features.store.database import Store
from features.store.texts import storable
from serving.campaign_desk import DAYS, fault_of_by
from serving.campaign_figures import Campaign, Campaigns
from serving.campaign_lines import COLUMNS, rows
from serving.charts import bar
from serving.moves import WhatIf, what_if
from serving.outlook import Range
from serving.pages.behind import Behind
from serving.pages.render import HEADERS, show

_CHOICES = (30, 90, 180, 365)
_SHOWN = 60
"""Campaigns at most on one page; the file has all of them."""
_FEW = 20
"""Campaigns of which all are shown, however small."""
_FEWEST = 10
"""Leads of a campaign without a cost that is shown among more of them."""
_SLIDERS = 12
_MOST_PERCENT = 300
_ORDERS: dict[str, Callable[[Campaign], float | None]] = {
    "leads": lambda c: c.leads,
    "wins": lambda c: c.wins.value if c.wins else None,
    "won": lambda c: c.won,
    "cost": lambda c: c.cost,
    "accepted": lambda c: c.acceptance.value if c.acceptance else None,
    "trend": lambda c: c.trend.change.value if c.trend.change else None,
}
"""By what else the list can stand, the most first; else those stand first whose budget matters."""


def add_campaigns_page(app: FastAPI, behind: Behind) -> None:
    """Add the routes."""
    store, agreement, model, now = behind.store, behind.agreement, behind.model, behind.now

    async def figures_of(request: Request) -> Campaigns:
        """Read the figures that the address asks for."""
        agreed, at, asked = agreement(), now(), request.query_params
        days, by = _days(asked.get("days")), storable(asked.get("by", "campaign"))
        if fault := fault_of_by(by, agreed):
            raise HTTPException(404, fault)

        def read(opened: Store) -> Campaigns:
            return behind.campaigns.figures(opened, agreed, model(), at, days, by)

        return await store.use(read)

    @app.get("/campaigns", include_in_schema=False)
    async def campaigns(request: Request) -> Response:
        """Show what campaigns bring; sliders that are sent say what if money moved."""
        figures = await figures_of(request)
        percents, order = _percents(request), request.query_params.get("order", "")
        order = order if order in _ORDERS else ""
        asked = {"days": figures.days, "by": figures.by}
        priced = [c for c in figures.campaigns if c.gain is not None][:_SLIDERS]
        values: dict[str, Any] = {
            "figures": figures,
            "shown": _shown(figures, order),
            "order": order,
            "choices": sorted({*_CHOICES, figures.days}),
            "fields": _fields(behind),
            "address": urlencode(asked | ({"order": order} if order else {})),
            "ordered": lambda by: f"/campaigns?{urlencode(asked | ({'order': by} if by else {}))}",
            "bar": _bars(figures),
            "priced": priced,
            "percents": percents,
            "found": _what_if(figures, percents),
        }
        return show(request, "campaigns.html", **values)

    @app.get("/campaigns/what-if", include_in_schema=False)
    async def moved(request: Request) -> Response:
        """Give the answer to the sliders alone."""
        figures = await figures_of(request)
        return show(request, "what_if.html", found=_what_if(figures, _percents(request)))

    @app.get("/campaigns/file", include_in_schema=False)
    async def file(request: Request) -> Response:
        """Give the figures as CSV that is safe to open in a spreadsheet."""
        figures = await figures_of(request)
        text = csv_text(COLUMNS, rows(figures))
        name = f"campaigns-{figures.as_of:%Y-%m-%d}.csv"
        told = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(text, headers=HEADERS | told, media_type="text/csv; charset=utf-8")


def _shown(figures: Campaigns, order: str) -> list[Campaign]:
    """Return those that a page has room for; the smallest without a cost stand in the file."""
    found = list(figures.campaigns)
    if len(found) > _FEW:
        found = [c for c in found if c.cost is not None or c.leads >= _FEWEST] or found
    if (by := _ORDERS.get(order)) is not None:
        found.sort(key=lambda c: -math.inf if (figure := by(c)) is None else figure, reverse=True)
    return found[:_SHOWN]


def _days(text: str | None) -> int:
    days = int(text) if text and text.isascii() and text.isdecimal() and len(text) < 5 else DAYS
    return min(max(days, 1), 3650)


def _fields(behind: Behind) -> list[str]:
    used = behind.agreement().used_fields().items()
    names = [name for name, use in used if use.kind == "category"]
    return ["campaign", "source", *(name for name in names if name not in ("campaign", "source"))]


def _percents(request: Request) -> dict[str, int]:
    """Read the sliders: the spend on each campaign as a percentage of what it was."""
    asked = request.query_params
    pairs = zip(asked.getlist("campaign"), asked.getlist("percent"), strict=False)
    return {
        storable(name): min(int(text), _MOST_PERCENT)
        for name, text in pairs
        if text.isascii() and text.isdecimal() and len(text) < 5
    }


def _what_if(figures: Campaigns, percents: dict[str, int]) -> WhatIf:
    cost = {c.name: c.cost for c in figures.campaigns if c.gain is not None and c.cost}
    spend = {n: cost[n] * p / 100 for n, p in percents.items() if n in cost and p != 100}
    try:
        return what_if(figures, spend)
    except UsageError as error:
        raise HTTPException(404, str(error)) from error


def _bars(figures: Campaigns) -> Any:
    most = max((c.wins.high for c in figures.campaigns[:_SHOWN] if c.wins), default=1.0)

    def drawn(campaign: Campaign) -> str:
        wins: Range | None = campaign.wins
        if wins is None:
            return ""
        says = f"{wins.value:.0f} wins to expect, {wins.low:.0f} to {wins.high:.0f}"
        return bar(wins.low, wins.value, wins.high, most, says)

    return drawn
