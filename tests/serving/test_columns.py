"""Many leads in columns score as each does alone, to the last bit and character."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from features.agreement import Agreement
from features.cells import Cell
from features.encoder import Encoder
from features.leads import Leads
from features.points import points_encoders
from serving.columns import ScoredColumns
from serving.members import Additive, ColumnTable
from serving.reasons import FACTOR_ENDS, effect_words
from serving.replies import replied
from serving.scorer import Blend, Score, Scorer
from tests.features.making import nightly_of
from tests.serving.small import small_model
from training.registry import load_champion

ODD: list[Cell] = [
    None,
    "never seen",
    "12,5 x",
    3.0,
    "0",
    "call me; now",
    "2026-03-01",
    "a@uni-x.de",
]


@pytest.fixture(scope="module")
def scorer(trained) -> Scorer:
    return load_champion(trained[0]).artefact.scorer


@pytest.fixture(scope="module")
def leads(crm: Path, agreement: Agreement) -> Leads:
    """Leads of which every fifth value is missing, rare, or of another kind than its field."""
    some = nightly_of(crm / "export.csv", agreement)[0][0].take(range(400))
    chance = random.Random(5)
    spoilt = {
        name: [chance.choice(ODD) if chance.random() < 0.2 else cell for cell in cells]
        for name, cells in some.columns.items()
    }
    return Leads(some.ids, spoilt, some.created)


def alone(scorer: Scorer, leads: Leads, reasons: int) -> list[Score]:
    return [score for i in range(len(leads)) for score in scorer.score(leads.take([i]), reasons)]


@pytest.mark.parametrize("reasons", [0, 1, 5, 50])
def test_a_lead_in_columns_is_what_it_is_alone(scorer, leads: Leads, reasons: int) -> None:
    assert scorer.score(leads, reasons) == alone(scorer, leads, reasons)


def test_points_in_columns_are_what_they_are_alone(agreement: Agreement, leads: Leads) -> None:
    rules = [
        {"field": "visits", "points": 3, "at_least": 4},
        {"field": "industry", "points": -2, "is": ["Software"]},
        {"field": "email", "points": 1, "is": ["free"]},
    ]
    agreed = Agreement.model_validate(
        {**agreement.model_dump(by_alias=True), "points": rules}, strict=False
    )
    encoder = Encoder(points_encoders(agreed, agreed.fields))
    tables = tuple(ColumnTable((-9.0, 9.0), (-1.0, 2.0), 0.0, 0.1, False) for _ in encoder.columns)
    scorer = Scorer(agreed, encoder, Blend((Additive(-1.0, tables),)))

    assert len(encoder.fields) == 3
    assert scorer.score(leads, 3) == alone(scorer, leads, 3)


def test_what_a_file_gives_is_what_a_request_gives(scorer, leads: Leads) -> None:
    as_columns = Leads(leads.ids, {n: leads.coded(n) for n in leads.columns}, leads.created)

    assert scorer.score(as_columns, 5) == scorer.score(leads, 5)


def test_threads_may_score_at_once(scorer, leads: Leads) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: scorer.score(leads, 5), range(8)))

    assert all(scores == found[0] for scores in found)


def said(scored: ScoredColumns) -> Iterator[tuple[str, ...]]:
    return scored.warnings.by_lead()


def test_what_is_odd_about_a_lead_is_said_of_it_alone() -> None:
    scorer = small_model().artefact.scorer
    cells: dict[str, list[Cell]] = {
        "id": ["1", "2", "3"],
        "industry": ["Software", "Beekeeping", None],
        "visits": ["many", "3", None],
    }

    scored = scorer.score_columns(Leads(["1", "2", "3"], cells, [None] * 3), 5)

    assert list(said(scored)) == [
        ("visits: is not a number and counts as missing",),
        ("industry: was rare or absent in training",),
        ("visits: is missing and would have mattered",),
    ]


def test_a_request_of_many_says_of_each_lead_what_a_request_of_it_alone_says(
    trained, leads
) -> None:
    model = load_champion(trained[0])
    records = [
        {name: cells[i] for name, cells in leads.columns.items() if cells[i] is not None}
        | {"colour": "red"}
        for i in range(60)
    ]

    together = replied(model, records, 5).results

    assert together == [replied(model, [r], 5).results[0] for r in records]
    assert sum(len(json.loads(result)["warnings"]) > 1 for result in together) > 30


def test_no_leads_are_no_columns(scorer, leads: Leads) -> None:
    scored = scorer.score_columns(leads.take([]), 5)

    assert (len(scored), scored.reasons, list(said(scored))) == (0, None, [])


def test_reasons_that_repeat_themselves_are_put_into_words_once(scorer, leads: Leads) -> None:
    reasons = scorer.score_columns(leads, 5).reasons
    assert reasons is not None

    assert len(reasons.kinds) == len(set(reasons.kinds)) < len(reasons.codes)


def test_the_interval_of_many_scores_is_that_of_each(scorer) -> None:
    assert scorer.interval is not None
    interval = replace(scorer.interval, knots=(-2.0, 0.0, 1.0), low=(-1, -0.5, 0), high=(0, 1, 2))
    scores = [-9.0, -2.0, -1.3, 0.0, 0.4, 1.0, 7.0]

    for known in (scorer.interval, interval, replace(interval, knots=(0,), low=(-1,), high=(1,))):
        low, high = known.ends(np.array(scores))
        assert list(zip(low, high, strict=True)) == [known.at(score) for score in scores]


@pytest.mark.parametrize(
    ("log_odds", "words"),
    [
        (0.0, "slightly"),
        (math.log(1.0499), "slightly"),
        (math.log(1.0501), "by a factor of 1.1"),
        (math.log(2.349), "by a factor of 2.3"),
        (math.log(2.351), "by a factor of 2.4"),
        (math.log(999.8), "by a factor of 999.8"),
        (9.0, "by a factor of more than 1,000"),
    ],
)
def test_an_effect_is_told_as_a_factor_with_one_decimal(log_odds: float, words: str) -> None:
    place = int(np.searchsorted(FACTOR_ENDS, log_odds, side="right"))

    assert effect_words(place, raises=True) == f"raises the odds {words}"
    assert effect_words(place, raises=False) == f"lowers the odds {words}"


@pytest.mark.parametrize("reasons", [0, 5])
def test_where_no_field_is_left_many_are_scored_as_each_is_alone(
    agreement: Agreement, leads: Leads, reasons: int
) -> None:
    scorer = Scorer(agreement, Encoder(()), Blend((Additive(-1.5, ()),)))

    found = scorer.score(leads, reasons)

    assert found == alone(scorer, leads, reasons)
    (probability,) = {score.probability for score in found}
    assert probability == pytest.approx(1 / (1 + math.exp(1.5)))
