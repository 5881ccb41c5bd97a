"""Sales speaks while a model is retrained: nothing that was said is lost, and nothing fails."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from sqlalchemy import func, select

from features.home import Home, Settings, StoreSettings
from features.store.database import Store, open_store
from features.store.tables import Disposition, Handoff, Job, Lead, Waiting
from tests.features.store.writing import write_until
from tests.training.test_retrain import Firm, clear

PROCESSES, WRITERS = 2, 4
"""Processes, and threads in each: they meet in the database and in a pool of connections."""
EXPORTED = 300


def test_eight_writers_and_a_retraining_at_once_lose_nothing(
    store_url: str, tmp_path: Path
) -> None:
    firm = Firm(tmp_path)
    firm.home = Home(Settings(home=tmp_path / "home", store=StoreSettings(url=store_url)))
    firm.store.close()
    firm.store = open_store(store_url)
    firm.export(clear, rows=EXPORTED)
    end = tmp_path / "end"

    with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as pool:
        firsts = range(0, PROCESSES * WRITERS, WRITERS)
        writing = [pool.submit(write_until, store_url, n, WRITERS, end) for n in firsts]
        result = firm.retrain()
        end.touch()
        told = [writer for process in writing for writer in process.result()]

    rounds = [writer["rounds"] for writer in told]
    added = sum(told, Counter())
    assert (len(rounds), min(rounds) > 0) == (PROCESSES * WRITERS, True)
    # Each writer's own words, and those that all of them said, were taken once and counted once.
    leads = sum(rounds) + max(rounds)
    assert (added["own handed"], added["shared handed"]) == (sum(rounds), max(rounds))
    assert added["own waiting"] == sum(rounds)
    assert not any(name.endswith("refused") for name in added)
    assert _rows(firm.store, Lead) == EXPORTED + leads
    assert _rows(firm.store, Handoff) == leads
    assert _rows(firm.store, Disposition, Disposition.code == "contacted") == leads
    assert _rows(firm.store, Waiting) == 0
    assert (result.outcome, firm.champion, firm.acts()) == ("first", "1", [("retrain", "1")])
    assert _rows(firm.store, Job, Job.result == "done") == _rows(firm.store, Job) == 1
    firm.store.close()


def _rows(store: Store, table: type, *which: object) -> int:
    with store.reading() as connection:
        rows = select(func.count()).select_from(table).where(*which)  # type: ignore[arg-type]
        return connection.execute(rows).scalar_one()
