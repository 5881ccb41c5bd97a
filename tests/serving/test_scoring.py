"""Requests of many leads are scored in a thread that lets requests of few go first."""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any

import pytest

from features.home import ServeSettings
from serving import scoring
from serving.artefact import LoadedModel
from serving.replies import openapi_example, score_records
from serving.tally import Tally
from serving.watch import Watch
from training.registry import load_champion


@pytest.fixture(scope="module")
def model(trained) -> LoadedModel:
    return load_champion(trained[0])


@pytest.fixture
def answers(model) -> scoring.Scoring:
    return scoring.Scoring(lambda: model, ServeSettings(), Tally(), Watch())


def leads(model: LoadedModel, count: int) -> list[dict[str, Any]]:
    lead = openapi_example(model)
    name = model.artefact.scorer.agreement.columns.id
    return [{**lead, name: f"lead {n}"} for n in range(count)]


def asked(answers: scoring.Scoring, many: list[dict[str, Any]], space: int = 0) -> dict[str, Any]:
    body = json.dumps({"leads": many}).encode() + b" " * space
    reply, count = asyncio.run(answers.answer(body, b""))
    assert count == len(many)
    found: dict[str, Any] = json.loads(reply)
    return found


@pytest.mark.parametrize("count", [0, 1, 4, 5, 99, 100, 101, 250])
@pytest.mark.parametrize("space", [0, 20_000])
def test_leads_are_told_the_same_however_many_come_and_wherever_they_are_scored(
    model, answers, count: int, space: int
) -> None:
    many = leads(model, count)

    assert asked(answers, many, space) == score_records(model, many, scoring.REASONS)


def test_the_processor_is_offered_where_a_few_leads_came_lately(
    model, answers, monkeypatch
) -> None:
    offered = []
    monkeypatch.setattr(scoring.os, "sched_yield", lambda: offered.append(1))
    monkeypatch.setattr(scoring, "_LATELY", math.inf)

    asked(answers, leads(model, 150))
    assert offered == []
    asked(answers, leads(model, 1))
    assert offered == []
    asked(answers, leads(model, 150))
    assert len(offered) >= 2 * 4  # in each of two turns, several times
