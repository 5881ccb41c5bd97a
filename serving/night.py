"""What a night does and did: which files of the inbox are new, and the record of the whole.

A file is known by its name and what it holds, not by its time. The record names files, counts and
outcomes; nothing of a lead stands in it, so it can be sent and kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Literal, get_args

from features.counted import counted
from features.errors import FileError
from features.files import is_part
from features.fingerprint import fingerprint

DONE, FAILED, REFUSED, WARNED = 0, 1, 2, 3
"""Exit codes: all went well, something failed, a file is bad, somebody must look."""
_ENDING = re.compile(r"(?i)\.(csv|tsv|json|jsonl|ndjson|parquet)(\.(gz|zst|zstd))?$")
_ELSEWHERE = "why stands in nightly.txt in the outbox"
Outcome = Literal["scored", "unchanged", "waits", "refused", "failed"]


@dataclass
class Taken:
    """A file of the inbox, and what became of it."""

    name: str
    outcome: Outcome
    digest: str = ""
    """SHA-256, in hex."""
    output: str = ""
    """Name of the file in the outbox."""
    read: int = 0
    scored: int = 0
    rejected: int = 0
    grades: dict[str, int] = field(default_factory=dict)
    expected_wins: float = 0.0
    warnings: list[str] = field(default_factory=list)
    alarming: bool = False
    why: str = ""
    """Where it was not scored: the reason."""


@dataclass
class Step:
    """Something else that a night does, and what came of it."""

    name: str
    sentence: str
    code: int = DONE
    """0, 1 or 2, as an exit code."""


@dataclass
class Night:
    """The record of one night."""

    begun: str
    """UTC."""
    inbox: str
    outbox: str
    model_version: str = ""
    files: list[Taken] = field(default_factory=list)
    known: int = 0
    """Files of the inbox that an earlier night has scored, and whose output is there."""
    steps: list[Step] = field(default_factory=list)
    seconds: float = 0.0
    ended: bool = False
    """Whether it came to its end."""

    @property
    def exit_code(self) -> int:
        """What the scheduler is told; the gravest first."""
        codes = {step.code for step in self.steps}
        codes |= {FAILED for taken in self.files if taken.outcome == "failed"}
        codes |= {REFUSED for taken in self.files if taken.outcome == "refused"}
        codes |= {WARNED for taken in self.files if taken.alarming}
        return next((code for code in (FAILED, REFUSED, WARNED) if code in codes), DONE)

    def told(self) -> dict[str, Any]:
        """Return the record as JSON values; it is kept, so nothing that a bad file holds."""
        files = [
            asdict(taken) | ({"why": _ELSEWHERE} if taken.outcome in ("refused", "failed") else {})
            for taken in self.files
        ]
        return {**asdict(self), "files": files, "exit_code": self.exit_code}

    def news(self) -> dict[str, Any]:
        """Return what hooks are told: counts alone."""
        outcomes = [taken.outcome for taken in self.files]
        return {
            "exit_code": self.exit_code,
            "model_version": self.model_version or None,
            "leads_scored": sum(taken.scored for taken in self.files),
            "rows_rejected": sum(taken.rejected for taken in self.files),
            "files": {outcome: outcomes.count(outcome) for outcome in get_args(Outcome)},
        }

    @property
    def subject(self) -> str:
        """Say it in a few words."""
        words = {
            DONE: "all went well",
            FAILED: "something FAILED",
            REFUSED: "a file was REFUSED",
            WARNED: "somebody must LOOK",
        }
        leads = sum(taken.scored for taken in self.files)
        return f"leadq, {self.begun[:10]}: {words[self.exit_code]}; {counted(leads, 'lead')} scored"

    def lines(self, of_leads: bool = True) -> Iterator[str]:
        """Tell the night.

        Args:
            of_leads: whether reasons may be told that repeat what a bad file holds.

        """
        yield self.subject
        model = f", by version {self.model_version}" if self.model_version else ""
        yield f"begun {self.begun} UTC, {self.seconds:.0f} seconds{model}"
        for taken in self.files:
            yield from _file_lines(taken, of_leads)
        if not self.files:
            yield "no new file in the inbox"
        if self.known:
            yield f"{counted(self.known, 'file')} of the inbox were scored before"
        for step in self.steps:
            yield f"{'' if step.code == DONE else 'FAILED: '}{step.name}: {step.sentence}"


def _file_lines(taken: Taken, of_leads: bool) -> Iterator[str]:
    if taken.outcome in ("waits", "refused", "failed"):
        says = taken.why if of_leads else _ELSEWHERE
        yield f"{taken.name}: {taken.outcome.upper()}: {says}"
        return
    again = " (there already)" if taken.outcome == "unchanged" else ""
    yield (
        f"{taken.name}: {counted(taken.scored, 'lead')} in {taken.output}{again}, "
        f"{counted(taken.rejected, 'row')} set aside"
    )
    if taken.grades:
        grades = ", ".join(f"{grade} {taken.grades.get(grade, 0):,}" for grade in "ABCD")
        yield f"  grades {grades}; about {counted(round(taken.expected_wins), 'win')} to expect"
    yield from (f"  WARNING: {warning}" for warning in taken.warnings)


def record_of(records: Path, begun: datetime) -> Path:
    """Return where the record of a night goes: a new file, that sorts behind those before.

    Args:
        records: the folder of the nights' records, held by this night alone.
        begun: when it began (UTC).

    """
    name = f"{begun:%Y-%m-%dT%H%M%S}"
    names = (f"{name}{f'_{i:03}' if i else ''}.json" for i in count())
    return next(path for path in map(records.joinpath, names) if not path.exists())


def scored_before(records: Path, outbox: Path) -> set[tuple[str, str]]:
    """Return what earlier nights have scored and whose output is there: names and digests.

    A name that was scored with other contents since has another output; so it counts no more.

    Args:
        records: the folder of the nights' records.
        outbox: where the outputs lie, named as the nights named it.

    """
    made: dict[str, tuple[str, str]] = {}
    for path in sorted(records.glob("*.json")):
        try:
            told = json.loads(path.read_bytes())
            found = [f for f in told["files"] if f["outcome"] in ("scored", "unchanged")]
            if told["outbox"] == str(outbox):
                made |= {f["output"]: (f["name"], f["digest"]) for f in found}
        except (OSError, ValueError, KeyError, TypeError):  # of a night that a full disk cut off
            continue
    return {known for output, known in made.items() if (outbox / output).is_file()}


@dataclass(frozen=True)
class Waiting:
    """A file of the inbox that may be new."""

    path: Path
    target: str
    """The name of its output, without the ending."""
    stamp: tuple[int, int]
    """Size and time of change, when it was listed."""


def listed(inbox: Path) -> list[Waiting]:
    """Return the files of the inbox that may hold leads, by name.

    Raises:
        FileError: when there is no such folder.

    """
    try:
        paths = sorted(path for path in inbox.iterdir() if path.is_file() and is_part(path))
        stems = [_ENDING.sub("", path.name) for path in paths]
        return [
            Waiting(path, stem if stems.count(stem) == 1 else path.name, _stamp(path))
            for path, stem in zip(paths, stems, strict=True)
        ]
    except OSError as error:
        raise FileError(f"{inbox}: the inbox cannot be read: {error.strerror}") from error


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def still_written(file: Waiting, now: datetime, settle: float) -> str:
    """Say why a file is taken to be written still; empty where it is not.

    Args:
        file: of the inbox.
        now: this moment (UTC).
        settle: seconds for which a file that is whole has not changed.

    """
    size, changed = stamp = _stamp(file.path)
    if stamp != file.stamp:
        return f"grows: {file.stamp[0]:,} bytes a moment ago, {size:,} now; taken next time"
    age = now - datetime.fromtimestamp(changed / 1e9, UTC).replace(tzinfo=None)
    if timedelta(0) <= age < timedelta(seconds=settle):
        return (
            f"was changed {age.total_seconds():.0f} seconds ago, of {settle:g} that it must rest; "
            "taken next time"
        )
    return ""


def digest_of(path: Path) -> str:
    """Return what a file holds, as a digest.

    Raises:
        FileError: when it cannot be read.

    """
    return fingerprint([path]).digest
