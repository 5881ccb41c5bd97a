"""Leaks among many fields: what one adds to the others, and what chance does among many."""

from __future__ import annotations

import numpy as np

from features.cells import Cell
from tests.training.firms import agreed, labelled, use
from training.leaks import Finding, find_leaks

ROWS = 2000
WON = (np.random.default_rng(5).random(ROWS) < 0.3).astype(int).tolist()


def side_by_side() -> dict[str, Finding]:
    """Two honest fields, a leak that is blocked alone, and a weaker one behind it."""
    random = np.random.default_rng(8)

    def telling(share: float) -> list[Cell]:
        known = random.random(ROWS) < share
        return [
            "ab"[won if k else int(random.random() < 0.5)]
            for won, k in zip(WON, known, strict=True)
        ]

    columns = {
        "form": telling(0.5),
        "size": telling(0.3),
        "all": telling(0.97),
        "most": telling(0.67),
    }
    known = labelled(WON, **columns)
    return find_leaks(known, known.history, agreed(), {name: use() for name in columns})


def test_a_leak_hidden_behind_another_is_found_when_that_is_gone() -> None:
    found = side_by_side()

    assert found["all"].verdict == "blocked"
    assert found["most"].verdict == "suspect"
    assert "with it a model orders the leads" in found["most"].reason


def test_honest_fields_beside_leaks_stay_fine() -> None:
    found = side_by_side()

    assert {found["form"].verdict, found["size"].verdict} == {"fine"}


def test_what_a_field_adds_is_measured_beside_honest_fields_only() -> None:
    evidence = side_by_side()["all"].evidence

    assert (evidence.auc_without or 1) < 0.85 < (evidence.auc_with or 0)


def test_sixty_leads_and_chance_accuse_no_field() -> None:
    random = np.random.default_rng(11)
    won = (random.random(60) < 0.4).astype(int).tolist()
    columns: dict[str, list[Cell]] = {
        f"f{i}": [None if d < 0.1 else d for d in random.random(60)] for i in range(40)
    }
    known = labelled(won, **columns)

    found = find_leaks(known, known.history, agreed(), {n: use("number") for n in columns})

    assert {n for n, finding in found.items() if finding.verdict != "fine"} == set()


def test_judging_twice_gives_the_same() -> None:
    assert side_by_side() == side_by_side()
