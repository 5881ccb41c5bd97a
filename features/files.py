"""The one way to open leads for reading: a file, a folder, a pattern or a table of a database.

The seam between the formats and the rest: whoever reads leads sees a `Table`, whatever lies below.
Rows that cannot be split into fields are set aside as rejects; what is no table at all ends with a
`FileError`.
"""

from __future__ import annotations

import codecs
import glob
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from features.agreement import Export
from features.delimited import Delimited
from features.errors import FileError, OutputError
from features.json_lines import JsonLines
from features.parquet import Parquet
from features.source import Source
from features.sql_table import SqlTable, is_address
from features.table import Chunk, Reject, Table

__all__ = ["Chunk", "Reject", "Table", "files_of", "is_part", "open_table"]

_PART = re.compile(r"(?i).*\.((csv|tsv|json|jsonl|ndjson)(\.gz|\.zst|\.zstd)?|parquet)")
_PACKED_PART = re.compile(r"(?i).*\.(zip|xlsx?|xlsm|ods|bz2|xz|7z|rar|lz4|tar|tgz|gz|zst|zstd)")
_FORMATS = "CSV, JSON lines (both also packed by gzip or zstd) or Parquet"
_UNREADABLE = {
    b"PK\x03\x04": "a zip archive (or a spreadsheet)",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ\x00": "an xz archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a rar archive",
    b"\x04\x22\x4d\x18": "an lz4 archive",
    b"\xff\x06\x00\x00sNaPpY": "a snappy archive",
    b"\x1f\x9d": "a compress archive",
    b"\x1f\x8b": "a packed file that is packed once more",
    b"\x28\xb5\x2f\xfd": "a packed file that is packed once more",
    b"PAR1": "a packed Parquet file",
    b"PARE": "an encrypted Parquet file",
    b"ARROW1": "an Arrow file",
    b"Obj\x01": "an Avro file",
    b"ORC": "an ORC file",
    b"SQLite format 3": "a database (say sqlite:FILE?table=NAME)",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet",
    b"{\\rtf": "a text document",
    b"%PDF": "a PDF",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
}
_UNREADABLE_TEXT = {
    re.compile(rb"(?i)<(!doctype html|html|head|body)"): (
        "an HTML page, such as a site shows in place of a file; sign in there and export again"
    ),
    re.compile(rb"(?i)<(\?xml|workbook|table)"): f"XML; export it as {_FORMATS}",
    re.compile(rb"\[\s*([{\]]|$)"): (
        "one JSON list; write each lead as one object on a line of its own (JSON lines), such as "
        "by jq -c '.[]'"
    ),
}
_JSON_LINE = re.compile(rb'\{\s*(["}]|$)')


def open_table(source: Path | str, export: Export | None = None) -> Table:
    """Open leads as one table.

    Args:
        source: a file (CSV, JSON lines, both also packed by gzip or zstd, or Parquet), a folder
            of such files, a pattern such as `exports/2026-*.csv.gz`, or the address of a table
            of a database (see `features.sql_table`).
        export: how a text file writes its values; what it does not say is found out.

    Raises:
        FileError: when it is not there, cannot be read, is empty or is no table.

    """
    if is_address(source) and not Path(source).exists():
        return SqlTable(str(source))
    path, agreed = Path(source), export or Export()
    try:
        if _is_one_file(path):
            return _Watched(_open_file(path, agreed), path)
        return _Several(path, files_of(source), agreed)
    except OSError as error:
        raise _unread(error, path) from error


def files_of(source: Path | str) -> list[Path]:
    """Return the files that a table is read from, in their order; none for one of a database.

    Raises:
        FileError: when there is none, or one that cannot be read beside the others.

    """
    if is_address(source) and not Path(source).exists():
        return []
    path = Path(source)
    if _is_one_file(path):
        return [path]
    return _parts(path) if path.is_dir() else _matching(path)


def _is_one_file(path: Path) -> bool:
    return not path.is_dir() and (path.exists() or not glob.has_magic(str(path)))


def _unread(error: OSError, path: Path) -> FileError:
    reason = (error.strerror or str(error)).lower()
    return FileError(f"{error.filename or path}: {reason}")


def _open_file(path: Path, export: Export) -> Table:
    source = Source(path)
    if source.packer is None and source.head.startswith(b"PAR1"):
        return Parquet(source)
    for magic, what in _UNREADABLE.items():
        if source.head.startswith(magic):
            raise FileError(f"{path}: is {what}, not a table; unpack or export it as {_FORMATS}")
    if source.head[257:262] == b"ustar":
        raise FileError(f"{path}: is a tar archive, not a table; unpack it into a folder")
    begins = _beginning(source.head)
    for pattern, what in _UNREADABLE_TEXT.items():
        if pattern.match(begins):
            raise FileError(f"{path}: is {what}")
    return JsonLines(source, export) if _JSON_LINE.match(begins) else Delimited(source, export)


def _beginning(head: bytes) -> bytes:
    """Return the first letters of a text in UTF-8, without white space before them."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        head = head.decode("utf-16", "ignore").encode("utf-8", "ignore")
    return head.removeprefix(codecs.BOM_UTF8).lstrip()


class _Watched:
    """A file whose disk or share may fail while it is read."""

    def __init__(self, table: Table, path: Path) -> None:
        self._table, self._path = table, path
        self.columns, self.files, self.form = table.columns, table.files, table.form

    def chunks(self, reject: Callable[[Reject], None]) -> Iterator[Chunk]:
        try:
            yield from self._table.chunks(reject)
        except OSError as error:
            raise OutputError(
                f"{error.filename or self._path}: cannot be read any more: "
                f"{(error.strerror or str(error)).lower()}; run again when it is back"
            ) from error


class _Several:
    """Several files, by name, as one table."""

    def __init__(self, path: Path, files: Sequence[Path], export: Export) -> None:
        folder = path if path.is_dir() else Path(os.path.commonpath([f.parent for f in files]))
        self._parts = [_Watched(_open_file(file, export), file) for file in files]
        self.columns, self.form = self._parts[0].columns, self._parts[0].form
        self.files = tuple(str(file.relative_to(folder)) for file in files)
        for file, part in zip(files, self._parts, strict=True):
            _same_columns(file, part.columns, files[0], self.columns)

    def chunks(self, reject: Callable[[Reject], None]) -> Iterator[Chunk]:
        for name, part in zip(self.files, self._parts, strict=True):
            for chunk in part.chunks(_in_file(name, reject)):
                yield chunk.of_file(name)


def _in_file(name: str, reject: Callable[[Reject], None]) -> Callable[[Reject], None]:
    return lambda row: reject(row._replace(file=name))


def is_part(path: Path) -> bool:
    """Whether a name is one of a table or of an archive; hidden files are no part of a folder."""
    told = _PART.fullmatch(path.name) or _PACKED_PART.fullmatch(path.name)
    return bool(told) and not path.name.startswith(".")


def _parts(folder: Path) -> list[Path]:
    # Hidden files are what other programs leave beside the data, such as `._leads.csv`.
    files = sorted(p for p in folder.iterdir() if p.is_file() and p.name[0] != ".")
    parts = [file for file in files if _PART.fullmatch(file.name)]
    packed = [f for f in files if _PACKED_PART.fullmatch(f.name) and not _PART.fullmatch(f.name)]
    if packed:
        raise FileError(
            f"{packed[0]}: cannot be read beside the others; unpack it or export it as {_FORMATS}, "
            "or move it away"
        )
    if not parts:
        raise FileError(f"{folder}: the folder holds no .csv, .jsonl or .parquet file")
    return parts


def _matching(pattern: Path) -> list[Path]:
    found = map(Path, glob.iglob(str(pattern), recursive=True))  # noqa: PTH207 - from any folder
    files = sorted(path for path in found if path.is_file())
    if not files:
        raise FileError(f"{pattern}: no file matches the pattern")
    return files


def _same_columns(
    file: Path, columns: tuple[str, ...], first: Path, wanted: tuple[str, ...]
) -> None:
    odd = sorted(set(columns) ^ set(wanted))
    if odd:
        raise FileError(
            f"{file}: its columns differ from those of {first.name} in {', '.join(odd[:20])}; "
            "files of one folder must have the same columns"
        )
