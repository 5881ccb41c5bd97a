"""The nightly file: scored whole, streamed, the same numbers as everywhere else."""

from __future__ import annotations

import csv
import json
import os
from dataclasses import replace
from pathlib import Path

import mlflow
import pandas as pd
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from features.cells import key_of
from features.errors import OutputError, UsageError
from features.simulate import Settings as Market
from features.simulate import simulate, write
from serving import writers
from serving.api import build
from serving.artefact import LoadedModel
from serving.batch import score_file
from serving.spread import Spread
from serving.summary import scoring_json, scoring_lines
from tests.lives import Fixed
from training.registry import MODEL, load_champion


@pytest.fixture(scope="module")
def model(trained) -> LoadedModel:
    return load_champion(trained[0])


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_scored_file_has_the_agreed_columns(model, crm: Path, tmp_path: Path) -> None:
    score_file(model, crm / "nightly.csv", tmp_path / "scored.csv", 2)

    first = rows(tmp_path / "scored.csv")[0]
    assert list(first) == [
        "id", "probability", "grade", "reasons", "model_version", "agreement_version",
        "expected_value", "expected_days", "probability_low", "probability_high", "warnings",
    ]  # fmt: skip
    assert set(json.loads(first["reasons"])[0]) == {
        "field", "value", "direction", "log_odds", "text",
    }  # fmt: skip


def test_parquet_holds_the_same_scores_with_reasons_as_structs(model, crm, tmp_path) -> None:
    score_file(model, crm / "nightly.csv", tmp_path / "scored.csv", 2)
    score_file(model, crm / "nightly.csv", tmp_path / "scored.parquet", 2)

    as_csv = rows(tmp_path / "scored.csv")
    as_parquet = pq.read_table(tmp_path / "scored.parquet").to_pylist()
    assert [float(row["probability"]) for row in as_csv] == [r["probability"] for r in as_parquet]
    assert [json.loads(row["reasons"]) for row in as_csv] == [r["reasons"] for r in as_parquet]


def test_rest_batch_and_pyfunc_agree_on_ten_thousand_leads(model, trained, tmp_path) -> None:
    write(simulate(Market(leads=10_000, seed=21)), tmp_path)
    source = tmp_path / "export.csv"
    score_file(model, source, tmp_path / "scored.csv", 0)
    by_batch = {row["id"]: float(row["probability"]) for row in rows(tmp_path / "scored.csv")}
    records = [{k: v for k, v in row.items() if v} for row in rows(source)]
    with TestClient(build(Fixed(model))) as client:
        reply = client.post("/v1/score?reasons=0", json={"leads": records}).json()
    frame = pd.read_csv(source, dtype="str", keep_default_na=False, na_values=[""])
    mlflow.set_tracking_uri(trained[0].tracking_uri)
    by_pyfunc = mlflow.pyfunc.load_model(f"models:/{MODEL}/1").predict(frame)["probability"]

    assert {r["id"]: r["probability"] for r in reply["results"]} == by_batch
    assert by_pyfunc.tolist() == pytest.approx(list(by_batch.values()), abs=1e-12)


def test_bad_rows_are_set_aside_and_the_counts_add_up(model, tmp_path: Path) -> None:
    write(simulate(Market(leads=500, bad_rows=12, seed=5)), tmp_path)

    summary = score_file(model, tmp_path / "export.csv", tmp_path / "scored.csv", 0)

    assert summary.read == summary.scored + summary.rejected
    assert len(rows(tmp_path / "scored.rejects.csv")) == summary.rejected >= 9
    assert set(rows(tmp_path / "scored.rejects.csv")[0]) == {
        "file", "line", "field", "value", "reason", "id",
    }  # fmt: skip


def test_a_clean_run_removes_the_rejects_of_the_last_one(model, crm, tmp_path: Path) -> None:
    (tmp_path / "scored.rejects.csv").write_text("old")

    score_file(model, crm / "nightly.csv", tmp_path / "scored.csv", 0)

    assert not (tmp_path / "scored.rejects.csv").exists()


def test_a_folder_is_scored_as_one_table(model, crm: Path, tmp_path: Path) -> None:
    lines = (crm / "nightly.csv").read_text().splitlines(keepends=True)
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.csv").write_text("".join(lines[:20]))
    (folder / "b.csv").write_text(lines[0] + "".join(lines[20:]))

    summary = score_file(model, folder, tmp_path / "scored.csv", 0)

    assert summary.scored == len(lines) - 1


def test_no_outcome_column_is_needed(model, crm: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(crm / "nightly.csv", dtype="str").drop(columns=["status", "closed_at"])
    frame.to_csv(tmp_path / "tonight.csv", index=False)

    assert score_file(model, tmp_path / "tonight.csv", tmp_path / "o.csv", 0).scored == len(frame)


def test_fields_that_the_file_lacks_are_named(model, crm: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(crm / "nightly.csv", dtype="str").drop(columns=["industry"])
    frame.to_csv(tmp_path / "tonight.csv", index=False)

    summary = score_file(model, tmp_path / "tonight.csv", tmp_path / "o.csv", 0)

    assert summary.absent_fields == ["industry"]


def test_a_file_without_any_known_field_is_refused(model, tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("id,colour\n1,red\n")

    with pytest.raises(UsageError, match="has none of the fields"):
        score_file(model, tmp_path / "other.csv", tmp_path / "o.csv", 0)


def test_a_file_without_the_id_is_refused(model, tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("industry,visits\nx,1\n")

    with pytest.raises(UsageError, match="names columns that the file does not have: id"):
        score_file(model, tmp_path / "other.csv", tmp_path / "o.csv", 0)


def test_another_ending_is_refused(model, crm: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"must end in \.csv or \.parquet"):
        score_file(model, crm / "nightly.csv", tmp_path / "scored.xlsx", 0)


def test_a_failure_leaves_the_old_output(model, crm: Path, tmp_path: Path, monkeypatch) -> None:
    target = tmp_path / "scored.csv"
    target.write_text("last night's")

    def fail(self, scores) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writers._Lines, "write", fail)
    with pytest.raises(OutputError, match="No space left on device; what is done is kept"):
        score_file(model, crm / "nightly.csv", target, 0)

    assert target.read_text() == "last night's"
    assert {path.name for path in tmp_path.iterdir()} == {"scored.csv", ".scored.csv.work"}


def test_the_input_is_never_overwritten(model, crm: Path, tmp_path: Path) -> None:
    tonight = tmp_path / "tonight.csv"
    tonight.write_bytes((crm / "nightly.csv").read_bytes())

    with pytest.raises(UsageError, match="is the input itself"):
        score_file(model, tonight, tonight, 0)
    with pytest.raises(UsageError, match="lies in the input folder"):
        score_file(model, tmp_path, tmp_path / "scored.csv", 0)

    with pytest.raises(UsageError, match="matches the pattern"):
        score_file(model, tmp_path / "*.csv", tmp_path / "scored.csv", 0)

    assert tonight.read_bytes() == (crm / "nightly.csv").read_bytes()


def test_csv_under_the_name_of_parquet_is_scored_all_the_same(model, crm, tmp_path) -> None:
    (tmp_path / "tonight.parquet").write_bytes((crm / "nightly.csv").read_bytes())

    assert score_file(model, tmp_path / "tonight.parquet", tmp_path / "o.csv", 0).scored


def test_the_output_follows_the_umask(model, crm: Path, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        score_file(model, crm / "nightly.csv", tmp_path / "scored.csv", 0)
    finally:
        os.umask(before)

    assert (tmp_path / "scored.csv").stat().st_mode & 0o777 == 0o600


def doubting(model: LoadedModel) -> LoadedModel:
    """The same model, which states how far sums over campaigns may be off."""
    scorer = replace(model.artefact.scorer, spread=Spread(0.3, 0.6))
    return replace(model, artefact=replace(model.artefact, scorer=scorer))


def test_the_sums_by_campaign_are_those_of_the_file(model, crm: Path, tmp_path: Path) -> None:
    summary = score_file(doubting(model), crm / "nightly.csv", tmp_path / "scored.csv", 0)

    chance = {row["id"]: float(row["probability"]) for row in rows(tmp_path / "scored.csv")}
    expected: dict[str, list[float]] = {}
    for row in rows(crm / "nightly.csv"):
        expected.setdefault(key_of(row["campaign"]), []).append(chance[row["id"]])
    assert {key_of(c.name): c.leads for c in summary.campaigns} == {
        name: len(chances) for name, chances in expected.items()
    }
    for campaign in summary.campaigns:
        assert campaign.expected == pytest.approx(sum(expected[key_of(campaign.name)]))
        assert campaign.expected_low < campaign.expected < campaign.expected_high
    assert {c.known for c in summary.campaigns} == {True, False}  # one starts on the last night


def test_the_largest_campaigns_are_told_and_all_are_in_the_json(model, crm, tmp_path) -> None:
    frame = pd.read_csv(crm / "nightly.csv", dtype="str")
    frame["campaign"] = [f"Campaign {i % 60}" for i in range(len(frame))]
    frame.to_csv(tmp_path / "many.csv", index=False)

    summary = score_file(doubting(model), tmp_path / "many.csv", tmp_path / "scored.csv", 0)

    told = "\n".join(scoring_lines(summary, model, tmp_path / "scored.csv"))
    assert told.count("Campaign ") == 50
    assert "and 10 smaller ones" in told
    one = replace(summary, campaigns=[replace(c, leads=1) for c in summary.campaigns[:51]])
    few = "\n".join(scoring_lines(one, model, tmp_path / "scored.csv"))
    assert few.count(" 1 lead ") == 50
    assert "and 1 smaller one; " in few
    assert "new to the model" in told
    as_json = scoring_json(summary, model, tmp_path / "scored.csv")["campaigns"]
    assert len(as_json) == 60
    assert set(as_json[0]) == {
        "name", "leads", "known", "expected", "low", "high", "expected_low", "expected_high",
    }  # fmt: skip


def test_a_file_without_campaigns_has_no_sums_by_campaign(model, crm, tmp_path: Path) -> None:
    frame = pd.read_csv(crm / "nightly.csv", dtype="str").drop(columns=["campaign"])
    frame.to_csv(tmp_path / "tonight.csv", index=False)

    summary = score_file(doubting(model), tmp_path / "tonight.csv", tmp_path / "o.csv", 0)

    assert summary.campaigns == []
