from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from features.home import Home
from tests.conftest import home_at
from tests.training.firms import Enquiry, write_export
from training.compare import METRICS, Row, compare
from training.propose import propose
from training.roles import Told
from training.train import train


def firm(e: Enquiry) -> dict[str, object]:
    """A small export without a time."""
    return {"id": e.code, "size": e.size, "source": e.source, "won": e.state == "won"}


@pytest.fixture(scope="module")
def groups(tmp_path_factory: pytest.TempPathFactory) -> list[list[Row]]:
    """Three runs on one export; the last under another seed, so on other leads, and promoted."""
    folder = tmp_path_factory.mktemp("compare")
    path = write_export(folder, firm)
    agreement = propose(path, Told()).agreement
    home = home_at(folder / "home")
    for name, recipe, seed in (("a", "logistic", 0), ("b", "trees", 0), ("c", "logistic", 1)):
        train(path, agreement, home, name, recipe, seed, promote=name == "c")  # type: ignore[arg-type]
    return compare(home)


def test_only_runs_judged_on_the_same_leads_stand_together(groups: list[list[Row]]) -> None:
    assert [{row.run for row in group} for group in groups] == [{"c"}, {"a", "b"}]
    assert len({row.judged_on for row in groups[1]}) == 1


def test_the_best_by_log_loss_stands_first(groups: list[list[Row]]) -> None:
    losses = [row.metrics["log_loss"] for row in groups[1]]

    assert losses == sorted(losses)


def test_the_promoted_run_is_marked_as_champion(groups: list[list[Row]]) -> None:
    assert [row.version for group in groups for row in group if row.is_champion] == ["3"]


def test_every_run_has_its_version_recipe_and_figures(groups: list[list[Row]]) -> None:
    rows = {row.run: row for group in groups for row in group}

    assert {name: (row.version, row.recipe) for name, row in rows.items()} == {
        "a": ("1", "logistic"), "b": ("2", "trees"), "c": ("3", "logistic"),
    }  # fmt: skip
    assert set(rows["a"].metrics) == set(METRICS)


def test_a_row_is_given_as_json_values(groups: list[list[Row]]) -> None:
    row = groups[0][0]

    assert json.loads(json.dumps(row.as_dict())) == dataclasses.asdict(row)


def test_a_home_without_runs_has_nothing_to_compare(tmp_path: Path) -> None:
    assert compare(home_at(tmp_path)) == []


def test_homes_never_meet(groups: list[list[Row]], trained: tuple[Home, object]) -> None:
    elsewhere = {row.run_id for group in compare(trained[0]) for row in group}

    assert not elsewhere & {row.run_id for group in groups for row in group}
