"""What files of scores hold: the same in each format, safe in a spreadsheet."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from features.cells import Cell
from features.leads import Leads
from serving.blocks import OWN_COLUMNS, Layout, block_of, packed, unpacked
from serving.writers import WRITERS
from tests.serving.small import small_model

LAYOUT = Layout("id", ("note", "grade"), "7", "v1")
NOTES: list[Cell] = ["a;=1+1", '+49 "x", y\nz', None, "-5", 12.0]


def leads() -> Leads:
    columns: dict[str, list[Cell]] = {
        "industry": ["Software", "Trade", "Beekeeping", None, "Software"],
        "visits": ["3", "19", "many", None, "3"],
        "note": NOTES,
        "grade": ["gold", None, "gold", "tin", "gold"],
    }
    return Leads(["@1", 'a"b', "c,d", "4", "ü"], columns, [None] * 5)


def written(path: Path, reasons: int = 2, twice: bool = False) -> Path:
    scorer = small_model().artefact.scorer
    block = block_of(leads(), scorer.score_columns(leads(), reasons), LAYOUT)
    writer = WRITERS[path.suffix](path, LAYOUT.schema)
    for _ in range(2 if twice else 1):
        writer.write(unpacked(packed(block)))
    writer.close()
    return path


def of_csv(path: Path) -> list[dict[str, Any]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def of_json(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.mark.parametrize("reasons", [0, 2])
def test_json_lines_and_parquet_hold_the_same(tmp_path: Path, reasons: int) -> None:
    lines = of_json(written(tmp_path / "o.jsonl", reasons))

    assert lines == pq.read_table(written(tmp_path / "o.parquet", reasons)).to_pylist()
    assert list(lines[0]) == ["id", *OWN_COLUMNS, "note", "grade_input"]


def test_csv_holds_the_same_numbers_reasons_and_warnings(tmp_path: Path) -> None:
    table, lines = of_csv(written(tmp_path / "o.csv")), of_json(written(tmp_path / "o.jsonl"))

    assert [float(row["probability"]) for row in table] == [r["probability"] for r in lines]
    assert [json.loads(row["reasons"]) for row in table] == [r["reasons"] for r in lines]
    assert [row["warnings"] for row in table] == ["; ".join(r["warnings"]) for r in lines]


def test_reasons_are_those_of_the_lead(tmp_path: Path) -> None:
    scores = small_model().artefact.scorer.score(leads(), 2)

    found = [row["reasons"] for row in of_json(written(tmp_path / "o.jsonl"))]

    assert found == [[reason._asdict() for reason in score.reasons] for score in scores]
    assert {len(reasons) for reasons in found} == {1, 2}


def test_warnings_say_what_is_odd_about_a_lead(tmp_path: Path) -> None:
    assert [row["warnings"] for row in of_json(written(tmp_path / "o.jsonl"))] == [
        [],
        [],
        [
            "industry: was rare or absent in training",
            "visits: is not a number and counts as missing",
        ],
        ["visits: is missing and would have mattered"],
        [],
    ]


def test_columns_of_the_input_go_along_as_text(tmp_path: Path) -> None:
    lines = of_json(written(tmp_path / "o.jsonl"))

    assert [row["note"] for row in lines] == ["a;=1+1", '+49 "x", y\nz', None, "-5", "12"]
    assert [row["grade_input"] for row in lines] == ["gold", None, "gold", "tin", "gold"]


def test_scores_that_are_scored_again_and_again_keep_each_column_under_a_name_of_its_own() -> None:
    names = ["grade"]
    for _ in range(3):
        names = Layout("id", tuple(name for name in names if name != "id"), "7", "v1").schema.names

    assert len(names) == len(set(names)) == 1 + 3 * len(OWN_COLUMNS) + 1


def test_no_cell_of_csv_is_a_formula(tmp_path: Path) -> None:
    table = of_csv(written(tmp_path / "o.csv"))

    assert [row["id"] for row in table] == ["'@1", 'a"b', "c,d", "4", "ü"]
    assert [row["note"] for row in table] == ["a;'=1+1", '\'+49 "x", y\nz', "", "-5", "12"]


def test_what_a_model_lacks_is_empty(tmp_path: Path) -> None:
    assert of_csv(written(tmp_path / "o.csv"))[0]["expected_value"] == ""
    assert of_json(written(tmp_path / "o.jsonl"))[0]["expected_value"] is None


@pytest.mark.parametrize("ending", WRITERS)
def test_blocks_stand_one_below_the_other(tmp_path: Path, ending: str) -> None:
    path = written(tmp_path / f"o{ending}", twice=True)

    read = {".csv": of_csv, ".jsonl": of_json, ".parquet": lambda p: pq.read_table(p).to_pylist()}
    found = read[ending](path)
    assert len(found) == 10
    assert found[:5] == found[5:]
