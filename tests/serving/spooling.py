"""What the tests of the spool are made from, and two processes that they kill."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import func, select

from features.agreement import Agreement
from features.home import SpoolSettings
from features.store.database import Store, open_store
from features.store.tables import Lead, Row, Score
from serving.drain import drain
from serving.segments import Scored
from serving.spool import Spool
from tests.features.store.making import MONDAY, NOW, agreed

if TYPE_CHECKING:
    # Their libraries take seconds, which the processes that are killed do not have.
    from serving.artefact import LoadedModel

ROOT = Path(__file__).parents[2]


def a_model(version: str = "3", agreement: Agreement | None = None) -> LoadedModel:
    """A model of which nothing is there but its version and agreement."""
    artefact = SimpleNamespace(scorer=SimpleNamespace(agreement=agreement or agreed()))
    return cast("LoadedModel", SimpleNamespace(version=version, artefact=artefact))


def scored(*ids: str, probability: float = 0.25, **fields: Any) -> list[Scored]:
    """Leads with a score, alike but for the given fields."""
    cells = {"status": "New", "created": "2026-03-02 09:00", "campaign": "Fair", "visits": 3.0}
    return [
        Scored(id_, MONDAY, probability, "B", None, {"id": id_, **cells, **fields}) for id_ in ids
    ]


def a_spool(folder: Path, clock: Callable[[], float] = time.time, **settings: Any) -> Spool:
    """A spool whose segments are closed by `turn` and `close` alone."""
    spool = Spool(folder, SpoolSettings(**settings), clock)
    spool.open()
    return spool


def put(spool: Spool, leads: list[Scored], model: LoadedModel | None = None) -> None:
    """Put the scores of one request into a spool."""
    spool.put([spool.lines(model or a_model(), leads)])


def fill(folder: Path, *puts: list[Scored], version: str = "3") -> None:
    """Put scores into a spool and close it."""
    spool = a_spool(folder)
    for leads in puts:
        put(spool, leads, a_model(version))
    spool.close()


def drain_all(store: Store, folder: Path) -> int:
    """Bring all that waits to the store; return how many scores."""
    found = 0
    while any(done := drain(store, folder, lambda: NOW)):
        found += done.stored
    return found


def count(store: Store, table: type[Row] = Score) -> int:
    """The rows of a table."""
    with store.reading() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def ids_of_scores(store: Store) -> list[str]:
    """The lead of each score in the store."""
    with store.reading() as connection:
        rows = select(Lead.id).join(Score, Score.lead == Lead.key)
        return sorted(connection.execute(rows).scalars())


def start(what: str, *args: str) -> subprocess.Popen[str]:
    """Start `worker` or `keeper` of this file in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", f"from tests.serving.spooling import {what} as f; f(*{args!r})"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


def worker(folder: str, name: str) -> None:
    """Put one score after the other, and say of each that it was put."""
    spool, model, n = Spool(Path(folder), SpoolSettings(), time.time), a_model(), 0
    spool.start()
    while True:
        put(spool, scored(f"{name}-{n}", note="x" * 500), model)
        _say(str(n))
        n += 1


def keeper(folder: str, url: str) -> None:
    """Bring what waits to the store, and say so before and after."""
    store = open_store(url)
    _say("begins")
    drain_all(store, Path(folder))
    _say("done")


def _say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()
