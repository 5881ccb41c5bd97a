"""A training as of a past day knows nothing of what came later, and scores what came in since."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from features.agreement import Agreement, load
from features.errors import UsageError
from features.store.database import Store
from features.store.drawn import LeadState
from features.store.history import history_of
from features.store.hooks import add_hook
from features.store.promotions import Champion, write_down
from features.store.tables import Delivery, Score
from serving.agreed import in_hindsight, past_scores
from serving.alignment.files import as_json
from serving.alignment.period import Period
from serving.alignment.report import report_of
from serving.alignment.told import facts
from tests.conftest import home_at
from tests.training.firms import IN_TIME, agreed, clear, history, write_export
from training.past import Said, Since, keep_said, known_at
from training.propose import propose
from training.render import render
from training.roles import Told
from training.train import Training, train

DAY = datetime(2024, 9, 1)
NOW = datetime(2024, 12, 1)
Row = dict[str, str]


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
) -> tuple[Training, Since]:
    """What a training as of the day said, and the leads that came in since."""
    since = Since(DAY)
    home = home_at(tmp_path_factory.mktemp("past"))
    words = {"recipe": "logistic", "preset": "fast", "keep": since.pick, "as_of": DAY}
    return train(export, agreement, home, **words), since  # type: ignore[arg-type]


def rewritten(export: Path, folder: Path, change: Callable[[Row], Row | None]) -> Path:
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
    found = known_at(told, agreed(IN_TIME, horizon_days=90), as_of)
    assert found.leads.ids == ["0", "1", "2", "3", "5"]
    assert found.dispositions == ["won", "open", "lost", "open", "open"]
    assert found.closed == [datetime(2026, 3, 20), None, None, None, None]


def test_nothing_that_came_about_later_changes_the_model(
    past, export: Path, agreement: Agreement, tmp_path: Path
) -> None:
    def otherwise(row: Row) -> Row | None:
        day = f"{DAY:%Y-%m-%d}"
        if row["created"] >= day:
            return row | {"size": "1", "status": "Won", "visits": "0"}
        if row["closed"] >= day:
            return row | {"status": "Lost" if row["status"] == "Won" else "Won"}
        return row

    changed = rewritten(export, tmp_path, otherwise)
    other = trained(changed, agreement, tmp_path / "home", DAY)
    leads = past[1].parts[0]
    assert other.scorer.probabilities(leads).tolist() == (
        past[0].scorer.probabilities(leads).tolist()
    )


def test_it_is_the_training_of_the_export_of_that_day(
    past, export: Path, agreement: Agreement, tmp_path: Path
) -> None:
    def then(row: Row) -> Row | None:
        day = f"{DAY:%Y-%m-%d}"
        if row["closed"] >= day:
            row |= {"status": "Open", "closed": ""}
        return row if row["created"] < day else None

    cut = rewritten(export, tmp_path, then)
    # The newest of that export came in within the day before: as of then as many are old enough.
    other = trained(cut, agreement, tmp_path / "home", DAY)
    assert other.registered.digest == past[0].registered.digest
    assert past[0].labelled.as_of == DAY


def test_without_times_of_creation_there_is_no_past(export: Path, agreement: Agreement) -> None:
    columns = agreement.columns.model_copy(update={"created": None})
    with pytest.raises(UsageError, match="--as-of: the agreement names no column that says when"):
        known_at(history(["won"]), agreement.model_copy(update={"columns": columns}), DAY)


def kept(store: Store, past: tuple[Training, Since], used: datetime = NOW) -> Said:
    """Keep what it would have said, in a store whose first model came into use at a moment."""
    champion = Champion("1", "d" * 64)
    store.write(lambda c: write_down(c, champion, "train", "the first", "kim", used))
    return keep_said(store, past[1], past[0].scorer, "1", NOW)


def test_each_lead_since_has_a_score_as_of_its_creation(store: Store, past) -> None:
    leads = past[1].parts[0]
    assert kept(store, past) == Said(len(leads), NOW)
    with store.reading() as connection:
        given = connection.execute(select(Score.at, Score.probability).order_by(Score.at)).all()
        states = connection.execute(select(LeadState.scored).order_by(LeadState.scored))
        assert list(states.scalars()) == sorted(leads.created)
    said = dict(zip(leads.created, past[0].scorer.probabilities(leads).tolist(), strict=True))
    assert dict(given) == said
    assert min(said) >= DAY


def test_the_past_ends_where_a_model_came_into_use(store: Store, past) -> None:
    used = DAY + timedelta(days=20)
    leads = past[1].parts[0]
    earlier = sum(moment < used for moment in leads.created)
    assert kept(store, past, used) == Said(earlier, used)
    assert 0 < earlier < len(leads)


def test_the_same_again_adds_nothing(store: Store, past) -> None:
    kept(store, past)
    with store.reading() as connection:
        before = connection.execute(select(Score.key, Score.at)).all()
    keep_said(store, past[1], past[0].scorer, "1", NOW + timedelta(days=1))
    with store.reading() as connection:
        assert connection.execute(select(Score.key, Score.at)).all() == before


def test_nobody_is_told_of_the_past(store: Store, past) -> None:
    url = "https://crm.example.com/leadq"
    store.write(lambda c: add_hook(c, url, ["score"], "ABCD", "kim", DAY - timedelta(days=9)))
    kept(store, past)
    with store.reading() as connection:
        assert connection.execute(select(Delivery.key)).all() == []


def test_a_lead_says_that_its_score_was_given_in_hindsight(store: Store, past) -> None:
    kept(store, past)
    with store.reading() as connection:
        lead = history_of(connection, past[1].parts[0].ids[0])
    assert lead is not None
    assert [score.in_hindsight for score in lead.scores] == [True]


def test_a_proposal_can_be_tried_on_the_past_and_says_what_it_rests_on(
    store: Store, past, agreement: Agreement
) -> None:
    now = NOW + timedelta(days=60)
    assert past_scores(store, agreement, now) == []
    kept(store, past)
    found = past_scores(store, agreement, now)
    assert sum(one.leads for one in found) == len(past[1].parts[0])
    assert in_hindsight(store, agreement, now) == NOW
    assert in_hindsight(store, agreement, NOW + timedelta(days=400)) is None


def test_the_report_of_a_past_week_says_that_nobody_saw_its_scores(
    store: Store, past, agreement: Agreement
) -> None:
    week = Period.named("2024-W38")
    assert "Scores" not in facts(report_of(store, agreement, week, NOW))
    kept(store, past)
    report = report_of(store, agreement, week, NOW)
    assert facts(report)["Scores"] == (
        "of before 1 Dec 2024 are what a model would have given; none was in use yet"
    )
    assert as_json(report)["in_use_since"] == "2024-12-01T00:00:00Z"


def test_the_leads_of_all_chunks_are_picked() -> None:
    since = Since(DAY)
    for part in (history(["won"], [DAY - timedelta(1)]), history(["won", "open"], [DAY, None])):
        since.pick(part)
    assert [leads.created for leads in since.parts] == [[DAY]]
