from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.cells import Cell, cell
from features.profile import Profile, find_day_first, find_decimal, is_time, profile


def profiled(values: list[Any], name: str = "x", decimal: str = ".") -> Profile:
    return profile(name, [cell(value) for value in values], decimal, day_first=False)


class TestKind:
    @pytest.mark.parametrize(
        ("name", "values", "kind"),
        [
            ("x", [], "category"),
            ("x", [None, None], "category"),
            ("x", ["1", "2.5", "3,000"], "number"),
            ("x", [1.5, None, 3], "number"),
            ("price", ["€ 5", "€ 1,250.00"], "number"),
            ("zip", ["50667", "10115"] * 10, "category"),
            ("companyId", [1, 2, 3] * 10, "category"),
            ("x", ["2026-01-05", "2026-01-06 10:00", None], "date"),
            ("x", ["5 Jan 2026", "6 Feb 2026"], "date"),
            ("x", ["a@b.de", "c@d.com", None], "email"),
            ("phone", ["030 123456", "040/1234567"], "phone"),
            ("x", ["+49 30 123456", "+1 212 555 0100"], "phone"),
            ("x", ["Web", "Fair", "Web"], "category"),
            ("x", ["Yes", "No"] * 20, "category"),
            ("x", [True, False, None], "category"),
            ("x", [f"please call number {chr(97 + i % 26)}{i}" for i in range(60)], "text"),
            ("x", [f"firm{chr(97 + i % 26)}{i}" for i in range(60)], "category"),
        ],
    )
    def test_a_column_is_read_by_what_stands_in_it(
        self, name: str, values: list[Any], kind: str
    ) -> None:
        assert profiled(values, name).kind == kind

    @pytest.mark.parametrize("separator", [";", "|"])
    def test_several_choices_in_a_cell_are_options(self, separator: str) -> None:
        chosen = ["a", "b", "a;b", "b;c", "a;c", "a;b;c"] * 5
        found = profiled([text.replace(";", separator) for text in chosen])
        assert (found.kind, found.separator) == ("options", separator)

    def test_codes_of_which_most_are_rare_are_numbers_for_neighbours_are_alike(self) -> None:
        rare = [*range(10_000, 10_100), *range(10_000, 10_100)]
        assert profiled([*rare, *[10_115] * 180], "zip").kind == "number"
        assert profiled([*rare, *[10_115] * 220], "zip").kind == "category"

    def test_a_few_words_among_numbers_do_not_make_a_category(self) -> None:
        assert profiled([*range(100), "many"]).kind == "number"

    def test_the_decimal_comma_makes_numbers_where_it_is_agreed(self) -> None:
        kinds = [profiled(["1,5", "2,25"], decimal=mark).kind for mark in ",."]
        assert kinds == ["number", "category"]

    @pytest.mark.parametrize(("value", "yes"), [("2026-01-05", True), ("20260105", False)])
    def test_bare_digits_are_not_taken_for_a_time(self, value: str, yes: bool) -> None:
        assert (is_time(value, False), is_time(5.0, False)) == (yes, False)


class TestShape:
    def test_filled_distinct_and_most_common_are_counted_by_category(self) -> None:
        found = profiled(["Web", "web ", "WEB", "Fair", None])
        assert (found.rows, found.filled, found.distinct, found.most_common) == (5, 4, 2, 3)
        assert found.fill == 0.8

    def test_a_column_of_no_rows_is_empty(self) -> None:
        assert (profiled([]).fill, profiled([]).is_unique) == (0.0, False)

    def test_a_value_of_its_own_in_every_row_is_unique(self) -> None:
        assert profiled([f"L-{i}" for i in range(100)]).is_unique
        assert not profiled([f"L-{i % 90}" for i in range(100)]).is_unique

    @pytest.mark.parametrize("rest", [None, "No"])
    def test_fewer_than_ten_differing_rows_are_near_constant(self, rest: str | None) -> None:
        found = [profiled(["Yes"] * n + [rest] * 100).is_near_constant for n in (9, 10)]
        assert found == [True, False]

    @pytest.mark.parametrize(
        ("name", "values", "yes"),
        [
            ("key", [f"L-{i}" for i in range(50)], True),
            ("account_id", [1000 + 7 * i for i in range(50)], True),
            ("revenue", [1000 + 7 * i for i in range(50)], False),
            ("key", [f"L-{i}" for i in range(10)], False),
            ("key", ["a", "b"] * 30, False),
        ],
    )
    def test_what_marks_single_leads_is_an_identifier(
        self, name: str, values: list[Any], yes: bool
    ) -> None:
        assert profiled(values, name).is_identifier is yes

    def test_how_often_a_number_rises_is_a_share_of_neighbours(self) -> None:
        shares = [profiled(values).increasing for values in ([1, 2, 3], [3, 1, 2], [5], ["a", "b"])]
        assert shares == [1.0, 0.5, 0.5, -1.0]

    @pytest.mark.parametrize(
        ("values", "yes"), [([0, 1, 2], True), ([1, 2, 3], True), ([2, 3], False), ([1, 3], False)]
    )
    def test_a_counter_counts_the_rows(self, values: list[int], yes: bool) -> None:
        assert profiled(values).is_counter is yes

    def test_words_are_a_mean_over_filled_cells(self) -> None:
        assert profiled(["one", "two words here", None]).words == 2.0

    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.none() | st.floats() | st.text() | st.booleans()))
    def test_any_column_has_a_profile(self, values: list[Any]) -> None:
        found = profiled(values)
        assert found.most_common <= found.filled <= found.rows == len(values)


class TestMarks:
    @pytest.mark.parametrize(
        ("columns", "mark"),
        [
            ([["1,5", "2,25"]], ","),
            ([["1.5", "2.25"]], "."),
            ([["1.250,5"], ["1.250"]], ","),
            ([["1,250"], ["2,500"]], "."),
            ([["1,5"], ["2.5"], ["3,5"]], ","),
            ([["a,b"], [None, 1.5]], "."),
            ([], "."),
        ],
    )
    def test_the_decimal_mark_is_what_most_columns_need(
        self, columns: list[list[Cell]], mark: str
    ) -> None:
        assert find_decimal(columns) == mark

    @pytest.mark.parametrize(
        ("cells", "answer"),
        [
            (["31/01/2026", "03/04/2026"], True),
            (["01/31/2026", "03/04/2026"], False),
            (["03/04/2026"], None),
            (["31.04.2026", "03.04.2026"], None),
            (["31/01/2026", "01/31/2026"], None),
            (["2026-01-31", "20260131", None, 5.0], None),
            (["31/01/2026 10:00"], True),
            ([], None),
        ],
    )
    def test_the_order_of_day_and_month_is_said_only_where_it_shows(
        self, cells: list[Cell], answer: bool | None
    ) -> None:
        assert find_day_first(cells) is answer
