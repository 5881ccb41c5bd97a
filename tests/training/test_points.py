from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from features.agreement import Agreement
from features.cells import Cell
from features.leads import Leads
from serving.scorer import Scorer
from tests.training.firms import agreed, labelled
from training.labels import Labelled
from training.points import expected_base, rules_scorer

RULES = [
    {"field": "size", "is": ["large"], "points": 20},
    {"field": "source", "is": ["bought list"], "points": -10},
    {"field": "source", "filled": False, "points": -20},
]
FIELDS = {"size": {"use": "yes"}, "source": {"use": "yes"}}


def card(*rules: dict[str, Any]) -> Agreement:
    return agreed(fields=FIELDS, points=list(rules or RULES))


def scorer_of(outcomes: Labelled | None = None, agreement: Agreement | None = None) -> Scorer:
    agreement = agreement or card()
    return rules_scorer(agreement, agreement.used_fields(), outcomes)


def lead(size: Cell = None, source: Cell = "web") -> Leads:
    return Leads(["1"], {"size": [size], "source": [source]}, [None])


def log_odds(scorer: Scorer, leads: Leads) -> float:
    return float(scorer.blend.log_odds(scorer.encoder.encode(leads))[0])


def outcomes(rows: int, doublings: float, seed: int = 1, base: float = -1.0) -> Labelled:
    """Leads of which large ones have odds `doublings` times doubled."""
    generator = np.random.default_rng(seed)
    large = generator.random(rows) < 0.5
    chance = 1 / (1 + np.exp(-(base + math.log(2) * doublings * large)))
    won = (generator.random(rows) < chance).astype(int)
    sizes: list[Cell] = ["large" if is_large else "small" for is_large in large]
    return labelled(won.tolist(), size=sizes, source=["web"] * rows)


def worth(scorer: Scorer) -> float:
    """How often the odds double by being large, which is agreed to be twice."""
    return (log_odds(scorer, lead("large")) - log_odds(scorer, lead("small"))) / math.log(2)


def test_without_outcomes_ten_points_double_the_odds() -> None:
    assert worth(scorer_of()) == pytest.approx(2, abs=1e-5)


def test_without_outcomes_a_lead_without_points_has_the_base_rate_of_the_grades() -> None:
    agreement = card()

    found = scorer_of().probabilities(lead("small"))[0]

    assert found == pytest.approx(expected_base(agreement.grades), abs=1e-5)
    assert agreement.grades.C < found < agreement.grades.B


def test_many_outcomes_decide_what_points_are_worth() -> None:
    assert worth(scorer_of(outcomes(20_000, doublings=1.0))) == pytest.approx(1.0, abs=0.1)


def test_ten_outcomes_move_what_was_agreed_only_a_little() -> None:
    sizes: list[Cell] = ["large", "small"] * 5
    against = labelled([0, 1, 0, 1, 0, 1, 1, 0, 1, 0], size=sizes, source=["web"] * 10)

    assert 1.0 < worth(scorer_of(against)) < 2.0


def test_points_never_count_the_other_way_round() -> None:
    assert worth(scorer_of(outcomes(5_000, doublings=-2.0))) == 0.0


def test_random_labels_leave_everyone_near_the_base_rate() -> None:
    told = outcomes(10_000, doublings=0.0)

    best = scorer_of(told).probabilities(lead("large"))[0]

    assert best == pytest.approx(told.labels.mean(), abs=0.02)


def test_the_expected_wins_are_the_wins_there_were() -> None:
    told = outcomes(5_000, doublings=1.5)

    expected = scorer_of(told).probabilities(told.history.leads).sum()

    assert expected == pytest.approx(told.labels.sum(), rel=0.01)


def test_wins_alone_are_not_taken_for_certainty() -> None:
    told = labelled([1] * 10, size=["large"] * 10, source=["web"] * 10)

    assert 0.7 < scorer_of(told).probabilities(lead("large"))[0] < 0.99


def test_the_reasons_of_points_add_up_to_the_score() -> None:
    scorer = scorer_of(outcomes(500, doublings=1.0))

    score = scorer.score(lead("large", None))[0]

    total = score.base_log_odds + sum(r.log_odds for r in score.reasons) + score.rest_log_odds  # type: ignore[operator, arg-type]
    assert 1 / (1 + math.exp(-total)) == pytest.approx(score.probability, abs=1e-12)
    assert [r.text.split(":")[0] for r in score.reasons] == [
        "source is not known", "size is large",
    ]  # fmt: skip


def test_a_missing_field_that_would_have_had_points_is_named() -> None:
    scorer = scorer_of(outcomes(2_000, doublings=2.0))

    (known,), (unknown,) = scorer.score(lead("small")), scorer.score(lead(None))

    assert known.missed == ()
    assert unknown.missed == ("size",)


def test_weights_say_which_outcomes_count() -> None:
    told = labelled([1] * 50 + [0] * 50, size=["large"] * 100, source=["web"] * 100)
    newer = np.repeat([1.9, 0.1], 50)
    agreement = card()

    scorer = rules_scorer(agreement, agreement.used_fields(), told, newer)

    assert scorer.probabilities(lead("large"))[0] == pytest.approx(0.95, abs=0.02)


def test_a_field_that_may_not_be_used_gives_no_points() -> None:
    agreement = card()

    scorer = rules_scorer(agreement, {"source": agreement.fields["source"]})

    assert worth(scorer) == 0.0


def test_without_any_rule_everyone_has_the_base_rate() -> None:
    told = outcomes(1_000, doublings=1.0)
    nothing = agreed(fields=FIELDS)

    score = scorer_of(told, nothing).score(lead("large"))[0]

    assert score.probability == pytest.approx(told.labels.mean(), abs=0.01)
    assert score.reasons == ()
