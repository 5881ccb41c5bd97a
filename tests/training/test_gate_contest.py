"""Fitted scorers held against each other on later leads, as they would be served."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.special import expit

from features.agreement import FieldUse
from features.cells import Cell
from serving.scorer import Scorer
from tests.training.firms import START, agreed, history, labelled, use
from training.fit import FAST, fit
from training.gate import contest, new_suspects
from training.labels import Labelled
from training.leaks import find_leaks
from training.points import rules_scorer
from training.window import window_of

FIELDS: dict[str, FieldUse] = {
    "size": use("number"),
    "visits": use("number"),
    "close_reason": use(),
}


def firm(rows: int, seed: int) -> Labelled:
    """Leads of a firm whose larger and keener customers buy."""
    generator = np.random.default_rng(seed)
    facts = generator.normal(size=(rows, 2))
    won = generator.random(rows) < expit(-1 + 1.2 * facts[:, 0] + facts[:, 1])
    columns: dict[str, list[Cell]] = {"size": facts[:, 0].tolist(), "visits": facts[:, 1].tolist()}
    return labelled(won.astype(int).tolist(), **columns)


def leaking(part: Labelled) -> Labelled:
    """The same leads with a field that is written when a deal is lost."""
    reasons: list[Cell] = [None if won else "price" for won in part.labels.tolist()]
    leads = part.history.leads
    columns = {**leads.columns, "close_reason": reasons}
    return replace(part, history=replace(part.history, leads=replace(leads, columns=columns)))


def fitted(part: Labelled, fields: list[str]) -> Scorer:
    chosen = {name: FIELDS[name] for name in fields}
    ones = np.ones(len(part.labels))
    leads = part.history.leads
    return fit(leads, part.labels, ones, agreed(), chosen, "logistic", effort=FAST).scorer


def test_scorers_meet_as_they_would_be_served() -> None:
    earlier, later = firm(600, 1), firm(1500, 2)

    verdict = contest(fitted(earlier, ["size"]), fitted(earlier, ["size", "visits"]), later)

    assert verdict.promoted, verdict.reasons


def test_where_there_is_no_champion_the_agreed_points_are_it() -> None:
    earlier, later = firm(600, 1), firm(1500, 2)

    verdict = contest(
        rules_scorer(agreed(), {"size": use("number")}, earlier), fitted(earlier, ["size"]), later
    )

    assert verdict.promoted, verdict.reasons
    assert "the model scores" in verdict.headline


def test_a_challenger_of_shuffled_labels_is_refused() -> None:
    earlier, later = firm(600, 1), firm(1500, 2)
    shuffled = replace(earlier, labels=np.random.default_rng(3).permutation(earlier.labels))

    verdict = contest(fitted(earlier, ["size"]), fitted(shuffled, ["size", "visits"]), later)

    assert "shuffled labels" in verdict.headline


def test_a_challenger_of_a_leaked_field_is_refused_though_it_looks_excellent() -> None:
    earlier, later = leaking(firm(600, 1)), leaking(firm(1500, 2))
    fields = ["size", "visits", "close_reason"]
    findings = find_leaks(earlier, earlier.history, agreed(), {n: FIELDS[n] for n in fields})
    champion, challenger = fitted(earlier, ["size", "visits"]), fitted(earlier, fields)
    suspects = new_suspects(findings, fields, {"size": "fine", "visits": "fine"})

    verdict = contest(champion, challenger, later, suspects)

    assert {"leak in close_reason", "too good"} <= {
        check.name for check in verdict.checks if not check.passed
    }
    assert "'close_reason' may give the outcome away" in verdict.headline


def test_a_window_knows_its_days_and_campaigns() -> None:
    told = history(
        ["won", "lost"],
        created=[START, START.replace(day=4)],
        columns={"campaign": ["spring", None]},
    )
    part = Labelled(told, np.array([1, 0], dtype=np.int8), {}, None)  # type: ignore[arg-type]

    window = window_of(part, agreed(columns={"created": "created", "campaign": "campaign"}))

    assert window.day is not None
    assert window.day.tolist() == [0, 3]
    assert window.campaign == ["spring", None]
    assert window.days == "2024-01-01 to 2024-01-04"
