"""Campaign figures read from the store, and over REST.

Counting 100,000 leads takes the database a fraction of a second, so the counts of leads are kept
for some seconds, and for longer where nothing has happened since. Costs and notes are always read.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, TypeVar

from fastapi import FastAPI, HTTPException, Query

from features.agreement import Agreement
from features.store.campaigns import (
    LeadGroup,
    Reason,
    costs,
    lead_groups,
    newest,
    notes,
    reasons_of,
)
from features.store.database import Store
from serving.artefact import LoadedModel
from serving.campaign_figures import Campaigns
from serving.campaign_names import Told
from serving.campaigns import Lens, Stretch, study
from serving.problems import documented
from serving.stored import OpenedStore

T = TypeVar("T")

DAYS = 180
"""How far back leads are counted, where nothing else is asked for."""
MOST_DAYS = 3650
_FRESH = timedelta(seconds=10)
"""Counts of leads are not counted anew before."""
_STALE = timedelta(hours=1)
"""After which they are in any case: leads grow older."""
_KEPT = 8
"""Choices of days and names whose counts are kept."""


@dataclass(frozen=True, eq=False)
class _Kept:
    """Counts as they were at a moment; equal to itself alone."""

    at: datetime
    newest: tuple[Any, ...]
    stretch: Stretch
    groups: list[LeadGroup]
    reasons: list[Reason]


class CampaignDesk:
    """Reads campaign figures; safe to share between threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[Any, ...], _Kept] = OrderedDict()
        self._studied: OrderedDict[tuple[Any, ...], tuple[Any, Campaigns]] = OrderedDict()
        self._lock = threading.Lock()

    def figures(
        self,
        store: Store,
        agreement: Agreement,
        model: LoadedModel | None,
        now: datetime,
        days: int = DAYS,
        by: str = "campaign",
    ) -> Campaigns:
        """Return the figures of the leads created within some days.

        Args:
            store: where leads are kept.
            agreement: whose horizon holds.
            model: says when wins come and how far sums may be off.
            now: leads and words from this moment on are not seen.
            days: how far to look back.
            by: campaign, source, or a field; see `fault_of_by`.

        """
        asked = (days, by, agreement.horizon_days)
        with store.reading() as connection:
            kept = self._counted(connection, asked, now)
            stretch = kept.stretch
            told = Told(kept.groups, kept.reasons, (), ())
            if by == "campaign":
                told = told._replace(
                    costs=costs(connection, stretch.since.date(), now.date()),
                    notes=notes(connection, stretch.since, now),
                )
        lens = Lens.of(model, by)
        seen = (kept, told.costs, told.notes, lens.version)
        with self._lock:
            before, figures = self._studied.get(asked, (None, None))
        if figures is None or before != seen:
            figures = study(told, stretch, lens)
            self._keep(self._studied, asked, (seen, figures))
        return figures

    def _counted(self, connection: Any, asked: tuple[int, str, int], now: datetime) -> _Kept:
        with self._lock:
            kept = self._kept.get(asked)
        if kept is not None and kept.at <= now < kept.at + _FRESH:
            return kept
        mark = newest(connection)
        if kept is None or kept.newest != mark or not kept.at <= now < kept.at + _STALE:
            days, by, horizon_days = asked
            stretch = Stretch(now - timedelta(days=days), now, horizon_days, by)
            groups = lead_groups(connection, stretch.since, now, horizon_days, by)
            by_name = by in ("campaign", "source")
            reasons = reasons_of(connection, stretch.since, now, by) if by_name else []
            kept = _Kept(now, mark, stretch, groups, reasons)
            self._keep(self._kept, asked, kept)
        return kept

    def _keep(self, kept: OrderedDict[tuple[Any, ...], T], asked: tuple[Any, ...], one: T) -> None:
        with self._lock:
            kept[asked] = one
            kept.move_to_end(asked)
            while len(kept) > _KEPT:
                kept.popitem(last=False)


def fault_of_by(by: str, agreement: Agreement) -> str | None:
    """Return why leads cannot be grouped by a name, with the cure, or None.

    Only fields of few values that the agreement lets predict: no person is ever named.
    """
    fields = [name for name, use in agreement.used_fields().items() if use.kind == "category"]
    if by in ("campaign", "source", *fields):
        return None
    return f"by: {by[:50]!r} is none of campaign, source, {', '.join(fields) or 'and no field'}"


def add_campaigns(
    app: FastAPI,
    store: OpenedStore,
    agreement: Callable[[], Agreement],
    model: Callable[[], LoadedModel | None],
    desk: CampaignDesk,
    now: Callable[[], datetime],
) -> None:
    """Add the route.

    Args:
        app: the service.
        store: where leads are kept.
        agreement: gives the one whose horizon holds.
        model: gives the one that scores, if there is one.
        desk: shared with the pages.
        now: gives this moment (UTC).

    """

    @app.get(
        "/v1/campaigns",
        responses=documented(
            _404="Leads cannot be counted by such a name.",
            _422="A parameter does not have the form that is asked for.",
        ),
        summary="What do campaigns bring?",
    )
    async def campaigns(
        days: Annotated[
            int, Query(ge=1, le=MOST_DAYS, description="Leads created within so many days.")
        ] = DAYS,
        by: Annotated[
            str, Query(max_length=200, description="campaign, source, or a field of few values.")
        ] = "campaign",
    ) -> Campaigns:
        """Tell leads, grades, wins to expect with 90 % intervals, costs, and what sales says.

        Those first whose budget matters most. Counts of leads may be ten seconds old.
        """
        agreed, at = agreement(), now()
        if fault := fault_of_by(by, agreed):
            raise HTTPException(404, fault)
        return await store.use(lambda opened: desk.figures(opened, agreed, model(), at, days, by))
