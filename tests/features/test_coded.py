import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.cells import Cell
from features.coded import CodedCells, coded, each, joined

CELLS = st.lists(st.sampled_from([None, "a", "b", "1", 1.0, 2.0]))


@given(CELLS)
def test_a_column_is_the_sequence_of_its_cells(cells: list[Cell]) -> None:
    column = coded(cells)
    assert column == cells
    assert [column[i] for i in range(len(column))] == cells


@given(CELLS)
def test_every_value_stands_once_in_a_column_made_of_cells(cells: list[Cell]) -> None:
    assert sorted(map(repr, coded(cells).values)) == sorted(map(repr, set(cells)))


def test_text_and_number_are_two_values() -> None:
    assert coded(["1", 1.0]).values == ["1", 1.0]


def test_a_column_stays_the_column_it_is() -> None:
    column = coded(["a"])
    assert coded(column) is column


@given(CELLS, st.data())
def test_taken_cells_come_in_the_order_asked_for(cells: list[Cell], data: st.DataObject) -> None:
    places = data.draw(st.lists(st.integers(0, len(cells) - 1)) if cells else st.just([]))
    taken = coded(cells).take(np.array(places, dtype=np.intp))
    assert taken == [cells[i] for i in places]
    assert set(taken.values) == set(taken)


@pytest.mark.parametrize("part", [slice(1, 3), slice(None, None, -1), slice(2), slice(9, None)])
def test_a_slice_is_that_of_the_cells(part: slice) -> None:
    cells: list[Cell] = ["a", None, "a", 2.0]
    assert coded(cells)[part] == cells[part]


def test_columns_of_other_cells_differ() -> None:
    assert coded(["a", "b"]) != coded(["b", "a"])
    assert coded(["a"]) != ("a",)


class TestReading:
    def test_missing_is_not_read_and_the_rest_once(self) -> None:
        asked: list[Cell] = []

        def shout(cell: Cell) -> str:
            asked.append(cell)
            return str(cell).upper()

        column = coded(["a", None, "b", "a"])
        assert [column.read(shout), column.read(shout)] == [["A", None, "B"]] * 2
        assert asked == ["a", "b"]

    def test_what_was_read_goes_with_the_cells_that_are_taken(self) -> None:
        column = coded(["a", "b", "c"])
        kept = column.read(repr)
        taken = column.take(np.array([2, 0, 2]))
        assert [taken.read(repr)[code] for code in taken.codes] == [kept[2], kept[0], kept[2]]

    def test_two_ways_of_reading_do_not_meet(self) -> None:
        column = coded(["a"])
        assert (column.read(repr), column.read(len)) == (["'a'"], [1])  # type: ignore[arg-type]

    @given(CELLS)
    def test_each_is_the_function_of_each_cell(self, cells: list[Cell]) -> None:
        expected = [repr(cell) for cell in cells]
        assert each(coded(cells), repr) == each(cells, repr) == expected

    def test_counts_are_by_value(self) -> None:
        assert coded(["b", "a", "b"]).counts() == [2, 1]

    def test_a_changed_column_keeps_its_places(self) -> None:
        assert coded(["a", "-", "a"]).changed(lambda c: None if c == "-" else c) == ["a", None, "a"]


class TestJoining:
    @given(st.lists(CELLS))
    def test_columns_follow_one_another(self, parts: list[list[Cell]]) -> None:
        assert joined([coded(part) for part in parts]) == [cell for part in parts for cell in part]

    def test_what_repeats_itself_stands_once(self) -> None:
        assert joined([coded(["a", "b"] * 10), coded(["b"] * 20)]).values == ["a", "b"]

    def test_of_what_seldom_repeats_itself_doubles_are_left(self) -> None:
        both = joined([coded(["a", "b"]), coded(["b", "c"])])
        assert isinstance(both, CodedCells)
        assert (both.values, both.counts()) == (["a", "b", "b", "c"], [1, 1, 1, 1])


@pytest.mark.parametrize("count", [1, 255, 256, 257, 65_536, 65_537])
def test_codes_take_no_more_bytes_than_they_must_and_hold_every_value(count: int) -> None:
    cells: list[Cell] = [str(i) for i in range(count)] * 3
    column = joined([coded(cells), coded(["last"])])
    assert column.codes.itemsize == (1 if count < 256 else 2 if count < 65_536 else 4)
    assert (column[count - 1], column[-1]) == (str(count - 1), "last")
    assert column.take(np.array([len(cells), 0], dtype=np.intp)) == ["last", "0"]
