"""The page of a lead: one record that both sides see."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import Response

from features.store.history import PastScore
from features.store.texts import storable
from serving.charts import Line, Plot
from serving.pages.behind import Behind
from serving.pages.queue import MAY_ANSWER
from serving.pages.render import percent, session_of, show
from serving.record import Load, record_of


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
            chart=_chart(record.scores) if len(record.scores) > 1 else None,
        )


def _chart(scores: Sequence[PastScore]) -> Plot:
    chances = [score.probability for score in scores]
    days = [(score.at - scores[0].at) / timedelta(days=1) for score in scores]
    says = f"From {percent(chances[0])} to {percent(chances[-1])} within {days[-1]:.0f} days."
    line = Line("probability", days, chances)
    since = f"days since {scores[0].at:%Y-%m-%d}"
    return Plot("Score over time", says, since, "probability", (line,), x_percent=False)
