"""Broken exports, made by code: each with what must become of it.

A specimen is either read, and then leads and rejects are as many as the records that were put in,
or refused, by an error that names the file and what is wrong with it.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import os
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

ROWS = [
    ["id", "town", "price", "note"],
    ["1", "Köln", "5 €", "first"],
    ["2", "München", "1,5", 'says "hi", and leaves'],
    ["3", "Bonn", "", "two\nlines"],
    ["4", "Saarbrücken", "7", "–"],
    ["5", "Zürich", "8", "last"],
]
RECORDS = len(ROWS) - 1


class Specimen(NamedTuple):
    """A broken export."""

    name: str
    content: bytes | Callable[[Path], Path]
    """Of the file; or what makes it in a folder and returns what is to be opened."""
    becomes: int | str
    """Records in it; or what the error says."""
    file: str = "leads.csv"


def text(rows: list[list[str]], delimiter: str = ",", end: str = "\n") -> str:
    """Rows as a CSV writer writes them."""
    out = io.StringIO(newline="")
    inside = [[field.replace("\n", end) for field in row] for row in rows]
    csv.writer(out, delimiter=delimiter, lineterminator=end).writerows(inside)
    return out.getvalue()


def plain(*lines: str, end: str = "\n") -> bytes:
    """Lines as they are, below a header."""
    return (end.join(["id,town", *lines]) + end).encode()


def zstd(content: bytes) -> bytes:
    return pa.Codec("zstd").compress(content, asbytes=True)


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda content: content,
    "gzip": gzip.compress,
    "zstd": zstd,
}


def well_formed() -> Iterator[Specimen]:
    """Every way in which one and the same export is written."""
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "cp1252"):
        for delimiter in ",;\t|":
            for what, end in (("LF", "\n"), ("CRLF", "\r\n"), ("CR", "\r")):
                content = text(ROWS, delimiter, end).encode(encoding)
                yield Specimen(f"{encoding} {delimiter!r} {what}", content, RECORDS)
    for packer, pack in PACKERS.items():
        for encoding in ("utf-8-sig", "utf-16", "cp1252"):
            content = pack(text(ROWS, ";", "\r\n").encode(encoding))
            yield Specimen(f"{packer} {encoding}", content, RECORDS)
    for delimiter in ",;\t|":
        for mark in ("", "\ufeff"):
            note = f"{mark}sep={delimiter}\r\n{text(ROWS, delimiter)}".encode()
            yield Specimen(f"Excel's note {delimiter!r} {bool(mark)}", note, RECORDS)


def other_encodings() -> Iterator[Specimen]:
    """What is not found out is read as something else, or refused; no row is lost."""
    for encoding in ("latin-1", "cp1250", "mac-roman", "cp437", "iso8859-15"):
        content = text(ROWS).replace("€", "E").replace("–", "-").encode(encoding)
        yield Specimen(encoding, content, RECORDS)
    for encoding in ("koi8-r", "cp1251", "iso8859-5", "shift_jis", "gb18030", "euc-kr", "cp866"):
        towns = [["id", "town"], ["1", "Москва"], ["2", "Омск"], ["3", "Пермь"]]
        yield Specimen(encoding, text(towns).encode(encoding), 3)
    yield Specimen("utf-16 without a mark", text(ROWS).encode("utf-16-le"), "header is not text")
    yield Specimen("utf-16-be without a mark", text(ROWS).encode("utf-16-be"), "header is not text")
    yield Specimen("utf-32", text(ROWS).encode("utf-32"), "header is not text")
    yield Specimen("utf-16 cut off", text(ROWS).encode("utf-16")[:-1], "truncated data")
    yield Specimen("two encodings", plain("1,Köln", "2,Ulm") + "3,Köln\n".encode("cp1252"), 3)
    yield Specimen("a mark inside", plain("1,a", "\ufeff2,b", "3,c"), 3)
    yield Specimen("twice encoded", plain("1,KÃ¶ln", "2,ZÃ¼rich"), 2)
    yield Specimen("broken bytes all over", plain("1,a") + b"\xff\xfe\xfd,\x80\n" * 3, 4)
    yield Specimen("utf-7", text(ROWS).encode("utf-7"), RECORDS)


def odd_rows() -> Iterator[Specimen]:
    """Rows that do not fit the header; each costs itself alone."""
    lines = {
        "too few fields": "2",
        "too many fields": "2,b,c",
        "far too many": "2" + "," * 5000,
        "a stray quote": '2,"b',
        "a quote that closes early": '2,"b"c',
        "an opening quote before the id": '"2,b',
        "a NUL": "2,b\0",
        "only NULs": "\0\0\0,\0",
        "control letters": "2,\x01\x02\x1b[31m",
        "a form feed": "2,\x0c",
        "a vertical tab": "2,\x0b",
        "a line separator of Unicode": "2,a\u2028b\u2029c\x85d",
        "a very long value": "2," + "x" * 200_000,
        "a totals line": "Total,2",
        "a comment": "# exported by hand,",
        "a formula": '2,"=HYPERLINK(""http://x"",""y"")"',
        "a backslash before a delimiter": "2,a\\,b",
        "a backslash before a quote": '2,"a\\"b"',
        "an id of spaces": "   ,b",
        "no id": ",b",
        "only a delimiter": ",",
        "delimiters alone": ",,,,",
        "the header again": "id,town",
        "the id again": "1,c",
        "typographic quotes": "2,“b”",
        "a half character": "2,\ud800",
        "a right-to-left mark": "2,\u202eb",
        "a zero-width space": "\u200b,b",
        "quoted emptiness": '"",""',
    }
    for name, line in lines.items():
        content = "\n".join(["id,town", "1,a", line, "3,c", "4,d"]) + "\n"
        yield Specimen(name, content.encode("utf-8", "surrogatepass"), 4)
    yield Specimen("mixed line ends", b"id,town\n1,a\r\n2,b\r3,c\n\r\n4,d\n", 4)
    yield Specimen("a CR inside a value", plain("1,a", '2,"b\rc"', "3,d"), 3)
    yield Specimen("blank lines", plain("", "1,a", "", "", "2,b", ""), 2)
    yield Specimen("lines of spaces", plain("1,a", "   ", "2,b"), 3)
    yield Specimen("no end of the last line", plain("1,a", "2,b")[:-1], 2)
    yield Specimen("the last line cut off", plain("1,a", "2,b")[:-3], 2)
    yield Specimen("cut off inside quotes", plain("1,a", '2,"b')[:-1], 2)
    yield Specimen("a delimiter behind each line", plain("1,a,", "2,b,"), 2)
    yield Specimen("a delimiter behind each line and the header", b"id,town,\n1,a,\n2,b,\n", 2)
    yield Specimen("decimal commas unquoted", b"id,price\n1,2,5\n2,3,5\n", 2)
    yield Specimen("decimal commas behind semicolons", b"id;price\n1;2,5\n2;3,5\n", 2)
    yield Specimen("a quote at each line", plain(*[f'{i},"a' for i in range(200)]), 200)
    yield Specimen("a value that looks like rows", plain('1,"a', "2,b", '3,c"', "4,d"), 2)
    yield Specimen("all in quotes", plain(*[f'"{i}","a ""b"" c"' for i in range(100)]), 100)
    yield Specimen("each line in quotes", plain('"1,a"', '"2,b"'), 2)
    yield Specimen("a file twice", plain("1,a", "2,b") * 2, 5)
    for place in (1, 63, 64, 65, 500, 999):
        lines_of = [f"{i},x" for i in range(1000)]
        lines_of[place - 1] = '7,"x'
        yield Specimen(f"a stray quote in line {place}", plain(*lines_of), 1000)


def odd_headers() -> Iterator[Specimen]:
    """Headers that are not what they were."""
    yield Specimen("only a header", b"id,town\n", 0)
    yield Specimen("a header without an end", b"id,town", 0)
    yield Specimen("another order", b"town,id\na,1\nb,2\n", 2)
    yield Specimen("another name for the id", b"lead id,town\n1,a\n", "it has: lead id, town")
    yield Specimen("another language", b"Nummer,Ort\n1,a\n", "it has: Nummer, Ort")
    yield Specimen("upper case", b"ID,TOWN\n1,a\n", "it has: ID, TOWN")
    yield Specimen("no header", b"1,a\n2,b\n", "it has: 1, a")
    yield Specimen("a name twice", b"id,town,town\n1,a,b\n", "stand twice in the header: town")
    yield Specimen("a name twice with spaces", b"id,town, town\n1,a,b\n", "twice in the header")
    yield Specimen("names that are empty", b"id,,\n1,a,b\n2,c,d\n", 2)
    yield Specimen("names of spaces", b" id , town \n1,a\n", 1)
    yield Specimen("a name over two lines", b'id,"to\nwn"\n1,a\n', 1)
    yield Specimen("an unclosed name", b'id,"town\n1,a\n2,b\n', ".")
    yield Specimen("one column", b"id\n1\n2\n", "only one column found")
    yield Specimen("a title above", b"Leads of May\n\nid,town\n1,a\n", "only one column found")
    yield Specimen("comments above", b"# by hand\n# in May\nid,town\n1,a\n", "only one column")
    yield Specimen("a header in quotes", b'"id,town"\n1,a\n', "only one column found")
    yield Specimen("a NUL in the header", b"id,to\0wn\n1,a\n", "the header is not text")
    yield Specimen(
        "10,000 columns",
        b",".join([b"id", *(b"c%d" % i for i in range(9999))])
        + (b"\n1" + b"," * 9999)
        + (b"\n2" + b"," * 9999)
        + b"\n3,x\n",
        3,
    )
    yield Specimen("another delimiter below", b"id,town\n1;a\n2;b\n", 2)


def no_tables() -> Iterator[Specimen]:
    """What bears the name of an export and is none."""
    begins: dict[str, tuple[bytes, str]] = {
        "a zip archive": (b"PK\x03\x04", "zip archive"),
        "an old spreadsheet": (b"\xd0\xcf\x11\xe0\xa1\xb1", "old spreadsheet"),
        "a PDF": (b"%PDF-1.7\n", "is a PDF"),
        "a bzip2 archive": (b"BZh91AY&SY", "bzip2"),
        "an xz archive": (b"\xfd7zXZ\x00", "xz archive"),
        "a 7z archive": (b"7z\xbc\xaf\x27\x1c", "7z"),
        "a rar archive": (b"Rar!\x1a\x07", "rar"),
        "an lz4 archive": (b"\x04\x22\x4d\x18", "lz4"),
        "an Arrow file": (b"ARROW1\0\0", "Arrow file"),
        "an Avro file": (b"Obj\x01", "Avro"),
        "an ORC file": (b"ORC", "ORC"),
        "a database": (b"SQLite format 3\0", "sqlite:FILE"),
        "a picture": (b"\x89PNG\r\n", "picture"),
        "a text document": (b"{\\rtf1", "text document"),
    }
    for name, (begin, says) in begins.items():
        yield Specimen(name, begin + bytes(200), says)
    page = b"<!DOCTYPE html>\n<html><body>Sign in, please</body></html>\n"
    for name, content in {
        "an HTML page": page,
        "an HTML page below blank lines": b"\n\n  " + page.lower(),
        "a packed HTML page": gzip.compress(page),
        "an HTML page in UTF-16": page.decode().encode("utf-16"),
    }.items():
        yield Specimen(name, content, "an HTML page")
    yield Specimen("XML", b'<?xml version="1.0"?><leads/>', "is XML")
    yield Specimen("a letter", b"Dear all,\nhere are the leads.\n", ".")
    yield Specimen("an error in JSON", b'{"error": "rate limit"}\n', "only one column found")
    yield Specimen("an error in a line", b"504 Gateway Timeout\n", "only one column found")
    yield Specimen("nothing", b"", "is empty")
    yield Specimen("line ends", b"\n\r\n\n", "holds no rows")
    yield Specimen("a mark alone", codecs.BOM_UTF8, "holds no rows")
    yield Specimen("spaces", b"   ", "only one column found")
    yield Specimen("NULs", bytes(5000), "not text")
    yield Specimen("noise", bytes(range(256)) * 50, ".")
    yield Specimen("a tar archive", gzip.compress(bytes(257) + b"ustar" + bytes(300)), "tar")
    yield Specimen("packed twice", gzip.compress(gzip.compress(b"id,town\n")), "packed once more")
    yield Specimen("packed Parquet", gzip.compress(b"PAR1" + bytes(99)), "packed Parquet")
    whole = text(ROWS * 50).encode()
    for packer in ("gzip", "zstd"):
        packed = PACKERS[packer](whole)
        for keep in (len(packed) // 2, len(packed) - 1, 11):
            yield Specimen(f"{packer} cut off at {keep}", packed[:keep], "broken off or damaged")
        yield Specimen(f"{packer} with more behind", packed + b"and more", "broken off or damaged")
        yield Specimen(f"nothing in {packer}", PACKERS[packer](b""), "is empty")
    yield Specimen("a damaged gzip", packed_and_damaged(whole), "broken off or damaged")


def packed_and_damaged(content: bytes) -> bytes:
    packed = bytearray(gzip.compress(content))
    packed[len(packed) // 2] ^= 0xFF
    return bytes(packed)


def json_lines() -> Iterator[Specimen]:
    """JSON in all its shapes."""
    good = '{"id": "1", "town": "a"}\n'
    lines = {
        "as it should be": '{"id": "2", "town": "b"}',
        "cut off": '{"id": "2", "to',
        "no JSON": "2,b",
        "a list": '["2", "b"]',
        "a number": "2",
        "nothing but null": "null",
        "other names": '{"ID": "2", "Town": "b"}',
        "no fields": "{}",
        "nested": '{"id": "2", "town": {"name": "b", "zip": [1, [2]]}}',
        "very deep": '{"id": "2", "town": ' + "[" * 500 + "]" * 500 + "}",
        "far too deep": '{"id": "2", "town": ' + "[" * 100_000,
        "a list of values": '{"id": "2", "town": ["a", "b"]}',
        "a huge integer": '{"id": 12345678901234567890123, "town": "b"}',
        "an integer without end": '{"id": ' + "9" * 5000 + ', "town": "b"}',
        "not a number": '{"id": "2", "town": NaN}',
        "half a character": r'{"id": "2", "town": "\ud83d"}',
        "single quotes": "{'id': '2', 'town': 'b'}",
        "a comma behind": '{"id": "2", "town": "b"},',
        "a name twice": '{"id": "2", "id": "3", "town": "b"}',
        "bytes that are no text": '{"id": "2", "town": "\udcf6"}',
        "an id that is null": '{"id": null, "town": "b"}',
        "true": '{"id": true, "town": false}',
    }
    for name, line in lines.items():
        content = (good + line + "\n" + good.replace("1", "4")).encode("utf-8", "surrogateescape")
        yield Specimen(f"JSON: {name}", content, 3, "leads.jsonl")
    yield Specimen("JSON: blank lines", (good + "\n\n" + good).encode(), 2, "leads.jsonl")
    yield Specimen("JSON: in UTF-16", good.encode("utf-16"), 1, "leads.jsonl")
    yield Specimen("JSON: with a mark", good.encode("utf-8-sig"), 1, "leads.jsonl")
    yield Specimen("JSON: one list", b'[{"id": "1"}, {"id": "2"}]', "is one JSON list")
    yield Specimen("JSON: one list over lines", b'[\n{"id": "1"},\n]', "is one JSON list")
    yield Specimen("JSON: one object over lines", b'{\n"id": "1",\n"town": "a"\n}', "no line is")
    many = json.dumps({f"c{i}": i for i in range(9999)} | {"id": "1"}).encode()
    yield Specimen("JSON: 10,000 columns", many + b"\n", 1, "leads.jsonl")


def parquet() -> Iterator[Specimen]:
    """Parquet with every type of value; a column that says nothing costs no other one."""
    at = datetime(2026, 1, 5, 10, 30)
    columns: dict[str, Any] = {
        "int64 beyond 2**53": pa.array([2**53 + 1, -(2**63)]),
        "uint64": pa.array([2**64 - 1, None], pa.uint64()),
        "decimal": pa.array([Decimal("1.50"), None], pa.decimal128(38, 10)),
        "decimal256": pa.array([Decimal(10) ** 60, None], pa.decimal256(70, 2)),
        "half floats": pa.array([1.5, float("inf")], pa.float32()),
        "date": pa.array([date(2026, 1, 5), None]),
        "time": pa.array([time(10, 30), None], pa.time64("ns")),
        "timestamp": pa.array([at, None], pa.timestamp("ms")),
        "timestamp with a zone": pa.array([at, None], pa.timestamp("us", "America/New_York")),
        "timestamp in ns": pa.array([1767609000000000001, None], pa.timestamp("ns")),
        "duration": pa.array([timedelta(days=1), None]),
        "binary": pa.array([b"a", None]),
        "binary that is no text": pa.array([b"\xff\xfe", None]),
        "fixed binary": pa.array([b"abcd", None], pa.binary(4)),
        "list": pa.array([["a", "b"], None]),
        "list of lists": pa.array([[["a"]], None]),
        "struct": pa.array([{"a": 1}, None]),
        "map": pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int64())),
        "dictionary": pa.array(["a", None]).dictionary_encode(),
        "large strings": pa.array(["a", None], pa.large_string()),
        "string views": pa.array(["a", None], pa.string_view()),
        "nulls": pa.nulls(2),
        "booleans": pa.array([True, None]),
        "texts with NULs": pa.array(["a\0b", None]),
    }
    for name, column in columns.items():
        yield Specimen(f"Parquet: {name}", _written({"id": ["1", "2"], "x": column}), 2)
    ids = {
        "codes": pa.array(["1", "2"]).dictionary_encode(),
        "decimals": pa.array([Decimal("1.00"), Decimal("2.00")]),
        "times": pa.array([at, at + timedelta(1)], pa.timestamp("ns", "Europe/Berlin")),
        "objects": pa.array([{"is": "1"}, {"is": "2"}]),
    }
    for name, column in ids.items():
        yield Specimen(f"Parquet: ids that are {name}", _written({"id": column, "x": [1, 2]}), 2)
    yield Specimen("Parquet: ids of floats", _written({"id": [1.0, float("nan")], "x": [1, 2]}), 2)
    yield Specimen("Parquet: ids that are null", _written({"id": [None, None], "x": [1, 2]}), 2)
    yield Specimen("Parquet: no rows", _written({"id": pa.array([], pa.string()), "x": []}), 0)
    yield Specimen("Parquet: one column", _written({"id": ["1"]}), "only one column found")
    yield Specimen("Parquet: a name twice", _twice(), "stand twice in the header: x")
    wide = {"id": ["1"], **{f"c{i}": [i] for i in range(3000)}}
    yield Specimen("Parquet: 3,000 columns", _written(wide), 1)
    whole = _written({"id": [str(i) for i in range(5000)], "x": list(range(5000))})
    for keep in (4, 100, len(whole) // 2, len(whole) - 5):
        yield Specimen(f"Parquet: cut off at {keep}", whole[:keep], "broken Parquet file")
    damaged = bytearray(whole)
    damaged[200:900] = bytes(700)
    yield Specimen("Parquet: damaged", bytes(damaged), "unreadable near row")


def _written(columns: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def _twice() -> bytes:
    out = io.BytesIO()
    arrays = [pa.array(["1"]), pa.array([1]), pa.array([2])]
    pq.write_table(pa.Table.from_arrays(arrays, names=["id", "x", "x"]), out)
    return out.getvalue()


def places() -> Iterator[Specimen]:
    """What lies elsewhere than a plain file."""

    def folder(**files: bytes) -> Callable[[Path], Path]:
        def make(path: Path) -> Path:
            for name, content in files.items():
                (path / name.replace("_", ".")).write_bytes(content)
            return path

        return make

    def pipe(path: Path) -> Path:
        os.mkfifo(path / "leads.csv")
        return path / "leads.csv"

    a, b = b"id,town\n1,a\n", b"town,id\nb,2\nc\n"
    yield Specimen("a folder", folder(a_csv=a, b_csv=b), 3)
    yield Specimen("a folder of two formats", folder(a_csv=a, b_jsonl=b'{"id":"2","town":"b"}'), 2)
    yield Specimen(
        "a folder with another header", folder(a_csv=a, b_csv=b"id,ort\n2,b\n"), "differ"
    )
    yield Specimen(
        "a folder with an empty file", folder(a_csv=a, b_csv=b""), r"b\.csv: .* is empty"
    )
    yield Specimen("a folder with an archive", folder(a_csv=a, b_zip=b"PK\x03\x04"), "unpack it")
    yield Specimen("an empty folder", folder(), "the folder holds no")
    yield Specimen("a pattern", lambda path: folder(a_csv=a, b_csv=b)(path) / "*.csv", 3)
    yield Specimen("a pattern of nothing", lambda path: path / "*.csv", "no file matches")
    yield Specimen("nothing there", lambda path: path / "leads.csv", "no such file")
    yield Specimen("a pipe", pipe, "is a pipe or a device")
    yield Specimen("no device", lambda _: Path("/dev/null"), "is a pipe or a device")
    yield Specimen(
        "a folder in place of a parent", lambda _: Path("/dev/null/leads.csv"), "not a d"
    )


ZOO = [
    *(*well_formed(), *other_encodings(), *odd_rows(), *odd_headers(), *no_tables()),
    *(*json_lines(), *parquet(), *places()),
]
