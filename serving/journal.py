"""The work of a long job on disk, so that what a dead run has done is not done again.

A job has a hidden folder beside its target. What is done lies there in parts, and a journal of one
line a part says that they are whole: rows, bytes and digest. A part counts from the moment on at
which its line is on the disk, so a kill loses at most the parts that were being made. The first
line says what the job is; a run that is another job in any respect begins afresh.

When all is done, one more line says which files of the folder take which place. From then on the
job is only carried out, by this run or by the next: so old files or new ones are there, and never
some of each for longer than until the next run.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from features.errors import BusyError

_LOCK, _JOURNAL = "lock", "journal.jsonl"
Job = Mapping[str, Any]
"""What makes a job the same as another, as JSON values."""


class Part(NamedTuple):
    """A part that is done."""

    rows: int
    rejects: int
    bytes: int
    digest: str
    """SHA-256 of its file."""


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold a folder, made if need be, against every other process until the block ends.

    The lock ends with the process, so nothing must be cleaned up after a death.

    Raises:
        BusyError: when another process holds it; the message says which.

    """
    with _locked(folder) as file:
        file.truncate(0)
        file.write(f"{socket.gethostname()}, process {os.getpid()}")
        file.flush()
        yield


@contextmanager
def _locked(folder: Path) -> Iterator[Any]:
    path = folder / _LOCK
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("a+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise BusyError(
                    f"{folder}: {file.read() or 'another process'} is at this already; wait for "
                    "its end, or stop it"
                ) from None
            if _is_there(path, file.fileno()):
                yield file
                return
        # Whoever held it has just removed the folder: this is the lock of nothing.


def _is_there(path: Path, number: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(number))
    except FileNotFoundError:
        return False


class Journal:
    """The parts of one job that are done; its folder must be held by `alone`."""

    def __init__(self, folder: Path, job: Job, about: Mapping[str, Any]) -> None:
        """Take up what an earlier run of the same job has done, or begin afresh.

        Args:
            folder: of the job.
            job: what it is; with another one, nothing of the folder counts.
            about: facts of this run that a later one shall take over, such as when it began.

        """
        self._folder = folder
        self.parts: list[Part] = []
        lines = _lines(folder)
        head = lines[0] if lines else {}
        if head.get("job") == job:
            self.about: dict[str, Any] = head["about"]
            self.parts = _parts(lines[1:])
            self._rewrite([head, *(part._asdict() for part in self.parts)])
        else:
            sweep(folder)
            self.about = dict(about)
            self._rewrite([{"job": job, "about": self.about}])
        for path in folder.glob("part-*"):
            if path.name not in {self._part(n).name for n in range(len(self.parts))}:
                path.unlink()

    def _rewrite(self, lines: list[dict[str, Any]]) -> None:
        """Write the journal anew: of a line that a kill has torn, nothing stays."""
        work = self._folder / f"{_JOURNAL}.new"
        _write(work, "".join(map(_line, lines)).encode())
        work.replace(self._folder / _JOURNAL)
        sync(self._folder)

    def _part(self, number: int) -> Path:
        return self._folder / f"part-{number:06}"

    def add(self, content: bytes, rows: int, rejects: int) -> None:
        """Write the next part down; it counts when this returns.

        Args:
            content: what its file holds.
            rows: that are done with it.
            rejects: rows that were set aside with it.

        """
        path = self._part(len(self.parts))
        _write(path, content)
        sync(self._folder)
        part = Part(rows, rejects, len(content), hashlib.sha256(content).hexdigest())
        self._append(part._asdict())
        self.parts.append(part)

    def _append(self, line: dict[str, Any]) -> None:
        with (self._folder / _JOURNAL).open("ab") as file:
            file.write(_line(line).encode())
            file.flush()
            os.fsync(file.fileno())

    def read(self, number: int) -> bytes | None:
        """Return a part that is done; None where it is not as it was written."""
        parts = self.parts  # `forget` puts a new list in place of it
        try:
            content = self._part(number).read_bytes()
        except FileNotFoundError:
            return None
        told = parts[number].digest if number < len(parts) else None
        return content if hashlib.sha256(content).hexdigest() == told else None

    def forget(self, number: int) -> None:
        """Let a part and all that follow it be made again."""
        for place in range(number, len(self.parts)):
            self._part(place).unlink(missing_ok=True)
        head = _lines(self._folder)[0]
        self.parts = self.parts[:number]
        self._rewrite([head, *(part._asdict() for part in self.parts)])

    def done(self, places: Mapping[str, str], gone: list[str]) -> None:
        """Say that all is done, and carry it out.

        Args:
            places: by name of a file in the folder, the name that it takes beside the folder, in
                this order.
            gone: names beside the folder at which nothing shall be.

        """
        for name in places:
            with (self._folder / name).open("rb") as file:
                os.fsync(file.fileno())
        self._append({"places": dict(places), "gone": gone})
        carry_out(self._folder)


def carry_out(folder: Path) -> None:
    """Bring the files of a job that is done to their places, as far as it has not happened yet."""
    lines = _lines(folder)
    if not lines or "places" not in lines[-1]:
        return
    for name, place in lines[-1]["places"].items():
        if (folder / name).exists():
            (folder / name).replace(folder.parent / place)
    for place in lines[-1]["gone"]:
        (folder.parent / place).unlink(missing_ok=True)
    sync(folder.parent)
    sweep(folder)


def sweep(folder: Path) -> None:
    """Remove all but the lock, the journal first: without it nothing else counts."""
    (folder / _JOURNAL).unlink(missing_ok=True)
    for path in folder.iterdir():
        if path.name != _LOCK:
            path.unlink()


def remove(folder: Path) -> None:
    """Remove a folder in which nothing is left to do."""
    shutil.rmtree(folder, ignore_errors=True)


def has_parts(folder: Path) -> bool:
    """Whether a run has left something in which a next one can go on."""
    return len(_lines(folder)) > 1


def _lines(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of the journal up to one that is torn."""
    try:
        content = (folder / _JOURNAL).read_bytes()
    except FileNotFoundError:
        return []
    found: list[dict[str, Any]] = []
    for line in content.splitlines(keepends=True):
        try:
            told = json.loads(line)
        except ValueError:
            break
        if not line.endswith(b"\n") or not isinstance(told, dict):
            break
        found.append(told)
    return found


def _parts(lines: list[dict[str, Any]]) -> list[Part]:
    return [Part(**line) for line in lines if line.keys() == set(Part._fields)]


def _line(told: Mapping[str, Any]) -> str:
    return json.dumps(told, ensure_ascii=False, sort_keys=True) + "\n"


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync(folder: Path) -> None:
    """Have the disk take the names in a folder."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
