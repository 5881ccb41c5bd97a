"""The bytes of a file: unpacked, as UTF-8 where they are text, and the same however often read."""

from __future__ import annotations

import codecs
import os
import re
import stat
import string
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from features.errors import FileError
from features.table import CHUNK_BYTES

_PIECE = 1 << 17
_PACKERS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_BOMB_SIZE, _BOMB_RATIO = 1 << 30, 500
"""Exports get some ten times smaller by packing, those of equal rows some hundred times."""
_CODE_PAGE = "cp1252"
_LETTERS = bytes(range(0xC0, 0x100))
"""Accented letters in the code page of Windows."""
_MARKS = bytes([0x80, 0x85, *range(0x91, 0x98), *range(0xA0, 0xC0)])
"""What else of it is common: euro, dots, quotation marks, dashes, signs."""
_ASCII_LETTERS = string.ascii_letters.encode()
_EXCEL_NOTE = re.compile(rb'"?sep=[^\r\n]?"?[ \t]*(?=\r|\n)')


class Source:
    """The bytes of a file, packed by gzip or zstd or not, which nobody changes meanwhile."""

    def __init__(self, path: Path) -> None:
        """Take note of the file.

        Raises:
            OSError: when it is not there or cannot be read.
            FileError: when it is empty, or no file that can be read twice.

        """
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):
            raise FileError(
                f"{path}: is a pipe or a device, which can be read only once; write what it "
                "gives to a file first"
            )
        self.path = path
        self._state = _state(state)
        with path.open("rb") as file:
            begins = file.read(8)
        self.packer = next((p for magic, p in _PACKERS.items() if begins.startswith(magic)), None)
        self.head = b"".join(_until(self.pieces(), 512))
        """The first bytes, unpacked."""
        if not self.head:
            raise FileError(f"{path}: the file is empty")

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes, unpacked, from the first on.

        Raises:
            FileError: when the file is not what it was when it was opened, or is broken off.

        """
        with self.path.open("rb") as file:
            self.need_same(os.fstat(file.fileno()))
            if self.packer is None:
                yield from _read(file)
            else:
                # Not the file itself, because what unpacks it also closes it.
                yield from self._unpacked(os.fdopen(os.dup(file.fileno()), "rb"))
            self.need_same(os.fstat(file.fileno()))

    def _unpacked(self, file: IO[bytes]) -> Iterator[bytes]:
        import pyarrow

        unpacked = 0
        most = max(_BOMB_SIZE, _BOMB_RATIO * self._state[0])
        try:
            with pyarrow.CompressedInputStream(file, self.packer) as stream:
                for piece in _read(stream):
                    unpacked += len(piece)
                    if unpacked > most:
                        raise FileError(
                            f"{self.path}: unpacks to more than {_BOMB_RATIO} times its size: not "
                            "an export; if it is one, unpack it first"
                        )
                    yield piece
        except (pyarrow.ArrowException, OSError) as error:
            if isinstance(error, OSError) and error.errno:
                raise
            raise FileError(
                f"{self.path}: the {self.packer} archive is broken off or damaged: {error}; "
                "copy or export it again"
            ) from error

    def need_same(self, state: os.stat_result) -> None:
        """Raise a `FileError` where this is no longer the file that it was."""
        if _state(state) != self._state:
            raise FileError(
                f"{self.path}: was changed while it was read; wait until it is written whole, and "
                "run again"
            )


def _state(state: os.stat_result) -> tuple[int, int, int]:
    return state.st_size, state.st_mtime_ns, state.st_ino


def _read(file: Any) -> Iterator[bytes]:
    while piece := file.read(_PIECE):
        yield piece


def _until(pieces: Iterable[bytes], most: int) -> Iterator[bytes]:
    seen = 0
    for piece in pieces:
        yield piece[: most - seen]
        seen += len(piece)
        if seen >= most:
            return


class Text:
    """The text of a source as UTF-8, whatever it is written in.

    A byte order mark is left out. Bytes that are no text in its encoding stay something that is
    no UTF-8, so that they are found where they stand.
    """

    def __init__(self, source: Source, encoding: str | None) -> None:
        """Find out the encoding unless it is said.

        Raises:
            FileError: when a line has no end.

        """
        self.source = source
        self.encoding = encoding or _find_encoding(source)
        self.is_doubtful = not encoding and self.encoding == _CODE_PAGE and _seldom(source)
        """Whether the encoding was found out, and its letters are seldom such."""
        self._is_utf8 = codecs.lookup(self.encoding).name in ("utf-8", "utf-8-sig")
        self.errors = "surrogateescape" if self._is_utf8 else "surrogatepass"
        """How the UTF-8 is to be decoded."""

    def pieces(self) -> Iterator[bytes]:
        """Yield the UTF-8; Excel's note to itself in the first line is left blank."""
        pieces = self.source.pieces() if self._is_utf8 else self._translated()
        first = next(pieces, b"")
        while first.startswith(codecs.BOM_UTF8):  # some programs write it each time they pass by
            first = first.removeprefix(codecs.BOM_UTF8)
        note = _EXCEL_NOTE.match(first)
        yield first[note.end() :] if note else first
        yield from pieces

    def _translated(self) -> Iterator[bytes]:
        decoder = codecs.getincrementaldecoder(self.encoding)(errors="surrogateescape")
        ends = 0
        try:
            for piece in self.source.pieces():
                translated = decoder.decode(piece).encode("utf-8", "surrogatepass")
                ends += translated.count(b"\n")
                yield translated
            yield decoder.decode(b"", final=True).encode("utf-8", "surrogatepass")
        except UnicodeError as error:
            raise FileError(
                f"{self.source.path}: near line {ends + 1}: {error}; mend export.encoding, or "
                "--encoding"
            ) from error


def _find_encoding(source: Source) -> str:
    """Return the encoding by byte order mark, else UTF-8, else the Windows code page.

    A few broken lines in a UTF-8 file are rows to reject; a file full of them is in another code.
    """
    if source.head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if _is_utf8(_with_ends(source)):
        return "utf-8-sig"
    good = broken = 0
    for line in _lines(source.pieces()):
        if not line.isascii():
            whole = _is_utf8([line])
            good, broken = good + whole, broken + (not whole)
    return _CODE_PAGE if broken > good else "utf-8-sig"


def _seldom(source: Source) -> bool:
    """Tell whether a text is hardly one in the code page of Windows.

    Where that has marks which nobody types, other encodings (of the Macintosh, of DOS, of Japan)
    have letters; and no language that it is made for has so many letters beyond ASCII.
    """
    plain = letters = odd = 0
    for piece in source.pieces():
        beyond = piece.translate(None, bytes(range(0x80)))
        plain += len(piece) - len(piece.translate(None, _ASCII_LETTERS))
        letters += len(beyond) - len(beyond.translate(None, _LETTERS))
        odd += len(beyond.translate(None, _LETTERS + _MARKS))
    return odd > letters or 2 * (letters + odd) > plain


def _with_ends(source: Source) -> Iterator[bytes]:
    """Yield the pieces of a text, whose lines must end."""
    since = passed = 0
    for piece in source.pieces():
        last = max(piece.rfind(b"\n"), piece.rfind(b"\r"))
        since = since + len(piece) if last < 0 else len(piece) - last - 1
        passed += len(piece)
        if since > CHUNK_BYTES:
            ends = sum(before.count(b"\n") for before in _until(source.pieces(), passed))
            raise endless_line(source.path, ends + 1)
        yield piece


def endless_line(path: Path, line: int) -> FileError:
    """Return the error of a line that is too long."""
    return FileError(
        f"{path}: line {line} is longer than {CHUNK_BYTES >> 20} million bytes: not a table; "
        "export it again, one lead a line"
    )


def _lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
    yield rest


def _is_utf8(pieces: Iterable[bytes]) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for piece in pieces:
            if decoder.getstate()[0] or not piece.isascii():
                decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True
