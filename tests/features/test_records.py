import io
import sys

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from features.blocks import Lines
from features.records import Records, is_text, joined_blocks, plain_block, well_formed

NAMES = ("id", "note")


def lines_of(text: str) -> list[str]:
    return io.StringIO(text, newline="").readlines()


def with_care(lines: list[str], delimiter: str = ",") -> list[tuple[int, list[str]]]:
    return list(Records(iter(lines), delimiter, len(NAMES)).read())


Rows = list[tuple[int, list[str | None]]]


def as_cells(records: list[tuple[int, list[str]]]) -> Rows:
    return [(line, [field.strip() or None for field in fields]) for line, fields in records]


def at_once(lines: list[str], delimiter: str = ",") -> Rows | None:
    raw = [line.encode("utf-8", "surrogateescape") for line in lines]
    ends = np.cumsum([len(line) for line in raw], dtype=np.intp)
    text = Lines(b"".join(raw), ends, 1)
    count = well_formed(text.raw, delimiter, len(NAMES))
    if count is None:
        return None
    numbers, columns = joined_blocks([plain_block(text, count, delimiter, NAMES)])
    rows = zip(*columns.values(), strict=True)
    return [(number, list(row)) for number, row in zip(numbers, rows, strict=True)]  # type: ignore[misc]


FIELDS = (
    st.sampled_from(["", "a", " b ", "é", "'", "\ufeff", "x\u2028y"])
    | st.sampled_from(
        ['""', '"a"', '"a,b"', '"a""b"', '""""', '"""a"', '"a"b', 'a"b', '"', '"a', '""b', '"a\nb"']
    )
    | st.sampled_from(['"a,"b', "a\0", "a\udcf6"])
)
RECORDS = st.lists(st.lists(FIELDS, min_size=2, max_size=2) | st.lists(FIELDS, max_size=3))
ENDS = st.sampled_from(["\n", "\r\n", "\r"])


class TestPlainLines:
    @pytest.mark.parametrize(("blank", "records"), [("", None), (" ", 3), ('""', 3)])
    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    def test_a_blank_line_of_one_column_is_no_record(
        self, blank: str, records: int | None, end: str
    ) -> None:
        raw = end.join(["a", blank, "b"])

        assert well_formed(raw.encode(), ",", 1) == records
        careful = list(Records(iter(lines_of(raw)), ",", 1).read())
        assert len(careful) == (records or 2)

    @settings(max_examples=200, deadline=None)
    @given(RECORDS, ENDS, st.sampled_from(["", "\n"]))
    def test_what_is_read_at_once_is_what_care_finds(
        self, records: list[list[str]], end: str, last: str
    ) -> None:
        lines = lines_of(end.join(",".join(fields) for fields in records) + last)
        found = at_once(lines) if lines else None
        if found is not None:
            careful = with_care(lines)
            assert found == as_cells(careful)
            assert all(is_text(fields) for _, fields in careful)

    @settings(max_examples=200, deadline=None)
    @given(st.text('a,"\n\r', min_size=1, max_size=14))
    @example('"a,"b,"c"\n')
    @example('""a,b\n')
    @example('"a"""b,c\n')
    @example("a,b\n\nc,d\n")
    def test_so_it_is_of_any_text(self, text: str) -> None:
        lines = lines_of(text)
        found = at_once(lines)
        if found is not None:
            assert found == as_cells(with_care(lines))

    @pytest.mark.parametrize(
        ("line", "row"),
        [
            ("1,x\r\n", ["1", "x"]),
            ("1,x\r", ["1", "x"]),
            ("1,x", ["1", "x"]),
            (" 1 , \n", ["1", None]),
            ('"1","a,b"\n', ["1", "a,b"]),
            ('"1","says ""hi"""\n', ["1", 'says "hi"']),
            ('"",""\n', [None, None]),
            ('1,""""\n', ["1", '"']),
            ("NULL,nan\n", ["NULL", "nan"]),
            ("1,\u2028\n", ["1", None]),
            ("1,K\u00f6ln\n", ["1", "K\u00f6ln"]),
        ],
    )
    def test_well_formed_lines_are_read_at_once(self, line: str, row: list[str | None]) -> None:
        assert at_once([line]) == [(1, row)]

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_a_record_over_several_lines_has_the_number_of_its_first(self, end: str) -> None:
        lines = lines_of(f'1,"x{end}{end}y"{end}2,z{end}')
        assert at_once(lines) == [(1, ["1", f"x{end}{end}y"]), (4, ["2", "z"])]

    @pytest.mark.parametrize(
        "text",
        [
            "1\n",
            "1,x,y\n",
            "1,x\n\n",
            '1,"x\n',
            '1,"x"y\n',
            '1,x"y\n',
            '""1,x\n',
            '"1,"x,"y"\n',
            "1,x\0\n",
            "1,\udcf6\n",
            "\ufeff1,x\n",
            f"1,{'x' * 140_000}\n",
            '1,"' + ("x" * 70_000 + "\n") * 2 + '"\n',
        ],
    )
    def test_anything_else_is_left_to_care(self, text: str) -> None:
        assert at_once(lines_of(text)) is None

    @pytest.mark.parametrize("delimiter", [";", "\t", "|", "^", " "])
    def test_any_ascii_delimiter_will_do(self, delimiter: str) -> None:
        assert at_once([f'1{delimiter}"x{delimiter}y"\n'], delimiter) == [
            (1, ["1", f"x{delimiter}y"])
        ]

    def test_another_delimiter_is_left_to_care(self) -> None:
        assert at_once(["1\u00a7x\n"], "\u00a7") is None


class TestCare:
    def test_lines_looked_at_are_left_to_be_read(self) -> None:
        records = Records(iter(['1,"a\n', "2,b\n", "3,c\n"]), ",", 2)
        assert list(records.read(2)) == [(1, ['1,"a'])]
        assert (records.line, records.left()) == (2, ["2,b\n", "3,c\n"])

    def test_a_record_that_begins_before_the_end_is_read_to_its_own(self) -> None:
        lines = iter(["1,a\n", '2,"b\n', 'c"\n', "3,d\n"])
        records = Records(lines, ",", 2)
        assert list(records.read(3)) == [(1, ["1", "a"]), (2, ["2", "b\nc"])]
        assert (records.line, records.left(), list(lines)) == (4, [], ["3,d\n"])

    def test_lines_may_be_counted_from_any_number(self) -> None:
        assert list(Records(iter(["1,a\n"]), ",", 2, line=7).read()) == [(7, ["1", "a"])]


def test_cells_are_stripped_of_what_python_takes_for_white_space() -> None:
    marks = ["\0", "\n", "\r", '"', ","]
    letters = [chr(i) for i in range(sys.maxunicode + 1) if not 0xD800 <= i < 0xE000]
    letters = [letter for letter in letters if letter not in marks]
    for before, behind in ((" ", ""), ("", " "), ("x", ""), ("", "y"), ("\u3000", "\u0085")):
        cells = [f"{before}{letter}{behind}" for letter in letters]
        found = at_once([f"1,{cell}\n" for cell in cells])
        assert found is not None
        assert [row[1] for _, row in found] == [cell.strip() or None for cell in cells]


def test_lines_that_are_not_so_many_records_are_refused() -> None:
    text = Lines(b"1,x\n2,y\n", np.array([4, 8]), 1)
    with pytest.raises(ValueError, match="not so many records"):
        plain_block(text, 3, ",", NAMES)
