"""Killed at any moment, `leadq feedback` loses nothing that it told to be done."""

from __future__ import annotations

from pathlib import Path

from benchmarks.kills import kill_feedback
from features.store.keys import CHUNK


def test_every_word_is_there_once_after_kills_and_a_second_run(
    store_url: str, tmp_path: Path
) -> None:
    found = kill_feedback(store_url, tmp_path, times=2, rows=2 * CHUNK, seed=1)

    assert found.killed >= 1
    assert found.faults == 0
