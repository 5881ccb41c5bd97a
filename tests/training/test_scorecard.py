from __future__ import annotations

import numpy as np
import pytest

from features.agreement import Agreement, PointsRule
from features.cells import Cell
from features.points import points_faults
from tests.training.firms import agreed, labelled
from training.labels import Labelled
from training.scorecard import MOST_RULES, propose_points

KINDS = {
    "source": "category", "size": "number", "wants": "options", "mail": "email", "note": "text",
}  # fmt: skip
AGREED = agreed(fields={name: {"use": "yes", "kind": kind} for name, kind in KINDS.items()})


def told(rows: int = 2000, seed: int = 1, effect: float = 1.5) -> Labelled:
    """Leads by word of mouth, large firms and those who want a call buy; no note is a bad sign."""
    generator = np.random.default_rng(seed)
    source = generator.choice(["web", "fair", "word of mouth"], rows, p=[0.6, 0.3, 0.1])
    size = np.round(np.exp(generator.normal(4, 1.5, rows)))
    call, note = generator.random(rows) < 0.3, generator.random(rows) < 0.5
    good = 1.0 * (source == "word of mouth") + (size > 150) + call + note - 1.3
    won = generator.random(rows) < 1 / (1 + np.exp(-effect * (good - 0.4)))
    columns: dict[str, list[Cell]] = {
        "source": [str(s) for s in source],
        "size": [float(s) for s in size],
        "wants": ["call; demo" if c else "demo" for c in call],
        "mail": [f"lead{i}@gmail.com" for i in range(rows)],
        "note": [f"please write to lead {i}" if n else None for i, n in enumerate(note)],
    }
    return labelled(won.astype(int).tolist(), **columns)


@pytest.fixture(scope="module")
def card() -> list[PointsRule]:
    return propose_points(told(), AGREED)


def points(card: list[PointsRule], field: str) -> list[tuple[object, int]]:
    keys = ("is_", "at_least", "at_most", "filled")
    said = [next(v for k in keys if (v := getattr(rule, k)) is not None) for rule in card]
    return [(s, r.points) for s, r in zip(said, card, strict=True) if r.field == field]


def test_what_is_clearly_better_gets_points(card: list[PointsRule]) -> None:
    assert (["word of mouth"], 20) in [(s, min(p, 20)) for s, p in points(card, "source")]
    assert [s for s, p in points(card, "wants") if p > 0] == [["call"]]


def test_large_numbers_are_marked_off_near_where_they_begin_to_count(
    card: list[PointsRule],
) -> None:
    bounds = [r.at_least for r in card if r.field == "size" and r.at_least is not None]

    assert len(bounds) == 1
    assert 80 < bounds[0] < 200


def test_what_is_missing_may_cost_points(card: list[PointsRule]) -> None:
    assert [(s, p < 0) for s, p in points(card, "note")] in ([(False, True)], [(True, False)])


def test_points_are_multiples_of_five_with_a_reason(card: list[PointsRule]) -> None:
    assert all(rule.points % 5 == 0 and rule.points != 0 for rule in card)
    assert all("earlier leads were won" in rule.why for rule in card)


def test_a_proposed_rule_can_count(card: list[PointsRule]) -> None:
    assert not list(points_faults(AGREED.model_copy(update={"points": card})))


def test_the_same_leads_give_the_same_rules(card: list[PointsRule]) -> None:
    assert propose_points(told(), AGREED) == card


def test_a_field_that_waits_for_a_decision_gets_no_points() -> None:
    waiting = {**AGREED.fields, "size": AGREED.fields["size"].model_copy(update={"use": "decide"})}

    card = propose_points(told(), AGREED.model_copy(update={"fields": waiting}))

    assert "size" not in {rule.field for rule in card}


def test_a_category_of_few_leads_is_not_named() -> None:
    few: list[Cell] = ["Anna" if i < 9 else "others" for i in range(400)]
    agreement = agreed(fields={"who": {"use": "yes"}})

    assert propose_points(labelled([1] * 60 + [0] * 340, who=few), agreement) == []


def test_too_few_leads_get_no_rules() -> None:
    agreement = agreed(fields={"who": {"use": "yes"}})
    who: list[Cell] = ["a"] * 15 + ["b"] * 100

    assert propose_points(labelled([1] * 15 + [0] * 100, who=who), agreement) == []


def many(rows: int, fields: int, seed: int) -> tuple[Labelled, Agreement]:
    """Random labels beside random categories."""
    generator = np.random.default_rng(seed)
    columns: dict[str, list[Cell]] = {
        f"f{i}": [f"v{v}" for v in generator.integers(0, 5, rows)] for i in range(fields)
    }
    agreement = agreed(fields={name: {"use": "yes"} for name in columns})
    return labelled((generator.random(rows) < 0.3).astype(int).tolist(), **columns), agreement


def test_random_labels_seldom_give_a_rule() -> None:
    draws = [propose_points(*many(400, 10, seed)) for seed in range(40)]

    assert sum(bool(card) for card in draws) <= 5


def test_two_fields_that_say_the_same_give_one_rule() -> None:
    outcomes = told()
    source = outcomes.history.leads.column("source")
    twice = labelled(outcomes.labels.tolist(), source=source, origin=list(source))
    agreement = agreed(fields={"source": {"use": "yes"}, "origin": {"use": "yes"}})

    assert {rule.field for rule in propose_points(twice, agreement)} == {"source"}


def test_there_are_never_more_rules_than_people_can_read() -> None:
    generator = np.random.default_rng(1)
    won = generator.random(5000) < 0.3
    columns: dict[str, list[Cell]] = {}
    for i in range(30):
        shown = generator.random(5000) < np.where(won, 0.6, 0.4)
        columns[f"f{i}"] = ["yes" if s else "no" for s in shown]
    agreement = agreed(fields={name: {"use": "yes"} for name in columns})

    card = propose_points(labelled(won.astype(int).tolist(), **columns), agreement)

    assert 10 <= len(card) <= MOST_RULES
