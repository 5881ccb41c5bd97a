"""Files that appear under their name when they are whole, and the rows that were set aside."""

from __future__ import annotations

import csv
import fcntl
import glob
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from features.errors import FileError
from features.files import Reject
from features.spreadsheet import safe_cell


@contextmanager
def whole_or_not(target: Path) -> Iterator[Path]:
    """Give a file to write that takes the target's place once all went well."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target)
        handle, work = _begin(target)
    except OSError as error:
        raise FileError(f"{target}: cannot be written: {error.strerror}") from error
    try:
        yield work
        work.chmod(0o666 & ~_umask())
        work.replace(target)
    except OSError as error:
        raise FileError(f"{target}: cannot be written: {error.strerror or error}") from error
    finally:
        work.unlink(missing_ok=True)
        os.close(handle)


def _begin(target: Path) -> tuple[int, Path]:
    """Return a file beside the target, and its handle, which holds a lock for as long as we live.

    Raises:
        OSError: when the folder cannot be written to.

    """
    while True:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}-")
        if _is_ours(handle):
            return handle, Path(name)
        os.close(handle)


def _sweep(target: Path) -> None:
    """Remove what writers of this target left when they were killed; nobody holds its lock."""
    for path in target.parent.glob(f".{glob.escape(target.name)}-????????"):
        with suppress(OSError):
            handle = os.open(path, os.O_RDWR)
            try:
                if _is_ours(handle):
                    path.unlink()
            finally:
                os.close(handle)


def _is_ours(handle: int) -> bool:
    """Take the lock of a file, unless another has it or the file is deleted already."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.fstat(handle).st_nlink > 0


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def rejects_path(target: Path) -> Path:
    """Return where the rejects of an output go: beside it."""
    return target.with_name(f"{target.stem}.rejects.csv")


@contextmanager
def rejects_file(path: Path) -> Iterator[Callable[[Reject], None]]:
    """Give what writes a row that was set aside; without any, an older file is removed.

    Rows are written as they come, so that it does not matter how many they are.
    """
    written = 0
    with whole_or_not(path) as work, work.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(Reject._fields)

        def write(reject: Reject) -> None:
            nonlocal written
            written += 1
            writer.writerow([safe_cell(str(value)) for value in reject])

        yield write
    if not written:
        path.unlink()


def write_rejects(rejects: Iterable[Reject], path: Path) -> Path | None:
    """Write rejects as CSV and return the path; without any, remove an older file."""
    with rejects_file(path) as write:
        for reject in rejects:
            write(reject)
    return path if path.exists() else None
