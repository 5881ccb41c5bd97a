"""What a file or folder holds, told by its bytes: a time of change proves nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from features.errors import FileError
from features.table import Table

_BLOCK = 1 << 20


class _Stamp(NamedTuple):
    size: int
    changed: int
    place: int


@dataclass(frozen=True)
class Fingerprint:
    """Some files as they were at one moment."""

    digest: str
    """SHA-256 in hex: of the file, or of the names and SHA-256 of several."""
    bytes: int
    """Of all files; of a table that is none, its rows."""
    newlines: int
    """Line ends in all of them; rows are about as many where they are plain text."""
    stamps: tuple[_Stamp, ...]

    def need_same(self, files: Sequence[Path]) -> None:
        """Refuse files that were changed since.

        Raises:
            FileError: for one that was, or that is gone.

        """
        for file, before in zip(files, self.stamps, strict=True):
            if _stamp(file) != before:
                raise FileError(
                    f"{file}: was changed while it was read; nothing was written. Run again when "
                    "it is complete"
                )


def fingerprint(files: Sequence[Path]) -> Fingerprint:
    """Read files whole and return what they hold.

    Args:
        files: in the order in which they are read.

    Raises:
        FileError: when one cannot be read.

    """
    size, newlines, stamps, digests = 0, 0, [], []
    for path in files:
        stamps.append(_stamp(path))
        content = hashlib.sha256()
        try:
            with path.open("rb") as file:
                while block := file.read(_BLOCK):
                    content.update(block)
                    size += len(block)
                    newlines += block.count(b"\n")
        except OSError as error:
            raise FileError(f"{path}: cannot be read: {error.strerror}") from error
        digests.append(content.hexdigest())
    return Fingerprint(_of_all(files, digests), size, newlines, tuple(stamps))


def of_rows(table: Table) -> Fingerprint:
    """Read a table that is no file and return what it holds, by its cells."""
    total, size = hashlib.sha256(), 0
    for chunk in table.chunks(lambda _: None):
        size += len(chunk.lines)
        for name in table.columns:
            column = chunk.columns[name]
            told = json.dumps([name, column.values, column.codes.tolist()])
            total.update(told.encode())
    return Fingerprint(total.hexdigest(), size, size, ())


def _of_all(files: Sequence[Path], digests: Sequence[str]) -> str:
    if len(digests) == 1:
        return digests[0]
    told = "".join(f"{file.name}\n{one}\n" for file, one in zip(files, digests, strict=True))
    return hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest()


def _stamp(path: Path) -> _Stamp:
    try:
        found = path.stat()
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror}") from error
    return _Stamp(found.st_size, found.st_mtime_ns, found.st_ino)
