"""Retraining from the store: the first model, a challenger that passes, and those that do not."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from features.agreement import Agreement
from features.errors import UsageError
from features.files import open_table
from features.home import Home
from features.reading import Intake, read_history
from features.store.database import Store, open_store
from features.store.exports import keep_export
from features.store.jobs import HeldError, last_done, lease
from features.store.tables import Audit, Promotion
from serving.artefact import LoadedModel, digest, files_of, read_files
from tests.conftest import home_at
from tests.training.firms import Enquiry, agreed, decided, enquiries
from training.gate import Verdict
from training.promotion import catch_up, champion_now, make_champion, roll_back
from training.record import artefact_of
from training.registry import MODEL, connect, load_champion
from training.retrain import Retrained, Retraining, _as_taught, unless_moved
from training.retrain_words import retrained_json, retrained_lines

NOW = datetime(2028, 6, 1)
FIELDS = {"visits": {"use": "yes", "kind": "number"}, "size": {"use": "yes", "kind": "number"}}
AGREED = agreed(
    {"outcome": "status", "created": "created", "closed": "closed"},
    FIELDS,
    outcomes={"won": ["Won"], "lost": ["Lost"]},
    horizon_days=60,
    capacity={"leads_per_day": 1},
)
Row = dict[str, object]


def clear(e: Enquiry) -> Row:
    return decided(e, 0.05 + 0.8 * (e.visits / 20) ** 2)


def reversed_until(number: int) -> Callable[[Enquiry], Row]:
    def row(e: Enquiry) -> Row:
        share = e.visits / 20
        return decided(e, 0.15 + 0.5 * (1 - share if e.number < number else share) ** 2)

    return row


def by_chance(e: Enquiry) -> Row:
    return decided(e, 0.3)


def leaking(e: Enquiry) -> Row:
    row = clear(e)
    lost = row["status"] == "Lost"
    return row | {"note": Random(e.number).choice(["no money", "no need"]) if lost else "contract"}


def clock() -> datetime:
    return NOW + timedelta(days=1)


class Firm:
    """A home with a store, into which exports come."""

    def __init__(self, folder: Path) -> None:
        self.home: Home = home_at(folder / "home")
        self.home.folder(".")
        self.store: Store = open_store(self.home.store_url)
        self.folder = folder
        self.now = clock()

    def export(
        self, row: Callable[[Enquiry], Row], first: int = 0, rows: int = 700, at: datetime = NOW
    ) -> None:
        records = [row(e) for e in enquiries(first + rows)[first:]]
        path = self.folder / "export.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(records[0]))
            writer.writeheader()
            writer.writerows(records)
        history = read_history(open_table(path), AGREED, Intake())
        keep_export(self.store, history, AGREED, at)

    def retrain(
        self, agreement: Agreement = AGREED, if_due: bool = False, **plan: Any
    ) -> Retrained:
        work = Retraining(self.home, self.store, agreement, lambda: self.now, "kim", lambda _: None)
        return work.run(
            **({"recipe": "logistic", "preset": "fast"} | plan), if_due=if_due, worker="w"
        )

    @property
    def champion(self) -> str | None:
        found = champion_now(self.home)
        return found and found.model

    def acts(self) -> list[tuple[str, str]]:
        with self.store.reading() as connection:
            rows = select(Promotion.act, Promotion.model).order_by(Promotion.key)
            return [(act, model) for act, model in connection.execute(rows)]


@pytest.fixture
def firm(tmp_path: Path) -> Iterator[Firm]:
    made = Firm(tmp_path)
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Firm, Retrained]]:
    """A firm whose first model came out of the store."""
    made = Firm(tmp_path_factory.mktemp("started"))
    made.export(clear)
    yield made, made.retrain()
    made.store.close()


def test_the_first_model_of_a_home_becomes_champion(started: tuple[Firm, Retrained]) -> None:
    firm, result = started
    assert (result.outcome, firm.champion) == ("first", "1")
    assert firm.acts()[0] == ("retrain", "1")


def test_a_challenger_on_the_same_leads_is_refused_and_stays_registered(
    started: tuple[Firm, Retrained],
) -> None:
    firm, _ = started
    result = firm.retrain()
    assert (result.outcome, firm.champion) == ("refused", "1")
    assert result.training is not None
    client = connect(firm.home)
    version = client.get_model_version(MODEL, result.training.registered.version)
    assert version.tags["verdict"] == result.why
    assert version.version == client.get_model_version_by_alias(MODEL, "challenger").version
    files = [f.path for f in client.list_artifacts(version.run_id)]
    assert "verdict.json" in files
    said = json.loads(json.dumps(retrained_json(result, Path("report.html"))))
    assert (said["outcome"], said["version"]) == ("refused", str(version.version))
    assert (said["champion_fit"], said["report"]) == (result.compared, "report.html")
    lines = list(retrained_lines(result))
    assert lines[0].startswith(
        f"Version {version.version} stays a challenger of version 1: refused"
    )
    assert "fitted anew" in result.compared


def test_nothing_is_done_where_nothing_is_due(started: tuple[Firm, Retrained]) -> None:
    firm, _ = started
    with firm.store.reading() as connection:
        before = last_done(connection, "retrain")
    result = firm.retrain(if_due=True)
    assert result.outcome == "not due"
    with firm.store.reading() as connection:
        assert last_done(connection, "retrain") == before
    assert "0 new outcomes" in result.why


def test_two_retrainings_at_once_do_not_meet(started: tuple[Firm, Retrained]) -> None:
    firm, _ = started
    with (
        lease(firm.store, "retrain", "another machine", clock),
        pytest.raises(HeldError, match="another machine"),
    ):
        firm.retrain()


def test_a_challenger_that_learned_a_changed_market_is_promoted(firm: Firm) -> None:
    firm.export(reversed_until(2000), rows=320)
    assert firm.retrain().outcome == "first"
    firm.export(reversed_until(2000), first=320, rows=2200)
    result = firm.retrain()
    assert result.outcome == "promoted", result.why
    assert firm.champion == "2"
    assert "as it is registered" in result.compared
    assert firm.acts() == [("retrain", "1"), ("retrain", "2")]
    with firm.store.reading() as connection:
        notes = connection.execute(select(Audit.who, Audit.act)).all()
    assert ("kim", "retrain") in notes


def test_an_old_champion_yields_to_newer_knowledge(firm: Firm) -> None:
    firm.export(clear)
    firm.retrain()
    firm.export(clear, first=700, rows=900)
    result = firm.retrain()
    assert result.outcome == "promoted", result.why
    assert "which is old (agreed: 90)" in result.why


def test_where_the_champion_was_changed_meanwhile_nothing_takes_over(three_runs: Home) -> None:
    champion = load_champion(three_runs)
    verdict = Verdict(True, "promoted: it is better", "judged on 9 leads", ())
    assert unless_moved(verdict, three_runs, champion) is verdict

    refused = unless_moved(verdict, three_runs, replace(champion, version="9"))

    assert not refused.promoted
    assert refused.reasons == [refused.headline.removeprefix("refused: ")]
    assert "another model was made champion meanwhile" in refused.headline


def test_a_challenger_of_random_outcomes_is_refused(firm: Firm) -> None:
    firm.export(clear)
    firm.retrain()
    firm.export(by_chance, first=700, rows=1600)
    result = firm.retrain()
    assert result.outcome == "refused"
    assert firm.champion == "1"
    assert result.verdict is not None
    assert any("chance" in reason for reason in result.verdict.reasons)


def test_a_challenger_on_a_leaked_field_is_refused(firm: Firm) -> None:
    firm.export(leaking)
    firm.retrain()
    leaked = FIELDS | {"note": {"use": "yes", "why": "sales says that it is known"}}
    result = firm.retrain(AGREED.model_copy(update={"fields": agreed(fields=leaked).fields}))
    assert result.outcome == "refused"
    assert result.verdict is not None
    assert any("note" in reason for reason in result.verdict.reasons)


def test_a_doubted_field_that_is_agreed_without_a_why_is_said_to_be_left_out(firm: Firm) -> None:
    firm.export(leaking)
    fields = FIELDS | {"note": {"use": "yes"}}
    firm.retrain(AGREED.model_copy(update={"fields": agreed(fields=fields).fields}))
    result = firm.retrain(AGREED.model_copy(update={"fields": agreed(fields=fields).fields}))
    assert any(line.startswith("  left out: note (") for line in retrained_lines(result))


def test_a_champion_that_foretells_another_horizon_is_held_to_what_it_foretells(firm: Firm) -> None:
    firm.export(clear)
    firm.retrain(AGREED.model_copy(update={"horizon_days": 15}))

    result = firm.retrain()

    assert result.outcome == "promoted", result.why
    assert "by the horizon and the learning of its own agreement" in result.compared


def test_in_a_short_history_the_champion_knows_as_many_leads_as_the_challenger(firm: Firm) -> None:
    short = AGREED.model_copy(update={"horizon_days": 160})
    firm.export(clear)
    firm.retrain(short)

    result = firm.retrain(short)

    assert result.training is not None
    assert "too short a history for a gap" in result.training.split.method
    assert "it predicts the same as the champion" in result.why


def test_a_fit_of_few_wins_does_not_stand_for_the_champion(
    started: tuple[Firm, Retrained], monkeypatch: pytest.MonkeyPatch
) -> None:
    firm, _ = started
    monkeypatch.setattr("training.retrain._age", lambda *_: timedelta(days=150))

    result = firm.retrain()

    assert "on the earlier leads, as the challenger's fit was: " in result.compared
    assert "are too few to stand for it" in result.compared
    assert "it predicts the same as the champion" in result.why


def test_points_do_not_stand_for_a_model_that_cannot_be_fitted_anew(
    started: tuple[Firm, Retrained], monkeypatch: pytest.MonkeyPatch
) -> None:
    firm, _ = started
    monkeypatch.setattr("training.retrain._known_to_it", lambda *_: (np.arange(0), "nothing"))

    result = firm.retrain()

    assert result.outcome == "refused"
    assert "too few before them were won or lost to fit its recipe anew" in result.why


def test_a_champion_is_fitted_anew_with_the_trees_that_its_search_found(
    started: tuple[Firm, Retrained],
) -> None:
    training = started[1].training
    assert training is not None
    tuned = (("extra_trees", True), ("num_leaves", 7))
    searched = replace(training.work, effort=replace(training.work.effort, tuned=tuned))
    files = files_of(artefact_of(replace(training, work=searched)))
    champion = LoadedModel("1", "digest", read_files(files, "version 1", digest(files)))

    own, _ = _as_taught(training.work, champion)

    assert own.effort.tuned == tuned


def test_a_step_back_leads_to_the_champion_before(started: tuple[Firm, Retrained]) -> None:
    firm, _ = started
    firm.retrain()
    make_champion(firm.home, firm.store, "2", "promote", "by hand", "kim", NOW)
    assert roll_back(firm.home, firm.store, "by hand", "kim", NOW) == ("1", "2")
    assert firm.champion == "1"


def test_without_a_champion_there_is_no_step_back(firm: Firm) -> None:
    with pytest.raises(UsageError, match="no model is champion; choose one with: leadq promote"):
        roll_back(firm.home, firm.store, "by hand", "kim", NOW)


def test_an_alias_moved_elsewhere_is_found_and_written_down(firm: Firm) -> None:
    firm.export(clear)
    firm.retrain()
    firm.retrain()
    connect(firm.home).set_registered_model_alias(MODEL, "champion", "2")
    catch_up(firm.home, firm.store, NOW)
    assert firm.acts() == [("retrain", "1"), ("found", "2")]
