"""Whom sales calls today: the leads that bring most, and a few by lot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np

from features.agreement import Agreement
from features.cells import Cell
from features.counted import counted
from features.leads import Faults
from features.store.database import Store
from features.store.handoffs import Handover, Told, hand_over, read_handovers
from features.store.queue import Waiting
from features.store.scores import Given, add_scores
from serving.artefact import LoadedModel, leads_of_records
from serving.queue import Lane, draw_lane
from serving.scorer import Score

_REASONS = 3
COLUMNS = (
    *("id", "owner", "team", "campaign", "probability", "grade", "expected_value", "is_back"),
    "reasons",
)


@dataclass(frozen=True)
class Call:
    """A lead to be called. Its lane is for the store alone: a rep treats all calls alike."""

    lead: Waiting
    score: Score
    handover: Handover
    lane: Lane
    propensity: float


def todays_calls(
    model: LoadedModel,
    agreement: Agreement,
    leads: Sequence[Waiting],
    capacity: int,
    now: datetime,
) -> list[Call]:
    """Choose the calls of a day, those that bring most first.

    Leads stand by expected value where the agreement names a value, else by probability; the
    agreed share of the calls is drawn by lot from below the cut, the same for the same day.

    Args:
        model: scores the leads as they are known now.
        agreement: as it is now; its routes say who gets a lead, its exploration how many are drawn.
            Where no route does, a lead that is back goes to whoever had it.
        leads: those that wait; one that cannot be scored is passed over.
        capacity: calls left for the day.
        now: the moment of the hand-off.

    """
    scorer, faults = model.artefact.scorer, Faults()
    id_column = scorer.agreement.columns.id
    records = [{**lead.fields, id_column: lead.id} for lead in leads]
    batch = leads_of_records(records, scorer, faults)
    good = [i for i in range(len(leads)) if i not in faults]
    plain = scorer.score(batch.take(good), reasons=0)
    worth = np.array([_worth(score) for score in plain])
    share = agreement.exploration.share
    queue = draw_lane(worth, capacity, share, seed=[now.date().toordinal(), len(good)])
    called = [good[place] for place in queue.calls.tolist()]
    scores = scorer.score(batch.take(called), _REASONS)
    _, handovers = _handed([leads[i] for i in called], agreement, now)
    calls = [
        Call(leads[i], score, handover, lane, float(queue.propensity[place]))
        for i, place, score, handover, lane in zip(
            called, queue.calls.tolist(), scores, handovers, queue.lanes, strict=True
        )
    ]
    return sorted(calls, key=lambda call: (-_worth(call.score), call.lead.id))


def _worth(score: Score) -> float:
    return score.probability if score.expected_value is None else score.expected_value


def _handed(
    leads: Sequence[Waiting], agreement: Agreement, now: datetime
) -> tuple[Any, list[Handover]]:
    names = dict.fromkeys(name for lead in leads for name in lead.fields)
    columns: dict[str, list[Cell]] = {
        name: [lead.fields.get(name) for lead in leads] for name in names
    }
    told = Told({"id": [lead.id for lead in leads]}, columns)
    read, handovers = read_handovers(told, agreement, {}, now)
    return read, [
        replace(handover, owner=lead.owner, team=lead.team) if handover.owner is None else handover
        for lead, handover in zip(leads, handovers, strict=True)
    ]


def hand_over_calls(
    store: Store, model: LoadedModel, agreement: Agreement, calls: Sequence[Call], now: datetime
) -> int:
    """Hand the calls to sales: hand-offs, and scores with lane and propensity; return how many.

    All of it is written, or nothing.
    """
    if not calls:
        return 0
    leads, _ = _handed([call.lead for call in calls], agreement, now)
    given = Given(
        model.version,
        [call.score.probability for call in calls],
        [call.score.grade for call in calls],
        [call.lane for call in calls],
        [call.propensity for call in calls],
        [call.score.expected_value for call in calls],
    )
    scored_by = model.artefact.scorer.agreement

    def write(connection: Any) -> int:
        add_scores(connection, leads, given, scored_by, now)
        handovers = [call.handover for call in calls]
        return sum(hand_over(connection, leads, agreement, handovers, now))

    return store.write(write)


def rows(calls: Sequence[Call], fields: Sequence[str] = ()) -> Iterator[list[str]]:
    """Give the cells of each call by `COLUMNS`, and those of further fields of the lead."""
    for call in calls:
        score, handover = call.score, call.handover
        cells: list[object] = [call.lead.id, handover.owner, handover.team, call.lead.campaign]
        worth = None if score.expected_value is None else f"{score.expected_value:.2f}"
        cells += [score.probability, score.grade, worth, "yes" if call.lead.is_back else None]
        cells.append("; ".join(reason.text for reason in score.reasons))
        cells += [call.lead.fields.get(name) for name in fields]
        yield ["" if cell is None else str(cell) for cell in cells]


def fields_of(calls: Sequence[Call]) -> list[str]:
    """Return the names of all that is known of the leads to be called."""
    return sorted({name for call in calls for name in call.lead.fields} - {*COLUMNS})


def call_lines(calls: Sequence[Call], waiting: int, most: int) -> Iterator[str]:
    """Tell whom to call, those that bring most first."""
    if not calls:
        made = f"the calls of the day are made; waiting: {counted(waiting, 'lead')}"
        yield f"nobody to call: {made if waiting else 'no lead waits'}"
        return
    by = "expected value" if calls[0].score.expected_value is not None else "probability"
    yield f"to call: {len(calls):,} of {counted(waiting, 'lead')} waiting, by {by}:"
    width = min(max(len(call.lead.id) for call in calls[:most]), 40)
    for call in calls[:most]:
        score = call.score
        worth = "" if score.expected_value is None else f"{score.expected_value:>12,.0f}"
        whom = f"  {call.handover.owner}" if call.handover.owner else ""
        id_ = f"{call.lead.id:{width}}"
        yield f"  {id_}{worth}  {score.probability:6.1%} {score.grade}{whom}  {_why(score)}"
    if len(calls) > most:
        yield f"  and {len(calls) - most:,} more; write them all with -o FILE.csv"
    if nobody := sum(call.handover.owner is None for call in calls):
        yield (
            f"{nobody:,} of them go to nobody in particular: say who gets which leads by "
            "[[routes]] in the agreement"
        )


def _why(score: Score) -> str:
    """Return what speaks most for a call; where nothing does, what speaks most against it."""
    upwards = [reason for reason in score.reasons if reason.direction == "up"]
    return next((reason.text for reason in [*upwards, *score.reasons]), "")
