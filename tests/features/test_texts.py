"""The loops over columns give what numpy and Python give."""

from __future__ import annotations

import io
import random

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from features.cells import text_of
from features.coded import Columns, coded_texts
from features.delimited import PlainRows
from features.packed import Packed
from features.plain import whole
from features.records import well_formed
from features.texts import Codes, Matrix, numbered, spread

WORDS = st.sampled_from(["", "a", "b", "Kiel", '"x ""y"""', '"a,b"', " a ", "ü", "12345678", "1.0"])


def rows_of(raw: bytes, names: tuple[str, ...]) -> PlainRows:
    count = well_formed(raw, ",", len(names))
    assert count is not None
    return PlainRows("a.csv", raw, 2, count, ",", names)


def apart(rows: PlainRows) -> Columns:
    """The same columns, in each of which doubles are looked for afterwards."""
    kept = {}
    for name in rows.columns:
        cells = list(rows.columns[name])
        kept[name] = Packed.of(cells)
    return Columns(kept)


class TestValuesNotedWhileLinesAreSplit:
    @given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=40))
    def test_they_are_those_found_afterwards(self, rows: list[tuple[str, str]]) -> None:
        raw = "".join(f"{a},{b}\n" for a, b in rows).encode()
        found = rows_of(raw, ("one", "two"))

        for name, column in apart(found).items():
            assert list(found.columns[name].values) == list(column.values)
            assert found.columns[name].codes.tolist() == column.codes.tolist()

    @pytest.mark.parametrize("count", [1, 1000, 1024, 1025, 3000, 9000])
    def test_many_values_are_found_as_ever(self, count: int) -> None:
        chance = random.Random(count)
        cells = [f"v{chance.randrange(count)}" for _ in range(10_000)]
        file = io.StringIO()
        file.writelines(f"{cell},x\n" for cell in cells)

        found = rows_of(file.getvalue().encode(), ("many", "one")).columns["many"]

        as_ever = coded_texts(Packed.of(cells))
        assert list(found) == cells
        assert list(found.values) == list(as_ever.values)
        assert found.codes.tolist() == as_ever.codes.tolist()

    def test_of_very_many_columns_none_are_noted(self) -> None:
        names = tuple(f"c{i}" for i in range(300))
        line = ",".join("a" for _ in names)

        columns = rows_of(f"{line}\n{line}\n".encode(), names).columns

        assert all(list(columns[name]) == ["a", "a"] for name in names)


class TestSpread:
    @given(st.data())
    def test_it_is_what_numpy_gives(self, data: st.DataObject) -> None:
        rows = data.draw(st.integers(0, 200))
        fields: list[tuple[Matrix, Codes | None]] = []
        wanted = np.empty((rows, 0))
        for kind in data.draw(st.lists(st.sampled_from("1248-"), max_size=4)):
            count = rows if kind == "-" else data.draw(st.integers(1, 200))
            values = np.random.default_rng(count).normal(size=(count, count % 3 + 1))
            codes = None
            if kind != "-":
                codes = (np.arange(rows) * 7 % count).astype(f"u{kind}")
            fields.append((values, codes))
            wanted = np.hstack([wanted, values if codes is None else values[codes]])

        assert spread(fields, rows).tobytes() == wanted.tobytes()

    @pytest.mark.parametrize("code", [-1, 3])
    def test_a_code_of_no_value_is_refused(self, code: int) -> None:
        with pytest.raises(IndexError, match="none of a value"):
            spread([(np.ones((3, 1)), np.array([0, code]))], 2)


@given(st.lists(st.text("-0123.\u0663\uff11 x", max_size=8)))
@example(
    ["1.0", "-0.00", "00.0", "1\u06633.0", "1.0\u0660", ".0", "-.0", "10.", "0", "0.10", "-1.000"]
)
def test_texts_end_where_a_human_would_end_them(cells: list[str]) -> None:
    assert list(whole(Packed.of(cells))) == [text_of(cell) or None for cell in cells]


@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 9)))
def test_numbers_are_numbered_in_the_order_of_their_first_places(keys: list[int]) -> None:
    codes, firsts = numbered(np.array(keys, dtype=np.int64))

    values = list(dict.fromkeys(keys))
    assert [keys[first] for first in firsts] == values
    assert [values[code] for code in codes] == keys
