import csv
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.files import open_table

from .making import a_file, read, refused

HAS_COLUMNS = {"id": ["1", "2"], "town": ["Köln", "Łódź"]}


class TestEncodings:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
    def test_unicode_is_found_out(self, tmp_path: Path, encoding: str) -> None:
        path = a_file(tmp_path, "id,town\n1,Köln\n2,Łódź\n".encode(encoding))
        assert read(path).cells == HAS_COLUMNS

    def test_the_windows_code_page_is_found_out(self, tmp_path: Path) -> None:
        path = a_file(tmp_path, "id,price\n1,5 €\n2,“8”\n".encode("cp1252"))
        assert read(path).cells["price"] == ["5 €", "“8”"]

    def test_a_few_broken_bytes_do_not_make_another_encoding(self, tmp_path: Path) -> None:
        path = a_file(tmp_path, "id,town\n1,Köln\n2,Łódź\n3,".encode() + b"K\xf6ln\n")
        found = read(path)
        assert found.cells == HAS_COLUMNS
        assert [(r.line, r.reason[:15]) for r in found.rejects] == [(4, "holds bytes tha")]

    @pytest.mark.parametrize("said", ["utf-8", "utf-16-le"])
    def test_a_byte_order_mark_is_no_part_of_the_first_name(
        self, tmp_path: Path, said: str
    ) -> None:
        path = a_file(tmp_path, "\ufeffid,town\n1,Köln\n".encode(said))
        assert read(path, encoding=said).columns == ("id", "town")

    def test_the_agreed_encoding_is_used(self, tmp_path: Path) -> None:
        path = a_file(tmp_path, "id,town\n1,Łódź\n".encode("cp1250"))
        assert read(path, encoding="cp1250").cells["town"] == ["Łódź"]

    def test_bytes_that_the_agreed_encoding_does_not_know_cost_their_row(
        self, tmp_path: Path
    ) -> None:
        found = read(a_file(tmp_path, "id,town\n1,Köln\n2,Bonn\n"), encoding="ascii")
        assert (found.lines, [r.line for r in found.rejects]) == ([3], [2])

    @pytest.mark.parametrize("said", ["utf-16-be", "idna"])
    def test_a_wrong_agreed_encoding_is_named_as_the_cure(self, tmp_path: Path, said: str) -> None:
        refused(a_file(tmp_path, "id,tow\n1,Bonn!"), r"export\.", encoding=said)

    def test_unicode_cut_off_in_mid_letter_is_refused(self, tmp_path: Path) -> None:
        path = a_file(tmp_path, "id,town\n1,Bonn\n".encode("utf-16")[:-1])
        refused(path, r"leads\.csv: near line 2: .*truncated data; mend export\.encoding")

    @pytest.mark.parametrize("header", [b"id,t\x81wn", b"id,t\0wn", "id,to".encode("utf-16-le")])
    def test_a_header_that_is_no_text_is_refused(self, tmp_path: Path, header: bytes) -> None:
        refused(a_file(tmp_path, header + b"\n1,2\n"), r"leads\.csv: the header is not text")


class TestDelimiters:
    @pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
    def test_the_delimiter_is_found_out(self, tmp_path: Path, mark: str) -> None:
        rows = [["id", "town"], ["1", "Köln"], ["2", "Łódź"]]
        path = a_file(tmp_path, "\n".join(mark.join(row) for row in rows))
        assert read(path).cells == HAS_COLUMNS

    def test_decimal_commas_do_not_delimit(self, tmp_path: Path) -> None:
        path = a_file(tmp_path, "id;size;price\n1;2,5;3,5\n2;1,0;4,25\n")
        assert read(path).cells["price"] == ["3,5", "4,25"]

    def test_options_and_quoted_commas_do_not_delimit(self, tmp_path: Path) -> None:
        path = a_file(tmp_path, 'id,products,name\n1,a;b;c,"Li, Wei"\n2,b;c,"Rao, Asha"\n')
        assert read(path).cells["products"] == ["a;b;c", "b;c"]

    def test_the_agreed_delimiter_is_used(self, tmp_path: Path) -> None:
        path = a_file(tmp_path, "id^town\n1^a,b\n")
        assert read(path, delimiter="^").cells == {"id": ["1"], "town": ["a,b"]}

    def test_another_delimiter_than_the_agreed_one_is_named(self, tmp_path: Path) -> None:
        path = a_file(tmp_path, "id;town\n1;Bonn\n")
        refused(path, "not split by ',', as it is agreed, and looks as if by ';'", delimiter=",")

    @pytest.mark.parametrize("note", ["sep=;", '"sep=;"', "\ufeffsep=;"])
    def test_excels_note_is_no_row_but_a_line(self, tmp_path: Path, note: str) -> None:
        found = read(a_file(tmp_path, f"{note}\r\nid;town\r\n1;Bonn\r\n"))
        assert (found.columns, found.lines) == (("id", "town"), [3])

    def test_a_text_without_columns_is_told_about_the_delimiter(self, tmp_path: Path) -> None:
        path = a_file(tmp_path, "Dear all\nhere are the leads\n")
        refused(path, r"only one column found \('Dear all'\).*export\.delimiter")


class TestRows:
    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\n", "\n \r\n"])
    def test_every_line_end_ends_a_row(self, tmp_path: Path, end: str) -> None:
        path = a_file(tmp_path, end.join(["id,town", "1,Köln", "2,Łódź"]))
        assert read(path).cells == HAS_COLUMNS

    @pytest.mark.parametrize("tail", ["", "\n", "\n\n\n", "\r\n\r\n"])
    def test_blank_lines_at_the_end_are_no_rows(self, tmp_path: Path, tail: str) -> None:
        found = read(a_file(tmp_path, "id,town\n1,Bonn" + tail))
        assert (found.lines, found.rejects) == ([2], [])

    def test_a_quoted_value_may_hold_lines_delimiters_and_quotes(self, tmp_path: Path) -> None:
        found = read(a_file(tmp_path, 'id,note\n1,"says ""hi"",\nthen leaves"\n2,x\n'))
        assert found.cells["note"] == ['says "hi",\nthen leaves', "x"]
        assert found.lines == [2, 4]

    @pytest.mark.parametrize(
        "line", ['1,"foo,x', '1,"foo"bar,x', '1,foo,"x', '"1,foo,x', '1,"foo ""x"" bar,y']
    )
    def test_a_stray_quote_costs_its_own_line_alone(self, tmp_path: Path, line: str) -> None:
        path = a_file(tmp_path, f'id,note,town\n{line}\n2,b,Bonn\n3,"c, d",Köln\n4,e,Ulm\n')
        found = read(path)
        assert (found.lines, [r.line for r in found.rejects]) == ([3, 4, 5], [2])

    def test_a_quote_inside_a_value_is_a_letter(self, tmp_path: Path) -> None:
        assert read(a_file(tmp_path, 'id,note\n1,5" pipe\n')).cells["note"] == ['5" pipe']

    @pytest.mark.parametrize("line", ["1", "1,a,b", "1,a,b,c,d"])
    def test_a_row_of_another_width_is_set_aside_with_its_text(
        self, tmp_path: Path, line: str
    ) -> None:
        reject = read(a_file(tmp_path, f"id,note\n{line}\n2,x\n")).rejects[0]
        assert reject[:4] == ("leads.csv", 2, "", line)
        assert "fields instead of 2; look for a stray delimiter or quote" in reject.reason

    def test_a_nul_byte_costs_its_row_alone(self, tmp_path: Path) -> None:
        found = read(a_file(tmp_path, "id,note\n1,a\n2,\0b\n3,c\n"))
        assert (found.lines, [r.line for r in found.rejects]) == ([2, 4], [3])

    def test_a_very_long_value_costs_its_row_and_a_short_piece_is_kept(
        self, tmp_path: Path
    ) -> None:
        found = read(a_file(tmp_path, f"id,note\n1,{'x' * 200_000}\n2,y\n"))
        assert (found.lines, len(found.rejects[0].value)) == ([3], 200)

    def test_a_line_of_millions_of_letters_is_no_table(self, tmp_path: Path) -> None:
        path = a_file(tmp_path, f"id,note\n1,{'x' * (8 << 20)}\n")
        refused(path, r"leads\.csv: line 2 is longer than 8 million bytes")

    def test_a_row_of_delimiters_is_a_row(self, tmp_path: Path) -> None:
        assert read(a_file(tmp_path, "id,note\n,\n")).cells == {"id": [None], "note": [None]}

    def test_rows_beyond_one_chunk_keep_their_lines(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("features.table.CHUNK_ROWS", 3)
        path = a_file(tmp_path, "id,note\n" + "".join(f"{i},x\n" for i in range(8)))
        assert read(path).lines == list(range(2, 10))

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        rows=st.lists(
            st.tuples(st.text("ab\"',;\n\r|é \t", min_size=1), st.text('xyz"\n;,é')), max_size=8
        ),
        mark=st.sampled_from(",;\t|"),
    )
    def test_what_a_csv_writer_wrote_is_read_back(
        self, tmp_path: Path, rows: list[tuple[str, str]], mark: str
    ) -> None:
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=mark, quoting=csv.QUOTE_ALL).writerows([("id", "note"), *rows])
        found = read(a_file(tmp_path, text.getvalue()), delimiter=mark)
        expected = [(a.strip() or None, b.strip() or None) for a, b in rows]
        assert list(zip(found.cells["id"], found.cells["note"], strict=True)) == expected

    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
    @given(lines=st.lists(st.text('a1,"é', min_size=1), max_size=12))
    def test_every_line_is_a_row_or_inside_one_or_a_reject(
        self, tmp_path: Path, lines: list[str]
    ) -> None:
        found = read(a_file(tmp_path, "\n".join(["id,note", *lines])), delimiter=",")
        rejected = {reject.line for reject in found.rejects}
        starts = {*found.lines, *rejected}
        for line in range(2, len(lines) + 2):
            assert line in starts or max(s for s in starts if s < line) not in rejected

    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
    @given(lines=st.lists(st.text("a1,\0é", min_size=1), max_size=12))
    def test_without_quotes_rows_and_rejects_are_the_lines(
        self, tmp_path: Path, lines: list[str]
    ) -> None:
        found = read(a_file(tmp_path, "\n".join(["id,note", *lines])), delimiter=",")
        rejected = [reject.line for reject in found.rejects]
        assert sorted([*found.lines, *rejected]) == list(range(2, len(lines) + 2))


FIELDS = st.sampled_from(
    [
        "",
        "a",
        " \u00a0b ",
        "é",
        '"b"',
        '"c,d"',
        'e"',
        '"f',
        '"g\nh"',
        '"i""j"',
        "\0",
        "\ufeff",
        "\udcf6",
    ]
)
ROWS = st.lists(
    st.lists(FIELDS, min_size=2, max_size=2) | st.lists(FIELDS, max_size=3), max_size=30
)
ENDS = st.sampled_from(["\n", "\r\n", "\r"])


class TestBlocks:
    """Well-formed lines are read in blocks; a block with anything odd is read line by line."""

    @settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
    @given(ROWS, ENDS, st.sampled_from([2, 5, 40]), st.sampled_from([1, 3]))
    def test_blocks_change_nothing(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        rows: list[list[str]],
        end: str,
        most: int,
        few: int,
    ) -> None:
        monkeypatch.setattr("features.table.CHUNK_ROWS", most)
        monkeypatch.setattr("features.delimited._FEW", few)
        text = end.join(["id,note", *(",".join(row) for row in rows)])
        path = a_file(tmp_path, text.encode("utf-8", "surrogateescape"))
        in_blocks = read(path, delimiter=",", encoding="utf-8")
        with monkeypatch.context() as patch:
            patch.setattr("features.delimited.well_formed", lambda *_: None)
            assert read(path, delimiter=",", encoding="utf-8") == in_blocks

    def test_below_an_odd_line_rows_keep_their_lines(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("features.table.CHUNK_ROWS", 2)
        path = a_file(tmp_path, 'id,note\n1,a\n2,"b\nc"\n3\n4,d\n5,e\n6,f\n')
        found = read(path)
        assert (found.lines, [r.line for r in found.rejects]) == ([2, 3, 6, 7, 8], [5])


class TestHeaders:
    def test_a_header_alone_is_a_table_without_rows(self, tmp_path: Path) -> None:
        found = read(a_file(tmp_path, "id,town\n"))
        assert (found.columns, found.lines, found.rejects) == (("id", "town"), [], [])

    def test_a_column_twice_is_refused_by_name(self, tmp_path: Path) -> None:
        refused(
            a_file(tmp_path, "id,town,town , a,a\n1,2,3,4,5\n"),
            r"columns stand twice in the header: a, town; rename one",
        )

    def test_a_nameless_column_is_named_by_its_place(self, tmp_path: Path) -> None:
        assert read(a_file(tmp_path, "id,,town\n1,2,3\n")).columns == ("id", "column_2", "town")

    def test_a_name_may_stand_in_quotes_over_two_lines(self, tmp_path: Path) -> None:
        found = read(a_file(tmp_path, 'id,"size\n(people)"\n1,2\n'))
        assert (found.columns, found.lines) == (("id", "size\n(people)"), [3])


class TestNoTables:
    @pytest.mark.parametrize(
        ("begin", "what"),
        [
            (b"PK\x03\x04", "a zip archive or a spreadsheet".replace(" or", r" \(or")),
            (b"\xd0\xcf\x11\xe0", "an old spreadsheet"),
            (b"%PDF-1.7", "a PDF"),
            (b"BZh9", "a bzip2 archive"),
        ],
    )
    def test_a_packed_file_is_named_for_what_it_is(
        self, tmp_path: Path, begin: bytes, what: str
    ) -> None:
        path = a_file(tmp_path, begin + b"\0" * 100)
        refused(path, rf"leads\.csv: is {what}.*unpack or export it as CSV, JSON lines")

    def test_binary_bytes_are_no_table(self, tmp_path: Path) -> None:
        refused(a_file(tmp_path, bytes(range(256)) * 20), r"leads\.csv: ")

    @pytest.mark.parametrize(
        ("content", "reason"), [(b"", "is empty"), (b"\n\n\r\n", "holds no rows")]
    )
    def test_an_empty_file_is_refused(self, tmp_path: Path, content: bytes, reason: str) -> None:
        refused(a_file(tmp_path, content), reason)

    def test_an_absent_file_is_refused(self, tmp_path: Path) -> None:
        refused(tmp_path / "leads.csv", r"leads\.csv: no such file or directory")


class TestFolders:
    def test_the_files_of_a_folder_are_one_table_in_order_of_name(self, tmp_path: Path) -> None:
        a_file(tmp_path, "id,town\n2,b\n", "b.csv")
        pq.write_table(pa.table({"town": ["a"], "id": ["1"]}), tmp_path / "a.parquet")
        assert read(tmp_path).cells == {"id": ["1", "2"], "town": ["a", "b"]}

    def test_differing_columns_are_named_with_both_files(self, tmp_path: Path) -> None:
        a_file(tmp_path, "id,town\n1,a\n", "a.csv")
        a_file(tmp_path, "id,city\n2,b\n", "b.csv")
        refused(tmp_path, r"b\.csv: its columns differ from those of a\.csv in city, town")

    def test_other_files_and_hidden_ones_and_folders_are_passed_by(self, tmp_path: Path) -> None:
        a_file(tmp_path, "id,town\n1,a\n", "a.CSV")
        a_file(tmp_path, b"\0\1\2", "._a.csv")
        a_file(tmp_path, "done", "_SUCCESS")
        (tmp_path / "older.csv").mkdir()
        assert read(tmp_path).cells["id"] == ["1"]

    def test_a_folder_without_tables_is_refused(self, tmp_path: Path) -> None:
        refused(tmp_path, r"the folder holds no \.csv, \.jsonl or \.parquet file")

    def test_a_faulty_file_of_a_folder_is_named(self, tmp_path: Path) -> None:
        a_file(tmp_path, "id,town\n1,a\n", "a.csv")
        a_file(tmp_path, "", "b.csv")
        refused(tmp_path, r"b\.csv: the file is empty")

    def test_a_folder_that_may_not_be_read_is_one_clear_line(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def forbidden(path: Path) -> Iterator[Path]:
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr(Path, "iterdir", forbidden)
        refused(tmp_path, rf"{tmp_path}: permission denied")

    @pytest.mark.skipif(os.geteuid() == 0, reason="no folder is closed to root")
    def test_a_folder_without_read_rights_is_refused(self, tmp_path: Path) -> None:
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o000)
        refused(closed, "permission denied")

    def test_an_unreadable_file_of_a_folder_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = a_file(tmp_path, "id,town\n1,a\n", "a.csv")

        def forbidden(*_: Any) -> None:
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr("features.files._open_file", forbidden)
        refused(tmp_path, r"a\.csv: permission denied")


def test_a_table_can_be_read_twice(tmp_path: Path) -> None:
    table = open_table(a_file(tmp_path, "id,town\n1,a\n"))
    first, second = (list(table.chunks(lambda _: None)) for _ in range(2))
    assert first == second
