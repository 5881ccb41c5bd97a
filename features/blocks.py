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
        self._rest = b""
        self._window = 1 << 20

    def take(self, most: int | None = None) -> Lines:
        """Return the next lines, none at the end of the text.

        They do not end within a quoted value, unless that is very long or a quote stands alone.

        Args:
            most: lines at most.

        Raises:
            FileError: when a line is longer than a block may be.

        """
        most = most or table.CHUNK_ROWS
        is_last = self._fill()
        ends = self._ends(most, is_last)
        if not len(ends):
            if self._rest:
                raise endless_line(self._path, self.line)
            return Lines(b"", ends, self.line)
        if self._quoted:
            ends = _outside_quotes(self._rest[: ends[-1]], ends)
        taken = Lines(self._rest[: ends[-1]], ends, self.line)
        self._rest = self._rest[ends[-1] :]
        self.line += len(ends)
        return taken

    def give_back(self, raw: bytes, line: int) -> None:
        """Return lines to be taken again, of which the first has the number `line`."""
        self._rest = raw + self._rest
        self.line = line

    def _fill(self) -> bool:
        """Have a block's bytes at hand; return whether the text ends with them."""
        parts, size = [self._rest], len(self._rest)
        while size <= table.CHUNK_BYTES:
            piece = next(self._pieces, None)
            if piece is None:
                break
            parts.append(piece)
            size += len(piece)
        self._rest = b"".join(parts)
        return size <= table.CHUNK_BYTES

    def _ends(self, most: int, is_last: bool) -> Places:
        """Return where the next lines end; looks no further than it must."""
        while True:
            view = self._rest[: min(self._window, table.CHUNK_BYTES)]
            ends = _line_ends(view, is_last and len(view) == len(self._rest))
            if len(ends) >= most or len(view) >= min(len(self._rest), table.CHUNK_BYTES):
                return ends[:most]
            self._window *= 2


def _line_ends(text: bytes, is_last: bool) -> Places:
    """Return the places behind line ends; a CR at the very end may be half of one."""
    letters = np.frombuffer(text, dtype=np.uint8)
    ends = np.flatnonzero(letters == LF)
    if b"\r" in text:
        returns = np.flatnonzero(letters[:-1] == CR)
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
    if text.count(b'"') % 2 == 0:
        return ends
    quotes = np.flatnonzero(np.frombuffer(text, dtype=np.uint8) == QUOTE)
    closed = np.flatnonzero(np.searchsorted(quotes, ends[-_LONG_VALUE:]) % 2 == 0)
    if not len(closed):
        return ends
    return ends[: len(ends) - len(ends[-_LONG_VALUE:]) + closed[-1] + 1]
