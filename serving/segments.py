"""The files in which scores wait for the store: one line for each lead, each with its checksum.

A *segment* is written by one process, which holds a lock on it (flock) for as long as it writes.
A segment without that lock is whole: it was closed, or its process is dead. Nothing else says so,
so nothing can be left behind that says otherwise.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import orjson

from features.agreement import Agreement, Grade
from features.cells import Cell
from features.store.entries import name_of
from features.store.scores import GivenScore
from features.store.texts import json_of

SUFFIX = ".scores"
ASIDE = "aside"
"""The folder, beside the segments, of lines that nobody can bring to the store."""
STEP = 32
"""Microseconds from one score of a process to its next; so many processes tell theirs apart."""
_EPOCH = datetime(1970, 1, 1)
_NAME = re.compile(r"\d{16}-\d{2}" + re.escape(SUFFIX))


class Scored(NamedTuple):
    """A lead as it was read, and what was said of it."""

    id: str
    created: datetime | None
    probability: float
    grade: Grade
    expected_value: float | None
    cells: Mapping[str, Cell]
    """All that was told of the lead, by name."""


def told_by(model: str, agreement: Agreement) -> orjson.Fragment:
    """Return what all lines of one model say alike, made once.

    Args:
        model: its version.
        agreement: under which it was trained; says which columns are fields of the lead.

    """
    names = agreement.columns
    return orjson.Fragment(
        orjson.dumps(
            {
                "model": model,
                "agreement": agreement.label,
                "campaign": names.campaign,
                "source": names.source,
                "beside": [n for n in (names.id, names.outcome, names.closed) if n],
            }
        )
    )


def lines_of(scored: Sequence[Scored], by: orjson.Fragment, first: int) -> bytes:
    """Return a line for each lead.

    Args:
        scored: the leads.
        by: what the lines say alike.
        first: the moment of the first, in microseconds since 1970; each further one is `STEP` on.

    """
    lines = []
    for n, (id_, created, probability, grade, value, cells) in enumerate(scored):
        line = orjson.dumps(
            {
                "at": first + n * STEP,
                "lead": id_,
                "created": created,
                "probability": probability,
                "grade": grade,
                "expected_value": value,
                "by": by,
                "fields": cells,
            }
        )
        lines.append(b"%08x %b\n" % (crc32(line), line))
    return b"".join(lines)


def score_of(line: bytes) -> GivenScore:
    """Read a line.

    Raises:
        ValueError: when it is not what was written.

    """
    told = _checked(line)
    try:
        by, fields = told["by"], told["fields"]
        parts = [
            head + json_of(cell)
            for name, head in _heads(tuple(fields), tuple(by["beside"]))
            if (cell := fields[name]) is not None
        ]
        return GivenScore(
            lead=told["lead"],
            created=told["created"] and datetime.fromisoformat(told["created"]),
            campaign=name_of(fields.get(by["campaign"])),
            source=name_of(fields.get(by["source"])),
            fields="{" + ", ".join(parts) + "}",
            at=_EPOCH + timedelta(microseconds=told["at"]),
            model=by["model"],
            agreement=by["agreement"],
            probability=told["probability"],
            grade=told["grade"],
            # Lines of an older leadq do not tell it.
            expected_value=told.get("expected_value"),
        )
    except (LookupError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError("was written by another leadq") from error


@lru_cache(maxsize=8)  # leads may have thousands of names
def _heads(names: tuple[str, ...], beside: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return how a snapshot begins each of the fields, in its order."""
    return [(name, f"{json_of(name)}: ") for name in sorted(names) if name not in beside]


def _checked(line: bytes) -> dict[str, Any]:
    sum_, _, body = line.partition(b" ")
    if sum_ != b"%08x" % crc32(body):
        raise ValueError("is damaged")
    told = orjson.loads(body)
    if not isinstance(told, dict) or not isinstance(told.get("lead"), str):
        raise ValueError("was written by another leadq")
    return told


def lead_of(line: bytes) -> str | None:
    """Return the id of the lead that a line tells of; None where it is damaged."""
    try:
        lead: str = _checked(line)["lead"]
    except ValueError:
        return None
    return lead


@dataclass
class Segment:
    """An open segment of this process."""

    file: int
    opened: int
    """Microseconds since 1970."""
    size: int = 0

    def append(self, lines: bytes) -> None:
        """Write lines; all of them or, where the disk does not take them, none.

        Raises:
            OSError: when the disk does not take them.

        """
        try:
            written = os.write(self.file, lines)
            if written < len(lines):
                raise OSError(f"only {written} of {len(lines)} bytes were written")
        except OSError:
            os.ftruncate(self.file, self.size)
            raise
        self.size += written

    def close(self) -> None:
        """Leave it to whoever brings it to the store."""
        os.close(self.file)


def open_segment(folder: Path, moment: int, writer: int) -> Segment:
    """Begin a segment whose name tells when it began, and who writes it.

    Raises:
        OSError: when the folder cannot be written to.

    """
    opened = moment
    while True:
        path = folder / f"{opened:016}-{writer:02}{SUFFIX}"
        opened += 1
        try:
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        except FileExistsError:
            continue
        # Somebody who looks for segments may have been faster with the lock, and delete it.
        if _locked(file):
            return Segment(file, moment)
        os.close(file)


def _locked(file: int) -> bool:
    """Take the lock of a file, unless another has it or the file is deleted already."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.fstat(file).st_nlink > 0


def segments(folder: Path) -> list[Path]:
    """Return the segments in a folder, the oldest first; files of other names are not ours."""
    return sorted(path for path in folder.glob(f"*{SUFFIX}") if _NAME.fullmatch(path.name))


def began(segment: Path) -> int:
    """Return when a segment began, in microseconds since 1970."""
    return int(segment.name.partition("-")[0])


@contextmanager
def held(segment: Path) -> Iterator[bytes | None]:
    """Hold a segment that nobody writes any more and give its content; None where one does."""
    try:
        file = os.open(segment, os.O_RDONLY)
    except FileNotFoundError:
        yield None
        return
    try:
        yield segment.read_bytes() if _locked(file) else None
    finally:
        os.close(file)
