"""How the champion stands: since when it scores, what it was trained on, whether it grew old."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from features.agreement import Agreement
from features.store.database import Store
from features.store.health import decided_by
from features.store.promotions import Champion, champion_since
from features.store.scores import recent_scores
from serving.artefact import LoadedModel
from serving.watch import score_bands, scores_moved
from training.due import Due, due, trained_as_of

_RECENT = timedelta(days=30)
_MOST = 20_000
"""Scores of which the newest are looked at."""


@dataclass(frozen=True)
class Standing:
    """What `leadq status` says of the champion."""

    version: str
    agreement: str
    since: datetime | None
    """When it became champion, as far as the store knows."""
    trained_as_of: datetime | None
    """The moment up to which outcomes were known to it; None where leads have no times."""
    from_store: bool
    """Whether it was trained from the store, and so on feedback too."""
    by_sales: int
    """Leads that were decided by then by words of sales."""
    by_exports: int
    caution: str
    due: Due
    score_psi: float | None = None
    """By how much the scores of the last 30 days moved against the training; None: too few."""


def standing_of(
    store: Store, champion: LoadedModel, agreement: Agreement, now: datetime
) -> Standing:
    """Look at the champion from the store."""
    trained = trained_as_of(champion)
    with store.reading() as connection:
        since = champion_since(connection, Champion(champion.version, champion.digest))
        # The last outcome that it knew counts too.
        until = trained + timedelta.resolution if trained else now
        by_sales, by_exports = decided_by(connection, until)
    facts = champion.artefact.facts
    return Standing(
        version=champion.version,
        agreement=champion.artefact.scorer.agreement.label,
        since=since,
        trained_as_of=trained,
        from_store=bool(facts.get("from_store")),
        by_sales=by_sales,
        by_exports=by_exports,
        caution=facts.get("caution", ""),
        due=due(store, agreement, champion, now),
        score_psi=_scores_moved(store, champion, now),
    )


def _scores_moved(store: Store, champion: LoadedModel, now: datetime) -> float | None:
    bands = score_bands(champion)
    if bands is None:
        return None
    with store.reading() as connection:
        said = recent_scores(connection, champion.version, now - _RECENT, _MOST)
    counts = [0.0] * len(bands.shares)
    for probability in said:
        counts[bands.place(probability)] += 1
    return scores_moved(counts, bands)


def standing_lines(standing: Standing, now: datetime) -> Iterator[str]:
    """Tell how the champion stands, in plain words."""
    since = f", champion since {standing.since:%Y-%m-%d}" if standing.since else ""
    yield f"  version {standing.version} by agreement {standing.agreement}{since}"
    if standing.trained_as_of:
        age = (now - standing.trained_as_of).days
        yield f"  it knows outcomes up to {standing.trained_as_of:%Y-%m-%d}, {age} days ago"
    decided = standing.by_sales + standing.by_exports
    if standing.from_store and decided:
        yield (
            f"  trained on {standing.by_sales / decided:.0%} feedback: sales told the outcome of "
            f"{standing.by_sales:,} of {decided:,} decided leads, exports that of the others"
        )
    elif not standing.from_store:
        yield "  trained on 0% feedback: on an export alone; leadq retrain learns from the store"
    if standing.caution:
        yield f"  caution: {standing.caution}"
    if standing.score_psi is not None:
        yield (
            f"  scores of the last {_RECENT.days} days moved by a PSI of {standing.score_psi:.2f} "
            "against the training"
        )
    yield f"  retraining is {standing.due.sentence}"


def standing_json(standing: Standing) -> dict[str, Any]:
    """Return the same for a machine."""
    told = {name: value for name, value in vars(standing).items() if name != "due"}
    for name in ("since", "trained_as_of"):
        told[name] = told[name] and told[name].isoformat()
    return told | {"due": list(standing.due.fired), "not_due": list(standing.due.quiet)}
