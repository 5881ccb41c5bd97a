"""Files that pages need, under names that hold their digest: a browser may keep them for good."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent / "static"
_KINDS = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class Asset(NamedTuple):
    """A file as it is sent."""

    content: bytes
    kind: str


def path_of(name: str) -> str:
    """Return the path under which a file of `static` is served, such as `leadq.css`."""
    return f"/static/{_named()[name]}"


def asset(served: str) -> Asset | None:
    """Return the file that is served under a name, or None."""
    return _served().get(served)


@cache
def _named() -> dict[str, str]:
    names = {}
    for path in sorted(FOLDER.iterdir()):
        if path.suffix in _KINDS:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
            names[path.name] = f"{path.stem}-{digest}{path.suffix}"
    return names


@cache
def _served() -> dict[str, Asset]:
    return {
        served: Asset((FOLDER / name).read_bytes(), _KINDS[Path(name).suffix])
        for name, served in _named().items()
    }
