"""Server time and SQL of each page over many leads: `python -m benchmarks.pages`.

A simulated CRM is put into a PostgreSQL of its own as a service would have kept it: each lead with
its fields and the score it got when it came, hand-offs, what sales said, spend. Then the pages are
asked for in the process of the service, each in three ways: *cold* is the first request of a
service that has just started and is ready, *changed* the first after sales said something more and
two minutes went by, so that all that is kept is counted anew, *warm* the same request once more.
"""

from __future__ import annotations

import csv
import gc
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
from fastapi.testclient import TestClient
from sqlalchemy import Engine, event, select
from starlette.types import ASGIApp, Receive, Scope, Send

from benchmarks.coverage import agreed_for
from features.agreement import Agreement
from features.files import open_table
from features.home import ServeSettings
from features.reading import Intake, read_history
from features.sections import Capacity
from features.simulate import Settings, simulate, write
from features.simulate.crm import Crm
from features.store.api_keys import create
from features.store.database import Store, open_store
from features.store.drawn import Worklist
from features.store.intake import take_feedback, take_feedback_items, take_handoffs, take_spend
from features.store.scores import GivenScore, add_given_scores
from features.store.tables import Lead
from serving.access import Access
from serving.api import Backing, build
from serving.artefact import Artefact, LoadedModel
from serving.erasing import Aside
from serving.pages.behind import utc_now
from serving.pages.sessions import Sessions
from serving.scorekeeper import score_listed
from serving.worklist import scores_of
from tests import postgres
from tests.lives import Fixed
from training.golden import golden_rows, reference
from training.train import train_on
from training.work import Plan

PAGES = (
    *("/queue", "/queue?grade=A", "/queue?owner={owner}", "/queue?campaign={campaign}"),
    *("/leads/{lead}", "/campaigns", "/campaigns?days=365", "/campaigns?by=source"),
    *("/campaigns?by=industry", "/alignment", "/alignment?week={week}", "/alignment?month={month}"),
    *("/recycled", "/model", "/agreement", "/agreement/proposal"),
)
"""Asked for; names in braces are taken from the store."""
_LEARNED = 8000
"""Leads that the model learns from."""
_CHUNK = 5000
_LATER = timedelta(minutes=2)
"""After which no count of leads is shown again without a look at the store."""
_SECRET = b"s" * 32
_HOST = "http://testserver"
_BROWSER = {"Accept": "text/html", "Origin": _HOST}


@dataclass(frozen=True)
class Filled:
    """A store as it is measured."""

    url: str
    agreement: Agreement
    model: LoadedModel
    key: str
    """Signs in."""
    places: dict[str, str]
    """What stands for the names in `PAGES`."""


def filled(url: str, folder: Path, leads: int, seed: int, today: date) -> Filled:
    """Fill an empty store, and train a model on some of its leads.

    Args:
        url: of the store.
        folder: for the files of the CRM.
        leads: how many.
        seed: of the CRM.
        today: its last day.

    """
    world = Settings(leads=leads, seed=seed, end=today)
    agreement = agreed_for(world).model_copy(update={"capacity": Capacity(leads_per_day=100)})
    crm = simulate(world)
    write(crm, folder)
    model = _model(folder, agreement)
    store = open_store(url)
    midnight = datetime.combine(today, datetime.min.time()) + timedelta(days=1)
    for start in range(0, leads, _CHUNK):
        scores = _scores(crm, range(start, min(start + _CHUNK, leads)), model)
        store.write(lambda c, scores=scores: add_given_scores(c, scores, midnight))
    for name, take in (("handed", take_handoffs), ("feedback", take_feedback)):
        path = _handed(folder, crm) if name == "handed" else folder / "feedback.csv"
        take(store, open_table(path, agreement.export), agreement, midnight, _never)
    spend = open_table(folder / "spend.csv", agreement.export)
    take_spend(store, spend, agreement, midnight, _never)
    while score_listed(store, model, midnight):
        pass
    store.look_at_tables()
    key = store.write(lambda c: create(c, "Ada", ("admin",), None, _SECRET, "benchmark", midnight))
    places = _places(store, today)
    store.close()
    return Filled(url, agreement, model, key, places)


def _never(row: Any) -> None:
    raise AssertionError(f"a row of the simulated CRM was refused: {row}")


def _model(folder: Path, agreement: Agreement) -> LoadedModel:
    table = open_table(folder / "export.csv", agreement.export)
    history = read_history(table, agreement, Intake())
    some = history.take(range(min(_LEARNED, len(history.leads))))
    plan = Plan("logistic", 0, "fast", 1.0, None)
    scorer = train_on(some, agreement, plan, lambda _: None, Intake(), "the CRM").scorer
    matrix = scorer.encoder.encode(some.leads)
    golden = golden_rows(scorer.encoder, matrix, agreement)
    facts = {"leads": len(some.leads)}
    artefact = Artefact(scorer, facts, reference(scorer.encoder, matrix), golden)
    return LoadedModel("1", "0" * 64, artefact)


def _scores(crm: Crm, rows: range, model: LoadedModel) -> list[GivenScore]:
    """Return the score that each lead got when it came, with its fields."""
    told, scorer = crm.export, model.artefact.scorer
    names = sorted(set(scorer.read_names) & set(told))
    missing = {"", *scorer.agreement.export.missing}
    records = [
        {name: told[name][i] for name in names if told[name][i] not in missing} for i in rows
    ]
    found = scores_of(model, [(told["id"][i], r) for i, r in zip(rows, records, strict=True)], 0)
    scores = []
    for i, record, score in zip(rows, records, found, strict=True):
        assert score is not None
        at = datetime.fromisoformat(told["created_at"][i])
        scores.append(
            GivenScore(
                *(told["id"][i], at, told["campaign"][i] or None, told["source"][i] or None),
                *(json.dumps(record), at, model.version, scorer.agreed),
                *(score.probability, score.grade, score.expected_value),
            )
        )
    return scores


def _handed(folder: Path, crm: Crm) -> Path:
    """Write the hand-offs with the fields of their leads."""
    place = {id_: i for i, id_ in enumerate(crm.export["id"])}
    left_out = {"id", "status", "closed_at", *crm.handoffs}
    names = [name for name in crm.export if name not in left_out]
    path = folder / "handed.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow([*crm.handoffs, *names])
        for row in zip(*crm.handoffs.values(), strict=True):
            if (i := place.get(row[0])) is not None:
                rows.writerow([*row, *(crm.export[name][i] for name in names)])
    return path


def _places(store: Store, today: date) -> dict[str, str]:
    best = select(Worklist.owner, Lead.campaign, Lead.id).join(Lead, Lead.key == Worklist.lead)
    with store.reading() as connection:
        row = connection.execute(best.order_by(Worklist.worth.desc()).limit(1)).one()
    owner, campaign, lead = (quote(str(value), safe="") for value in row)
    week = (today - timedelta(days=200)).isocalendar()
    month = f"{today - timedelta(days=100):%Y-%m}"
    named = {"owner": owner, "campaign": campaign, "lead": lead, "month": month}
    return named | {"week": f"{week.year}-W{week.week:02}"}


@dataclass(frozen=True)
class Asked:
    """One request, measured within the service."""

    milliseconds: float
    processor: float
    """Of it, what the service's own processor took."""
    statements: int


class _Timed:
    """Measures what passes through a service."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.last = Asked(0.0, 0.0, 0)
        self.statements = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun, worked, self.statements = time.perf_counter(), time.process_time(), 0
        await self._app(scope, receive, send)
        took, busy = time.perf_counter() - begun, time.process_time() - worked
        self.last = Asked(1000 * took, 1000 * busy, self.statements)


class _Clock:
    """Tells the service what time it is."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return utc_now() + self.ahead


@contextmanager
def served(found: Filled, folder: Path, clock: _Clock) -> Iterator[tuple[TestClient, _Timed]]:
    """Start a service of the pages, somebody signed in."""
    opens = partial(open_store, found.url)
    access = Access(_SECRET, 10_000, folder / "keys.json", opens)
    backing = Backing(opens, Aside(folder, folder / "spool"), found.agreement)
    shell = build(
        Fixed(found.model),
        backing,
        settings=ServeSettings(log="none"),
        access=access,
        sessions=Sessions(_SECRET, access),
        now=clock,
    )
    timed = _Timed(shell)

    def count(*_: Any) -> None:
        timed.statements += 1

    event.listen(Engine, "before_cursor_execute", count)
    try:
        with TestClient(timed, base_url=_HOST, headers=_BROWSER, follow_redirects=False) as client:
            assert client.post("/sign-in", data={"key": found.key}).status_code == 303
            for thread in threading.enumerate():
                if thread.name == "templates":
                    thread.join()
            gc.freeze()  # as a worker does: else each look for garbage walks over the whole CRM
            yield client, timed
    finally:
        event.remove(Engine, "before_cursor_execute", count)


def measured(found: Filled, folder: Path, rounds: int) -> dict[str, dict[str, Asked]]:
    """Return by page and way the median of several rounds."""
    taken: dict[str, dict[str, list[Asked]]] = {}
    for page in PAGES:
        path = page.format(**found.places)
        ways = taken.setdefault(page, {"cold": [], "changed": [], "warm": []})
        for _ in range(rounds):
            clock = _Clock()
            with served(found, folder, clock) as (client, timed):
                for way in ("cold", "changed", "warm"):
                    if way == "changed":
                        _say_something(found)
                        clock.ahead = _LATER
                    answer = client.get(path)
                    assert answer.status_code == 200, f"{path}: {answer.text}"
                    ways[way].append(timed.last)
        print(f"{page}: {_line(taken[page])}", file=sys.stderr, flush=True)
    return {page: {w: _median(told) for w, told in ways.items()} for page, ways in taken.items()}


def _say_something(found: Filled) -> None:
    """Let sales say that it has called the lead whose page is asked for."""
    store, now = open_store(found.url), utc_now()
    said = {"id": found.places["lead"], "at": now.isoformat(), "code": "contacted"}
    store.write(lambda c: take_feedback_items(c, [said], found.agreement, now))
    store.close()


def _median(told: list[Asked]) -> Asked:
    return Asked(
        round(statistics.median(one.milliseconds for one in told), 1),
        round(statistics.median(one.processor for one in told), 1),
        max(one.statements for one in told),
    )


def _line(ways: dict[str, list[Asked]]) -> str:
    found = {way: _median(told) for way, told in ways.items()}
    return ", ".join(
        f"{way} {one.milliseconds:.0f} ms ({one.processor:.0f} of the service's processor, "
        f"{one.statements} statements)"
        for way, one in found.items()
    )


def main(
    leads: Annotated[int, typer.Option(min=1000, help="Leads in the store.")] = 100_000,
    rounds: Annotated[int, typer.Option(min=1, help="Services started for each page.")] = 9,
    seed: Annotated[int, typer.Option(help="Of the simulated CRM.")] = 7,
    as_json: Annotated[bool, typer.Option("--json", help="End with one line of JSON.")] = False,
) -> None:
    """Tell how long each page takes the service."""
    today = datetime.now(UTC).date() - timedelta(days=1)
    with (
        tempfile.TemporaryDirectory(prefix="pg-") as home,
        tempfile.TemporaryDirectory() as folder,
        postgres.server(Path(home)) as server,
    ):
        print(f"... filling a store with {leads:,} leads", file=sys.stderr, flush=True)
        found = filled(server.fresh(), Path(folder), leads, seed, today)
        told = measured(found, Path(folder), rounds)
    if as_json:
        print(
            json.dumps({page: {w: vars(a) for w, a in ways.items()} for page, ways in told.items()})
        )


if __name__ == "__main__":
    typer.run(main)
