from __future__ import annotations

import dataclasses
import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from features.errors import ModelError, UsageError
from features.home import Home
from serving.artefact import Artefact
from serving.members import Vector
from tests.conftest import home_at
from tests.training.firms import START
from training.compare import METRICS, Group, compare, load_later
from training.compare_words import compare_json, pair_lines
from training.later import later_table
from training.registry import load_champion
from training.track import Record, Trial, promote, register

LEADS = 800
DRAW = np.random.default_rng(0)
FACTS = DRAW.normal(size=(LEADS, 2))


def chance(log_odds: Vector) -> Vector:
    return 1 / (1 + np.exp(-log_odds))


KNOWING = chance(-1.0 + FACTS[:, 0] + FACTS[:, 1])
BLIND = chance(-0.8 + 0.8 * FACTS[:, 0])
WON = (DRAW.random(LEADS) < KNOWING).astype(np.int8)
NOISY = chance(np.log(BLIND / (1 - BLIND)) + DRAW.normal(0, 0.05, LEADS))


def record(name: str, said: Vector, judged_on: str = "a" * 32, keeps: bool = True) -> Record:
    """A run on invented leads, one every six hours."""
    ids, created = (
        [f"{i:04}" for i in range(LEADS)],
        [START + timedelta(hours=6 * i) for i in range(LEADS)],
    )
    figures = {**dict.fromkeys(METRICS, 0.5), "rows": LEADS}
    figures["log_loss"] = float(-np.log(np.where(WON == 1, said, 1 - said)).mean())
    window = "2024-01-01 to 2024-07-18" if judged_on[0] == "a" else "2025-01-01 to 2025-07-18"
    return Record(
        name=name,
        parameters={"recipe": "made up"},
        metrics=figures,
        tags={"agreement": "1-abc", "judged_on": judged_on, "data": "d" * 32,
              "data_window": "2023-01-01 to 2024-07-18", "judged_window": window},
        figures={},
        tables={},
        later=later_table(ids, WON, said, created) if keeps else None,
        trials=[Trial("depth 3", {"depth": 3}, {"log_loss": 0.4})],
    )  # fmt: skip


def unjudged() -> Record:
    """A run whose later leads had one outcome."""
    judged = record("unjudged", KNOWING, keeps=False)
    tags = {name: tag for name, tag in judged.tags.items() if "judged" not in name}
    return dataclasses.replace(judged, metrics={}, tags=tags)


@pytest.fixture(scope="module")
def artefact(three_runs: Home) -> Artefact:
    """A small model; what it would say is of no matter here."""
    return load_champion(three_runs).artefact


@pytest.fixture(scope="module")
def home(artefact: Artefact, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Versions 1 to 5 on the same leads, the first champion; 6 on other leads; 7 not judged."""
    home = home_at(tmp_path_factory.mktemp("compare"))
    for made in (
        record("blind", BLIND),
        record("blind again", BLIND),
        record("noisy", NOISY),
        record("knowing", KNOWING),
        record("old", KNOWING, keeps=False),
        record("elsewhere", KNOWING, judged_on="b" * 32),
        unjudged(),
    ):
        register(home, artefact, made, promote=False)
    return home


@pytest.fixture(scope="module")
def group(home: Home) -> Group:
    """Versions 1 to 5."""
    return compare(home)[1]


def verdicts(group: Group, version: str) -> dict[str, str]:
    return {pair.measure: pair.verdict for pair in group.pairs if pair.version == version}


def test_only_runs_judged_on_the_same_leads_stand_together_the_newest_first(home: Home) -> None:
    found = [sorted(str(row.version) for row in group.rows) for group in compare(home)]

    assert found == [["6"], ["1", "2", "3", "4", "5"]]


def test_the_lowest_log_loss_stands_first(group: Group) -> None:
    losses = [row.metrics["log_loss"] for row in group.rows]

    assert losses == sorted(losses)


def test_every_pair_is_held_against_the_champion(group: Group) -> None:
    assert group.against == "1"
    assert {(pair.version, pair.against) for pair in group.pairs} == {
        ("2", "1"), ("3", "1"), ("4", "1"),
    }  # fmt: skip


def test_the_same_predictions_are_said_to_be_identical(group: Group) -> None:
    assert set(verdicts(group, "2").values()) == {"identical"}
    assert any(
        "version 2 predicts the same as version 1: identical" in t for t in pair_lines(group)
    )


def test_noise_is_not_shown_to_be_better(group: Group) -> None:
    assert set(verdicts(group, "3").values()) == {"not shown"}


def test_a_clearly_better_model_is_shown_to_be_better_and_is_best(group: Group) -> None:
    assert set(verdicts(group, "4").values()) == {"better"}
    assert group.best == "4"


def test_the_sentence_counts_wins_and_says_what_is_shown(group: Group) -> None:
    wins = next(p for p in group.pairs if p.version == "4" and p.measure == "wins_in_top")

    assert wins.top == LEADS // 10
    assert any(
        text.startswith(
            f"  version 4 finds {wins.difference:.0f} more wins in the top 80 than version"
        )
        and text.endswith(": shown to be better")
        for text in pair_lines(group)
    )


def test_an_older_run_is_listed_without_an_interval(group: Group) -> None:
    assert group.unpaired == ["5"]
    assert any("version 5 against 1: no paired interval" in text for text in pair_lines(group))


def test_the_champion_stays_best_unless_another_is_shown_better(home: Home) -> None:
    named = compare(home, ["1", "3"])[0]

    assert named.best == "1"
    assert list(pair_lines(named))[-1].endswith("the champion: no other is shown to be better")


def test_ties_without_the_champion_are_not_called_best(group: Group) -> None:
    rows = [dataclasses.replace(row, is_champion=False) for row in group.rows]
    same = [pair for pair in group.pairs if pair.version == "2"]
    tied = dataclasses.replace(group, rows=rows, pairs=same, unpaired=[], best="1")
    alone = "the champion is not among them"

    assert list(pair_lines(tied))[-1] == (
        f"  best: version 1 or any other: all predict the same; {alone}"
    )
    noisy = dataclasses.replace(tied, pairs=[p for p in group.pairs if p.version == "3"])
    assert (
        f"the lowest log loss: no other is shown to be better; {alone}"
        in (list(pair_lines(noisy))[-1])
    )


def test_without_the_champion_the_lowest_log_loss_is_held_against_the_others(home: Home) -> None:
    named = compare(home, ["4", "3"])[0]

    assert (named.against, named.best) == ("4", "4")
    assert set(verdicts(named, "3").values()) == {"worse"}


def test_versions_judged_on_different_leads_are_refused_and_the_difference_is_named(
    home: Home,
) -> None:
    with pytest.raises(UsageError, match="judged on different leads") as refused:
        compare(home, ["4", "6"])

    said = str(refused.value)
    assert "version 4 on 800 leads of 2024-01-01 to 2024-07-18 under agreement 1-abc" in said
    assert "version 6 on 800 leads of 2025-01-01 to 2025-07-18" in said
    assert refused.value.exit_code == 2


def test_a_version_that_is_not_there_is_named_with_those_that_are(home: Home) -> None:
    with pytest.raises(
        ModelError, match="no version '9' of the model; there are: 1, 2, 3, 4, 5, 6"
    ):
        compare(home, ["1", "9"])


def test_the_top_may_be_chosen_but_not_beyond_the_leads(home: Home) -> None:
    assert {pair.top for pair in compare(home, ["1", "4"], top=50)[0].pairs} == {50}
    with pytest.raises(UsageError, match="top 801 is more than the 800 later leads"):
        compare(home, ["1", "4"], top=801)


def test_the_json_holds_best_groups_and_pairs(home: Home) -> None:
    told = json.loads(json.dumps(compare_json(compare(home))))

    assert told["best"] == "6"
    assert [len(group) for group in told["groups"]] == [1, 5]
    assert {"version", "against", "measure", "difference", "low", "high", "verdict"} <= set(
        told["pairs"][0]
    )


@pytest.fixture(scope="module")
def second(artefact: Artefact, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Version 2 promoted over version 1; versions 3 and 4 with outcomes in another order."""
    home = home_at(tmp_path_factory.mktemp("second"))
    right, turned = (record(name, BLIND, judged_on="c" * 32) for name in ("right", "turned"))
    turned = dataclasses.replace(turned, later=turned.later.take(list(range(LEADS))[::-1]))
    for made in (record("blind", BLIND), record("knowing", KNOWING), right, turned):
        register(home, artefact, made, promote=False)
    promote(home, "2")
    return home


def test_outcomes_that_differ_under_one_digest_are_not_compared(second: Home) -> None:
    with pytest.raises(ModelError, match="their outcomes differ"):
        compare(second, ["3", "4"])


def test_a_promoted_version_becomes_the_one_to_beat(second: Home) -> None:
    [group] = compare(second, ["1", "2"])

    assert (group.against, group.best) == ("2", "2")
    assert set(verdicts(group, "1").values()) == {"worse"}


def test_a_real_training_is_listed_with_its_recipe_and_figures(three_runs: Home) -> None:
    [group] = compare(three_runs)

    assert {row.run: (row.version, row.recipe) for row in group.rows} == {
        "plain": ("1", "logistic"), "trees": ("2", "trees"), "again": ("3", "trees"),
    }  # fmt: skip
    assert all(set(row.metrics) == set(METRICS) for row in group.rows)


def test_real_trainings_are_held_against_the_champion_lead_by_lead(three_runs: Home) -> None:
    [group] = compare(three_runs)

    assert (group.unpaired, group.drawn_by) == ([], "day")
    assert {(pair.version, pair.against) for pair in group.pairs} == {("2", "1"), ("3", "1")}
    assert all(pair.low <= pair.difference <= pair.high for pair in group.pairs)
    assert any(pair.low < pair.high for pair in group.pairs)


def test_what_a_run_said_can_be_loaded_where_it_was_kept(home: Home, group: Group) -> None:
    by_version = {row.version: row.run_id for row in group.rows}
    later = load_later(home, by_version["4"])

    assert later is not None
    assert later.probability == pytest.approx(KNOWING)
    assert load_later(home, by_version["5"]) is None


def test_a_home_without_runs_has_nothing_to_compare(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"no run in {tmp_path} yet; start with: leadq train"):
        compare(home_at(tmp_path))


def test_a_home_with_unjudged_runs_alone_says_that_and_why(
    artefact: Artefact, tmp_path: Path
) -> None:
    for _ in range(2):
        register(home_at(tmp_path), artefact, unjudged(), promote=False)

    with pytest.raises(UsageError, match=r"all 2 runs in .* could not be judged \(version 1, 2\)"):
        compare(home_at(tmp_path))


def test_a_version_that_was_not_judged_is_named_with_the_reason(home: Home) -> None:
    with pytest.raises(UsageError, match=r"version 7 could not be judged: .* all won or none"):
        compare(home, ["1", "7"])


def test_homes_never_meet(home: Home, three_runs: Home) -> None:
    runs = [{r.run_id for group in compare(h) for r in group.rows} for h in (home, three_runs)]

    assert not runs[0] & runs[1]
