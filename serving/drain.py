"""From the spool to the store: each score once, whatever dies in between.

A segment is deleted after the store has said that it holds its scores. Whoever dies before that
leaves it, and the next one brings the same scores again, which then add nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import structlog

from features.errors import RefusedError, StoreError
from features.store.database import Store
from features.store.scores import GivenScore, add_given_scores
from serving.segments import ASIDE, held, lead_of, score_of, segments

log = structlog.get_logger()

_BATCH = 1000
"""Scores in one transaction."""
_LOAD = 1_000_000
"""Bytes, and files, that are read at once."""
_FILES = 200
_WAIT_SECONDS = 0.05
_TRIES = 600
"""Waits of that length until whoever holds a segment must have let go of it."""


class Line(NamedTuple):
    """A line of a segment."""

    segment: Path
    content: bytes
    score: GivenScore | None
    """None where it cannot be read."""


class Drained(NamedTuple):
    """What became of lines."""

    stored: int
    set_aside: int


def drain(store: Store, folder: Path, now: Callable[[], datetime]) -> Drained:
    """Bring the oldest of what waits to the store; segments that are written or held are left.

    Args:
        store: where to.
        folder: of the spool.
        now: gives the moment at which scores are written down.

    Returns:
        How many; none where nothing waits that can be brought.

    Raises:
        StoreError: when the store cannot be reached; what waits goes on waiting.

    """
    with _load(folder) as contents:
        lines = [line for path, content in contents.items() for line in _lines(path, content)]
        readable = [line for line in lines if line.score]
        odd = [line for line in lines if not line.score]
        for start in range(0, len(readable), _BATCH):
            odd += _refused(store, readable[start : start + _BATCH], now)
        _set_aside(folder / ASIDE, odd)
        for path in contents:
            path.unlink()
    return Drained(len(lines) - len(odd), len(odd))


@contextmanager
def _load(folder: Path) -> Iterator[dict[Path, bytes]]:
    """Hold so many of the oldest segments as can be brought at once."""
    with ExitStack() as stack:
        contents: dict[Path, bytes] = {}
        for path in segments(folder):
            content = stack.enter_context(held(path))
            if content is not None:
                contents[path] = content
            if len(contents) == _FILES or sum(map(len, contents.values())) > _LOAD:
                break
        yield contents


def _lines(path: Path, content: bytes) -> Iterator[Line]:
    *whole, rest = content.split(b"\n")
    for line in whole:
        try:
            yield Line(path, line, score_of(line))
        except ValueError:
            yield Line(path, line, None)
    if rest:
        # Its writer died before it had written all, and has told nobody of this score.
        yield Line(path, rest, None)


def _refused(store: Store, lines: Sequence[Line], now: Callable[[], datetime]) -> list[Line]:
    """Store lines; return those that the store does not take, found by halves."""
    scores = [line.score for line in lines if line.score]
    try:
        store.write(lambda connection: add_given_scores(connection, scores, now()))
    except RefusedError:
        if len(lines) == 1:
            return list(lines)
        half = len(lines) // 2
        return _refused(store, lines[:half], now) + _refused(store, lines[half:], now)
    return []


def _set_aside(folder: Path, lines: Sequence[Line]) -> None:
    """Keep lines for a human, under the name of their segment: the same again changes nothing."""
    if not lines:
        return
    folder.mkdir(mode=0o700, exist_ok=True)
    for name in sorted({line.segment.name for line in lines}):
        content = b"".join(line.content + b"\n" for line in lines if line.segment.name == name)
        _rewrite(folder / name, content)
    log.error("scores set aside", reason=f"{len(lines)} lines are damaged or refused: {folder}")


def _rewrite(path: Path, content: bytes) -> None:
    work = path.with_name(f".{path.name}.new")
    file = os.open(work, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(file, "wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    work.replace(path)
    # The name is in the folder: without this a power cut may leave neither old nor new.
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def empty(store: Store, folder: Path, now: Callable[[], datetime]) -> None:
    """Bring all that waits in this moment to the store.

    Raises:
        StoreError: when the store cannot be reached, or a process does not let go of a segment.

    """
    left = {path.name for path in segments(folder)}
    for _ in range(_TRIES):
        while any(drain(store, folder, now)):
            pass
        left &= {path.name for path in segments(folder)}
        if not left:
            return
        # A worker closes what it has begun within a second.
        time.sleep(_WAIT_SECONDS)
    raise StoreError(
        f"{folder}: a process of the service holds scores that wait there and does not let go of "
        "them; end it, then say it again"
    )


def forget(folder: Path, ids: Sequence[str]) -> int:
    """Remove the leads' lines from what was set aside; return how many.

    Damaged lines go as well: nobody can tell whose they are.
    """
    removed = 0
    for path in sorted((folder / ASIDE).glob("*")):
        named = {line: lead_of(line) for line in path.read_bytes().splitlines()}
        kept = [line for line, lead in named.items() if lead is not None and lead not in ids]
        removed += sum(lead in ids for lead in named.values())
        if kept:
            _rewrite(path, b"".join(line + b"\n" for line in kept))
        else:
            path.unlink()
    return removed
