"""Kill a retraining at random moments, and look at what is left; a part of `benchmarks.kills`.

Each retraining runs in a process of its own, forked from one that has everything imported, and is
killed (SIGKILL) at a moment drawn evenly from the time that a whole one takes. The gate is made to
let every challenger pass, so that kills meet promotions too. After each kill the champion must load
and score, the store must name it after the repair of the next start, and the next retraining must
get its lease once the dead one's has run out. For that the next clock is put forward by a lease.
"""

from __future__ import annotations

import multiprocessing
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from sqlalchemy import select

from features.agreement import Agreement
from features.files import open_table
from features.home import Home, Settings, StoreSettings
from features.reading import Intake, read_history
from features.simulate import Settings as Market
from features.simulate import simulate, write
from features.store.database import open_store
from features.store.exports import keep_export
from features.store.jobs import LEASE
from features.store.promotions import written
from features.store.tables import Job
from serving import published
from training import retrain as module
from training.gate import Verdict
from training.promotion import catch_up, champion_now
from training.propose import propose
from training.registry import load_champion
from training.roles import Told

NOW = datetime(2028, 6, 1)
T = TypeVar("T")
_FORK = multiprocessing.get_context("fork")


@dataclass
class Left:
    """What was found after so many kills."""

    killed: int = 0
    """Retrainings that were killed before their end."""
    promoted: int = 0
    """Kills after which another model was champion than before."""
    unwritten: int = 0
    """Kills after the alias was moved and before that was written down; then repaired."""
    faults: int = 0
    """Champions that do not load, from the registry or the store; histories that name another;
    leases that nobody could take."""


@dataclass(frozen=True)
class _Place:
    home: Home
    agreement: Agreement

    def retrain(self, now: datetime) -> None:
        """Retrain as the command does, but let every challenger pass."""
        asked = module.contest

        def passing(*args: object, **options: object) -> Verdict:
            return replace(asked(*args, **options), promoted=True)  # type: ignore[arg-type]

        module.contest = passing
        store = open_store(self.home.store_url)
        work = module.Retraining(
            self.home, store, self.agreement, lambda: now, "kills", lambda _: None
        )
        work.run("logistic", "fast", worker="killed")
        store.close()

    def state(self) -> tuple[str, bool, bool]:
        """Return the champion, whether the store names it, and whether all is well then."""
        champion = champion_now(self.home)
        assert champion is not None
        load_champion(self.home)
        store = open_store(self.home.store_url)
        with store.reading() as connection:
            known = written(connection) == champion
            running = connection.execute(select(Job.lease_until).where(Job.ended.is_(None))).all()
        catch_up(self.home, store, NOW)
        with store.reading() as connection:
            repaired = written(connection) == champion
        repaired = repaired and published.load_champion(store).version == champion.model
        store.close()
        return champion.model, known, repaired and len(running) <= 1


def kill_retrain(url: str, folder: Path, times: int, leads: int, seed: int) -> Left:
    """Kill retrainings and count what is left.

    Args:
        url: of a store that holds nothing yet.
        folder: for files and the home.
        times: how often.
        leads: in the store.
        seed: of the moments.

    """
    place = _told(lambda: _made(url, folder, leads))
    rng, found = random.Random(seed), Left()
    _told(lambda: place.retrain(NOW))
    began = time.perf_counter()
    _told(lambda: place.retrain(NOW))
    whole = time.perf_counter() - began
    before = _told(place.state)[0]
    for n in range(1, times + 1):
        now = NOW + n * (LEASE + timedelta(seconds=1))
        process = _FORK.Process(target=place.retrain, args=(now,))
        process.start()
        process.join(rng.uniform(0, 1.1 * whole))
        found.killed += process.is_alive()
        process.kill()
        process.join()
        # A lease that could not be taken, or another error, ends a process with 1.
        found.faults += process.exitcode not in (0, -9)
        champion, known, well = _told(place.state)
        found.unwritten += not known
        found.promoted += champion != before
        found.faults += not well
        before = champion
    _told(lambda: place.retrain(NOW + (times + 2) * (LEASE + timedelta(seconds=1))))
    return found


def _made(url: str, folder: Path, leads: int) -> _Place:
    """Make a home whose store knows an export."""
    write(simulate(Market(leads=leads, seed=3)), folder)
    agreement = propose(folder / "export.csv", Told()).agreement
    home = Home(Settings(home=folder / "home", store=StoreSettings(url=url)))
    home.folder(".")
    store = open_store(home.store_url)
    table = open_table(folder / "export.csv", agreement.export)
    history = read_history(table, agreement, Intake())
    keep_export(store, history, agreement, NOW - timedelta(days=1))
    store.close()
    return _Place(home, agreement)


def _told(work: Callable[[], T]) -> T:
    """Do work in a process of its own, so that this one stays fit to be forked."""
    here, there = _FORK.Pipe(duplex=False)
    process = _FORK.Process(target=lambda: there.send(work()))
    process.start()
    there.close()
    try:
        found: T = here.recv()
    except EOFError:
        raise RuntimeError("the work failed; its error stands above") from None
    finally:
        process.join()
    return found
