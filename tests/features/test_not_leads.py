"""Headers and sums among the rows of an export are no leads; what only looks like one stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.agreement import Agreement
from features.leads import Fault, Lead, admit_one
from features.table import Reject
from tests.features.making import SMALLEST, a_file, an_agreement, nightly_of

HEADER, SUM = "repeats the header, and is no lead", "is a sum of other rows, and no lead"


def named(**columns: str) -> Agreement:
    return an_agreement(columns={**SMALLEST["columns"], **columns})


def told(rejects: list[Reject]) -> list[tuple[int, str]]:
    return [(reject.line, reject.reason) for reject in rejects]


def test_sums_of_a_report_are_no_leads(tmp_path: Path) -> None:
    text = (
        'id,town,price\n1,a,5\nSubtotal,,11\n2,b,6\n"Grand Total (2 records)",,"$1,500"\nSUMME:,,\n'
    )

    ((leads,), intake) = nightly_of(a_file(tmp_path, text), an_agreement())

    assert leads.ids == ["1", "2"]
    assert told(intake.rejects) == [(3, SUM), (5, SUM), (6, SUM)]


@pytest.mark.parametrize(
    "row", ["Total,Kiel,5", "Totally,,5", "T,,5", "Total Energies,,5", "Total,11-50,5"]
)
def test_a_lead_whose_id_only_begins_so_stays_a_lead(tmp_path: Path, row: str) -> None:
    path = a_file(tmp_path, f"id,town,price\n{row}\n")

    ((leads,), intake) = nightly_of(path, an_agreement())

    assert len(leads) == 1
    assert not intake.rejects


def test_a_row_with_a_time_of_its_own_is_no_sum(tmp_path: Path) -> None:
    path = a_file(tmp_path, "id,created,price\nTotal,2026-01-05,5\nTotal,,5\n")

    ((leads,), intake) = nightly_of(path, named(created="created"))

    assert leads.ids == ["Total"]
    assert told(intake.rejects) == [(3, SUM)]


def test_without_ids_headers_and_sums_are_known_by_the_first_column(tmp_path: Path) -> None:
    text = "town,price\nKiel,5\ntown,price\ntown,7\nTotal,12\nTotal,a\n"

    ((leads,), intake) = nightly_of(a_file(tmp_path, text), named(id="#row"))

    assert leads.ids == ["2", "4", "6"]
    assert told(intake.rejects) == [(3, HEADER), (5, SUM)]


def test_one_lead_is_told_from_a_sum_as_many_are() -> None:
    found = admit_one({"id": "Total", "price": 5.0, "town": None}, an_agreement())

    assert isinstance(found, Fault)
    assert found.reason == SUM
    assert isinstance(admit_one({"id": "Total", "town": "Kiel"}, an_agreement()), Lead)


def test_without_ids_one_lead_is_told_from_a_sum_by_its_first_value() -> None:
    agreement = named(id="#row")

    found = admit_one({"#row": "1", "town": "Grand total", "price": "12"}, agreement)

    assert isinstance(found, Fault)
    assert found.reason == SUM
    assert isinstance(admit_one({"#row": "1", "town": "Kiel", "price": "12"}, agreement), Lead)


def test_a_mark_however_long_is_read_at_once() -> None:
    found = admit_one({"id": "Total" + " " * 200_000 + "b", "price": 5.0}, an_agreement())

    assert isinstance(found, Lead)


@pytest.mark.parametrize("word", ["Total", "SUMME:", "итого", "Total Général", "id", "sum"])
def test_a_row_among_many_is_told_as_among_few(tmp_path: Path, word: str) -> None:
    rows = [f"R{i},Kiel,{i}\n" for i in range(200)]
    rows[150] = "id,town,price\n" if word == "id" else f"{word},,5\n"

    ((leads,), intake) = nightly_of(
        a_file(tmp_path, "id,town,price\n" + "".join(rows)), an_agreement()
    )

    assert len(leads) == 199
    assert told(intake.rejects) == [(152, HEADER if word == "id" else SUM)]
