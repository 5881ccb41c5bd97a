"""One definition of a score: alone or among thousands, reasons that add up, grades by agreement."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from features.encoder import CategoryEncoder, Encoder
from features.leads import Leads
from serving.artefact import LoadedModel
from serving.scorer import sigmoid
from tests.features.making import nightly_of
from training.registry import load_champion


@pytest.fixture(scope="module")
def model(trained) -> LoadedModel:
    return load_champion(trained[0])


@pytest.fixture(scope="module")
def leads(crm: Path, agreement) -> Leads:
    return nightly_of(crm / "export.csv", agreement)[0][0].take(range(300))


def test_a_lead_alone_scores_as_among_many_to_the_last_bit(model, leads) -> None:
    scorer = model.artefact.scorer

    together = [s.probability for s in scorer.score(leads, reasons=0)]
    alone = [scorer.score(leads.take([i]), reasons=0)[0].probability for i in range(len(leads))]

    assert alone == together


def test_a_score_does_not_depend_on_the_order_of_the_leads(model, leads) -> None:
    scorer = model.artefact.scorer
    backwards = leads.take(range(len(leads) - 1, -1, -1))

    assert scorer.score(backwards, 3)[::-1] == scorer.score(leads, 3)


def test_reasons_base_and_rest_add_up_to_the_score(model, leads) -> None:
    for score in model.artefact.scorer.score(leads, reasons=4):
        total = score.base_log_odds + score.rest_log_odds + sum(r.log_odds for r in score.reasons)
        assert sigmoid(total) == pytest.approx(score.probability, abs=1e-12)


def test_the_strongest_reason_stands_first_and_says_its_direction(model, leads) -> None:
    for score in model.artefact.scorer.score(leads, reasons=6):
        strengths = [abs(reason.log_odds) for reason in score.reasons]
        assert strengths == sorted(strengths, reverse=True)
        assert all((r.direction == "up") == (r.log_odds > 0) for r in score.reasons)


def test_reasons_never_show_an_address_or_a_number_of_a_person(model, leads) -> None:
    shown = " ".join(
        reason.text for s in model.artefact.scorer.score(leads, reasons=50) for reason in s.reasons
    )

    addresses = [cell for name in ("email", "phone") for cell in leads.columns[name] if cell]
    assert not any(address in shown for address in addresses)


def test_words_are_kept_of_the_cells_alone_that_the_encoder_keeps(model, leads) -> None:
    scorer = replace(model.artefact.scorer, encoder=Encoder(model.artefact.scorer.encoder.fields))
    some = [leads.take([i]) for i in range(20)]

    first = [scorer.score(one, 50) for one in some]
    again = [scorer.score(one, 50) for one in some]

    kept = scorer._words.known
    assert kept
    assert all(scorer.encoder.keeps(place, cell) for place, cell, _ in kept)
    assert again == first


def test_a_placeholder_is_missing_though_training_had_it_as_a_typed_number(
    model, agreement
) -> None:
    # Of a Parquet file a typed 0 is a category; as text it is the placeholder.
    words = agreement.export.model_copy(update={"missing": ["0"]})
    agreed = agreement.model_copy(update={"export": words})
    encoder = Encoder((CategoryEncoder("calls", ("0", "1")),))
    scorer = replace(model.artefact.scorer, agreement=agreed, encoder=encoder)

    assert scorer.cells({"calls": "0"}) == {"calls": None}
    assert scorer.cells({"calls": 0}) == {"calls": 0.0}


def test_without_reasons_there_is_no_base_and_no_rest(model, leads) -> None:
    score = model.artefact.scorer.score(leads.take([0]), reasons=0)[0]

    assert (score.reasons, score.base_log_odds, score.rest_log_odds) == ((), None, None)


def test_no_leads_give_no_scores(model, leads) -> None:
    assert model.artefact.scorer.score(leads.take([]), reasons=5) == []


def test_a_probability_on_a_bound_has_the_better_grade(agreement) -> None:
    grades = agreement.grades

    assert grades.of(grades.A) == "A"
    assert grades.of(math.nextafter(grades.A, 0)) == "B"


@pytest.mark.parametrize(("log_odds", "probability"), [(0.0, 0.5), (-1000.0, 0.0), (1000.0, 1.0)])
def test_the_sigmoid_holds_at_the_ends(log_odds: float, probability: float) -> None:
    assert sigmoid(log_odds) == probability
