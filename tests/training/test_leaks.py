from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
import pytest

from features.cells import Cell
from tests.training.firms import IN_TIME, START, agreed, history, labelled, use
from training.labels import label
from training.leaks import Finding, find_leaks

ROWS = 2000
RANDOM = np.random.default_rng(5)
WON = (RANDOM.random(ROWS) < 0.3).astype(int).tolist()
DRAW = RANDOM.random(ROWS)


def judge(name: str, cells: list[Cell], kind: str = "category") -> Finding:
    """What is found of one field, the outcomes being WON."""
    known = labelled(WON, **{name: cells})
    return find_leaks(known, known.history, agreed(), {name: use(kind)})[name]


def filled(when_won: float, when_lost: float) -> list[Cell]:
    """A field filled for so large a share of the leads, always with the same."""
    shares = [when_won if won else when_lost for won in WON]
    return ["x" if d < share else None for d, share in zip(DRAW, shares, strict=True)]


def mostly(share: float) -> list[Cell]:
    """A category that tells the outcome for so large a share of the leads."""
    return [
        "ab"[won] if d < share else "ab"[int(d * 1e6) % 2] for won, d in zip(WON, DRAW, strict=True)
    ]


NOISE: list[Cell] = ["abcd"[int(d * 1e6) % 4] for d in DRAW]
MODEST = mostly(0.3)


def test_a_field_that_nearly_tells_the_outcome_is_blocked() -> None:
    finding = judge("colour", mostly(0.95))

    assert finding.verdict == "blocked"
    assert "alone it tells won from lost" in finding.reason


def test_a_number_that_nearly_tells_the_outcome_is_blocked() -> None:
    cells: list[Cell] = [won * 2 + d for won, d in zip(WON, DRAW, strict=True)]

    assert judge("amount", cells, "number").verdict == "blocked"


def test_a_field_filled_for_one_outcome_only_is_blocked_though_it_is_rarely_filled() -> None:
    finding = judge("discount", filled(0.2, 0.002))

    assert finding.verdict == "blocked"
    assert "whether it is filled gives the outcome away" in finding.reason


def test_a_field_whose_being_filled_tells_the_outcome_is_blocked() -> None:
    assert judge("branch", filled(0.9, 0.2)).verdict == "blocked"


def test_a_lopsided_fill_is_suspect() -> None:
    finding = judge("branch", filled(0.3, 0.05))

    assert finding.verdict == "suspect"
    assert "once the outcome shows" in finding.reason


@pytest.mark.parametrize(
    "name",
    ["Lead Quality", "Tags", "last_activity", "LastModifiedBy", "Lost reason", "DealStage",
     "call_minutes", "lead-status", "Angebot", "Notes", "Phase"],
)  # fmt: skip
def test_a_telling_name_with_signal_is_suspect(name: str) -> None:
    finding = judge(name, MODEST)

    assert finding.verdict == "suspect"
    assert f"AUC {finding.evidence.auc_alone:.2f} alone" in finding.reason


@pytest.mark.parametrize("name", ["Lead Quality", "Tags", "Do Not Call", "status"])
def test_a_telling_name_without_signal_is_fine(name: str) -> None:
    assert judge(name, NOISE).verdict == "fine"


@pytest.mark.parametrize(
    "name",
    ["marital_status", "Marital Status", "State", "annual_revenue", "previous_contacts", "age",
     "employment_status", "Country", "Statement", "Deal - Source channel", "offerings", "Software"],
)  # fmt: skip
def test_an_honest_field_with_signal_is_not_accused(name: str) -> None:
    assert judge(name, MODEST).verdict == "fine"


def test_a_strong_but_honest_field_is_not_accused() -> None:
    finding = judge("minutes on website", mostly(0.55))

    assert finding.evidence.auc_alone > 0.75
    assert finding.verdict == "fine"


def test_values_under_which_the_outcome_is_all_but_certain_are_suspect() -> None:
    cells: list[Cell] = [
        "sure" if won and d < 0.7 else "rest" for won, d in zip(WON, DRAW, strict=True)
    ]

    finding = judge("branch", cells)

    assert finding.verdict == "suspect"
    assert "all but certain" in finding.reason


@pytest.mark.parametrize("name", ["Activity Score", "health_index", "CreditGrade", "propensity"])
def test_the_score_of_another_system_cannot_be_told(name: str) -> None:
    finding = judge(name, MODEST)

    assert finding.verdict == "cannot_tell"
    assert "no statistic of one export shows when" in finding.reason


def test_another_systems_score_that_nearly_tells_the_outcome_is_blocked() -> None:
    assert judge("Activity Score", mostly(0.95)).verdict == "blocked"


def test_an_empty_field_is_fine() -> None:
    finding = judge("branch", [None] * ROWS)

    assert finding.verdict == "fine"
    assert finding.evidence.auc_alone == 0.5


def test_a_field_of_noise_is_fine() -> None:
    assert judge("branch", NOISE).verdict == "fine"


def date_field(days_after: float) -> Finding:
    """What is found of a date that lies so many days after the creation of each lead."""
    created = [START + timedelta(days=i / 5) for i in range(ROWS)]
    dates: list[Cell] = [(t + timedelta(days=days_after)).isoformat() for t in created]
    told = history(["won" if won else "lost" for won in WON], created, columns={"seen": dates})
    agreement = agreed(IN_TIME)
    return find_leaks(label(told, agreement), told, agreement, {"seen": use("date")})["seen"]


def test_a_date_after_the_creation_of_the_leads_is_suspect() -> None:
    finding = date_field(days_after=20)

    assert finding.verdict == "suspect"
    assert "lies after the creation" in finding.reason


@pytest.mark.parametrize("days", [-10.0, 0.5])
def test_a_date_before_or_on_the_day_of_creation_is_fine(days: float) -> None:
    assert date_field(days).verdict == "fine"


def test_fill_on_open_leads_is_part_of_the_evidence() -> None:
    told = history(
        ["won", "lost"] * 50 + ["open"] * 4,
        columns={"branch": ["a"] * 100 + ["a", None, None, None]},
    )

    finding = find_leaks(label(told, agreed()), told, agreed(), {"branch": use()})["branch"]

    assert finding.evidence.filled_open == 0.25


def test_a_finding_is_given_as_json_values() -> None:
    content = judge("branch", NOISE).as_dict()

    assert content["verdict"] == "fine"
    assert isinstance(content["evidence"], dict)


def test_the_evidence_of_fill_is_the_log_of_the_ratio() -> None:
    evidence = judge("branch", filled(0.5, 0.25)).evidence

    assert evidence.fill_log_ratio == pytest.approx(math.log(2), abs=0.2)


def test_a_token_that_gives_the_outcome_away_is_found_among_the_others() -> None:
    cells: list[Cell] = [
        f"{'red' if d < 0.5 else 'blue'};{'signed' if won else 'ghosted'}"
        for won, d in zip(WON, DRAW, strict=True)
    ]

    assert judge("interests", cells, "options").verdict == "blocked"


def test_with_few_leads_a_telling_name_needs_more_than_chance() -> None:
    random = np.random.default_rng(5)
    verdicts = []
    for _ in range(10):
        cells = random.choice(["a", "b", "c"], size=300).tolist()
        few = labelled([1] * 24 + [0] * 276, **{"notes": cells})
        verdicts.append(find_leaks(few, few.history, agreed(), {"notes": use()})["notes"].verdict)

    assert verdicts.count("fine") >= 9
