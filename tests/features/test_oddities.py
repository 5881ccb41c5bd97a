from pathlib import Path

import pytest

from features.files import open_table
from features.oddities import oddities
from features.table import Form

from .making import a_file

CSV = Form("CSV", ",", "utf-8-sig")
KNOWN = ("id", "created", "town", "size", "Lead Source")


def test_an_export_as_known_is_not_odd() -> None:
    assert not oddities(KNOWN, CSV, KNOWN, CSV)


def test_what_came_and_went_is_named_in_order() -> None:
    found = oddities(("new", "id", "created", "size", "Lead Source", "b"), CSV, KNOWN, CSV)
    assert (found.appeared, found.vanished) == (("new", "b"), ("town",))
    assert not found.other_language


def test_another_order_alone_is_not_odd() -> None:
    found = oddities(KNOWN[::-1], CSV, KNOWN, CSV)
    assert found.reordered
    assert not found


@pytest.mark.parametrize("name", ["lead_source", "LeadSource", "lead source"])
def test_another_spelling_is_a_new_name_wherever_it_stands(name: str) -> None:
    found = oddities((name, *KNOWN[:-1]), CSV, KNOWN, CSV)
    assert found.renamed == (("Lead Source", name),)


def test_another_language_is_noticed_by_the_places() -> None:
    found = oddities(("id", "angelegt", "Ort", "Groesse", "Quelle"), CSV, KNOWN, CSV)
    assert found.other_language
    assert found.renamed[:2] == (("created", "angelegt"), ("town", "Ort"))


def test_a_column_between_others_is_not_a_renamed_one() -> None:
    found = oddities((*KNOWN[:2], "new", *KNOWN[2:]), CSV, KNOWN, CSV)
    assert (found.appeared, found.renamed) == (("new",), ())


def test_a_changed_form_is_told_with_both(tmp_path: Path) -> None:
    text = "id;created;town;size;Lead Source\n1;;Köln;;\n"
    table = open_table(a_file(tmp_path, text.encode("cp1252")))
    found = oddities(table.columns, table.form, KNOWN, CSV)
    assert found.form == (("delimiter", ",", ";"), ("encoding", "utf-8-sig", "cp1252"))
    assert next(found.sentences()) == "the delimiter was ',', and now is ';'"


def test_a_form_that_is_not_known_is_not_compared() -> None:
    assert not oddities(KNOWN, Form("Parquet"), KNOWN)
    assert oddities(KNOWN, Form("Parquet"), KNOWN, CSV).form == (("format", "CSV", "Parquet"),)


def test_many_names_are_told_in_few_words() -> None:
    many = [f"c{i}" for i in range(500)]
    (gone,) = oddities(("id",), CSV, ("id", *many), CSV).sentences()
    assert gone.endswith("c9 and 490 more")
