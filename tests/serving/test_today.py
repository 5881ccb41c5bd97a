"""Today's calls: the best by score, a few by lot, handed over whole or not at all."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from features.agreement import Agreement, from_dict
from features.home import Home
from features.leads import Leads
from features.store.database import Store
from features.store.queue import Waiting, waiting
from features.store.scores import Given, keep_scores
from features.store.tables import Handoff, Score
from serving.artefact import LoadedModel
from serving.today import (
    COLUMNS,
    Call,
    call_lines,
    fields_of,
    hand_over_calls,
    rows,
    todays_calls,
)
from tests.features.making import nightly_of
from training.registry import load_champion
from training.train import Training

NOW = datetime(2026, 11, 2, 8)


@pytest.fixture(scope="module")
def model(trained: tuple[Home, Training]) -> LoadedModel:
    return load_champion(trained[0])


def _routed(agreement: Agreement) -> Agreement:
    content: dict[str, Any] = agreement.as_dict()
    routes = [{"owner": "kim", "team": "north", "all": []}]
    return from_dict(content | {"routes": routes, "exploration": {"share": 0.25}})


@pytest.fixture
def agreed(agreement: Agreement) -> Agreement:
    return _routed(agreement)


@pytest.fixture
def night(crm: Path, agreement: Agreement) -> Leads:
    (leads,), _ = nightly_of(crm / "nightly.csv", agreement)
    return leads


@pytest.fixture
def scored(store: Store, night: Leads, model: LoadedModel, agreement: Agreement) -> list[Waiting]:
    """The night's leads, scored in the morning."""
    scores = model.artefact.scorer.score(night, 0)
    given = Given("1", [s.probability for s in scores], [s.grade for s in scores])
    keep_scores(store, night, given, agreement, NOW.replace(hour=6))
    with store.reading() as connection:
        return waiting(connection, agreement, NOW, days=1)


def _lanes(calls: list[Call]) -> list[str]:
    return sorted(call.lane for call in calls)


def test_most_calls_go_to_the_best_and_the_agreed_share_to_the_lot(
    scored: list[Waiting], model: LoadedModel, agreed: Agreement
) -> None:
    calls = todays_calls(model, agreed, scored, 20, NOW)
    assert _lanes(calls) == ["exploration"] * 5 + ["model"] * 15
    worth = sorted((call.score.expected_value or 0.0 for call in calls), reverse=True)
    assert [call.score.expected_value for call in calls] == worth
    sure = [call for call in calls if call.lane == "model"]
    assert all(call.propensity == 1.0 for call in sure)
    by_lot = {call.propensity for call in calls if call.lane == "exploration"}
    assert by_lot == {5 / (len(scored) - 15)}


def test_the_same_day_draws_the_same_and_another_day_others(
    scored: list[Waiting], model: LoadedModel, agreed: Agreement
) -> None:
    ids = [[c.lead.id for c in todays_calls(model, agreed, scored, 20, NOW)] for _ in range(2)]
    assert ids[0] == ids[1]
    other = todays_calls(model, agreed, scored, 20, NOW.replace(day=3))
    assert {c.lead.id for c in other} != set(ids[0])


def test_calls_are_handed_over_with_owner_lane_and_propensity(
    store: Store, scored: list[Waiting], model: LoadedModel, agreed: Agreement
) -> None:
    calls = todays_calls(model, agreed, scored, 8, NOW)
    assert hand_over_calls(store, model, agreed, calls, NOW) == 8
    with store.reading() as connection:
        handed = connection.execute(select(Handoff.owner, Handoff.team, Handoff.at)).all()
        kept = select(Score.lane, Score.propensity).where(Score.lane.is_not(None))
        lanes = connection.execute(kept).all()
        left = waiting(connection, agreed, NOW.replace(hour=9), days=1)
    assert handed == [("kim", "north", NOW)] * 8
    assert sorted(lane for lane, _ in lanes) == _lanes(calls)
    assert sorted(chance for _, chance in lanes) == sorted(call.propensity for call in calls)
    assert len(left) == len(scored) - 8


def test_the_list_for_reps_does_not_tell_who_was_drawn_by_lot(
    scored: list[Waiting], model: LoadedModel, agreed: Agreement
) -> None:
    calls = todays_calls(model, agreed, scored, 8, NOW)
    text = " ".join(cell for row in rows(calls) for cell in row)
    assert "exploration" not in text
    assert all(len(row) == len(COLUMNS) for row in rows(calls))


def test_no_capacity_means_no_call(
    store: Store, scored: list[Waiting], model: LoadedModel, agreed: Agreement
) -> None:
    assert todays_calls(model, agreed, scored, 0, NOW) == []
    assert hand_over_calls(store, model, agreed, [], NOW) == 0


def test_a_lead_that_is_back_goes_to_whoever_had_it_where_no_route_says_more(
    scored: list[Waiting], model: LoadedModel, agreement: Agreement
) -> None:
    back = [lead._replace(is_back=True, owner="eve", team="south") for lead in scored[:1]]
    (call,) = todays_calls(model, agreement, back, 5, NOW)
    assert (call.handover.owner, call.handover.team) == ("eve", "south")
    (routed,) = todays_calls(model, _routed(agreement), back, 5, NOW)
    assert routed.handover.owner == "kim"


def test_calls_that_go_to_nobody_are_said_and_the_reason_shown_speaks_for_the_call(
    scored: list[Waiting], model: LoadedModel, agreement: Agreement
) -> None:
    calls = todays_calls(model, agreement, scored, 8, NOW)
    lines = list(call_lines(calls, len(scored), most=20))
    assert lines[0].endswith("waiting, by expected value:")
    assert lines[-1].startswith("8 of them go to nobody in particular")
    for call, line in zip(calls, lines[1:], strict=False):
        if any(reason.direction == "up" for reason in call.score.reasons):
            assert "lowers" not in line


def test_all_that_is_known_can_be_written_beside_a_call(
    scored: list[Waiting], model: LoadedModel, agreement: Agreement
) -> None:
    calls = todays_calls(model, agreement, scored, 2, NOW)
    names = fields_of(calls)
    assert "form_type" in names
    for call, row in zip(calls, rows(calls, names), strict=True):
        told = dict(zip((*COLUMNS, *names), row, strict=True))
        assert told["form_type"] == (call.lead.fields.get("form_type") or "")
