"""What tests of the service share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from features.store.database import Store
from serving.champion import Live
from tests.serving.versions import Follow, crown, live_at


@pytest.fixture
def follow() -> Iterator[Follow]:
    """Gives what a service asks for its model: the store's address, the folder of the cache."""
    made: list[Live] = []

    def one(url: str, folder: Path) -> Live:
        made.append(live_at(url, folder))
        return made[-1]

    yield one
    for live in made:
        live.stop()
        if live._thread.is_alive():
            live._thread.join()


@pytest.fixture
def live(follow: Follow, store: Store, store_url: str, tmp_path: Path) -> Live:
    """One that has taken version 1."""
    crown(store, 1)
    live = follow(store_url, tmp_path / "models")
    live.poll()
    return live
