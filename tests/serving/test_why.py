"""Why a score changed: the parts are exact, and each says what it is."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from math import log
from typing import Any

import pytest

from features.errors import ModelError
from features.home import Home
from features.store.history import LeadHistory, PastHandoff, PastScore, PastWord
from serving.artefact import LoadedModel
from serving.replies import openapi_example, score_records
from serving.story import history_lines, history_reply
from serving.why import Change, Load, changes
from training.registry import load_version

MONDAY = datetime(2026, 3, 2, 9)


@pytest.fixture(scope="module")
def load(three_runs: Home) -> Load:
    return cache(lambda version: load_version(three_runs, version))


def _scored(load: Load, version: str, day: int, **fields: Any) -> PastScore:
    model = load(version)
    (reply,) = score_records(model, [{**fields, _id(model): "a"}], 0)["results"]
    label = model.artefact.scorer.agreement.label
    at = MONDAY + timedelta(days=day)
    return PastScore(at, version, label, reply["probability"], reply["grade"], fields)


def _id(model: LoadedModel) -> str:
    return model.artefact.scorer.agreement.columns.id


def _fields(load: Load) -> dict[str, Any]:
    model = load("1")
    return {k: v for k, v in openapi_example(model).items() if k != _id(model)}


def _changed(load: Load) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """A field whose loss changes the score of version 1, with the fields before and after."""
    before = _fields(load)
    first = _scored(load, "1", 0, **before)
    for name in before:
        after = {k: v for k, v in before.items() if k != name}
        if _scored(load, "1", 1, **after).probability != first.probability:
            return name, before, after
    raise AssertionError("no field matters")


def _logit(p: float) -> float:
    return log(p / (1 - p))


def _adds_up(change: Change) -> None:
    earlier, later = change.earlier.probability, change.later.probability
    parts = sum(part.log_odds for part in [*change.data, *change.model]) + change.time
    assert change.log_odds == pytest.approx(_logit(later) - _logit(earlier), abs=1e-9)
    assert parts == pytest.approx(change.log_odds, abs=1e-9)


def test_a_changed_field_explains_all_under_one_model(load: Load) -> None:
    name, before, after = _changed(load)
    scores = [_scored(load, "1", 0, **before), _scored(load, "1", 1, **after)]
    (change,) = changes(scores, load)
    _adds_up(change)
    assert change.data[0].field == name
    assert (change.data[0].before, change.data[0].after) == (before[name], None)
    assert change.model == []


def test_data_and_model_are_told_apart_and_add_up(load: Load) -> None:
    _, before, after = _changed(load)
    scores = [_scored(load, "1", 0, **before), _scored(load, "2", 1, **after)]
    (change,) = changes(scores, load)
    _adds_up(change)
    assert change.data
    assert change.model


def test_the_same_lead_under_the_same_model_has_not_changed(load: Load) -> None:
    fields = _fields(load)
    scores = [_scored(load, "1", day, **fields) for day in (0, 30)]
    (change,) = changes(scores, load)
    assert (change.log_odds, change.data, change.model, change.time) == (0.0, [], [], 0.0)


def test_a_model_that_is_gone_is_said_and_nothing_is_made_up(load: Load) -> None:
    fields = _fields(load)
    score = _scored(load, "1", 0, **fields)
    gone = PastScore(MONDAY, "99", score.agreement, 0.9, "A", fields)

    def fails(version: str) -> LoadedModel:
        if version == "99":
            raise ModelError("there is no version 99")
        return load(version)

    (change,) = changes([gone, score], fails)
    assert "no version 99" in change.unexplained
    assert change.data == change.model == []


def test_a_version_that_was_never_registered_is_an_error(three_runs: Home) -> None:
    with pytest.raises(ModelError, match=r"no version '99'.*there are: 1, 2, 3"):
        load_version(three_runs, "99")


def test_the_story_is_told_in_the_order_of_time(load: Load) -> None:
    _, before, after = _changed(load)
    scores = [_scored(load, "1", 1, **before), _scored(load, "2", 3, **after)]
    found = changes(scores, load)
    history = LeadHistory(
        1,
        "a",
        MONDAY,
        "Fair",
        None,
        [PastHandoff(MONDAY + timedelta(days=2), "kim", "north")],
        [PastWord(MONDAY + timedelta(days=4), "won", "kim", 900.0, None, None)],
        None,
        scores,
    )
    lines = list(history_lines(history, found))
    assert [line.split()[2] for line in lines[1:5]] == ["scored", "handed", "scored", "won:"]
    assert any("its data changed" in line for line in lines)
    assert any("version 1 to 2" in line for line in lines)
    assert history_reply(history, found).changes[0].log_odds == found[0].log_odds


def test_scores_that_repeat_are_one_line(load: Load) -> None:
    _, before, after = _changed(load)
    days = (0, 1, 2, 3)
    scores = [_scored(load, "1", day, **(after if day > 2 else before)) for day in days]
    history = LeadHistory(1, "a", MONDAY, "Fair", None, [], [], None, scores)

    lines = list(history_lines(history, changes(scores, load)))

    assert [line.split("  ")[2] for line in lines[2:3]] == ["2 further scores, unchanged"]
    assert lines.index("  2 further scores, unchanged") == lines.index("why the score changed:") + 1
    assert any("its data changed" in line for line in lines)
