"""What times and open leads tell of a field: written before the sale, or with it."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from features.cells import Cell
from tests.training.firms import IN_TIME, START, agreed, history, use
from tests.training.test_leaks import DRAW, ROWS, WON
from training.labels import label
from training.leaks import Finding, find_leaks


def date_field(days_after: float, later_if_won: float = 0.0, name: str = "seen") -> Finding:
    """What is found of a date that lies so many days after the creation of each lead."""
    created = [START + timedelta(days=i / 5) for i in range(ROWS)]
    days = [days_after + later_if_won * (won + 2 * d) for won, d in zip(WON, DRAW, strict=True)]
    dates: list[Cell] = [
        (t + timedelta(days=after)).isoformat() for t, after in zip(created, days, strict=True)
    ]
    told = history(["won" if won else "lost" for won in WON], created, columns={name: dates})
    agreement = agreed(IN_TIME)
    return find_leaks(label(told, agreement), told, agreement, {name: use("date")})[name]


def test_a_date_after_the_creation_of_the_leads_that_tells_is_suspect() -> None:
    finding = date_field(days_after=20, later_if_won=8)

    assert finding.verdict == "suspect"
    assert "lies after the creation" in finding.reason


def test_a_date_after_the_creation_that_tells_nothing_may_be_planned_and_is_not_accused() -> None:
    finding = date_field(days_after=20)

    assert finding.verdict == "cannot_tell"
    assert "unless it is a date that the lead planned" in finding.reason


def test_a_date_after_the_creation_of_what_happened_last_is_suspect_though_it_tells_nothing() -> (
    None
):
    assert date_field(days_after=20, name="last_login").verdict == "suspect"


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


def of_ages(filled_when_open: float, new_form: bool = False) -> Finding:
    """What is found of a nameless field in 1,000 leads of which each second is still open."""
    random = np.random.default_rng(3)
    created = [START + timedelta(days=i / 2) for i in range(1000)]
    states = [("won", "open", "lost", "open")[i % 4] for i in range(1000)]
    chance = [filled_when_open if state == "open" else 0.8 for state in states]
    if new_form:
        chance = [0.8 if i > 500 else 0.0 for i in range(1000)]
    cells: list[Cell] = ["x" if random.random() < share else None for share in chance]
    told = history(states, created, columns={"branch": cells})
    agreement = agreed(IN_TIME)
    return find_leaks(label(told, agreement), told, agreement, {"branch": use()})["branch"]


def test_a_field_filled_only_once_leads_are_decided_is_suspect() -> None:
    finding = of_ages(filled_when_open=0.02)

    assert finding.verdict == "suspect"
    assert "at equal age" in finding.reason


def test_a_field_that_a_new_form_brought_is_fine() -> None:
    finding = of_ages(filled_when_open=0.8, new_form=True)

    assert finding.verdict == "fine"
    assert (finding.evidence.filled_young or 0) > 0.7
    assert finding.evidence.filled_old == 0.0
