"""Kill a scoring at random moments, and look at what is left; a part of `benchmarks.kills`.

Each run is a process of its own, forked from one that has everything imported, and is killed
(SIGKILL) at a moment drawn evenly from the time that a whole one takes, or from a part of it, so
that an output takes more kills. After each kill the target
must hold the old output or the new one, whole. The next run goes on; when one comes to its end, its
output must be that of an undisturbed run, to the byte, and the store must have each score once.
Then the target is the old output again.

    python -m benchmarks.kill_score --rows 1000000 --times 100 --ending .csv --in-a-row 1
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

from sqlalchemy import func, select

from features.home import Home, Settings, StoreSettings
from features.leads import Leads
from features.simulate import Settings as Market
from features.simulate import simulate, write
from features.store.database import open_store
from features.store.scores import Given, keep_scores
from features.store.tables import Score
from serving.artefact import LoadedModel
from serving.batch import Kept, Scores, score_file
from training.propose import propose
from training.registry import load_champion
from training.roles import Told
from training.train import train

NOW = datetime(2028, 6, 1)
_OLD = b"last night's\n"
_HISTORY = 3000
_FORK = multiprocessing.get_context("fork")


@dataclass
class Left:
    """What was found after so many kills."""

    killed: int = 0
    """Runs that were killed before their end."""
    finished: int = 0
    """Runs that came to their end, most of them after kills."""
    published: int = 0
    """Kills after which the new output was there."""
    faults: int = 0
    """Targets that held neither output; outputs or counts of scores that were others than those of
    an undisturbed run; runs that failed; leftovers."""
    whole_seconds: float = 0.0
    """Of an undisturbed run."""


@dataclass(frozen=True)
class Scoring:
    """What is scored, and where to."""

    model: LoadedModel
    source: Path
    target: Path
    url: str | None
    """Of the store that keeps the scores; None: none does."""
    reasons: int

    def run(self, job: int) -> None:
        """Score as the command does, but ever so often as of another day."""
        moment = NOW + timedelta(days=job)
        if self.url is None:
            score_file(self.model, self.source, self.target, self.reasons)
            return
        store = open_store(self.url)
        agreed = self.model.artefact.scorer.agreement

        def keep(leads: Leads, scores: Scores, at: datetime) -> None:
            given = Given(self.model.version, scores.probability, scores.grade)
            keep_scores(store, leads, given, agreed, at)

        score_file(self.model, self.source, self.target, self.reasons, kept=Kept(moment, keep))
        store.close()

    def scores(self) -> int:
        """Return how many scores the store has."""
        if self.url is None:
            return 0
        store = open_store(self.url)
        with store.reading() as connection:
            found = connection.execute(select(func.count()).select_from(Score)).scalar_one()
        store.close()
        return int(found)


def kill_score(
    url: str | None,
    folder: Path,
    times: int,
    rows: int,
    seed: int,
    ending: str = ".csv",
    part: float = 1.1,
    reasons: int = 2,
    seconds: float = math.inf,
    in_a_row: float = math.inf,
) -> Left:
    """Kill scorings and count what is left.

    Args:
        url: of a store that holds nothing yet; None: no scores are kept.
        folder: for files and the home.
        times: how often.
        rows: to be scored.
        seed: of the moments.
        ending: of the output's name.
        part: of the time that a whole run takes, from which the moments are drawn.
        reasons: for each lead.
        seconds: after which no more is killed; the last run is left to come to its end.
        in_a_row: kills after which a run is left to come to its end; 1: after each.

    """
    model, source = _model(folder, url), _source(folder, rows)
    scoring = Scoring(model, source, folder / f"out{ending}", url, reasons)
    rng, found = random.Random(seed), Left()
    scoring.target.write_bytes(_OLD)
    began = time.perf_counter()
    _process(lambda: scoring.run(0)).join()
    found.whole_seconds = round(time.perf_counter() - began, 2)
    wanted, scores = _digest(scoring.target), scoring.scores()
    scoring.target.write_bytes(_OLD)
    there = [sha256(_OLD).hexdigest(), wanted]
    until = time.perf_counter() + seconds
    is_killed, row = True, 0
    # The last run is left alone, so that every kill is followed by an end.
    while is_killed or (found.killed < times and time.perf_counter() < until):
        is_last = found.killed >= times or row >= in_a_row or time.perf_counter() >= until
        process = _process(lambda: scoring.run(found.finished + 1))
        process.join(None if is_last else rng.uniform(0, part * found.whole_seconds))
        is_killed = process.is_alive()
        row = row + 1 if is_killed else 0
        process.kill()
        process.join()
        found.faults += process.exitcode not in (0, -9)
        found.faults += _digest(scoring.target) not in there
        if is_killed:
            found.killed += 1
            found.published += _digest(scoring.target) == wanted
        else:
            found.finished += 1
            found.faults += _digest(scoring.target) != wanted
            found.faults += scoring.scores() != scores * (found.finished + 1)
            found.faults += len(_beside(scoring.target)) != _FILES
            scoring.target.write_bytes(_OLD)
        print(found, file=sys.stderr)
    return found


_FILES = 3
"""An output, its rejects and its manifest."""


def _beside(target: Path) -> list[Path]:
    return [path for path in target.parent.iterdir() if path.name.lstrip(".").startswith("out.")]


def _process(work: Callable[[], None]) -> multiprocessing.process.BaseProcess:
    process = _FORK.Process(target=work)
    process.start()
    return process


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def _model(folder: Path, url: str | None) -> LoadedModel:
    """Train a small model on a simulated history, in a process of its own."""
    write(simulate(Market(leads=_HISTORY, seed=3)), folder)
    home = Home(Settings(home=folder / "home", store=StoreSettings(url=url or "")))

    def make() -> None:
        agreement = propose(folder / "export.csv", Told()).agreement
        train(folder / "export.csv", agreement, home, preset="fast")

    _process(make).join()
    return load_champion(home)


def _source(folder: Path, rows: int) -> Path:
    """Write leads again and again under ids of their own, with a bad row now and then."""
    header, *lines = (folder / "export.csv").read_text(encoding="utf-8").splitlines()
    path = folder / "many.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write(header + "\n")
        for number in range(rows):
            cells = lines[number % len(lines)].split(",", 1)
            file.write(f"n{number},{cells[1]}\n" if number % 997 else f"n{number},broken\n")
    return path


def main() -> None:
    """Kill as often as is asked, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--ending", default=".csv")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--part", type=float, default=1.1)
    parser.add_argument("--reasons", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=math.inf)
    parser.add_argument("--in-a-row", type=float, default=math.inf)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        found = kill_score(None, folder, **vars(asked))
    print(json.dumps({**vars(asked), **vars(found)}), flush=True)
    sys.exit(found.faults > 0)


if __name__ == "__main__":
    main()
