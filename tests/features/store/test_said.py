"""What sales says is read where it has one meaning, and told where it has none or two."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import UsageError
from features.leads import Fault
from features.store.said import FEEDBACK, Reader, Said
from tests.features.making import an_agreement
from tests.features.store.making import MONDAY

DAY_FIRST = an_agreement(export={"day_first": True, "decimal": ",", "missing": ["N/A"]})
MONTH_FIRST = an_agreement()
OUTCOMES = {"won": ["Closed Won"], "lost": ["Lost", "No budget"], "in_contract": ["Bound"]}


def read(agreement=DAY_FIRST, both_orders: bool = False, **cells: Any) -> Said | Fault:
    row = {"id": "a", "code": "lost", "at": "2026-03-02"} | cells
    return Reader(agreement, both_orders).said(row)


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-11-22T09:15", datetime(2026, 11, 22, 9, 15)),
        ("22.11.2026 09:15", datetime(2026, 11, 22, 9, 15)),
        ("22/11/2026 9:15", datetime(2026, 11, 22, 9, 15)),
        ("22.11.26", datetime(2026, 11, 22)),
        ("22/11/26", datetime(2026, 11, 22)),
        ("22-Nov-26", datetime(2026, 11, 22)),
        ("46348", datetime(2026, 11, 22)),
        (46348.0, datetime(2026, 11, 22)),
        ("46348.385416667", datetime(2026, 11, 22, 9, 15)),
        ("46348,5", datetime(2026, 11, 22, 12)),
        ("2026-11-22T09:15+02:00", datetime(2026, 11, 22, 7, 15)),
    ],
)
def test_a_time_with_one_meaning_is_read(written: str | float, moment: datetime) -> None:
    said = read(at=written)
    assert isinstance(said, Said)
    assert said.at == moment


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("11/22/2026", "read day first"),
        ("11/22/2026 9:15 AM", "read day first"),
        ("11/22/26", "read day first"),
        ("22-11-26", "with its day or with its year"),
        ("########", "not a time"),
        ("00.01.1900", "not a time"),
        ("12345", "not a time"),
        ("99999", "not a time"),
        ("2026", "not a time"),
        (None, "is missing"),
        ("N/A", "is missing"),
    ],
)
def test_a_time_with_no_meaning_or_two_is_told_without_its_value(
    written: str | None, why: str
) -> None:
    fault = read(at=written)
    assert isinstance(fault, Fault)
    assert fault.field == "at"
    assert why in fault.reason
    assert str(written) not in fault.reason


@pytest.mark.parametrize(("written", "readable"), [("03/04/2026", False), ("22/11/2026", True)])
def test_where_dates_are_written_both_ways_those_of_two_meanings_are_told(
    written: str, readable: bool
) -> None:
    assert isinstance(read(at=written), Said)
    assert isinstance(read(at=written, both_orders=True), Said) is readable


def test_a_day_to_come_back_is_the_one_that_is_written() -> None:
    said = read(code="not_ready", return_on="2026-12-31T00:00:00+02:00")
    assert isinstance(said, Said)
    assert said.return_on == date(2026, 12, 31)


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("won", "won"),
        ("Not ready", "not_ready"),
        ("IN-CONTRACT", "in_contract"),
        ("closed  won", "won"),
        ("No budget", "lost"),
        ("Bound", "in_contract"),
        ("accepted", "accepted"),
    ],
)
def test_a_word_of_leadq_or_of_the_crm_is_a_code(word: str, code: str) -> None:
    said = read(an_agreement(outcomes=OUTCOMES), code=word)
    assert isinstance(said, Said)
    assert said.code == code


def test_the_word_of_the_crm_is_kept_and_changes_nothing_of_what_was_said() -> None:
    by_word, by_code = (
        read(an_agreement(outcomes=OUTCOMES), code=w) for w in ("No  BUDGET", "lost")
    )
    assert isinstance(by_word, Said)
    assert isinstance(by_code, Said)
    assert (by_word.told, by_code.told) == ("No budget", None)
    assert by_word.digest == by_code.digest
    assert Said.of(by_word.as_dict()) == by_word


@pytest.mark.parametrize(
    ("cells", "field", "why"),
    [
        ({"code": "maybe"}, "code", "or a word of [outcomes]"),
        ({"code": None}, "code", "missing"),
        ({"id": None}, "id", "missing"),
        ({"id": "x" * 201}, "id", "at most 200"),
        ({"id": "a\0b"}, "id", "NUL"),
        ({"id": "1,23457E+15"}, "id", "a spreadsheet has rounded"),
        ({"value": "12.50"}, "value", "is not a number"),
        ({"return_on": "soon"}, "return_on", "is not a time"),
    ],
)
def test_what_cannot_be_read_is_told(cells: dict[str, Any], field: str, why: str) -> None:
    fault = read(**cells)
    assert isinstance(fault, Fault)
    assert (fault.field, why in fault.reason) == (field, True)


def test_a_value_is_read_by_the_agreed_decimal_mark() -> None:
    said = read(code="won", value="€ 1.250,50")
    assert isinstance(said, Said)
    assert said.value == 1250.5


def test_the_headings_of_a_crm_are_understood() -> None:
    names = ["id", "at", "disposition", "by", "value", "reason", "until"]
    found = FEEDBACK.columns_of(names, MONTH_FIRST)
    assert (found["code"], found["return_on"]) == ("disposition", "until")


def test_an_own_heading_counts_before_one_that_only_resembles_it() -> None:
    assert FEEDBACK.columns_of(["Status", "Code", "lead_id", "Date"], MONTH_FIRST) == {
        "code": "Code", "id": "lead_id", "at": "Date",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (["id", "code"], "no column for at"),
        (["id", "at", "code", "note", "comment"], "'note' and 'comment' both stand for reason"),
    ],
)
def test_columns_that_lack_or_quarrel_are_told(names: list[str], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        FEEDBACK.columns_of(names, MONTH_FIRST)


@pytest.mark.parametrize(
    ("item", "field", "why"),
    [
        ("won", "", "must be an object"),
        ({"retrun_on": "2026-01-01"}, "retrun_on", "is no part of feedback"),
        ({"code": "won", "disposition": "won"}, "disposition", "given twice"),
        ({"code": {"won": 1}}, "code", "not a single value"),
        ({"id": "\ud800"}, "id", "half a character"),
        ({"\ud800": 1}, "\ufffd", "is no part of feedback"),
    ],
)
def test_an_item_of_a_request_that_cannot_be_read_is_told(
    item: object, field: str, why: str
) -> None:
    fault = Reader(MONTH_FIRST).item(item)
    assert isinstance(fault, Fault)
    assert (fault.field, why in fault.reason) == (field, True)


def test_words_that_no_database_takes_are_kept_as_it_can() -> None:
    item = {"id": "a", "at": "2026-03-02", "code": "lost", "reason": "a\0b\ud800", "by": "k\0"}
    said = Reader(MONTH_FIRST).item(item)
    assert isinstance(said, Said)
    assert (said.reason, said.by) == ("a\ufffdb\ufffd", "k\ufffd")


@given(
    st.builds(
        Said,
        st.text(min_size=1),
        st.sampled_from(["won", "lost"]),
        st.datetimes(),
        st.none() | st.text(),
        st.none() | st.floats(allow_nan=False),
        st.none() | st.text(),
        st.none() | st.dates(),
    )
)
def test_what_waits_reads_back_as_it_was_said(said: Said) -> None:
    assert Said.of(said.as_dict()) == said


def test_other_words_have_another_digest() -> None:
    said = [Said("a", "lost", MONDAY), Said("a", "won", MONDAY), Said("a", "lost", MONDAY, "kim")]
    assert len({item.digest for item in said}) == 3
