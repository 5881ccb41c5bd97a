from __future__ import annotations

from typing import Any

import pytest

from features.home import Home
from tests.conftest import home_at
from training.registry import connect, load_champion
from training.track import EXPERIMENT, Record, Trial, keep_prospective, register

WINDOW = "2024-01-01 to 2024-09-30"


@pytest.fixture(scope="module")
def kept(three_runs: Home, tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, list[Any]]:
    """A home, and its runs: one training with two trials."""
    home = home_at(tmp_path_factory.mktemp("track"))
    record = Record(
        name="tuned",
        parameters={"recipe": "made up"},
        metrics={"log_loss": 0.4},
        tags={"data": "d" * 32, "judged_on": "e" * 32, "agreement": "1-abc", "data_window": WINDOW},
        figures={},
        tables={},
        trials=[Trial(f"depth {d}", {"depth": d}, {"log_loss": 0.4 + d / 100}) for d in (3, 5)],
    )
    register(home, load_champion(three_runs).artefact, record, promote=False)
    client = connect(home)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    return home, client.search_runs([experiment.experiment_id])


def run_of(kept: tuple[Home, list[Any]], name: str) -> Any:
    return next(run for run in kept[1] if run.info.run_name == name)


def test_trials_are_runs_within_the_run_of_their_training(kept) -> None:
    parent = run_of(kept, "tuned").info.run_id

    for depth in (3, 5):
        trial = run_of(kept, f"depth {depth}")
        assert trial.data.tags["mlflow.parentRunId"] == parent
        assert trial.data.params == {"depth": str(depth)}
        assert trial.data.metrics == {"log_loss": 0.4 + depth / 100}
    assert len(kept[1]) == 3


def test_the_leads_are_named_by_digest_and_window_alone(kept) -> None:
    inputs = run_of(kept, "tuned").inputs.dataset_inputs

    contexts = {i.tags[0].value: i.dataset for i in inputs}
    assert {name: d.digest for name, d in contexts.items()} == {
        "training": "d" * 32, "judging": "e" * 32,
    }  # fmt: skip
    assert contexts["training"].profile == f'{{"created": "{WINDOW}"}}'
    assert {(d.name, d.source, d.schema) for d in contexts.values()} == {
        ("leads", '{"tags": {}}', None)
    }


def test_agreement_code_and_window_are_tags(kept) -> None:
    tags = run_of(kept, "tuned").data.tags

    assert (tags["agreement"], tags["data_window"]) == ("1-abc", WINDOW)
    assert tags["code"]


def test_no_login_name_and_no_path_of_a_program_is_kept(kept) -> None:
    client, training = connect(kept[0]), run_of(kept, "tuned")
    model = client.get_logged_model(training.outputs.model_outputs[0].model_id)

    for tags in (model.tags, *(run.data.tags for run in kept[1])):
        assert (tags["mlflow.user"], tags["mlflow.source.name"]) == ("leadq", "leadq")


def test_of_a_version_that_was_deleted_nothing_is_kept_and_nothing_known(kept) -> None:
    evaluation: Any = None
    assert keep_prospective(kept[0], "99", evaluation) == {}
