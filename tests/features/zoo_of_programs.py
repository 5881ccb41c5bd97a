"""More broken exports: what programs and people have made of whole ones."""

from __future__ import annotations

import codecs
import gzip
from collections.abc import Iterator

from tests.features.zoo import Specimen, plain, zstd


def odd_exports() -> Iterator[Specimen]:
    """What other programs and people have made of an export."""
    table = b"id,town\n1,a\n2,b\n"
    more = table.replace(b"1,", b"3,").replace(b"2,", b"4,").partition(b"\n")[2]
    bom = codecs.BOM_UTF8
    yield Specimen("two byte order marks", bom + bom + table, 2)
    yield Specimen("two files in one", bom + table + bom + table, 5)
    yield Specimen("marks of a merge", plain("1,a", "<<<<<<< HEAD", "2,b", "======="), 4)
    yield Specimen("a footer of a database", plain("1,a", "", "(1 row)"), 2)
    yield Specimen("a table of Markdown", b"|id|town|\n|---|---|\n|1|a|\n", 2)
    yield Specimen("line ends as letters", table.replace(b"\n", b"\\n"), 0)
    yield Specimen("another UTF-32", table.decode().encode("utf-32"), "the header is not text")
    yield Specimen("EBCDIC", table.decode().encode("cp500"), "only one column|not text")
    yield Specimen(
        "a mail with the export", b"From: crm@example.com\n\n" + table, "only one column"
    )
    yield Specimen("base64", b"aWQsdG93bgoxLGEK\n", "only one column")
    yield Specimen("a link to the export", b"[InternetShortcut]\nURL=https://x\n", "one column")
    yield Specimen("statements of SQL", b"INSERT INTO leads VALUES ('1', 'a');\n", "it has: INSERT")
    yield Specimen("a part of an HTML page", b"<div><table><tr><td>1</td>\n", "only one column")
    yield Specimen("a reply of SOAP", b"<soap:Envelope><soap:Body/>\n", "only one column")
    yield Specimen(
        "an error as JSON", b'{"error": "expired", "code": 401}\n', "it has: error, code"
    )
    wrapped = r"holds the leads as its 'leads'; .*jq -c '\.\[\"leads\"\]\[\]'"
    inside = b'[{"id": "1", "town": "a", "price": 2},\n{"id": "2", "town": "b", "price": 3}]}\n'
    yield Specimen("a list inside of JSON", b'{"leads": [{"id": 1}]}\n', wrapped)
    yield Specimen("a list inside of JSON, over lines", b'{"leads": ' + inside, wrapped)
    yield Specimen("a list inside of JSON, beside others", b'{"n": 2, "leads": ' + inside, wrapped)
    yield Specimen(
        *("a list inside of JSON, on one line", b'{"n": 2, "leads": ' + inside.replace(b"\n", b"")),
        r"not have: id; it has: n, leads; .*jq -c",
    )
    several = b'{"id": "1", "town": "a", "calls": [{"at": 1}]}\n'
    yield Specimen("a lead with a list of objects", several, 1)
    yield Specimen("white space alone", b"  \n\t\n", "only one column")
    yield Specimen("garbage behind gzip", gzip.compress(table) + b"garbage" * 9, "broken off")
    yield Specimen("two archives in one", gzip.compress(table) + gzip.compress(more), 4)
    yield Specimen("two zstd archives in one", zstd(table) + zstd(more), 4)
    yield Specimen("a check sum that is wrong", gzip.compress(table)[:-8] + b"12345678", "damaged")
    wide = b",".join(b"c%d" % i for i in range(10_000))
    yield Specimen("10,000 columns and no id", wide + b"\n", r"c0, c1.*c49 and 9,950 more$")
    yield Specimen("10,000 names twice", wide + b"," + wide + b"\n", r" and 9,950 more; rename")
    yield Specimen("a block of NULs behind", table + b"\0" * 100_000, 3)
