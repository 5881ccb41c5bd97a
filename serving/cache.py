"""The last verified champion on this machine's disk, so that a restart needs no store.

    champion.json    version and digest of the last one
    DIGEST.zip       its archive, and those of a few before

Each file appears under its name whole or not at all; several processes may share the folder.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from features.errors import ModelError
from features.store.promotions import Champion
from serving.archive import open_model
from serving.artefact import LoadedModel
from serving.written import whole_or_not

KEPT = 3
"""Archives that stay: another process may be about to name one that this one has left behind."""
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Cache:
    """A folder of archives and the name of the last one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def last(self) -> LoadedModel | None:
        """Return the last verified champion, verified again; None where there was none.

        Raises:
            ModelError: when it is damaged.

        """
        pointer = self._folder / "champion.json"
        try:
            named = json.loads(pointer.read_bytes())
            version, digest = str(named["version"]), str(named["digest"])
            content = self._archive(digest).read_bytes()
        except FileNotFoundError:
            return None
        except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
            raise ModelError(f"{pointer}: names no readable model: {error!r}") from error
        return open_model(version, digest, content)

    def keep(self, champion: Champion, content: bytes) -> None:
        """Keep a verified champion as the last one.

        Raises:
            LeadqError: when the disk does not take it; then the one before stays the last.

        """
        archive = self._archive(champion.digest)
        with whole_or_not(archive) as work:
            work.write_bytes(content)
            _flush(work)
        with whole_or_not(self._folder / "champion.json") as work:
            named = {"version": champion.model, "digest": champion.digest}
            work.write_text(json.dumps(named) + "\n", encoding="utf-8")
            _flush(work)
        self._let_go(archive)

    def _archive(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise ModelError(f"{digest!r} is no digest of a model")
        return self._folder / f"{digest}.zip"

    def _let_go(self, last: Path) -> None:
        """Remove all but the newest archives."""
        try:
            archives = sorted(self._folder.glob("*.zip"), key=lambda path: -path.stat().st_mtime)
            for path in archives[KEPT:]:
                if path != last:
                    path.unlink(missing_ok=True)
        except FileNotFoundError:
            return  # Another process was faster.


def _flush(path: Path) -> None:
    """Wait until the disk has it: a name must never come before its content."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
