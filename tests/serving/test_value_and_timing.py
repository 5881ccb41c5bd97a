"""Expected value and expected days: the same by every door, in the artefact or refused."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from features.cells import text_of
from features.errors import ModelError
from features.leads import Leads
from serving.api import build
from serving.artefact import Artefact, LoadedModel, digest, files_in, read, write
from serving.batch import score_file
from serving.effects import Effects
from serving.members import Additive, ColumnTable
from serving.scorer import Scorer
from serving.timing import Timing
from serving.value import ValueModel
from tests.lives import Fixed
from tests.training.deals import AGREED, AS_OF, World, labelled_with, world
from training.golden import golden_rows
from training.timing import fit_timing
from training.value import fit_value


def same_for_all() -> Effects:
    return Effects((), Additive(0.0, ()))


@pytest.fixture(scope="module")
def made() -> World:
    return world(1500, 3, slow_product=True)


@pytest.fixture(scope="module")
def leads(made: World) -> Leads:
    return made.leads


@pytest.fixture(scope="module")
def scorer(made: World) -> Scorer:
    """A scorer with both models, each by field."""
    dear = np.array([p == "pro" for p in made.leads.column("product")])
    noise = np.random.default_rng(1).lognormal(0, 0.3, 1500)
    labelled = labelled_with(np.where(dear, 9000.0, 1000.0) * noise, made.leads, made.won)
    value = fit_value(labelled, made.scorer, np.arange(len(labelled.labels))).model
    timing = fit_timing(made.exported(), made.scorer, AS_OF).model
    return replace(made.scorer, value=value, timing=timing)


@pytest.fixture
def folder(scorer: Scorer, leads: Leads, tmp_path: Path) -> Path:
    golden = golden_rows(scorer.encoder, scorer.encoder.encode(leads), AGREED)
    write(Artefact(scorer, {}, {}, golden), tmp_path / "leadq")
    return tmp_path / "leadq"


@pytest.fixture
def model(folder: Path) -> LoadedModel:
    return LoadedModel("1", digest(files_in(folder)), read(folder))


@pytest.fixture
def nightly(leads: Leads, tmp_path: Path) -> Path:
    """Leads as a file."""
    path = tmp_path / "tonight.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "created", "product", "visits", "noise"])
        for i in range(200):
            cells = [text_of(leads.column(name)[i]) for name in ("product", "visits", "noise")]
            created = leads.created[i]
            assert created
            writer.writerow([leads.ids[i], created.isoformat(), *cells])
    return path


def test_both_models_tell_leads_apart(scorer: Scorer, leads: Leads) -> None:
    scores = scorer.score(leads, reasons=0)

    assert len({s.expected_days for s in scores}) > 1
    ratios = [s.expected_value / s.probability for s in scores if s.expected_value]
    assert max(ratios) > 5 * min(ratios)


def test_rest_and_batch_agree_to_the_last_bit(
    model: LoadedModel, nightly: Path, tmp_path: Path
) -> None:
    score_file(model, nightly, tmp_path / "scored.csv", 0)
    score_file(model, nightly, tmp_path / "scored.parquet", 0)
    with nightly.open() as file, TestClient(build(Fixed(model))) as client:
        records = list(csv.DictReader(file))
        results = client.post("/v1/score", json={"leads": records}).json()["results"]
    with (tmp_path / "scored.csv").open() as file:
        as_csv = list(csv.DictReader(file))

    for name in ("expected_value", "expected_days"):
        by_rest = [result[name] for result in results]
        assert [float(row[name]) for row in as_csv] == by_rest
        assert pq.read_table(tmp_path / "scored.parquet")[name].to_pylist() == by_rest


def test_a_lead_alone_is_expected_as_among_many(scorer: Scorer, leads: Leads) -> None:
    together = scorer.score(leads.take(range(100)), reasons=0)
    alone = [scorer.score(leads.take([i]), reasons=0)[0] for i in range(100)]

    assert alone == together


def test_without_the_models_both_are_null(scorer: Scorer, leads: Leads) -> None:
    plain = replace(scorer, value=None, timing=None)

    (score,) = plain.score(leads.take([0]), reasons=0)

    assert (score.expected_value, score.expected_days) == (None, None)


def test_the_artefact_gives_both_models_back(folder: Path, scorer: Scorer) -> None:
    again = read(folder).scorer

    assert again.value == scorer.value
    assert again.timing == scorer.timing


def test_an_artefact_without_the_models_is_read(
    scorer: Scorer, leads: Leads, tmp_path: Path
) -> None:
    plain = replace(scorer, value=None, timing=None)
    golden = golden_rows(scorer.encoder, scorer.encoder.encode(leads), AGREED)
    write(Artefact(plain, {}, {}, golden), tmp_path / "plain")

    again = read(tmp_path / "plain").scorer

    assert not (tmp_path / "plain" / "value.json").exists()
    assert (again.value, again.timing) == (None, None)


@pytest.mark.parametrize("name", ["value.json", "timing.json"])
@pytest.mark.parametrize("content", ["", "{}", "[1, 2]", '{"factor": -1, "log_value": {}}'])
def test_a_broken_file_is_refused(folder: Path, name: str, content: str) -> None:
    (folder / name).write_text(content)

    with pytest.raises(ModelError, match="is no readable model"):
        read(folder)


@pytest.mark.parametrize("name", ["value.json", "timing.json"])
def test_a_changed_or_absent_file_is_refused_by_the_digest(folder: Path, name: str) -> None:
    before = digest(files_in(folder))
    (folder / name).unlink()

    with pytest.raises(ModelError, match="not those that were registered"):
        read(folder, before)


def test_a_model_that_expects_otherwise_is_refused_by_its_golden_rows(folder: Path) -> None:
    state = json.loads((folder / "value.json").read_text())
    (folder / "value.json").write_text(json.dumps({**state, "factor": state["factor"] * 1.01}))

    with pytest.raises(ModelError, match="golden row 0 scores"):
        read(folder)


def test_shares_rise_to_one_at_the_horizon() -> None:
    timing = Timing((10.0, 30.0, 90.0), (0.0, -1.0), same_for_all(), (0.0, 0.0, 0.0), 0.0)

    shares = timing.shares(0.0)

    # Half of the wins by day 30 came after day 10; 1 / (1 + e) of all came after day 30.
    late = 1 / (1 + np.e)
    assert shares == pytest.approx([(1 - late) / 2, 1 - late, 1.0])


def test_the_expected_day_is_where_half_of_the_wins_have_come() -> None:
    timing = Timing((10.0, 90.0), (0.0,), same_for_all(), (0.0, 0.0), 0.0)
    late = Timing((10.0, 90.0), (np.log(3.0),), same_for_all(), (0.0, 0.0), 0.0)
    matrix, log_odds = np.zeros((1, 1)), np.zeros(1)

    assert timing.expected_days(matrix, log_odds) == [10.0]
    # A quarter by day 10, so half a third of the way further.
    assert late.expected_days(matrix, log_odds) == pytest.approx([10 + 80 / 3])


def test_nothing_is_to_come_after_the_horizon() -> None:
    timing = Timing((10.0, 90.0), (0.0,), same_for_all(), (0.0, 0.0), 0.0)
    ages = np.array([0.0, 50.0, 90.0, 200.0])

    chance = timing.to_come(np.zeros((4, 1)), np.zeros(4), ages)

    assert chance[0] == 0.5
    assert chance[0] > chance[1] > 0
    assert chance[2:].tolist() == [0, 0]


@pytest.mark.parametrize("change", [{"days": [30.0, 10.0]}, {"hazards": []}, {"days": []}])
def test_a_timing_that_does_not_fit_is_refused(change: dict[str, list[float]]) -> None:
    timing = Timing((10.0, 90.0), (0.0,), same_for_all(), (0.0, 0.0), 0.0)

    with pytest.raises(ValueError, match="do not fit"):
        Timing.from_dict({**timing.as_dict(), **change})


def test_a_value_model_survives_json() -> None:
    table = ColumnTable((0.0, 1.0), (0.0, 2.0), 0.5, 0.0, by_code=True)
    model = ValueModel(Effects((1,), Additive(3.0, (table,))), 1.25)

    again = ValueModel.from_dict(json.loads(json.dumps(model.as_dict())))

    assert again == model
    matrix = np.array([[7.0, 1.0], [7.0, np.nan]])
    assert again.expected(matrix).tolist() == [1.25 * np.exp(5.0), 1.25 * np.exp(3.5)]


def test_columns_without_their_tables_are_refused() -> None:
    state = {"columns": [1, 2], "intercept": 0.0, "tables": []}

    with pytest.raises(ValueError, match="2 columns for 0 tables"):
        Effects.from_dict(state)
