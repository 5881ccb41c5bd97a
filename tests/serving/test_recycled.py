"""Leads that come back are scored afresh, from what is known of them now."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

import pytest

from features.home import Home
from features.store.recycle import Event, Recycled
from serving.artefact import LoadedModel
from serving.recycled import COLUMNS, recycled_lines, rows, with_scores
from serving.replies import openapi_example, score_records
from training.registry import load_champion
from training.train import Training

SAID = datetime(2026, 3, 2, 9)
DUE = date(2026, 5, 31)


@pytest.fixture(scope="module")
def model(trained: tuple[Home, Training]) -> LoadedModel:
    return load_champion(trained[0])


def _lead(model: LoadedModel, id_: str = "a") -> Recycled:
    history = (Event(SAID, "handed over", "kim"), Event(SAID, "not_ready", "kim"))
    known = {name: cell for name, cell in openapi_example(model).items() if name != "id"}
    return Recycled(id_, "Fair", "not_ready", SAID, "=budget", DUE, None, "kim", history, known)


def test_its_score_is_the_one_that_the_api_gives(model: LoadedModel) -> None:
    lead = _lead(model)
    (reply,) = with_scores([lead], model)
    (asked,) = score_records(model, [{**lead.fields, "id": "a"}], 3)["results"]
    assert reply.score is not None
    assert reply.score.probability == asked["probability"]
    assert [event.what for event in reply.history] == ["handed over", "not_ready"]


def test_without_a_model_it_is_listed_without_a_score(model: LoadedModel) -> None:
    (reply,) = with_scores([_lead(model)], None)
    assert reply.score is None
    (cells,) = rows([reply])
    assert dict(zip(COLUMNS, cells, strict=True))["probability"] == ""


def test_the_list_names_due_day_grade_and_reason_and_says_what_it_leaves_out(
    model: LoadedModel,
) -> None:
    named = replace(_lead(model, "a"), return_on=DUE)
    replies = with_scores([named, _lead(model, "b")], model)
    first, lead, rest = recycled_lines(replies, DUE, most=1)
    assert first.startswith("2 leads come back by 2026-05-31")
    score = replies[0].score
    assert score is not None
    assert (
        f"{score.probability:.1%} {score.grade}  not_ready, ask again on 2026-05-31: =budget"
        in lead
    )
    assert "and 1 more" in rest


def test_no_lead_is_said_in_so_many_words() -> None:
    assert list(recycled_lines([], DUE, most=5)) == ["no lead comes back by 2026-05-31"]


def test_of_one_day_the_likeliest_comes_first_and_no_days_to_a_sale_are_told(
    model: LoadedModel,
) -> None:
    known = _lead(model, "b")
    leads = [replace(known, id="a", fields={}), known, replace(known, id="c", due=date(2026, 5, 1))]
    found = with_scores(leads, model)
    chances = {reply.id: reply.score and reply.score.probability for reply in found}
    assert chances["a"] != chances["b"]
    assert [reply.id for reply in found] == ["c", *sorted("ab", key=lambda id_: -chances[id_])]
    assert all(reply.score and reply.score.expected_days is None for reply in found)
