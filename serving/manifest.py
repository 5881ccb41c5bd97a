"""What a scored file was made of: `TARGET.manifest.json`, for people and for the next run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Manifest:
    """What was scored, by what, into what, and how long it took."""

    job: Mapping[str, Any]
    """What a run must have in common with this one to be the same: input, model, options."""
    input: str
    """Name of the file or folder."""
    begun: str | None
    """As of when the scores are kept (UTC); None where they are not."""
    read: int
    """Rows of the input."""
    scored: int
    rejected: int
    output: str
    """Name of the file."""
    output_bytes: int
    output_digest: str
    """SHA-256, in hex."""
    resumed: int
    """Rows that an earlier run, which was killed, had scored."""
    seconds: float
    """Of the run that came to the end."""
    rows_per_second: float
    """Of those that this run scored."""
    peak_memory_mb: float
    """The most that all processes have held, each at its own highest; shared memory counts once.

    Of a scoring on Spark: that of the driver.
    """
    warnings: list[str]
    """What was unusual; without values of leads."""
    alarming: bool
    """Whether somebody must look at it."""

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)

    @property
    def text(self) -> str:
        """The content of its file."""
        return json.dumps(self.as_dict(), ensure_ascii=False, indent=1) + "\n"


def manifest_path(target: Path) -> Path:
    """Return where the manifest of an output lies: beside it."""
    return target.with_name(f"{target.name}.manifest.json")


def made_by(job: Mapping[str, Any], target: Path) -> Manifest | None:
    """Return the manifest of an output that this very job has made and nobody has changed.

    Args:
        job: see `Manifest.job`.
        target: the output.

    """
    try:
        told = json.loads(manifest_path(target).read_bytes())
        found = Manifest(**told)
        same = found.job == job and target.stat().st_size == found.output_bytes
        return found if same and digest_of_file(target) == found.output_digest else None
    except (OSError, ValueError, TypeError):  # none, or none that is readable
        return None


def digest_of_file(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
