"""How a training ends: in a model only where later leads show it, else in the agreed points."""

from __future__ import annotations

import csv
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from features.agreement import Agreement, PointsRule
from features.errors import UsageError
from features.home import Home
from serving.api import build
from serving.artefact import LoadedModel
from serving.batch import score_file
from tests.conftest import SHARED_DATA, home_at
from tests.lives import Fixed
from tests.training.firms import Enquiry, agreed, clear, decided, with_times, write_export
from training.page import OF_THE_RULES, page
from training.propose import propose
from training.registry import load_champion
from training.roles import Told
from training.summary import training_json, training_lines
from training.track import promote
from training.train import Training, train

Row = Callable[[Enquiry], dict[str, object]]
MOVED = "do not add these probabilities up"


def jumping(e: Enquiry) -> dict[str, object]:
    """The same, but the last quarter of the leads buys far more often."""
    base = 0.5 if e.number > 2350 else 0.05
    return decided(e, base + 0.4 * (e.visits > 11))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """One home for every training here."""
    return home_at(tmp_path_factory.mktemp("endings"))


@pytest.fixture
def trained_on(home: Home, tmp_path: Path) -> Callable[[Row, int], Training]:
    """Train on an export of so many leads under its proposed agreement."""

    def run(row: Row, rows: int) -> Training:
        path = write_export(tmp_path, row, rows=rows)
        agreed_on = propose(path, Told()).agreement
        return train(path, agreed_on, home, recipe="logistic", preset="fast")

    return run


def loaded(home: Home, training: Training) -> LoadedModel:
    """What a training registered, as a service would load it."""
    promote(home, training.registered.version)
    model = load_champion(home)
    assert model.digest == training.registered.digest
    return model


def lines(training: Training) -> str:
    return "\n".join(training_lines(training, training.scorer.agreement))


def warnings(model: LoadedModel, lead: dict[str, object]) -> list[str]:
    """What a reply warns of."""
    with TestClient(build(Fixed(model))) as client:
        found: list[str] = client.post("/v1/score", json=lead).json()["results"][0]["warnings"]
    return found


def test_a_small_set_with_a_clear_signal_is_taken_over_by_the_model(trained_on) -> None:
    result = trained_on(clear, 500)

    assert result.verdict.scorer == "model"
    assert result.evaluation.is_better_than_chance
    assert result.verdict.log_loss_model < result.verdict.log_loss_rules
    assert (result.growth, result.caution) == ("", "")
    assert "of the model" in lines(result)
    assert OF_THE_RULES not in lines(result)


def test_random_outcomes_end_in_nothing_to_learn_here(trained_on) -> None:
    result = trained_on(lambda e: decided(e, 0.5), 600)

    assert result.verdict.scorer == "rules"
    assert not result.verdict.learnt
    assert result.verdict.sentence.startswith("nothing to learn here")
    assert lines(result).startswith("nothing to learn here")
    assert OF_THE_RULES in lines(result)
    assert OF_THE_RULES in page(result, "lots")
    assert training_json(result, result.scorer.agreement)["scored_by"] == "rules"
    assert len(set(result.later.probability.tolist())) == 1


def test_the_control_whose_outcomes_were_drawn_by_lot_ends_in_nothing_to_learn_here(
    home: Home,
) -> None:
    path = SHARED_DATA / "maven_crm" / "sales_pipeline.csv"
    if not path.exists():
        pytest.skip("the control data are not on this machine; they cannot be shipped")
    agreed_on = propose(path, Told()).agreement

    result = train(path, agreed_on, home, preset="fast")

    assert {found.field for found in result.choice.left_out} >= {"close_value"}
    assert result.verdict.scorer == "rules"
    assert lines(result).startswith("nothing to learn here")


@pytest.fixture(scope="module")
def sixty(home: Home, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Training]:
    """Sixty leads scored by points that both sides agreed on, and their file."""
    path = write_export(tmp_path_factory.mktemp("sixty"), with_times, rows=60)
    agreed_on = with_points(propose(path, Told()).agreement)
    return path, train(path, agreed_on, home, preset="fast")


def with_points(agreement: Agreement) -> Agreement:
    """Large companies are worth twenty points, traders from fairs ten less."""
    rules = [
        {"field": "size", "at_least": 300, "points": 20},
        {"field": "source", "is": ["Trade fair"], "points": -10},
    ]
    points = [PointsRule.model_validate(rule) for rule in rules]
    return agreement.model_copy(update={"points": points})


def test_sixty_leads_are_scored_by_the_agreed_points(sixty: tuple[Path, Training]) -> None:
    result = sixty[1]

    assert result.verdict.scorer == "rules"
    assert {field.field for field in result.scorer.encoder.fields} == {"size", "source"}
    assert result.parameters["recipe"] == "points"
    assert "and scores by the agreed points" in lines(result)


def test_it_says_about_how_many_more_outcomes_would_do(sixty: tuple[Path, Training]) -> None:
    result = sixty[1]

    assert "How many more would do: " in lines(result)
    assert "more leads would do" in result.growth or "more decided leads" in result.growth
    assert training_json(result, result.scorer.agreement)["how_many_more"] == result.growth


def test_the_points_score_over_rest_as_in_batch(
    sixty: tuple[Path, Training], home: Home, tmp_path: Path
) -> None:
    path, model = sixty[0], loaded(home, sixty[1])
    score_file(model, path, tmp_path / "scored.csv", 2)
    with path.open(newline="") as file, (tmp_path / "scored.csv").open(newline="") as scored:
        leads, rows = list(csv.DictReader(file)), list(csv.DictReader(scored))

    with TestClient(build(Fixed(model))) as client:
        results = client.post("/v1/score?reasons=2", json={"leads": leads}).json()["results"]

    assert len(rows) == 60
    for name in ("probability", "probability_low", "probability_high"):
        assert [r[name] for r in results] == [float(row[name]) for row in rows]
    assert len({r["probability"] for r in results}) > 1


@pytest.fixture(scope="module")
def moved(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Training:
    """A training on leads whose base rate jumps late."""
    path = write_export(tmp_path_factory.mktemp("moved"), jumping, rows=600)
    agreed_on = propose(path, Told()).agreement
    return train(path, agreed_on, home, recipe="logistic", preset="fast")


def test_a_base_rate_that_jumps_late_is_said_with_how_far_off_it_was(moved: Training) -> None:
    assert moved.caution.startswith(MOVED)
    assert f"WARNING: {MOVED}" in lines(moved)
    assert training_json(moved, moved.scorer.agreement)["caution"] == moved.caution
    assert moved.drift is not None
    assert moved.drift.rate_change.low > 0.1


def test_where_the_order_is_shown_it_is_told_that_the_log_loss_is_lacking(moved: Training) -> None:
    assert moved.verdict.model is not None
    assert moved.verdict.model.sorts
    assert moved.verdict.scorer == "rules"
    assert "what is lacking is a lower log loss, or the proof of one" in lines(moved)


def test_every_reply_warns_of_it(moved: Training, home: Home) -> None:
    model = loaded(home, moved)

    assert moved.caution in warnings(model, {"id": "1", "visits": 3})


def test_the_report_warns_of_it_where_it_begins(moved: Training) -> None:
    words = unescape(page(moved, "moved")).replace("\u00a0", " ")

    assert f"Warning: {moved.caution}" in words[: len(words) // 3]


def test_leads_that_sales_never_closes_give_a_warning_with_both_bounds(trained_on) -> None:
    def left_open(e: Enquiry) -> dict[str, object]:
        lead = clear(e)
        never = lead["status"] == "Lost" and e.number % 2
        return lead | ({"status": "Open", "closed": ""} if never else {})

    result = trained_on(left_open, 400)

    won, known = int(result.labelled.labels.sum()), len(result.labelled.labels)
    bounds = won / known, won / (known + result.labelled.still_open)
    assert f"{bounds[0]:.1%} were won" in lines(result)
    assert f"it would be {bounds[1]:.1%}" in lines(result)


@pytest.mark.parametrize(("kept", "lacks"), [("Lost", "won"), ("Won", "lost")])
def test_later_leads_of_one_outcome_judge_nothing_and_every_score_says_so(
    trained_on, home: Home, kept: str, lacks: str
) -> None:
    def late(e: Enquiry) -> dict[str, object]:
        return clear(e) | ({"status": kept} if e.number > 1500 else {})

    result = trained_on(late, 300)

    assert result.evaluation is None
    assert result.verdict.scorer == "rules"
    assert f"none was {lacks}" in lines(result)
    assert "too few judged leads, or of one outcome only, to check the probabilities" in warnings(
        loaded(home, result), {"id": "1", "visits": 3}
    )


@pytest.mark.parametrize(("kept", "lacks"), [("Lost", "won"), ("Won", "lost")])
def test_earlier_leads_of_one_outcome_teach_no_model_and_that_is_said(
    trained_on, kept: str, lacks: str
) -> None:
    def early(e: Enquiry) -> dict[str, object]:
        return clear(e) | ({"status": kept} if e.number < 1700 else {})

    result = trained_on(early, 300)

    assert result.verdict.scorer == "rules"
    assert result.verdict.model is None
    assert f"of {len(result.split.earlier):,} earlier leads none was {lacks}" in lines(result)
    assert "the model is" not in result.verdict.sentence


def test_without_a_usable_field_every_lead_gets_the_base_rate(home: Home, tmp_path: Path) -> None:
    path = write_export(tmp_path, clear, rows=200)
    agreed_on = propose(path, Told()).agreement
    none = {name: use.model_copy(update={"use": "no"}) for name, use in agreed_on.fields.items()}

    result = train(path, agreed_on.model_copy(update={"fields": none}), home)

    assert result.verdict.scorer == "rules"
    assert "no field is left to predict from" in lines(result)
    assert result.later.probability.tolist() == pytest.approx([result.later.probability[0]] * 60)
    assert loaded(home, result).artefact.scorer.encoder.fields == ()


@pytest.mark.parametrize("rows", [1, 2, 5])
@pytest.mark.parametrize("timed", [True, False])
def test_a_handful_of_leads_is_scored_and_nothing_is_claimed(
    home: Home, tmp_path: Path, rows: int, timed: bool
) -> None:
    def row(e: Enquiry) -> dict[str, object]:
        lead = clear(e)
        return lead if timed else {name: lead[name] for name in ("id", "status", "visits")}

    times = {"created": "created", "closed": "closed"} if timed else {}
    agreed_on = agreed(
        {"id": "id", "outcome": "status", **times},
        {"visits": {"use": "yes", "kind": "number"}},
        outcomes={"won": ["Won"], "lost": ["Lost"]},
        points=[{"field": "visits", "at_least": 10, "points": 10}],
        horizon_days=1,
    )

    result = train(write_export(tmp_path, row, rows=rows), agreed_on, home, preset="fast")

    assert result.verdict.scorer == "rules"
    assert not result.verdict.learnt
    assert all(0 < p < 1 for p in result.later.probability.tolist())


def test_an_export_without_a_known_outcome_is_refused_and_leaves_no_run(tmp_path: Path) -> None:
    agreed_on = propose(write_export(tmp_path, clear, rows=100), Told()).agreement
    path = write_export(tmp_path, lambda e: clear(e) | {"status": "Open"}, rows=100)
    home = home_at(tmp_path / "home")

    with pytest.raises(UsageError, match="no lead has a known outcome"):
        train(path, agreed_on, home)

    assert not home.root.exists()
