"""The page of a lead: one record that both sides see."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import Response

from features.counted import counted
from features.store.history import PastScore
from features.store.texts import storable
from serving.charts import Line, Plot
from serving.pages.behind import Behind
from serving.pages.queue import MAY_ANSWER
from serving.pages.render import session_of, show
from serving.record import Load, record_of
from serving.shown import day, percent


def add_lead(app: FastAPI, behind: Behind, load: Load) -> None:
    """Add the route; `load` gives older models, which explain older scores."""

    @app.get("/leads/{lead:path}", include_in_schema=False)
    async def show_lead(lead: str, request: Request) -> Response:
        agreed, model, at = behind.agreement(), behind.model(), behind.now()
        id_ = storable(lead)
        record = await behind.store.use(lambda s: record_of(s, id_, agreed, model, load, at))
        if record is None:
            raise HTTPException(404, "nothing is known of such a lead; hand it over first")
        return show(
            request,
            "lead.html",
            record=record,
            at=at,
            may_answer=session_of(request).may(MAY_ANSWER),
            chart=_chart(record.scores, at) if len(record.scores) > 1 else None,
        )


def _chart(scores: Sequence[PastScore], now: datetime) -> Plot:
    """Draw each score as it held until the next one came."""
    chances = [score.probability for score in scores]
    moments = [*(score.at for score in scores), max(now, scores[-1].at)]
    days = [(moment - scores[0].at) / timedelta(days=1) for moment in moments]
    within = counted(round(days[-2]), "day")
    says = f"From {percent(chances[0])} to {percent(chances[-1])} within {within}."
    ends = [each for end in days for each in (end, end)][1:-1]
    line = Line("probability", ends, [each for chance in chances for each in (chance, chance)])
    since = f"days since {day(scores[0].at)}"
    return Plot("Score over time", says, since, "probability", (line,), x_percent=False)
