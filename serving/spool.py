"""Write-behind: scores are on this machine's disk before the reply, and soon after in the store.

Scoring so never waits for the database, and does not notice when it is down. What is written
survives the death of the process at any moment; a power cut may take what has not reached the store
yet, as nothing waits for the disk. A keeper takes what waits to the store (`serving.drain`).
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import orjson
import structlog

from features.errors import LeadqError, UsageError
from features.home import SpoolSettings
from features.leads import has_ids
from features.store.texts import fault_of_id
from serving.problems import where
from serving.segments import (
    ASIDE,
    STEP,
    Scored,
    Segment,
    began,
    lines_of,
    open_segment,
    segments,
    told_by,
)

if TYPE_CHECKING:
    from serving.artefact import LoadedModel

log = structlog.get_logger()

WRITER = "writer-"
_TURN_SECONDS = 0.5
"""How long a segment stays open while the store keeps up."""
_MANY = 100
"""Segments; where more of them wait, the store does not keep up."""
_LONG = 10_000_000
"""Microseconds for which a segment then stays open, so that they do not grow too many."""
_LARGE = 1_000_000
"""Bytes with which a segment is closed at once."""


class Lines(NamedTuple):
    """Scores as they are written."""

    content: bytes
    scores: int


class SpoolFullError(LeadqError):
    """The spool takes no more scores, and the settings say to refuse rather than to drop."""


class Spool:
    """Where one process of the service puts the scores it gives. Safe to share between threads."""

    def __init__(self, folder: Path, settings: SpoolSettings, clock: Callable[[], float]) -> None:
        """Choose the folder.

        Args:
            folder: of all processes of this machine.
            settings: how much it may hold, and what to do when it is full.
            clock: gives seconds since 1970.

        """
        self._folder = folder
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._segment: Segment | None = None
        self._model: LoadedModel | None = None
        self._by = orjson.Fragment(b"")
        self._last = 0
        self._room = 0
        self._dropped = 0
        self._full = False
        self._troubles = 0
        self._place = self._writer = -1

    def start(self) -> None:
        """Open the spool, and close its segments in time from now on; see `open`."""
        self.open()
        threading.Thread(target=self._turn_on, name="spool", daemon=True).start()

    def open(self) -> None:
        """Take a place among the processes of this machine.

        Raises:
            UsageError: when the folder cannot be written to, or is used by too many processes.

        """
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._writer, self._place, counts = _free_place(self._folder)
            self._dropped, self._troubles = counts
        except OSError as error:
            raise UsageError(
                f"{self._folder}: scores cannot wait there: {error.strerror}; set LEADQ_HOME to a "
                "folder that can be written to"
            ) from error
        self._count()
        self.turn()

    def lines(self, model: LoadedModel, scored: Sequence[Scored]) -> Lines:
        """Return scores as they are written.

        Leads whose id cannot be kept are left out: those without an id of their own, and what
        `fault_of_id` names.

        Args:
            model: gave the scores.
            scored: the leads with their scores.

        """
        agreement = model.artefact.scorer.agreement
        kept = [lead for lead in scored if fault_of_id(lead.id) is None]
        if not kept or not has_ids(agreement):
            return Lines(b"", 0)
        with self._lock:
            if model is not self._model:
                self._model, self._by = model, told_by(model.version, agreement)
            by, first = self._by, self._moments(len(kept))
        return Lines(lines_of(kept, by, first), len(kept))

    def put(self, parts: Sequence[Lines]) -> None:
        """Write the scores of a request down; they are safe from the death of this process then.

        Args:
            parts: of the request; all of them are kept, or none.

        Raises:
            SpoolFullError: when there is no room, and the settings say to refuse.

        """
        content = b"".join(part.content for part in parts)
        if not content:
            return
        with self._lock:
            if self._written(content):
                self._full = False
            else:
                self._drop(sum(part.scores for part in parts))

    def _moments(self, scores: int) -> int:
        """Return the moment of the first score: no score of this machine has the same."""
        step = max(int(self._clock() * 1e6) // STEP, self._last + 1)
        self._last = step + scores - 1
        return step * STEP + self._writer

    def _written(self, lines: bytes) -> bool:
        if len(lines) > self._room:
            self._tell("there is no room: it holds what LEADQ_SPOOL__MEGABYTES allows")
            return False
        try:
            if self._segment is None:
                self._segment = open_segment(self._folder, self._last * STEP, self._writer)
            self._segment.append(lines)
        except OSError as error:
            self._tell(str(error.strerror or error))
            return False
        self._room -= len(lines)
        if self._segment.size >= _LARGE:
            self._segment.close()
            self._segment = None
        return True

    def _tell(self, reason: str) -> None:
        if not self._full:
            log.error("the spool takes no scores", reason=reason)
        self._full = True

    def _drop(self, scores: int) -> None:
        if self._settings.when_full == "refuse":
            raise SpoolFullError("the spool is full: bring the store back, then send it again")
        self._dropped += scores
        self._count()

    def _count(self) -> None:
        """Write down how many were dropped: in place, as a full disk takes nothing new."""
        with suppress(OSError):
            os.pwrite(self._place, b"%020d%020d" % (self._dropped, self._troubles), 0)

    def turn(self) -> None:
        """Close the segment if it is time, and look how much room is left."""
        waiting = segments(self._folder)
        used = sum(size_of(path) for path in (*waiting, *(self._folder / ASIDE).glob("*")))
        with self._lock:
            self._room = self._settings.megabytes * 1_000_000 - used
            segment = self._segment
            if segment is None:
                return
            age = int(self._clock() * 1e6) - segment.opened
            if len(waiting) > _MANY and age < _LONG:
                return
            self._segment = None
        segment.close()

    def _turn_on(self) -> None:
        while not self._stopped.wait(_TURN_SECONDS):
            try:
                self.turn()
            except Exception as error:
                # A thread that ends would leave segments open, which nobody then brings.
                self._troubles += 1
                log.error("the spool cannot be looked at", reason=where(error))
                with self._lock:
                    self._count()

    def waiting(self) -> Waiting:
        """Look what waits on this machine; it reads files."""
        return waiting(self._folder, self._clock())

    def close(self) -> None:
        """Leave what waits to the keeper, and the place to another process."""
        self._stopped.set()
        with self._lock:
            if self._segment is not None:
                self._segment.close()
                self._segment = None
            os.close(self._place)


def _free_place(folder: Path) -> tuple[int, int, tuple[int, int]]:
    """Return the number of a place that no process has, its open file, and its counts."""
    for number in range(STEP):
        file = os.open(folder / f"{WRITER}{number:02}", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
        else:
            return number, file, counts_in(os.pread(file, 40, 0))
    raise UsageError(f"{folder}: {STEP} processes write there already; run fewer workers")


def counts_in(content: bytes) -> tuple[int, int]:
    """Return how many scores a process has dropped, and its troubles, from its file."""
    try:
        return int(content[:20] or 0), int(content[20:40] or 0)
    except ValueError:
        return 0, 0


def size_of(path: Path) -> int:
    """Return the bytes of a file; none where it is gone."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


@dataclass(frozen=True)
class Waiting:
    """What lies in the spool of this machine."""

    scores: int
    """Scores that are not in the store yet."""
    bytes: int
    oldest_seconds: float
    """For how long the oldest has waited."""
    dropped: int
    """Scores given that were not kept, as there was no room; since the spool was made."""
    set_aside: int
    """Lines that could not be brought to the store."""
    troubles: int = 0
    """How often the work of a process was broken off by what nobody foresaw, and begun again."""


def waiting(folder: Path, now: float) -> Waiting:
    """Look what waits in a spool; any process may.

    Args:
        folder: of the spool; it need not be there.
        now: seconds since 1970.

    """
    scores = size = 0
    oldest = now
    for path in segments(folder):
        content = _content(path)
        scores += content.count(b"\n")
        size += len(content)
        if content:
            oldest = min(oldest, began(path) / 1e6)
    counts = [counts_in(_content(path)) for path in folder.glob(f"{WRITER}*")]
    aside = sum(_content(path).count(b"\n") for path in (folder / ASIDE).glob("*"))
    dropped, troubles = (sum(each) for each in zip(*counts, strict=True)) if counts else (0, 0)
    return Waiting(scores, size, max(0.0, now - oldest), dropped, aside, troubles)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
