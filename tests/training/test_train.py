from __future__ import annotations

from pathlib import Path

import pytest

from features.agreement import Agreement, FieldUse, load
from features.errors import AgreementError, ModelError
from features.files import open_table
from features.home import Home
from features.reading import Intake, read_history
from tests.conftest import home_at
from tests.training.firms import clear, write_export
from training.choose import LeftOut, choose_fields
from training.labels import label
from training.propose import propose
from training.registry import CHALLENGER, CHAMPION, MODEL, connect, load_champion
from training.render import render
from training.roles import Told
from training.track import promote
from training.train import Training, train

LEAKS = ["tag", "quote_amount", "close_reason", "deal_value", "last_activity", "call_minutes"]
SUSPECTS = ["lead_rating"]


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small export of honest fields."""
    return write_export(tmp_path_factory.mktemp("firm"), clear, rows=500)


@pytest.fixture(scope="module")
def small(export: Path) -> Agreement:
    """Its proposed agreement."""
    path = export.with_name("agreement.toml")
    path.write_text(render(propose(export, Told())), encoding="utf-8")
    return load(path)


@pytest.fixture(scope="module")
def workshop(
    export: Path, small: Agreement, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Home, list[Training]]:
    """A home with two trainings on the same export."""
    home = home_at(tmp_path_factory.mktemp("workshop"))
    return home, [
        train(export, small, home, recipe=r, preset="fast") for r in ("logistic", "trees")
    ]


def with_field(agreement: Agreement, name: str, **changes: str) -> Agreement:
    """The agreement with one field changed."""
    use = FieldUse.model_validate(agreement.fields[name].model_dump() | changes)
    return agreement.model_copy(update={"fields": {**agreement.fields, name: use}})


def left_out_by_name(result: Training) -> dict[str, LeftOut]:
    return {found.field: found for found in result.choice.left_out}


def test_blocked_and_suspect_fields_are_left_out(trained: tuple[Home, Training]) -> None:
    verdicts = {name: f.verdict for name, f in left_out_by_name(trained[1]).items()}

    assert verdicts == dict.fromkeys(LEAKS, "blocked") | dict.fromkeys(
        [*SUSPECTS, "contract_until"], "suspect"
    )


def test_no_field_that_is_left_out_is_used(trained: tuple[Home, Training]) -> None:
    used = [field.field for field in trained[1].scorer.encoder.fields]

    assert used == list(trained[1].choice.fields)
    assert not set(used) & set(LEAKS + SUSPECTS)


@pytest.mark.parametrize("name", SUSPECTS)
def test_what_a_suspect_would_change_is_measured(trained: tuple[Home, Training], name: str) -> None:
    found = left_out_by_name(trained[1])[name]

    assert found.auc_with is not None
    assert found.auc_without is not None
    assert found.auc_with > found.auc_without


@pytest.mark.parametrize("name", LEAKS)
def test_what_a_leak_would_change_is_not_measured(
    trained: tuple[Home, Training], name: str
) -> None:
    assert left_out_by_name(trained[1])[name].auc_with is None


def test_it_predicts_what_later_leads_do(trained: tuple[Home, Training]) -> None:
    result = trained[1].evaluation

    assert result is not None
    assert result.roc_auc > 0.7
    assert result.mean_predicted == pytest.approx(result.mean_actual, rel=0.25)


def test_it_is_judged_on_later_leads_only(trained: tuple[Home, Training]) -> None:
    split, created = trained[1].split, trained[1].labelled.history.leads.created

    earlier, later = ([created[i] for i in rows] for rows in (split.earlier, split.later))

    assert max(filter(None, earlier)) < min(filter(None, later))


def test_a_leak_that_the_agreement_allows_is_blocked_all_the_same(
    crm: Path, agreement: Agreement
) -> None:
    chosen, left_out = chosen_fields(crm / "export.csv", with_field(agreement, "tag", use="yes"))

    assert "tag" not in chosen
    assert "blocked" in [found.verdict for found in left_out if found.field == "tag"]


def test_a_stated_reason_overrules_a_verdict(crm: Path, agreement: Agreement) -> None:
    allowed = with_field(agreement, "tag", use="yes", why="written by the form")

    chosen, left_out = chosen_fields(crm / "export.csv", allowed)

    assert "tag" in chosen
    assert "tag" not in [found.field for found in left_out]


def test_a_field_that_waits_for_a_decision_is_left_out_though_it_is_fine(
    crm: Path, agreement: Agreement
) -> None:
    waiting = with_field(agreement, "industry", use="decide")

    chosen, left_out = chosen_fields(crm / "export.csv", waiting)

    assert "industry" not in chosen
    assert LeftOut("industry", "suspect", "waits for a decision") in left_out


def test_a_field_that_was_turned_down_is_not_mentioned(crm: Path, agreement: Agreement) -> None:
    _, left_out = chosen_fields(crm / "export.csv", with_field(agreement, "industry", use="no"))

    assert "industry" not in [found.field for found in left_out]


def chosen_fields(path: Path, agreement: Agreement) -> tuple[dict[str, FieldUse], list[LeftOut]]:
    """The fields that a training would choose."""
    told = read_history(open_table(path), agreement, Intake())
    choice = choose_fields(label(told, agreement), told, agreement)
    return choice.fields, choice.left_out


@pytest.fixture(scope="module")
def again(
    export: Path, small: Agreement, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Training, list[str]]:
    """The second training once more in another home, and the steps it showed."""
    steps: list[str] = []
    home = home_at(tmp_path_factory.mktemp("again"))
    return train(export, small, home, recipe="trees", progress=steps.append, preset="fast"), steps


def test_the_same_seed_gives_the_same_model_in_another_home(
    workshop: tuple[Home, list[Training]], again: tuple[Training, list[str]]
) -> None:
    assert again[0].registered.digest == workshop[1][1].registered.digest


def test_every_step_is_shown(again: tuple[Training, list[str]]) -> None:
    steps = again[1]

    assert (steps[0], steps[-1]) == ("reading the export", "registering")
    assert "looking for leaks" in steps
    assert "judging on later leads" in steps


def test_another_seed_gives_another_model(
    export: Path, small: Agreement, workshop: tuple[Home, list[Training]], tmp_path: Path
) -> None:
    other = train(export, small, home_at(tmp_path), recipe="trees", seed=1, preset="fast")

    assert other.registered.digest != workshop[1][1].registered.digest


def test_the_first_model_becomes_champion_and_the_second_challenger(
    workshop: tuple[Home, list[Training]],
) -> None:
    home, trainings = workshop
    client = connect(home)

    assert [t.registered.is_champion for t in trainings] == [True, False]
    assert [t.verdict.scorer for t in trainings] == ["model", "model"]
    assert str(client.get_model_version_by_alias(MODEL, CHAMPION).version) == "1"
    assert str(client.get_model_version_by_alias(MODEL, CHALLENGER).version) == "2"


def test_a_version_is_tagged_with_digest_and_agreement(
    workshop: tuple[Home, list[Training]], small: Agreement
) -> None:
    home, trainings = workshop
    registered = trainings[1].registered

    tags = connect(home).get_model_version(MODEL, registered.version).tags

    assert tags["digest"] == registered.digest
    assert tags["agreement"] == small.label


def test_a_run_keeps_parameters_counts_and_figures(workshop: tuple[Home, list[Training]]) -> None:
    home, trainings = workshop
    client = connect(home)
    run = client.get_run(trainings[0].registered.run_id)

    files = {item.path for item in client.list_artifacts(run.info.run_id)}

    assert files >= {"gain.png", "calibration.png", "left_out.json", "unlabelled.json"}
    assert run.data.params.keys() >= {"recipe", "seed", "horizon_days", "rows_read", "won"}
    assert run.data.tags.keys() >= {"agreement", "code", "data", "digest", "judged_on"}


def test_the_champion_loads_as_it_was_registered(workshop: tuple[Home, list[Training]]) -> None:
    home, trainings = workshop

    champion = load_champion(home)

    assert champion.digest == trainings[0].registered.digest


def test_promoting_switches_the_champion_and_names_the_one_before(
    workshop: tuple[Home, list[Training]],
) -> None:
    home, _ = workshop

    before = promote(home, "2")
    switched = load_champion(home).version
    promote(home, "1")

    assert (before, switched, load_champion(home).version) == ("1", "2", "1")


def test_a_version_that_is_not_there_cannot_be_promoted(
    workshop: tuple[Home, list[Training]],
) -> None:
    with pytest.raises(ModelError, match="no version '9' of the model; there are: 1, 2"):
        promote(workshop[0], "9")


def test_an_export_without_id_and_time_trains(tmp_path: Path) -> None:
    path = write_export(
        tmp_path, lambda e: {"size": e.size, "bought": e.state == "won", "source": e.source}
    )

    result = train(path, propose(path, Told()).agreement, home_at(tmp_path), recipe="logistic")

    assert "drift cannot be seen" in result.split.method


def test_an_export_of_another_firm_is_refused(crm: Path, small: Agreement, tmp_path: Path) -> None:
    with pytest.raises(AgreementError, match="columns that the file does not have: created"):
        train(crm / "export.csv", small, home_at(tmp_path))


def test_of_very_many_leads_a_part_judges_and_the_sentence_says_so(
    export: Path, small: Agreement, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("splits", "train", "record"):
        monkeypatch.setattr(f"training.{module}.MOST_JUDGED", 60)

    result = train(export, small, home_at(tmp_path), recipe="logistic", preset="fast")

    assert len(result.split.later) == len(result.later.labels) <= 60
    assert result.split.method.endswith("such leads a regular part judges")
    assert len(result.labelled.labels) > 300
    assert load_champion(home_at(tmp_path)).artefact.facts["leads"] == len(result.labelled.labels)
