"""An artefact's files as one archive: how a model travels from training to every service.

A plain zip, so that a person can look into it. The same files give the same bytes. What comes in is
not trusted: only files that an artefact has, none of them twice, and no more than `LARGEST` in all.
"""

from __future__ import annotations

import zipfile
from io import BytesIO

from features.errors import ModelError
from serving.artefact import NAMES, Files, LoadedModel, in_short, read_files

LARGEST = 100_000_000
"""Bytes that the files of one model may have together; some hundred times what is usual."""
_FIRST_DAY = (1980, 1, 1, 0, 0, 0)
"""What a zip can say at the earliest; a true time would make each archive another."""


def pack(files: Files) -> bytes:
    """Return the files of an artefact as one archive."""
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name in NAMES:
            if name in files:
                entry = zipfile.ZipInfo(name, _FIRST_DAY)
                entry.create_system = 3  # As on Unix, wherever it is made.
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, files[name], zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def unpack(content: bytes, where: str) -> Files:
    """Return the files in an archive.

    Args:
        content: the archive.
        where: it comes from, as errors name it.

    Raises:
        ModelError: when it is damaged, too large, or holds anything else than an artefact's files.

    """
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            entries = archive.infolist()
            _check(entries, where)
            return {entry.filename: _file(archive, entry) for entry in entries}
    except ModelError:
        raise
    # A damaged zip makes Python's reader raise about anything.
    except Exception as error:
        raise ModelError(f"{where}: is no archive of a model: {in_short(error)}") from error


def _check(entries: list[zipfile.ZipInfo], where: str) -> None:
    names = [entry.filename for entry in entries]
    if odd := sorted(set(names) - set(NAMES)):
        raise ModelError(f"{where}: the archive holds {odd[0]!r}, which is no file of a model")
    if len(names) > len(set(names)):
        raise ModelError(f"{where}: the archive holds a file twice")
    if any(entry.compress_type != zipfile.ZIP_DEFLATED for entry in entries):
        raise ModelError(f"{where}: the archive is not compressed as leadq does it")
    if sum(entry.file_size for entry in entries) > LARGEST:
        raise ModelError(f"{where}: the archive unpacks to more than {LARGEST:,} bytes")


def _file(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """Return a file; one that is larger than it says is not unpacked beyond what it says."""
    with archive.open(entry) as file:
        return file.read(entry.file_size + 1)


def open_model(version: str, digest: str, content: bytes) -> LoadedModel:
    """Return the model in an archive, verified: digest, format, every file, golden rows.

    Raises:
        ModelError: when it is not what was registered, or cannot be read.

    """
    where = f"version {version}"
    return LoadedModel(version, digest, read_files(unpack(content, where), where, digest))
