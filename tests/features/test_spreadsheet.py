"""What is written for a spreadsheet is shown there, never calculated."""

from __future__ import annotations

import csv
import io

import pytest

from features.spreadsheet import csv_text, safe_cell


@pytest.mark.parametrize(
    "cell",
    [
        '=HYPERLINK("http://x","y")',
        "+49 30 123",
        "-x",
        "-1+1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        " =1",
        "＝1+1",
        "＋1",
        "－1+1",
        "＠SUM(A1)",
    ],
)
def test_what_a_spreadsheet_would_calculate_is_made_text(cell: str) -> None:
    assert safe_cell(cell) == f"'{cell}"


@pytest.mark.parametrize(
    ("cell", "shown"),
    [("x;=1+1", "x;'=1+1"), ('=1;"@A1', "'=1;'\"@A1"), ("x; y", "x; y"), ("a;-5;", "a;-5;")],
)
def test_no_part_acts_where_a_spreadsheet_splits_at_semicolons(cell: str, shown: str) -> None:
    assert safe_cell(cell) == shown


@pytest.mark.parametrize("cell", ["-3.5", "+1e-4", "", "Ann = Bob", "lead-7", "Überweg & Söhne"])
def test_numbers_and_plain_words_stay_as_they_are(cell: str) -> None:
    assert safe_cell(cell) == cell


def test_a_heading_acts_no_more_than_a_cell() -> None:
    assert csv_text(("=cmd", "x"), ()) == "'=cmd,x\r\n"


def test_half_a_character_is_written_readably() -> None:
    assert safe_cell("a\ud800") == "a\\ud800"


def test_a_table_is_read_back_cell_by_cell() -> None:
    rows = [['say "no"', "two\nlines"], ["a,b", "=1"], ["one\r=1", "\r=1"]]
    found = list(csv.reader(io.StringIO(csv_text(("x", "y"), rows), newline="")))
    assert found == [["x", "y"], ['say "no"', "two\nlines"], ["a,b", "'=1"], ["one\r=1", "'\r=1"]]
