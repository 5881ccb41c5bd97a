"""A text as blocks of whole lines, whose bounds are a function of the text alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from features import table
from features.coded import Places
from features.source import endless_line

CR, LF, QUOTE = ord("\r"), ord("\n"), ord('"')
_LONG_VALUE = 200
"""Lines of a quoted value at most that are kept together at the end of a block."""
_AHEAD = 2
"""Blocks that are read at once: what is left of a text is copied the less often."""
_WINDOW = 1 << 17
"""Letters that are looked at at once."""
Letters = npt.NDArray[np.uint8]


class Lines(NamedTuple):
    """Some whole lines of a text."""

    raw: bytes
    ends: Places
    """Behind each line's end, shape (lines,)."""
    line: int
    """The number of the first one."""


class Blocks:
    """Takes whole lines from a text, some megabytes at a time."""

    def __init__(self, pieces: Iterator[bytes], path: Path, quoted: bool = True) -> None:
        """Read from the first line on.

        Args:
            pieces: the text in UTF-8.
            path: named in errors.
            quoted: whether a value may span lines between quotes.

        """
        self.line = 1
        """The number of the next line."""
        self._pieces = pieces
        self._path = path
        self._quoted = quoted
        self._text = b""
        self._at = 0
        """The place of the next line in the text that is at hand."""
        self._line_bytes = 100.0
        """Of a line on average, to look no further for line ends than it must."""

    def take(self, most: int | None = None) -> Lines:
        """Return the next lines, none at the end of the text.

        They do not end within a quoted value, unless that is very long or a quote stands alone.

        Args:
            most: lines at most.

        Raises:
            FileError: when a line is longer than a block may be.

        """
        is_last = self._fill()
        ends = self._ends(most or table.CHUNK_ROWS, is_last)
        if not len(ends):
            if self._at < len(self._text):
                raise endless_line(self._path, self.line)
            return Lines(b"", ends, self.line)
        raw = self._text[self._at : self._at + ends[-1]]
        if self._quoted and raw.count(b'"') % 2:
            ends = _outside_quotes(raw, ends)
            raw = raw[: ends[-1]]
        taken = Lines(raw, ends, self.line)
        self._at += len(raw)
        self.line += len(ends)
        self._line_bytes = len(raw) / len(ends)
        return taken

    def give_back(self, raw: bytes, line: int) -> None:
        """Return the lines taken last, to be taken again; the first has the number `line`."""
        if len(raw) > self._at:
            self._text = raw + self._text[self._at :]
            self._at = len(raw)
        self._at -= len(raw)
        self.line = line

    def _fill(self) -> bool:
        """Have a block's bytes at hand; return whether the text ends with them."""
        size = len(self._text) - self._at
        if size > table.CHUNK_BYTES:
            return False
        parts = [self._text[self._at :]]
        for piece in self._pieces:
            parts.append(piece)
            size += len(piece)
            if size > _AHEAD * table.CHUNK_BYTES:
                break
        self._text, self._at = b"".join(parts), 0
        return size <= table.CHUNK_BYTES

    def _ends(self, most: int, is_last: bool) -> Places:
        """Return where the next lines end, counted from the first one's begin."""
        left = len(self._text) - self._at
        window = int(1.5 * self._line_bytes * most) + 1000
        while True:
            size = min(window, table.CHUNK_BYTES, left)
            view = self._text[self._at : self._at + size]
            ends = _line_ends(view, is_last and size == left)
            if len(ends) >= most or size >= min(left, table.CHUNK_BYTES):
                return ends[:most]
            window *= 4


def places_of(letter: int, letters: Letters) -> Places:
    """Return where a letter stands; found part by part, in memory that is at hand."""
    parts = [
        np.flatnonzero(letters[begin : begin + _WINDOW] == letter) + begin
        for begin in range(0, len(letters), _WINDOW)
    ]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.intp)


def _line_ends(text: bytes, is_last: bool) -> Places:
    """Return the places behind line ends; a CR at the very end may be half of one."""
    letters = np.frombuffer(text, dtype=np.uint8)
    ends = places_of(LF, letters)
    if b"\r" in text:
        returns = places_of(CR, letters[:-1])
        alone = returns[letters[returns + 1] != LF]
        if is_last and text.endswith(b"\r"):
            alone = np.append(alone, len(text) - 1)
        if len(alone):
            ends = np.sort(np.concatenate([ends, alone]))
    ends = ends + 1
    if is_last and text and not text.endswith((b"\n", b"\r")):
        ends = np.append(ends, len(text))
    return ends


def _outside_quotes(text: bytes, ends: Places) -> Places:
    """Return the ends without the last lines whose quotes are not all closed, if these are few."""
    quotes = places_of(QUOTE, np.frombuffer(text, dtype=np.uint8))
    closed = np.flatnonzero(np.searchsorted(quotes, ends[-_LONG_VALUE:]) % 2 == 0)
    if not len(closed):
        return ends
    return ends[: len(ends) - len(ends[-_LONG_VALUE:]) + closed[-1] + 1]
