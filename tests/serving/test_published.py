"""Published models are held in memory by their files, not by the number of their version."""

from __future__ import annotations

from typing import Any

import pytest

from features.store.promotions import Champion
from serving import published
from serving.published import remembering


def test_a_version_that_was_published_anew_is_loaded_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    there = ["first"]

    def load(store: Any, model: Champion) -> str:
        opened.append(model.digest)
        return model.digest

    monkeypatch.setattr(published, "load_model", load)
    monkeypatch.setattr(published, "known_version", lambda _, name: Champion(name, there[0]))
    held: Any = remembering(2)

    before = [held("the store", "1") for _ in range(2)]
    there[0] = "second"

    assert (before, held("the store", "1")) == (["first", "first"], "second")
    assert opened == ["first", "second"]
