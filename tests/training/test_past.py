"""A training as of a past day knows nothing of what came later, and scores what came in since."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from features.agreement import Agreement, load
from features.errors import UsageError
from features.leads import History
from features.store import hindsight
from features.store.database import Store
from features.store.erasure import erase
from features.store.exports import keep_export
from features.store.hindsight import HindsightScore, keep_hindsight
from features.store.hooks import add_hook
from features.store.scores import Given, keep_scores
from features.store.tables import Lead, Row
from serving.agreed import past_scores
from tests.conftest import home_at
from tests.training.firms import clear, history, write_export
from training.past import known_at, need_past
from training.propose import propose
from training.render import render
from training.roles import Told
from training.train import Training, train

DAY = datetime(2024, 9, 1)
NOW = datetime(2024, 12, 1)
Line = dict[str, str]


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export of leads from January to October."""
    return write_export(tmp_path_factory.mktemp("firm"), clear, rows=500)


@pytest.fixture(scope="module")
def agreement(export: Path) -> Agreement:
    """Its proposed agreement."""
    path = export.with_name("agreement.toml")
    path.write_text(render(propose(export, Told())), encoding="utf-8")
    return load(path)


def trained(export: Path, agreement: Agreement, home: Path, as_of: datetime | None) -> Training:
    return train(export, agreement, home_at(home), recipe="logistic", preset="fast", as_of=as_of)


@pytest.fixture(scope="module")
def past(
    export: Path, agreement: Agreement, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Training, list[History]]:
    """A training as of the day, and the export that it was told of."""
    told = list[History]()
    home = home_at(tmp_path_factory.mktemp("past"))
    words = {"recipe": "logistic", "preset": "fast", "keep": told.append, "as_of": DAY}
    return train(export, agreement, home, **words), told  # type: ignore[arg-type]


def rewritten(export: Path, folder: Path, change: Callable[[Line], Line | None]) -> Path:
    """The export with each row changed, or left out."""
    with export.open(newline="") as file:
        rows = [new for row in csv.DictReader(file) if (new := change(row)) is not None]
    path = folder / "export.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_an_outcome_is_known_from_when_it_came_about() -> None:
    """The table that heads `training.past`."""
    as_of = datetime(2026, 4, 1)
    march, december = datetime(2026, 3, 1), datetime(2025, 12, 1)
    told = history(
        ["won", "won", "lost", "lost", "won", "open"],
        created=[march, march, december, march, as_of, december],
        closed=[datetime(2026, 3, 20), as_of, None, None, as_of, None],
    )
    found = known_at(told, 90, as_of)
    assert found.leads.ids == ["0", "1", "2", "5"]
    assert found.dispositions == ["won", "open", "lost", "open"]
    assert found.closed == [datetime(2026, 3, 20), None, None, None]


def test_neither_outcomes_nor_leads_of_later_change_the_model(
    past, export: Path, agreement: Agreement, tmp_path: Path
) -> None:
    def otherwise(row: Line) -> Line | None:
        day = f"{DAY:%Y-%m-%d}"
        if row["created"] >= day:
            return row | {"size": "1", "status": "Won", "visits": "0"}
        if row["closed"] >= day:
            return row | {"status": "Lost" if row["status"] == "Won" else "Won"}
        return row

    changed = rewritten(export, tmp_path, otherwise)
    other = trained(changed, agreement, tmp_path / "home", DAY)
    leads = past[1][0].leads
    assert other.scorer.probabilities(leads).tolist() == (
        past[0].scorer.probabilities(leads).tolist()
    )


def test_it_is_the_training_of_the_export_of_that_day(
    past, export: Path, agreement: Agreement, tmp_path: Path
) -> None:
    def then(row: Line) -> Line | None:
        day = f"{DAY:%Y-%m-%d}"
        if row["closed"] >= day:
            row |= {"status": "Open", "closed": ""}
        return row if row["created"] < day else None

    cut = rewritten(export, tmp_path, then)
    # The newest of that export came in within the day before: as of then as many are old enough.
    other = trained(cut, agreement, tmp_path / "home", DAY)
    assert other.registered.digest == past[0].registered.digest
    assert past[0].labelled.as_of == DAY


def test_without_times_of_creation_there_is_no_past(agreement: Agreement) -> None:
    columns = agreement.columns.model_copy(update={"created": None})
    with pytest.raises(UsageError, match="--as-of: the agreement names no column that says when"):
        need_past(history(["won"]), agreement.model_copy(update={"columns": columns}), DAY)


@pytest.mark.parametrize(
    ("day", "why"),
    [
        (datetime(2025, 6, 1), "--as-of 2025-06-01: the export knows nothing after 2024-1"),
        (datetime(2023, 6, 1), "as of 2023-06-01: no lead has a known outcome"),
    ],
)
def test_a_day_that_the_export_cannot_tell_of_is_refused_and_nothing_is_kept(
    export: Path, agreement: Agreement, tmp_path: Path, day: datetime, why: str
) -> None:
    told = list[History]()
    with pytest.raises(UsageError, match=why):
        train(export, agreement, home_at(tmp_path), keep=told.append, as_of=day)
    assert told == []


def filled(store: Store, past: tuple[Training, list[History]], agreement: Agreement) -> None:
    """Keep the export in a store."""
    for part in past[1]:
        keep_export(store, part, agreement, NOW)


def kept(store: Store, past: tuple[Training, list[History]], model: str = "1") -> int:
    """Keep what it says in hindsight."""
    assert past[0].hindsight is not None
    return keep_hindsight(store, past[0].hindsight, model)


def rows_of(store: Store, but: type[Row]) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table but one."""
    tables = [table for table in Row.metadata.sorted_tables if table.name != but.__tablename__]
    with store.reading() as connection:
        return {
            t.name: sorted(map(tuple, connection.execute(select(t)).all()), key=repr)
            for t in tables
        }


def test_each_lead_since_has_what_the_model_says_of_it(store: Store, past, agreement) -> None:
    filled(store, past, agreement)
    leads = past[1][0].leads
    since = [i for i, moment in enumerate(leads.created) if moment >= DAY]
    said = past[0].scorer.probabilities(leads.take(since)).tolist()
    assert kept(store, past) == len(since)
    one = HindsightScore
    found = select(Lead.id, one.at, one.probability, one.day, one.model).join(one)
    with store.reading() as connection:
        rows = connection.execute(found).all()
    told = {(leads.ids[i], leads.created[i], p) for i, p in zip(since, said, strict=True)}
    assert {row[:3] for row in map(tuple, rows)} == told
    assert {row[3:] for row in map(tuple, rows)} == {(DAY.date(), "1")}


def test_nothing_else_in_the_store_changes_and_no_webhook_is_sent(
    store: Store, past, agreement: Agreement
) -> None:
    """So neither status nor reports, first scores, queues nor what a model is worth can."""
    url, events = "https://crm.example.com/leadq", ["score", "recycled"]
    store.write(lambda c: add_hook(c, url, events, "ABCD", "kim", DAY - timedelta(days=9)))
    filled(store, past, agreement)
    leads = past[1][0].leads.take(range(5))
    given = Given("7", [0.5] * 5, ["A"] * 5)
    keep_scores(store, leads, given, agreement, NOW)
    before = rows_of(store, HindsightScore)
    assert kept(store, past) > 0
    assert rows_of(store, HindsightScore) == before
    assert len(before["scores"]) == len(before["deliveries"]) == 5


def test_a_score_given_after_it_is_told_as_ever(store: Store, past, agreement: Agreement) -> None:
    url = "https://crm.example.com/leadq"
    filled(store, past, agreement)
    kept(store, past)
    store.write(lambda c: add_hook(c, url, ["score"], "ABCD", "kim", NOW))
    leads = past[1][0].leads.take(range(5))
    later = NOW + timedelta(days=1)
    keep_scores(store, leads, Given("1", [0.5] * 5, ["A"] * 5), agreement, later)
    assert len(rows_of(store, HindsightScore)["deliveries"]) == 5


def test_another_takes_its_place(store: Store, past, agreement: Agreement) -> None:
    filled(store, past, agreement)
    assert kept(store, past) == kept(store, past, "2")
    with store.reading() as connection:
        assert set(connection.execute(select(HindsightScore.model)).scalars()) == {"2"}


def waits(store: Store) -> bool:
    """Whether somebody waits for a lock. SQLite has one writer at a time anyhow."""
    with store.reading() as connection:
        if connection.dialect.name == "sqlite":
            return True
        here = "database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        some = text(f"SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND {here})")
        return bool(connection.execute(some).scalar_one())


def test_of_two_at_once_one_counts_for_all_leads(
    store: Store, past, agreement: Agreement, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(store, past, agreement)
    said = past[0].hindsight
    late = replace(said, ids=said.ids[5:], at=said.at[5:], probability=said.probability[5:])
    looked_up = hindsight.keys_of
    with ThreadPoolExecutor() as pool:

        def slowly(*about: object) -> object:
            monkeypatch.undo()
            second = pool.submit(keep_hindsight, store, late, "2")
            while not (second.done() or waits(store)):
                time.sleep(0.01)
            return looked_up(*about)

        monkeypatch.setattr(hindsight, "keys_of", slowly)
        kept(store, past)
    with store.reading() as connection:
        models = connection.execute(select(HindsightScore.model)).scalars().all()
    assert models == ["2"] * len(late.ids)


def test_who_was_erased_does_not_come_back(store: Store, past, agreement: Agreement) -> None:
    filled(store, past, agreement)
    everyone = kept(store, past)
    first, second = past[0].hindsight.ids[:2]
    erase(store, [first], "kim", NOW)
    count = select(func.count()).select_from(HindsightScore)
    with store.reading() as connection:
        assert connection.execute(count).scalar_one() == everyone - 1
    erase(store, [second], "kim", NOW)
    assert kept(store, past) == everyone - 2
    with store.reading() as connection:
        known = select(Lead.id).where(Lead.id.in_([first, second]))
        assert connection.execute(known).all() == []


def test_a_proposal_is_tried_on_it_where_no_score_was_given_then(
    store: Store, past, agreement: Agreement
) -> None:
    filled(store, past, agreement)
    now = NOW + timedelta(days=60)
    assert past_scores(store, agreement, now).leads == []
    everyone = kept(store, past)
    found = past_scores(store, agreement, now)
    assert (found.in_hindsight, found.day, found.given) == (everyone, DAY.date(), [])
    # Scores given long after change nothing; one of that quarter counts in its place.
    leads = past[1][0].leads
    some = [leads.ids.index(id_) for id_ in past[0].hindsight.ids[:3]]
    keep_scores(store, leads.take(some), Given("1", [0.5] * 3, ["A"] * 3), agreement, now)
    assert past_scores(store, agreement, now) == found
    then = DAY + timedelta(days=45)
    keep_scores(store, leads.take(some), Given("1", [0.5] * 3, ["A"] * 3), agreement, then)
    found = past_scores(store, agreement, now)
    assert sum(one.leads for one in found.given) == 3
    assert found.in_hindsight == everyone - 3
