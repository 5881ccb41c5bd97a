"""Killed at any moment, leadq loses nothing that it told, and leaves no half of a champion."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.kills import kill_feedback
from features.store.keys import CHUNK

ROOT = Path(__file__).parents[2]


def test_every_word_is_there_once_after_kills_and_a_second_run(
    store_url: str, tmp_path: Path
) -> None:
    found = kill_feedback(store_url, tmp_path, times=2, rows=2 * CHUNK, seed=1)

    assert found.killed >= 1
    assert found.faults == 0


_KILL = """
import sys
from pathlib import Path
from benchmarks.kill_retrain import kill_retrain
folder = Path(sys.argv[1])
print(kill_retrain(f"sqlite:///{folder / 'store.db'}", folder, times=1, leads=500, seed=1).faults)
"""


def test_a_killed_retraining_leaves_a_whole_champion_and_a_lease_that_ends(tmp_path: Path) -> None:
    # In a process that has trained nothing: one that runs LightGBM's threads cannot be forked.
    command = [sys.executable, "-c", _KILL, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)

    assert done.stdout == "0\n", done.stderr


_KILL_SCORE = """
import sys
from pathlib import Path
import features.table
from benchmarks.kill_score import kill_score
features.table.CHUNK_ROWS = 200
folder = Path(sys.argv[1])
found = kill_score(f"sqlite:///{folder / 'store.db'}", folder, times=4, rows=1500, seed=1)
print(found.killed, found.faults)
"""


def test_a_killed_scoring_goes_on_to_the_same_output_and_each_score_is_kept_once(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-c", _KILL_SCORE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)

    assert done.stdout == "4 0\n", done.stderr
