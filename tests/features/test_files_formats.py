"""The same leads in every format that can be read."""

import gzip
import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.agreement import Export
from features.errors import FileError, OutputError
from features.files import open_table
from tests.postgres import Server

from .making import a_file, an_agreement, nightly_of, read, refused

CSV = 'id,town,note\n1,Köln,"a\nb"\n2,Łódź,\n'
LINES = [{"id": "1", "town": "Köln", "note": "a\nb"}, {"id": "2", "town": "Łódź"}]
JSON = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in LINES)
CELLS = {"id": ["1", "2"], "town": ["Köln", "Łódź"], "note": ["a\nb", None]}


def zstd(content: bytes) -> bytes:
    return pa.Codec("zstd").compress(content, asbytes=True)


def nothing(content: bytes) -> bytes:
    return content


class TestPacked:
    @pytest.mark.parametrize("pack", [nothing, gzip.compress, zstd])
    @pytest.mark.parametrize("text", [CSV, JSON])
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
    def test_a_text_is_read_however_packed_and_called(
        self, tmp_path: Path, pack: Callable[[bytes], bytes], text: str, encoding: str
    ) -> None:
        assert read(a_file(tmp_path, pack(text.encode(encoding)), "tonight")).cells == CELLS

    @pytest.mark.parametrize("pack", [gzip.compress, zstd])
    def test_archives_one_after_the_other_are_one_text(
        self, tmp_path: Path, pack: Callable[[bytes], bytes]
    ) -> None:
        begin, end = CSV[:20].encode(), CSV[20:].encode()
        assert read(a_file(tmp_path, pack(begin) + pack(end))).cells == CELLS

    @pytest.mark.parametrize("pack", [gzip.compress, zstd])
    @pytest.mark.parametrize("keep", [-1, -9, 30])
    def test_an_archive_broken_off_is_refused(
        self, tmp_path: Path, pack: Callable[[bytes], bytes], keep: int
    ) -> None:
        path = a_file(tmp_path, pack(CSV.encode())[:keep])
        refused(path, r"leads\.csv: the (gzip|zstd) archive is broken off .*export it again")

    @pytest.mark.parametrize("pack", [gzip.compress, zstd])
    def test_an_archive_of_nothing_is_empty(
        self, tmp_path: Path, pack: Callable[[bytes], bytes]
    ) -> None:
        refused(a_file(tmp_path, pack(b"")), r"leads\.csv: the file is empty")

    def test_what_is_packed_twice_is_named(self, tmp_path: Path) -> None:
        twice = gzip.compress(gzip.compress(CSV.encode()))
        refused(a_file(tmp_path, twice), "is a packed file that is packed once more")


class TestJsonLines:
    def test_names_are_those_of_all_lines(self, tmp_path: Path) -> None:
        found = read(a_file(tmp_path, '{"id":1}\n{"town":"a","id":2}\n', "leads.jsonl"))
        assert found.cells == {"id": [1.0, 2.0], "town": [None, "a"]}

    def test_values_are_cells_as_over_rest(self, tmp_path: Path) -> None:
        values = '[" a ", true, 1.50, null, ["x", "y"], {"k": 1}, 9223372036854775809, NaN]'
        lines = "".join(
            f'{{"id":"{i}","x":{json.dumps(v)}}}\n' for i, v in enumerate(json.loads(values))
        )
        assert read(a_file(tmp_path, lines)).cells["x"] == [
            *("a", "true", 1.5, None, "x;y", '{"k": 1}', "9223372036854775809", None)
        ]

    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            ('{"id": 2, "x"', "is no JSON, or is broken off"),
            ("[1, 2]", "is no JSON object"),
            ("2,b", "is no JSON"),
            (r'{"id": "\ud800"}', "is no JSON"),
            ('{"id": "\0"}', "is no JSON"),
            ("[" * 100_000, "is no JSON"),
        ],
    )
    def test_another_line_is_set_aside_with_its_number(
        self, tmp_path: Path, line: str, reason: str
    ) -> None:
        found = read(a_file(tmp_path, f'{{"id": 1, "x": 1}}\n\n{line}\n{{"id": 4, "x": 2}}\n'))
        assert found.lines == [1, 4]
        assert [(r.line, r.reason.startswith(reason)) for r in found.rejects] == [(3, True)]

    @pytest.mark.parametrize("text", ['[{"id": 1, "x": 2}]', '[\n{"id": 1},\n{"id": 2}\n]'])
    def test_one_list_is_refused_with_the_cure(self, tmp_path: Path, text: str) -> None:
        refused(a_file(tmp_path, text), r"leads\.csv: is one JSON list; .*jq -c")

    def test_one_object_over_many_lines_is_refused(self, tmp_path: Path) -> None:
        refused(a_file(tmp_path, '{\n"id": 1,\n"x": 2\n}\n'), "no line is a JSON object; .*jq -c")

    @pytest.mark.parametrize("before", ["", "\n"])
    @pytest.mark.parametrize(
        "other", ['"created": "2026-01-01"', '"created": null', f'"note": "{"x" * 200_000}"']
    )
    def test_one_lead_with_a_list_of_objects_is_a_lead(
        self, tmp_path: Path, other: str, before: str
    ) -> None:
        line = f'{{"id": "a", "items": [{{"sku": "x", "n": 1, "p": 2, "q": 3}}], {other}}}\n'
        found = read(a_file(tmp_path, before + line))
        assert (found.cells["id"], found.rejects) == (["a"], [])

    def test_more_names_than_a_table_has_are_refused(self, tmp_path: Path) -> None:
        lines = "".join(json.dumps({f"f{i}_{j}": 1 for j in range(300)}) + "\n" for i in range(70))
        refused(a_file(tmp_path, lines), "more than 20,000 names of fields up to line 70")


class TestPatterns:
    def test_files_that_match_are_one_table(self, tmp_path: Path) -> None:
        for day in ("a", "b"):
            (tmp_path / day).mkdir()
        a_file(tmp_path / "a", "id,town\n1,a\n2\n", "x.csv")
        a_file(tmp_path / "b", gzip.compress(b"town,id\nb,2\n"), "x.csv.gz")
        table = open_table(tmp_path / "*" / "*.csv*")
        found = read(tmp_path / "**" / "x.csv*")
        assert found.cells == {"id": ["1", "2"], "town": ["a", "b"]}
        assert [(r.file, r.line) for r in found.rejects] == [("a/x.csv", 3)]
        assert table.files == ("a/x.csv", "b/x.csv.gz")

    def test_a_pattern_without_files_is_refused(self, tmp_path: Path) -> None:
        refused(tmp_path / "*.csv", "no file matches the pattern")

    def test_a_file_may_be_called_like_a_pattern(self, tmp_path: Path) -> None:
        assert read(a_file(tmp_path, CSV, "leads[1].csv")).cells == CELLS

    def test_a_folder_takes_every_format(self, tmp_path: Path) -> None:
        a_file(tmp_path, CSV, "1.csv")
        a_file(tmp_path, zstd(CSV.encode()), "2.CSV.zst")
        a_file(tmp_path, JSON, "3.jsonl")
        pq.write_table(pa.table({name: [None] for name in CELLS}), tmp_path / "4.parquet")
        a_file(tmp_path, "read me", "README.txt")
        assert len(read(tmp_path).cells["id"]) == 7

    @pytest.mark.parametrize("name", ["b.zip", "b.xlsx", "b.csv.bz2"])
    def test_an_export_that_cannot_be_read_is_not_passed_by(
        self, tmp_path: Path, name: str
    ) -> None:
        a_file(tmp_path, CSV, "a.csv")
        a_file(tmp_path, b"PK\x03\x04", name)
        refused(tmp_path, rf"{name}: cannot be read beside the others; unpack it")


class TestDatabases:
    @pytest.fixture
    def crm(self, tmp_path: Path) -> Path:
        path = tmp_path / "crm.db"
        with sqlite3.connect(path) as connection:
            connection.execute("create table leads (town text, id integer primary key, size real)")
            rows = [("Ulm", 3, 1.5), (" Köln ", 1, None), ("Bonn", 2, 2.0)]
            connection.executemany("insert into leads values (?, ?, ?)", rows)
            connection.execute("create view bare as select town, id from leads")
        connection.close()
        return path

    @pytest.mark.parametrize("slashes", ["", "/", "//", "///"])
    def test_a_table_comes_in_the_order_of_its_key(self, crm: Path, slashes: str) -> None:
        found = read(f"sqlite:{slashes}{crm}?table=leads")
        assert found.cells == {
            "town": ["Köln", "Bonn", "Ulm"],
            "id": [1.0, 2.0, 3.0],
            "size": [None, 2.0, 1.5],
        }
        assert found.lines == [1, 2, 3]

    def test_an_address_that_was_taken_for_a_path_is_understood(self, crm: Path) -> None:
        assert len(read(Path(f"sqlite:///{crm}?table=leads")).lines) == 3

    def test_chunks_are_bounded(self, crm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("features.table.CHUNK_ROWS", 2)
        chunks = open_table(f"sqlite:{crm}?table=leads").chunks(lambda _: None)
        assert [chunk.lines for chunk in chunks] == [[1, 2], [3]]

    def test_a_view_is_read_in_the_order_that_is_said(self, crm: Path) -> None:
        assert read(f"sqlite:{crm}?table=bare&order=id").cells["town"] == ["Köln", "Bonn", "Ulm"]

    @pytest.mark.parametrize("view", ["leads", "bare"])
    def test_rows_that_the_named_order_leaves_alike_have_an_order_all_the_same(
        self, crm: Path, view: str
    ) -> None:
        with closing(sqlite3.connect(crm)) as connection, connection:
            connection.execute("update leads set town = 'Ulm'")
            connection.execute("update leads set id = 30 where id = 1")
        found = read(f"sqlite:{crm}?table={view}&order=town")
        # A view has no key: its rows follow what they hold, as text.
        assert found.cells["id"] == ([2.0, 3.0, 30.0])

    @pytest.mark.parametrize(
        ("query", "reason"),
        [
            ("table=bare", "has no primary key; name the column .*&order=COLUMN"),
            ("table=leads&order=none", "has no column 'none' to order by"),
            ("table=none", "there is no such table"),
            ("", r"names no table; write it as .*table=NAME"),
        ],
    )
    def test_what_cannot_be_read_is_refused(self, crm: Path, query: str, reason: str) -> None:
        refused(f"sqlite:{crm}?{query}", reason)

    def test_an_absent_database_is_refused_and_not_made(self, tmp_path: Path) -> None:
        refused(f"sqlite:{tmp_path}/none.db?table=leads", r"none\.db: there is no such database")
        assert not (tmp_path / "none.db").exists()

    def test_a_table_of_postgresql_comes_in_the_order_of_its_key(
        self, postgresql: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        url = postgresql.fresh()
        with psycopg.connect(url) as connection:
            connection.execute("create schema sales")
            connection.execute(
                "create table sales.leads (id numeric(30) primary key, at timestamptz, x jsonb, "
                "tags text[])"
            )
            connection.execute(
                """insert into sales.leads values (12345678901234567890, null, null, null),
                (7, '2026-01-05 10:30+00', '{"k": 1}', '{a,b}'), (8, null, null, null)"""
            )
        monkeypatch.setenv("PGTZ", "UTC")
        monkeypatch.setattr("features.table.CHUNK_ROWS", 2)
        found = read(f"{url}&table=sales.leads")
        assert read(f"{url}&table=sales.leads&order=at").cells["id"][0] == 7.0
        assert found.cells == {
            "id": [7.0, 8.0, "12345678901234567890"],
            "at": ["2026-01-05T10:30:00+00:00", None, None],
            "x": ['{"k": 1}', None, None],
            "tags": ["a;b", None, None],
        }

    @pytest.mark.parametrize(
        "address",
        [
            "postgresql://me:hushhush@host/crm?table=leads",
            "postgresql://me@host/crm?table=leads&password=hushhush",
            "postgresql://me@host/crm?table=leads&sslpassword=hushhush",
        ],
    )
    def test_a_password_in_the_address_is_refused_and_not_repeated(self, address: str) -> None:
        with pytest.raises(FileError, match="PGPASSWORD") as caught:
            open_table(address, Export())
        assert "hushhush" not in str(caught.value)

    def test_a_database_that_does_not_answer_is_one_clear_line(self) -> None:
        refused(
            "postgresql://me@127.0.0.1:1/crm?table=leads",
            "127.0.0.1:1/crm, table leads: .*PGPASSWORD",
        )

    def test_a_database_given_as_a_file_is_told_how(self, crm: Path) -> None:
        refused(crm, r"is a database \(say sqlite:FILE\?table=NAME\)")


class TestWatched:
    def test_a_file_that_changes_while_it_is_read_ends_the_reading(self, tmp_path: Path) -> None:
        path = a_file(tmp_path, CSV)
        table = open_table(path)
        with path.open("a") as file:
            file.write("3,Ulm,\n")
        with pytest.raises(FileError, match="was changed while it was read; wait until"):
            list(table.chunks(lambda _: None))

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
    def test_a_pipe_is_refused(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        refused(tmp_path / "pipe", "is a pipe or a device, .*; write what it gives to a file first")

    def test_a_folder_that_vanishes_is_one_clear_line(self, tmp_path: Path) -> None:
        path = a_file(tmp_path, CSV)
        table = open_table(tmp_path)
        path.unlink()
        with pytest.raises(OutputError, match=r"leads\.csv: cannot be read any more: no such file"):
            list(table.chunks(lambda _: None))


LETTERS = "id,town\n" + "1,K\u00f6ln\n2,Z\u00fcrich\n3,Orl\u00e9ans \u2013 \u201cC\u00f4te\u201d\n"


@pytest.mark.parametrize(
    ("text", "encoding", "doubtful"),
    [
        (LETTERS, "utf-8", False),
        (LETTERS, "cp1252", False),
        (LETTERS.replace("\u2013", "-").replace("\u201c", "").replace("\u201d", ""), "cp850", True),
        (LETTERS, "mac_roman", True),
        ("id,town\n1,\u6771\u4eac\n2,\u5927\u962a\n", "shift_jis", True),
        ("id,town\n1,\u041c\u043e\u0441\u043a\u0432\u0430\n", "koi8-r", True),
    ],
)
def test_letters_that_windows_hardly_ever_has_make_its_code_page_doubtful(
    tmp_path: Path, text: str, encoding: str, doubtful: bool
) -> None:
    path = a_file(tmp_path, text.encode(encoding))

    assert open_table(path).form.doubtful is doubtful
    assert not open_table(path, Export(encoding=encoding)).form.doubtful


def test_the_rule_of_a_markdown_table_is_set_aside(tmp_path: Path) -> None:
    found = read(a_file(tmp_path, "| id | town |\n|:---|---:|\n| 1 | a |\n| - | - |\n"))

    assert found.cells["id"] == ["1", "-"]
    assert [(row.line, "Markdown" in row.reason) for row in found.rejects] == [(2, True)]


def test_an_id_in_json_that_is_a_list_or_an_object_is_set_aside_with_the_reason(
    tmp_path: Path,
) -> None:
    ids = ['["a", "b"]', '{"a": 1}', "[]", '"c"']
    lines = "".join(f'{{"id": {id_}, "town": ["x", "y"]}}\n' for id_ in ids)

    parts, intake = nightly_of(a_file(tmp_path, lines), an_agreement())

    assert [lead for part in parts for lead in part.ids] == ["c"]
    assert [row.line for row in intake.rejects] == [1, 2, 3]
    assert ["the id is a list" in row.reason for row in intake.rejects] == [True, True, False]


def test_a_long_line_below_the_header_is_looked_at_once(tmp_path: Path) -> None:
    blank = " " * 120_000  # a look that goes back and forth over it would take minutes
    found = read(a_file(tmp_path, f"id|town\n{blank}1|a\n"))

    assert found.cells["id"] == ["1"]


def test_dashes_in_another_table_are_values(tmp_path: Path) -> None:
    assert read(a_file(tmp_path, "id,town\n---,---\n")).cells["id"] == ["---"]
