from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.blocks import Blocks
from features.errors import FileError


def pieces(text: bytes, size: int) -> Iterator[bytes]:
    return (text[i : i + size] for i in range(0, len(text), size))


def taken(text: bytes, most: int, size: int = 5) -> list[tuple[int, bytes]]:
    """All blocks of a text that comes in pieces of a size, with the number of their first line."""
    blocks = Blocks(pieces(text, size), Path("leads.csv"))
    found = []
    while (lines := blocks.take(most)).raw:
        found.append((lines.line, lines.raw))
    return found


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=st.text('a,"\n\r').map(str.encode), most=st.integers(1, 4), size=st.integers(1, 9))
def test_blocks_are_the_text_whatever_pieces_it_comes_in(
    monkeypatch: pytest.MonkeyPatch, text: bytes, most: int, size: int
) -> None:
    monkeypatch.setattr("features.table.CHUNK_BYTES", 64)
    found = taken(text, most, size)
    assert b"".join(raw for _, raw in found) == text
    assert found == taken(text, most, 1000)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("last", [True, False])
def test_lines_are_counted_by_any_end(end: bytes, last: bool) -> None:
    text = end.join([b"a", b"", b"b", b"c"]) + end * last
    assert [line for line, _ in taken(text, 1)] == [1, 2, 3, 4]


def test_a_block_holds_no_more_bytes_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("features.table.CHUNK_BYTES", 8)
    assert taken(b"aaa\nbbb\nccc\nddd\n", 100) == [(1, b"aaa\nbbb\n"), (3, b"ccc\nddd\n")]


def test_a_line_longer_than_a_block_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("features.table.CHUNK_BYTES", 8)
    with pytest.raises(FileError, match=r"leads\.csv: line 2 is longer than 8 million bytes"):
        taken(b"aaa\n" + b"b" * 9 + b"\n", 100)


def test_a_block_does_not_end_within_a_quoted_value() -> None:
    assert taken(b'1,a\n2,"b\nc"\n3,d\n', 2) == [(1, b"1,a\n"), (2, b'2,"b\nc"\n'), (4, b"3,d\n")]


def test_a_stray_quote_does_not_hold_a_block_back() -> None:
    text = b'1,"a\n' + b"2,b\n" * 1000
    assert [line for line, _ in taken(text, 500)] == [1, 501, 1001]


def test_lines_given_back_are_taken_again() -> None:
    blocks = Blocks(iter([b"1\n2\n3\n"]), Path("leads.csv"))
    first = blocks.take(2)
    blocks.give_back(first.raw, first.line)
    assert blocks.take(3).raw == b"1\n2\n3\n"
    assert blocks.line == 4
