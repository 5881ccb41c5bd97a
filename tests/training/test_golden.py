from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from features.agreement import Agreement
from features.cells import key_of
from features.encoder import MIN_COUNT, Encoder, split_tokens
from features.files import open_table
from features.home import Home
from features.leads import History, Leads
from features.reading import Intake, read_history
from tests.training.firms import agreed, use
from training.golden import ROWS, golden_rows, reference
from training.train import Training


@pytest.fixture(scope="module")
def told(crm: Path, agreement: Agreement) -> History:
    """The simulated history."""
    return read_history(open_table(crm / "export.csv"), agreement, Intake())


@pytest.fixture(scope="module")
def rows(told: History, agreement: Agreement) -> tuple[dict[str, object], ...]:
    """The golden rows of the simulated history."""
    encoder = Encoder.fit(told.leads, agreement, agreement.used_fields())
    return golden_rows(encoder, encoder.encode(told.leads), agreement)


def texts(rows: tuple[dict[str, object], ...], names: Iterator[str]) -> Iterator[tuple[str, str]]:
    """Every text among the golden values of some fields."""
    for name in names:
        for row in rows:
            if isinstance(row[name], str):
                yield name, str(row[name])


def test_there_are_eight_rows_with_every_used_field(
    rows: tuple[dict[str, object], ...], agreement: Agreement
) -> None:
    assert len(rows) == ROWS
    assert all(row.keys() >= agreement.used_fields().keys() for row in rows)


def test_no_category_is_rarer_than_ten_leads(
    rows: tuple[dict[str, object], ...], told: History, agreement: Agreement
) -> None:
    names = [n for n, f in agreement.used_fields().items() if f.kind == "category"]
    counts = {n: Counter(key_of(cell) for cell in told.leads.columns[n]) for n in names}

    rare = [
        (name, text)
        for name, text in texts(rows, iter(names))
        if 0 < counts[name][key_of(text)] < MIN_COUNT
    ]

    assert rare == []


def test_no_word_or_option_is_rarer_than_ten_leads(
    rows: tuple[dict[str, object], ...], told: History, agreement: Agreement
) -> None:
    fields = {n: f for n, f in agreement.used_fields().items() if f.kind in ("text", "options")}
    separators = {n: f.separator if f.kind == "options" else "" for n, f in fields.items()}
    counts = {
        n: Counter(t for cell in told.leads.columns[n] for t in split_tokens(cell, separators[n]))
        for n in fields
    }

    rare = [
        (name, token)
        for name, text in texts(rows, iter(fields))
        for token in split_tokens(text, separators[name])
        if counts[name][token] < MIN_COUNT
    ]

    assert rare == []


@pytest.mark.parametrize("name", ["email", "phone"])
def test_no_contact_is_one_of_the_data(
    rows: tuple[dict[str, object], ...], told: History, name: str
) -> None:
    known = set(told.leads.columns[name]) - {None}

    assert not known & {row[name] for row in rows}


def test_personal_fields_are_no_part_of_a_row(rows: tuple[dict[str, object], ...]) -> None:
    assert not {"first_name", "last_name", "fax"} & rows[0].keys()


def test_the_ids_are_invented(rows: tuple[dict[str, object], ...], told: History) -> None:
    assert not {row["id"] for row in rows} & set(told.leads.ids)


def test_something_is_missing_and_something_unseen(rows: tuple[dict[str, object], ...]) -> None:
    values = [value for row in rows for value in row.values()]

    assert None in values
    assert "a value never seen" in values


def few(cells: list[object], kind: str) -> tuple[Encoder, Leads, Agreement]:
    """An encoder of one field."""
    leads = Leads(
        [str(i) for i in range(len(cells))], {"x": cells}, [datetime(2026, 1, 1)] * len(cells)
    )  # type: ignore[dict-item]
    agreement = agreed(fields={"x": {"use": "yes", "kind": kind}})
    return Encoder.fit(leads, agreement, {"x": use(kind)}), leads, agreement


def test_a_rare_category_is_written_nowhere() -> None:
    encoder, leads, agreement = few(["often"] * 10 + ["Smith & Sons"] * 9, "category")

    golden = golden_rows(encoder, encoder.encode(leads), agreement)

    assert {row["x"] for row in golden} == {"often", "a value never seen", None}


def test_an_empty_field_is_missing_in_every_row() -> None:
    encoder, leads, agreement = few([None] * 20, "number")

    golden = golden_rows(encoder, encoder.encode(leads), agreement)

    assert {row["x"] for row in golden} == {None}


def test_the_reference_keeps_shares_that_sum_to_one() -> None:
    encoder, leads, _ = few(["a"] * 10 + ["b"] * 20 + [None] * 10, "category")

    kept = reference(encoder, encoder.encode(leads))["x"]

    assert kept["missing"] == 0.25
    assert kept["missing"] + sum(kept["shares"]) == pytest.approx(1)


def test_the_reference_keeps_deciles_and_no_extremes_of_a_number() -> None:
    encoder, leads, _ = few([float(i) for i in range(101)], "number")

    assert reference(encoder, encoder.encode(leads))["x"]["deciles"] == pytest.approx(
        [10, 20, 30, 40, 50, 60, 70, 80, 90], abs=1
    )


def test_a_number_that_few_leads_have_is_written_nowhere() -> None:
    numbers = [float(10_007 + 31 * person) for person in range(200) for _ in range(4)]
    encoder, leads, agreement = few(numbers, "number")
    matrix = encoder.encode(leads)

    golden = golden_rows(encoder, matrix, agreement)
    kept = [*(row["x"] for row in golden), *reference(encoder, matrix)["x"]["deciles"]]

    assert len(kept) == ROWS + 9
    assert not {*kept} & {*numbers}


def test_a_number_that_many_leads_have_is_kept_as_it_is() -> None:
    encoder, leads, _ = few([0.1] * 70 + [0.7] * 60, "number")

    deciles = reference(encoder, encoder.encode(leads))["x"]["deciles"]

    assert {*deciles} == {0.1, 0.7}


def test_nothing_personal_is_in_the_home_of_a_training(
    trained: tuple[Home, Training], told: History
) -> None:
    columns = told.leads.columns
    names = Counter(cell for cell in columns["last_name"] if isinstance(cell, str))
    personal = {str(cell) for cell in [*columns["email"], *columns["phone"]] if cell}
    personal |= {name for name, count in names.items() if count < MIN_COUNT}

    kept = b"\n".join(p.read_bytes() for p in trained[0].root.rglob("*") if p.is_file())

    assert [value for value in sorted(personal) if value.encode() in kept] == []
