import math
import uuid
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.cells import (
    Memo,
    cell,
    cell_reader,
    key_of,
    missing_as_none,
    moment,
    number,
    record_reader,
    text_of,
)

TIMES = st.datetimes(datetime(1900, 1, 2), datetime(2199, 12, 30)).map(
    lambda t: t.replace(microsecond=0)
)


class TestCell:
    @pytest.mark.parametrize("raw", [None, "", "  ", "\t\u00a0", math.nan, Decimal("NaN"), []])
    def test_nothing_is_missing(self, raw: object) -> None:
        assert cell(raw) is None

    def test_text_loses_the_space_around_it(self) -> None:
        assert cell(" \u00a0Acme \n") == "Acme"

    @pytest.mark.parametrize(("raw", "text"), [(True, "true"), (False, "false")])
    def test_yes_and_no_are_words(self, raw: bool, text: str) -> None:
        assert cell(raw) == text

    @pytest.mark.parametrize("raw", [12345678901234567890, Decimal("12345678901234567890.00")])
    def test_a_long_id_keeps_every_digit(self, raw: object) -> None:
        assert cell(raw) == "12345678901234567890"

    @pytest.mark.parametrize("raw", [5, 5.0, Decimal("5.00"), "5", "5.0"])
    def test_a_whole_number_has_one_text_whatever_its_type(self, raw: object) -> None:
        assert text_of(cell(raw)) == "5"

    def test_zero_has_no_sign(self) -> None:
        assert math.copysign(1, number(cell(-0.0))) == math.copysign(1, number("-0")) == 1

    @pytest.mark.parametrize(
        ("raw", "text"),
        [
            (datetime(2026, 1, 5, 10, 30), "2026-01-05T10:30:00"),
            (date(2026, 1, 5), "2026-01-05"),
            (time(10, 30), "10:30:00"),
            (uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
            (b" Acme ", "Acme"),
        ],
    )
    def test_what_parquet_holds_becomes_its_text(self, raw: object, text: str) -> None:
        assert cell(raw) == text

    def test_a_list_is_its_values_without_the_missing_ones(self) -> None:
        assert cell(["Web", None, 5.0, " "]) == "Web;5"

    @pytest.mark.parametrize("raw", [{"a": 1}, object(), [{"a": 1}], timedelta(1)])
    def test_a_nested_value_is_refused_with_its_type(self, raw: object) -> None:
        with pytest.raises(ValueError, match="is not a single value; give text or a number"):
            cell(raw)


class TestKey:
    @pytest.mark.parametrize("spelling", ["web form", " WEB  Form ", "Web\u00a0form", "web\nFORM"])
    def test_case_and_spacing_do_not_make_another_category(self, spelling: str) -> None:
        assert key_of(spelling) == "web form"

    @given(st.text())
    def test_the_key_of_a_key_is_itself(self, text: str) -> None:
        assert key_of(key_of(text)) == key_of(text)

    @pytest.mark.parametrize("text", ["1.0.0", "007.0", "1.50", "v1.0"])
    def test_only_a_whole_number_loses_its_zeros(self, text: str) -> None:
        assert text_of(text) == text

    def test_a_placeholder_counts_as_missing_in_any_spelling(self) -> None:
        reading = missing_as_none(["N/A", "please select"])
        assert [reading(v) for v in ("n/a", "Please  Select", "No", 0.0)] == [None, None, "No", 0.0]

    @given(st.text("sS\u017fßKk\u212a n/a", max_size=5).map(str.strip))
    def test_no_other_value_counts_as_missing(self, text: str) -> None:
        words = ["ss", "K", "n/a", "\u017f n"]
        missing = key_of(text) in {key_of(word) for word in words}
        assert (missing_as_none(words)(text) is None) == missing

    def test_a_memo_asks_once_for_each_value(self) -> None:
        asked: list[str] = []
        memo = Memo[str, None](asked.append)
        _ = [memo[key] for key in "abab"]
        assert asked == ["a", "b"]


class TestNumber:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("1250", 1250.0),
            ("-1,250.50", -1250.5),
            ("€ 1,250.50", 1250.5),
            ("USD 1,250", 1250.0),
            ("1250 EUR", 1250.0),
            ("$1,250", 1250.0),
            ("-£5", -5.0),
            ("1 250.5", 1250.5),
            ("1\u202f250", 1250.0),
            ("1'250", 1250.0),
            ("₹ 12,34,567", 1234567.0),
            ("12.5 %", 12.5),
            ("1e3", 1000.0),
            (".5", 0.5),
        ],
    )
    def test_money_shares_and_thousands_are_numbers(self, text: str, value: float) -> None:
        assert number(text) == value

    @pytest.mark.parametrize(
        ("text", "value"), [("1.250,5", 1250.5), ("1.250", 1250.0), ("0,5 %", 0.5)]
    )
    def test_the_decimal_comma_is_read_where_it_is_agreed(self, text: str, value: float) -> None:
        assert number(text, decimal=",") == value

    def test_a_typed_number_is_not_touched_by_the_marks_of_a_file(self) -> None:
        assert number(1250.5, decimal=",") == 1250.5

    @pytest.mark.parametrize(
        "text", ["", "-", ".", "€", "1,5", "1,25,0", "1.2.3", "12-24", "nan", "inf", "0x10", "1_0"]
    )
    def test_what_is_no_number_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="is not a number"):
            number(text)

    @pytest.mark.parametrize(
        ("text", "decimal"), [("1.234,50", "."), ("1,5", "."), ("1,234.50", ","), ("1.5", ",")]
    )
    def test_a_number_with_the_other_decimal_mark_says_where_it_is_agreed(
        self, text: str, decimal: str
    ) -> None:
        with pytest.raises(ValueError, match=r"is not a number, .*see export\.decimal"):
            number(text, decimal)

    @pytest.mark.parametrize("value", ["1e999", math.inf, -math.inf, "9" * 400])
    def test_an_infinite_number_is_refused(self, value: str | float) -> None:
        with pytest.raises(ValueError, match="is too large for a number"):
            number(value)

    def test_missing_is_nan(self) -> None:
        assert math.isnan(number(None))

    @given(st.floats(allow_nan=False, allow_infinity=False))
    def test_a_number_and_its_text_are_the_same_number(self, value: float) -> None:
        assert number(repr(value)).hex() == number(cell(value)).hex()

    @given(st.integers(-(10**15), 10**15), st.sampled_from(".,"))
    def test_grouped_thousands_read_back(self, value: int, decimal: str) -> None:
        grouped = f"{value:,}" if decimal == "." else f"{value:,}".replace(",", ".")
        assert number(grouped, decimal) == value


class TestMoment:
    @pytest.mark.parametrize(
        "text",
        [
            "2026-01-05T10:30:00",
            "2026-01-05 10:30",
            "2026-01-05T11:30:00+01:00",
            "2026-01-05T10:30:00.000Z",
            "2026/1/5 10:30",
            "5 Jan 2026 10:30",
            "Jan 5, 2026 10:30 AM",
            "5-Jan-26 10:30",
            "1/5/2026 10:30",
            "1/5/26 10:30",
            "Mon, 05 Jan 2026 10:30:00 GMT",
            "Mon Jan 05 2026 11:30:00 GMT+0100 (CET)",
            "2026-01-05 10:30:00 UTC",
            "1767609000",
            "1767609000.0",
            "1767609000000",
            1767609000.0,
            1767609000000.0,
        ],
    )
    def test_every_common_writing_of_a_time_is_read(self, text: str | float) -> None:
        assert moment(text) == datetime(2026, 1, 5, 10, 30)

    @pytest.mark.parametrize("text", ["03/04/2026", "3-4-2026", "03-04-26", "03/04/2026 00:00:00"])
    def test_the_agreement_says_whether_days_come_first(self, text: str) -> None:
        both = (moment(text, day_first=True), moment(text, day_first=False))
        assert both == (datetime(2026, 4, 3), datetime(2026, 3, 4))

    @pytest.mark.parametrize("day_first", [True, False])
    def test_dots_put_the_day_first_whatever_the_file_does_else(self, day_first: bool) -> None:
        assert moment("3.4.2026", day_first) == datetime(2026, 4, 3)

    @pytest.mark.parametrize(("text", "day_first"), [("03/25/2024", True), ("25/03/2024", False)])
    def test_a_date_that_does_not_fit_the_agreed_order_is_refused(
        self, text: str, day_first: bool
    ) -> None:
        with pytest.raises(ValueError, match=r"see export\.day_first"):
            moment(text, day_first)

    def test_a_long_text_is_refused_before_it_is_searched(self) -> None:
        with pytest.raises(ValueError, match="is not a time"):
            moment("1 " * 2_000_000)

    @pytest.mark.parametrize("day_first", [True, False])
    @pytest.mark.parametrize("text", ["2026-03-04", "2026/03/04", "20260304", 20260304.0])
    def test_a_year_in_front_settles_the_order(self, text: str | float, day_first: bool) -> None:
        assert moment(text, day_first) == datetime(2026, 3, 4)

    def test_milliseconds_that_begin_like_a_date_are_milliseconds(self) -> None:
        assert moment("1712011500000") == datetime(2024, 4, 1, 22, 45)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "soon",
            "12",
            "1.5",
            "0000-00-00",
            "2026-13-45",
            "31/02/2026",
            "May",
            "10:30",
            "202601051030",
            "²",
            "2026-01-05T99:00",
            1.7e300,
            math.inf,
        ],
    )
    def test_what_is_no_time_is_refused(self, text: str | float) -> None:
        with pytest.raises(ValueError, match="is not a time"):
            moment(text)

    @pytest.mark.parametrize(
        "text",
        ["1/1/1899", "2200-01-01", "9999-12-31T23:59:59-05:00", "0001-01-01T00:00+14:00"],
    )
    def test_a_time_beyond_all_leads_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="is not a time between 1900 and 2200"):
            moment(text)

    @pytest.mark.parametrize("text", ["May 5", "5 March 10:30"])
    def test_a_date_without_a_year_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="is not a time"):
            moment(text)

    @given(TIMES, st.integers(-14, 14))
    def test_a_zone_changes_the_writing_and_not_the_time(self, when: datetime, hours: int) -> None:
        there = when.replace(tzinfo=UTC).astimezone(timezone(timedelta(hours=hours)))
        assert moment(cell(there)) == when

    @given(TIMES, st.sampled_from("./-"), st.booleans())
    def test_a_short_date_reads_back(self, when: datetime, mark: str, day_first: bool) -> None:
        days = ["%d", "%m"] if day_first or mark == "." else ["%m", "%d"]
        text = when.strftime(mark.join([*days, "%Y"]) + " %H:%M:%S")
        assert moment(text, day_first) == when

    @given(st.from_regex(r"\A\d{1,4}([./-])\d{1,2}\1\d{1,4}.{0,12}\Z") | st.text(max_size=30))
    def test_odd_text_is_a_time_or_a_value_error(self, text: str) -> None:
        try:
            assert 1899 <= moment(text).year <= 2200
        except ValueError as error:
            assert str(error)  # noqa: PT017  # either is right; nothing else may come out


@given(
    words=st.lists(st.sampled_from(["N/A", "n a", "-", "none", "Select  one", "ß", "?"])),
    values=st.lists(
        st.none()
        | st.integers()
        | st.floats()
        | st.text("nNaA/- \t\x1fseloSELtc?ß", max_size=10)
        | st.sampled_from(["n\ta", "N  A", " n/a ", "NONE", "nonesuch", "select\tone", "SS"]),
    ),
)
def test_a_record_is_read_as_each_of_its_values_is(words: list[str], values: list[object]) -> None:
    read, record = cell_reader(words), {str(i): value for i, value in enumerate(values)}
    expected = {name: read(value) for name, value in record.items()}
    common = {value for value in values if value is None or isinstance(value, str | float)}
    assert record_reader(words)(record) == expected
    reads = record_reader(words, common)
    assert [reads(record), reads(record)] == [expected, expected]


def test_a_placeholder_stays_one_though_it_is_called_common() -> None:
    reads = record_reader(["0"], {"0", "1"})

    assert [reads({"a": "1", "b": "0"}) for _ in range(2)] == [{"a": "1", "b": None}] * 2


def test_lists_are_read_beside_texts_that_are_known() -> None:
    reads = record_reader([], {"a"})
    reads({"first": "a"})

    assert reads({"first": "a", "many": ["b", 1]}) == {"first": "a", "many": "b;1"}


def test_a_reader_of_records_knows_so_many_texts_at_most(monkeypatch) -> None:
    monkeypatch.setattr("features.cells._KNOWN", 2)
    values = [str(n) for n in range(5)]
    reads = record_reader([], set(values))

    assert [reads({"a": value}) for value in values * 2] == [{"a": value} for value in values * 2]
