"""What is read quickly is what the scalar definition says, to the last bit."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from features import coded, plain, texts
from features.cells import Cell, key_of, missing_as_none, record_reader
from features.coded import QUICK, CodedCells, Columns, contents_of
from features.compiled import Compiled
from features.contact import email_kind
from features.dates import DateEncoder
from features.encoder import CategoryEncoder, FieldEncoder, NumberEncoder, TokensEncoder
from features.errors import UsageError
from features.packed import Packed
from features.phones import phone_region

_CREATED = datetime(2026, 1, 5, 10, 30)
_MANY = settings(max_examples=300, deadline=None)


def of(alphabet: str, most: int = 14) -> st.SearchStrategy[str]:
    """Texts of some letters."""
    return st.text(alphabet, max_size=most)


def columns(texts_: st.SearchStrategy[str]) -> st.SearchStrategy[list[Cell]]:
    """Cells as readers make them: stripped, None for nothing."""
    cells = (texts_ | st.text(max_size=8)).map(lambda text: text.strip() or None)
    return st.lists(cells.filter(_is_whole), max_size=12)


def _is_whole(cell: str | None) -> bool:
    try:
        (cell or "").encode()
    except UnicodeEncodeError:
        return False
    return True


def bits(numbers: Sequence[float]) -> list[bytes]:
    """Numbers by their bits; all that are NaN are alike."""
    return [struct.pack("d", number) if number == number else b"nan" for number in numbers]


def same(encoder: FieldEncoder, cells: list[Cell]) -> None:
    """Hold a column of packed cells to what each of them is by itself."""
    column = CodedCells(Packed.of(cells), np.arange(len(cells)))
    created = [_CREATED] * len(cells)
    found = encoder.of_values(column)
    odd = encoder.odd(column, found)
    if isinstance(encoder, DateEncoder):
        found = encoder.by_row(column, np.array(created, dtype="datetime64[us]"))
    alone = [encoder.encode(cell, _CREATED) for cell in cells]
    assert found.shape == (len(cells), len(encoder.columns))
    for row, codes in zip(found.tolist(), alone, strict=True):
        assert bits(row) == bits(codes)
    remarks = map(encoder.remark, cells, alone)
    assert odd.tolist() == [remark is not None for remark in remarks]
    places = np.arange(len(cells))[::2]
    shown = list(column.shown(encoder.reader, places))
    for cell, (own, read) in zip(cells[::2], shown, strict=True):
        assert own == cell
        words = None if cell is None else encoder.shows(cell, read)
        assert words == encoder.shown(cell)
    texts_, at = encoder.shown_of(column, places)
    said = [*texts_] if at is None else [texts_[place] for place in at.tolist()]
    assert said == [encoder.shown(cell) for cell in cells[::2]]


@pytest.mark.parametrize("decimal", [".", ","])
@_MANY
@given(
    columns(
        of("0123456789.,-+")
        | of("0123456789", 20)
        | st.floats(allow_nan=False).map(repr)
        | st.decimals(-(10**9), 10**9, places=3).map(lambda d: f"{d:,}")
        | of("0123456789.,-+eE€ Inf_")
        | st.tuples(
            st.sampled_from(["", "$", "€ ", "EUR", "USD ", "-", "-$", "£\u00a0", "CHFEUR", "X"]),
            of("0123456789.,'’ -\u202f", 9),
            st.sampled_from(["", "%", " €", "EUR", " USD", "USDEUR", "₹", "kg", "é"]),
        ).map("".join)
    )
)
@example(
    ["9007199254740993", "9007199254740992", "0.1", "1,234.5", "12,34,567", "-0", "-0.0", ".5"]
)
@example(["$1,234.50", "1.234,50 €", "EUR 5", "5EUR", "EUR", "$", "%", "USD-5", "USDEUR5", "5%%"])
@example(["1 234,5", "1’234.50 CHF", "EUREUR5", "5EUREUR", "9" * 70 + "€", "€" * 70 + "9", "é5"])
@example(
    ["1.", "1e5", "٣", "1,23", ",123", "1,,234", "0001,234", "1234,567", "100000000000000000.5"]
)
def test_numbers(decimal: str, cells: list[Cell]) -> None:
    same(NumberEncoder("x", decimal), cells)


@pytest.mark.parametrize("day_first", [False, True])
@_MANY
@given(
    columns(
        st.datetimes(datetime(1895, 1, 1), datetime(2205, 1, 1)).map(lambda d: d.isoformat())
        | st.datetimes(timezones=st.just(UTC)).map(lambda d: d.isoformat()[:-6] + "Z")
        | st.dates().map(str)
        | st.tuples(
            *(st.integers(0, most) for most in (2300, 14, 33, 26, 61, 61)), of("T ", 1), of(".Z:09")
        ).map(lambda t: "{0:04}-{1:02}-{2:02}{6}{3:02}:{4:02}:{5:02}{7}".format(*t))
        | of("0123456789-T:. Z", 22)
        | st.tuples(
            st.datetimes(datetime(1899, 1, 1), datetime(2201, 1, 1)),
            st.sampled_from(["", ".123", ".123456"]),
            st.sampled_from(["+01:00", "-0530", "+2359", "+24:00", "-00:00", "+01", "Z+01:00"]),
        ).map(lambda t: t[0].isoformat(timespec="seconds") + t[1] + t[2])
        | st.tuples(
            *(st.integers(0, most) for most in (33, 33, 2300, 26, 61, 61)),
            st.sampled_from("./-"),
            st.sampled_from(["", ":", " PM", "am", " pm", "PM ", "  AM", " Pm", " p.m."]),
        ).map(lambda t: "{0}{6}{1}{6}{2} {3}:{4:02}{5:02}{7}".format(*t))
        | st.tuples(
            *(st.integers(0, most) for most in (32, 32, 14, 60)),
            st.sampled_from(["/", ".", "-", "/0"]),
            st.sampled_from(["", " AM", "pm", ":30", ":30 PM", ":5", ":61", " 5"]),
        ).map(lambda t: "{0}{4}{1:02}{4}2026 {2}:{3:02}{5}".format(*t))
        | of("0123456789/. :APMm", 20)
    )
)
@example(["3/4/2025 2:15 PM", "13/4/2025", "3/4/2025 12:00 am", "3/4/2025 0:15 PM", "31.12.2025"])
@example(
    ["1/2/2026", "1-2-2026 10:30", "1.2/2026", "1/2/26", "29.2.2023", "3/4/2025 13:15 PM", "1/"]
)
@example(["1899-12-31T23:30:00-01:00", "2200-01-01T00:30+01:00", "1/1/1900 0:00", "1/1/2200"])
@example(["2024-02-29", "2023-02-29", "1900-02-29", "2000-02-29", "2026-01-05 10:30:00.123"])
@example(
    ["1899-12-31", "1900-01-01", "2199-12-31T23:59:59.999999Z", "2200-01-01", "2026-01-05T24:00"]
)
def test_dates(day_first: bool, cells: list[Cell]) -> None:
    same(DateEncoder("x", day_first), cells)


_TIMES = st.none() | st.datetimes(datetime(1900, 1, 1), datetime(2199, 12, 31))


@_MANY
@given(st.lists(st.tuples(_TIMES, _TIMES), max_size=9))
@example([(datetime(2199, 12, 30, 1, 2, 3, 4567), datetime(1900, 1, 1, 0, 0, 0, 1))])
def test_days_of_rows_are_those_of_one_lead(rows: list[tuple[datetime | None, ...]]) -> None:
    cells: list[Cell] = [when.isoformat() if when else None for when, _ in rows]
    created = [when for _, when in rows]
    encoder = DateEncoder("x")

    for column in (CodedCells(Packed.of(cells), np.arange(len(cells))), coded.coded(cells)):
        found = encoder.by_row(column, np.array(created, dtype="datetime64[us]"))

        alone = map(encoder.encode, cells, created)
        assert bits(found[:, 0].tolist()) == bits([days for (days,) in alone])


_LEVELS = ("Acme  Ltd", "sales", "Zürich", "N/A", "5", "a b", "İ", "Kelvin", "2.0")


@_MANY
@given(columns(st.sampled_from(_LEVELS) | of("aAbB5.0 \t") | of("saleSß\u2028 k\u212a")))
@example(["ACME\tltd", "acme ltd", "5.0", "5.00", "ZÜRICH", "20", "\u212aelvin", "A  B", "x" * 300])
def test_categories(cells: list[Cell]) -> None:
    same(CategoryEncoder("x", _LEVELS), cells)
    same(CategoryEncoder("x", ()), cells)


_DOMAINS = (
    *("gmail.com", "GMX.de", "acme.co.uk", "uni-jena.de", "xn--acme.de", "mit.edu", "a-b.com"),
    *("localhost", "co.uk", "city.kawasaki.jp", "www.ck", "foo.ck", "-.de", ".de", "a.b.gov", "de"),
)


@_MANY
@given(
    columns(
        st.tuples(of("ab.@ ", 3), st.sampled_from(["@", "@@", ""]), st.sampled_from(_DOMAINS)).map(
            "".join
        )
        | of("ab1@.-_ de", 12)
        | st.emails()
    )
)
@example(["a@acme.com", "b@other.com", "c@gmail.com", "gmail.com", "@gmail.com", "a@.com", "a@"])
@example(["João@acme.de", "ü@gmail.com", "é@@web.de", "＠@mit.edu", "ﬁ@x.ﬁ", "ß@uni-jena.de"])
@example(
    ["a@x@acme.de", "a@ acme.de", "A@ACME.DE", "a@uni.de", "a@xn-.de", "ä@acme.de", "a@äcme.de"]
)
def test_mails(cells: list[Cell]) -> None:
    same(CategoryEncoder("x", ("free", "company"), "email"), cells)


def test_mails_with_each_name_that_tells_something() -> None:
    names = sorted(plain.telling_names())[::7]
    same(CategoryEncoder("x", ("free",), "email"), [f"x@{name}.com" for name in names])


@_MANY
@given(
    columns(
        st.tuples(st.sampled_from(["+", "00", ""]), of("0123456789", 17)).map("".join)
        | st.tuples(
            st.sampled_from(["+49", "+33", "+44", "+1", "+39", "+7"]), of("0123 -./()", 14)
        ).map("".join)
        | of("0123456789+-()/. ", 18)
    )
)
@example(
    ["+49 170 1234567", "0049-170-1234567", "+490170123456", "+4930", "+999 1234567", "12345.0"]
)
@example(
    ["+44 7700 900123", "+1 212 555 0100", "+3906 69812345", "+36 06 1 234 5678", "030/123456"]
)
@example(["٠٣٠١٢٣٤٥٦", "+٤٩ 170 1234567", "tel 123456", "00", "+", "123456.00"])
def test_phones(cells: list[Cell]) -> None:
    same(CategoryEncoder("x", ("DE", "national"), "phone"), cells)


def test_phones_of_each_country() -> None:
    numbers = ["123456789", "0123456789", "612345678", "21234567", "88123456789"]
    cells: list[Cell] = [f"+{code}{number}" for code, number in product(range(1, 1000), numbers)]
    found, codes = plain.phones(Packed.of(cells), phone_region)
    assert [found[code] for code in codes] == list(map(phone_region, cells))


def test_what_is_known_of_countries_is_not_changed_while_others_may_read_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain._countries.cache_clear()
    kinds_of = texts.phone_kinds

    def looks(cells: Packed, *tables: Any) -> Any:
        for table in tables:
            table.setflags(write=False)
        return kinds_of(cells, *tables)

    monkeypatch.setattr(texts, "phone_kinds", looks)
    for cell in ("+49 170 1234567", "+12125550100", "+447700900123", "+33 612345678"):
        found, codes = plain.phones(Packed.of([cell]), phone_region)
        assert [found[code] for code in codes] == [phone_region(cell)]


_WORDS = ("gmbh", "systems", "s", "straße", "a")


@_MANY
@given(columns(of("aAs-. 1", 20) | st.lists(st.sampled_from(_WORDS), max_size=9).map(" ".join)))
@example(
    ["Straße STRASSE – a", "s\U0001f600s", "\U00020000 a", "東京 a", "İa ﬃ ΐ", "a\u0301", "ªº"]
)
@example(["GmbH Systems-GmbH", "a1b", "...", "STRASSE Straße", "x " * 200, "ſ", "s" * 3000])
@example([" ".join(chr(97 + i // 26) + chr(97 + i % 26) for i in range(300))])
def test_words(cells: list[Cell]) -> None:
    same(TokensEncoder("x", _WORDS, ""), cells)


def test_words_of_each_character() -> None:
    cells: list[Cell] = [f"a{chr(c)}B {chr(c)}" for c in range(33, 0x21000) if chr(c).isprintable()]
    same(TokensEncoder("x", ("a", "b", "ab", "aéb"), ""), cells)


_PLACEHOLDERS = ("-", "N/A", "Select", "0", "not  known", "ßo", "k", "99", "--none--", "", " ")


@_MANY
@given(columns(st.sampled_from(_PLACEHOLDERS) | of("-nN/aASsel0.9 \tkK\u212aß")))
@example(["0.0", "00", "-0", "0.", "NOT\tknown", "K", "\u212a", "99.00", "SSo", "n/a", "N", "-"])
def test_placeholders(cells: list[Cell]) -> None:
    clean = missing_as_none(_PLACEHOLDERS)
    column = CodedCells(Packed.of(cells), np.arange(len(cells)))

    found = column.cleared(clean, plain.suspects(_PLACEHOLDERS))

    assert list(found) == list(map(clean, cells))
    one_by_one = record_reader(_PLACEHOLDERS)
    assert list(found) == [one_by_one({"x": cell})["x"] for cell in cells]


@_MANY
@given(columns(of("ab", 2)))
def test_doubles_are_found_or_kept(cells: list[Cell]) -> None:
    packed = Packed.of(cells)

    assert list(coded.coded_texts(packed)) == cells
    found = texts.distinct(packed, len(cells))
    assert found is not None
    assert len(found[1]) == len(set(cells))
    assert texts.distinct(packed, len(set(cells)) - 1 if cells else 0) is None or not cells


def test_texts_that_would_lie_on_one_another_are_not_looked_at_for_ever() -> None:
    many = Packed.of([f"{i}" for i in range(5000)])

    assert texts.distinct(many, 100) is None
    assert list(coded.coded_texts(many)) == list(many)


@_MANY
@given(columns(of("ab ", 3)), columns(of("ab ", 3)))
@example([None, None], [None, "\x01"])
def test_rows_are_told_apart_by_their_cells_whatever_the_order_of_columns(
    some: list[Cell], others: list[Cell]
) -> None:
    size = min(len(some), len(others))
    one, other = (CodedCells(cells[:size], np.arange(size)) for cells in (some, others))
    packed = Columns({"b": Packed.of(others[:size]), "a": Packed.of(some[:size])})

    found = contents_of({"a": one, "b": other}, size)

    assert found.tolist() == contents_of(packed, size).tolist()
    rows = list(zip(some, others, strict=False))
    assert len(set(found.tolist())) == len(set(rows))


def test_numbers_among_texts_tell_rows_apart() -> None:
    cells: list[Cell] = ["1", 1.0, 2.0, None, "2", -1.0, -2.0, 0.0, 0.5]
    column = CodedCells(cells, np.arange(len(cells)))

    assert len(set(contents_of({"a": column}, len(cells)).tolist())) == len(cells)


def test_an_encoder_that_has_read_columns_can_be_sent() -> None:
    cells: list[Cell] = [f"acme {i}" for i in range(100)]
    for encoder in (CategoryEncoder("x", ("acme 1",)), TokensEncoder("x", ("acme",), "")):
        same(encoder, cells)
        assert pickle.loads(pickle.dumps(encoder)) == encoder


def test_readings_go_along_with_the_rows_that_are_taken() -> None:
    cells: list[Cell] = ["a@gmail.com", "b@acme.de", None, "c@acme.de", "nobody"]
    column = CodedCells(Packed.of(cells), np.array([4, 3, 2, 1, 0, 0]))
    reader: Callable[[Cell], Any] = CategoryEncoder("x", (), "email").reader
    assert reader in QUICK
    column.read(reader)

    taken = column.take(np.array([0, 3, 5]))

    assert list(taken) == ["nobody", "b@acme.de", "a@gmail.com"]
    assert list(taken.read(reader)) == [
        email_kind(cell) for cell in ("a@gmail.com", "b@acme.de", "nobody")
    ]


def test_keys_must_be_distinct() -> None:
    with pytest.raises(ValueError, match="distinct"):
        texts.Keys(Packed.of(["a", "a"]))


def test_the_key_of_a_plain_text_is_the_key() -> None:
    keys = ["a b", "sales"]
    found = texts.Keys(Packed.of(keys)).find(
        Packed.of(["A \t b", "SALES", "sale", None, "ä", "1.0"])
    )

    assert found.tolist() == [0, 1, texts.UNKNOWN, *[texts.NOT_PLAIN] * 3]
    assert [key_of(text) for text in ("A \t b", "SALES")] == keys


def test_outdated_loops_are_a_clear_error(monkeypatch) -> None:
    monkeypatch.setattr(Compiled, "source_hash", lambda self: "of another source")

    with pytest.raises(UsageError, match=r"another texts.c than this; .*make kernel"):
        texts._library.__wrapped__()
