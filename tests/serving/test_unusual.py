"""A file that is plainly wrong never ends as if all were well."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.errors import FileError
from serving.artefact import LoadedModel
from serving.batch import Choices, Summary, score_file
from serving.manifest import manifest_path
from serving.summary import scoring_lines
from serving.unusual import _places
from serving.watch import Bands
from training.registry import load_champion


@pytest.fixture(scope="module")
def model(trained) -> LoadedModel:
    return load_champion(trained[0])


@pytest.fixture
def leads(crm: Path) -> pd.DataFrame:
    return pd.read_csv(crm / "export.csv", dtype="str", keep_default_na=False)[-1000:]


def scored(model: LoadedModel, frame: pd.DataFrame, folder: Path, **choices: float) -> Summary:
    frame.to_csv(folder / "tonight.csv", index=False)
    return score_file(
        model, folder / "tonight.csv", folder / "o.csv", 0, Choices(**choices)  # type: ignore[arg-type]
    )  # fmt: skip


def fields(model: LoadedModel) -> list[str]:
    return [field.field for field in model.artefact.scorer.encoder.fields]


def test_a_usual_export_is_not_alarming(model, leads, tmp_path) -> None:
    assert not scored(model, leads, tmp_path).alarming


def test_one_absent_field_is_told_and_no_alarm(model, leads, tmp_path) -> None:
    found = scored(model, leads.drop(columns=["industry"]), tmp_path)

    assert not found.alarming
    assert "1 of the" in found.warnings[0]
    assert "industry" in found.warnings[0]


def test_half_of_the_fields_absent_is_an_alarm(model, leads, tmp_path) -> None:
    found = scored(model, leads.drop(columns=fields(model)[::2]), tmp_path)

    assert found.alarming
    assert "absent, empty or unlike what it learned" in found.warnings[0]


def test_another_language_is_an_alarm_that_names_the_fields(model, leads, tmp_path) -> None:
    read = {f.field for f in model.artefact.scorer.encoder.fields if f.kind == "category"}
    for name in read:
        leads[name] = [f"ü {value}" if value else "" for value in leads[name]]

    found = scored(model, leads, tmp_path)

    assert found.alarming
    told = next(line for line in found.warnings if "does not know or cannot read" in line)
    assert any(name in told for name in read)


def test_fields_that_are_empty_tonight_are_an_alarm(model, leads, tmp_path) -> None:
    for name in fields(model):
        leads[name] = ""

    found = scored(model, leads, tmp_path)

    assert found.alarming
    assert any("missing tonight" in line for line in found.warnings)


def test_an_encoding_that_is_a_guess_is_told(model, leads, tmp_path) -> None:
    path = tmp_path / "tonight.csv"
    path.write_bytes(leads.assign(note="Zürich").to_csv(index=False).encode("mac_roman", "ignore"))

    found = score_file(model, path, tmp_path / "o.csv", 0)

    assert "was read as cp1252" in found.warnings[0]
    assert "mac_roman" in found.warnings[0]


def test_an_export_without_rows_is_an_alarm(model, leads, tmp_path) -> None:
    found = scored(model, leads[:0], tmp_path)

    assert (found.alarming, found.warnings[0]) == (True, "the file has a header and no rows")


def test_more_than_a_hundredth_of_the_rows_set_aside_is_an_alarm(model, leads, tmp_path) -> None:
    leads.loc[leads.index[:30], "id"] = ""

    found = scored(model, leads, tmp_path)

    assert (found.alarming, found.rejected) == (True, 30)
    assert found.warnings[0].startswith("3.0% of the rows are no leads")


def test_the_end_of_a_wrong_file_names_the_usual_reasons_columns_and_fields(
    model, leads, tmp_path
) -> None:
    leads.loc[leads.index[:300], "id"] = ""
    leads = leads.rename(columns={"industry": "branche"})

    with pytest.raises(FileError) as stopped:
        scored(model, leads, tmp_path)

    told = str(stopped.value)
    assert "300 of 1,000 rows are no leads, more than the 10% that may be" in told
    assert "300 rows: id: the id is missing" in told
    assert "columns that are gone: industry" in told
    assert "columns that are new: branche" in told
    assert "not in the file and count as missing: industry" in told
    assert scored(model, leads, tmp_path, max_reject=0.4).scored == 700


def test_a_first_line_that_is_a_lead_is_never_repeated(model, leads, tmp_path) -> None:
    leads = leads.rename(
        columns={n: f"{n} of Kim" for n in leads.columns if n not in ("id", "visits")}
    )
    leads.loc[leads.index[:300], "id"] = ""

    with pytest.raises(FileError, match="is its first line a header") as stopped:
        scored(model, leads, tmp_path)

    assert "Kim" not in str(stopped.value)


def test_the_warnings_stand_in_the_manifest_and_are_told_again(model, leads, tmp_path) -> None:
    half = leads.drop(columns=fields(model)[::2])
    first = scored(model, half, tmp_path)

    again = scored(model, half, tmp_path)

    told = json.loads(manifest_path(tmp_path / "o.csv").read_text())
    assert (told["alarming"], told["warnings"]) == (True, first.warnings)
    assert (again.unchanged, again.alarming) == (True, True)
    assert any("WARNING" in line for line in scoring_lines(again, model, tmp_path / "o.csv"))


@pytest.mark.parametrize("bounds", [None, (1.0, 2.0), (0.5, 1.5), ()])
def test_values_of_a_column_are_in_the_bands_that_each_is_in_alone(
    bounds: tuple[float, ...] | None,
) -> None:
    bands = Bands(bounds, [0.25] * (4 if bounds is None else len(bounds) + 2))
    values = np.array([0.0, 1.0, 2.0, 9.0, math.nan, 0.5, math.inf if bounds else 3.0])

    assert _places(bands, values).tolist() == [*map(bands.place, values.tolist())]
