from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import expit, logit

from features.agreement import Agreement
from tests.training.firms import agreed
from training.gate import Verdict, decide, new_suspects
from training.leak_evidence import Evidence
from training.leaks import Finding
from training.window import Window

Vector = npt.NDArray[np.float64]
TIMES = 100
EVIDENCE = Evidence(0.97, 0.01, 0.5, 1.0, 1.0, None, 0.0, 0.0, 0.0, 0.0)
LEAK = Finding("blocked", EVIDENCE, "alone it tells won from lost with an AUC of 0.97")


def rules(**gate: Any) -> Agreement:
    """An agreement by which sales calls ten leads a day."""
    return agreed(
        columns={"created": "created"},
        grades={"A": 0.4, "B": 0.2, "C": 0.1},
        capacity={"leads_per_day": 10},
        gate=gate,
    )


def market(rows: int = 3000, seed: int = 1, days: int = 60) -> tuple[Window, Vector]:
    """A window, and the facts behind its outcomes, shape (rows, 2)."""
    generator = np.random.default_rng(seed)
    facts = generator.normal(size=(rows, 2))
    won = generator.random(rows) < expit(-1.7 + facts[:, 0] + 0.8 * facts[:, 1])
    return Window(won.astype(np.int8), np.arange(rows) * days // rows), facts


WINDOW, FACTS = market()
KNOWING = expit(-1.7 + FACTS @ [1.0, 0.8])
BLIND = expit(-1.55 + 0.9 * FACTS[:, 0])
NOISE = np.random.default_rng(0).normal(size=(2, len(FACTS)))
AS_GOOD, AS_GOOD_TOO = (expit(logit(KNOWING) + 0.2 * noise) for noise in NOISE)


def judge(champion: Vector, challenger: Vector, window: Window = WINDOW, **more: Any) -> Verdict:
    agreement = more.pop("agreement", rules())
    return decide(window, champion, challenger, agreement, times=TIMES, **more)


def failed(verdict: Verdict) -> set[str]:
    return {check.name for check in verdict.checks if not check.passed}


def figure(verdict: Verdict, name: str) -> float | None:
    return next(check.figure for check in verdict.checks if check.name == name)


def test_a_better_challenger_is_promoted() -> None:
    verdict = judge(BLIND, KNOWING)

    assert verdict.promoted, verdict.reasons
    assert verdict.headline.startswith("promoted: it finds ")
    assert verdict.headline.endswith("shown to be more")


def test_a_worse_challenger_is_refused() -> None:
    assert {"wins", "order", "gain"} <= failed(judge(KNOWING, BLIND))


def test_a_challenger_that_is_only_as_good_stays_a_challenger() -> None:
    assert failed(judge(AS_GOOD, AS_GOOD_TOO)) == {"gain"}


def test_an_old_champion_yields_to_a_challenger_that_is_no_worse() -> None:
    verdict = judge(AS_GOOD, AS_GOOD_TOO, age_days=90)

    assert verdict.promoted, verdict.reasons
    assert "it knows 90 days more than the champion, which is old (agreed: 90)" in verdict.headline


def test_an_old_champion_stays_where_the_challenger_looks_worse_though_it_is_not_shown() -> None:
    verdict = judge(AS_GOOD_TOO, AS_GOOD, age_days=90)

    loss = next(check for check in verdict.checks if check.name == "gain")
    assert loss.low < 0 < loss.figure
    assert failed(verdict) == {"gain"}


def test_a_champion_is_not_old_before_the_agreed_day() -> None:
    assert failed(judge(AS_GOOD, AS_GOOD_TOO, age_days=89)) == {"gain"}


@pytest.mark.parametrize(
    "challenger",
    [BLIND, expit(logit(KNOWING) + 0.5), np.random.default_rng(1).permutation(KNOWING)],
    ids=["worse order", "level off", "shuffled"],
)
def test_no_age_lets_a_worse_challenger_pass(challenger: Vector) -> None:
    assert not judge(KNOWING, challenger, age_days=1000).promoted


def test_an_old_champion_does_not_yield_to_itself() -> None:
    assert failed(judge(KNOWING, KNOWING.copy(), age_days=1000)) == {"gain"}


def test_equal_challengers_are_seldom_promoted() -> None:
    promoted = 0
    for seed in range(40):
        window, facts = market(400, seed)
        noise = np.random.default_rng(seed).normal(size=(2, 400))
        one, other = (expit(-1.7 + facts @ [1.0, 0.8] + 0.3 * n) for n in noise)
        promoted += decide(window, one, other, rules(), times=60).promoted

    assert promoted <= 10


def test_the_same_model_again_gains_nothing() -> None:
    verdict = judge(KNOWING, KNOWING.copy())

    assert "predicts the same as the champion" in verdict.headline


def test_where_as_many_wins_are_found_truer_probabilities_decide() -> None:
    verdict = judge(expit(logit(KNOWING) - 0.3), KNOWING)

    assert verdict.promoted, verdict.reasons
    assert "its probabilities are shown to be truer" in verdict.headline


def test_shuffled_labels_are_refused_with_the_reason() -> None:
    verdict = judge(BLIND, np.random.default_rng(1).permutation(KNOWING))

    assert "chance" in failed(verdict)
    assert "no more than a model of shuffled labels would be" in verdict.headline


def test_one_right_level_for_all_does_not_beat_an_order_whose_level_is_off() -> None:
    flat = np.full(len(KNOWING), WINDOW.won.mean())

    verdict = judge(expit(logit(BLIND) + 1.2), flat)

    assert {"chance", "wins", "order"} <= failed(verdict)
    assert "gain" not in failed(verdict)


def test_a_leap_in_auc_is_too_good_to_be_true() -> None:
    leaked = expit(logit(BLIND) + 2 * (WINDOW.won - 0.2))

    verdict = judge(BLIND, leaked, new_fields=["sales stage"])

    assert verdict.headline.startswith("refused: it looks too good to be true")
    assert "'sales stage'" in verdict.headline


def test_a_doubted_field_that_is_new_stops_even_a_better_challenger() -> None:
    verdict = judge(BLIND, KNOWING, suspects={"close reason": LEAK})

    assert failed(verdict) == {"leak in close reason"}
    assert "'close reason' may give the outcome away" in verdict.headline


def test_doubts_that_the_champion_was_promoted_with_are_not_new() -> None:
    findings = {"stage": LEAK, "owner": LEAK, "size": replace(LEAK, verdict="fine")}

    found = new_suspects(findings, ["stage", "owner", "size"], {"stage": "suspect"})

    assert list(found) == ["owner"]


def test_a_field_that_was_fine_and_is_doubted_since_is_new() -> None:
    assert list(new_suspects({"stage": LEAK}, ["stage"], {"stage": "fine"})) == ["stage"]


def test_a_doubted_field_that_is_not_used_is_no_matter() -> None:
    assert new_suspects({"stage": LEAK}, ["size"], {}) == {}


def test_probabilities_that_are_far_off_are_refused() -> None:
    verdict = judge(BLIND, expit(logit(KNOWING) + 0.7))

    assert "calibration" in failed(verdict)
    assert any("its probabilities are shown to be off" in reason for reason in verdict.reasons)


def test_a_challenger_is_not_refused_for_what_the_champion_has_in_common_with_it() -> None:
    off = expit(logit(KNOWING) + 0.7)

    verdict = judge(expit(logit(BLIND) + 0.8), off)

    assert verdict.promoted, verdict.reasons
    assert any("so this does not stop it" in check.sentence for check in verdict.checks)


def test_few_wins_show_no_ratio_to_be_out_of_bounds() -> None:
    window, facts = market(120, seed=5)
    said = expit(-1.7 + facts @ [1.0, 0.8] + 0.45)

    verdict = judge(expit(-1.7 + facts[:, 0]), said, window)

    assert "calibration" not in failed(verdict)
    (check,) = [check for check in verdict.checks if check.name == "calibration"]
    assert check.sentence.endswith(": not shown to be outside what is agreed")


def test_a_large_campaign_that_is_off_is_named_and_a_small_one_is_not() -> None:
    fair = np.random.default_rng(2).random(len(FACTS)) < 0.3
    names = np.where(fair, "fair", "search")
    names[:15] = "tiny"
    window = replace(WINDOW, campaign=names.tolist())
    off = expit(logit(KNOWING) + np.where(fair, -1.3, 0.0))

    verdict = judge(BLIND, off, window)

    assert "calibration of fair" in failed(verdict)
    assert "calibration of tiny" not in {check.name for check in verdict.checks}
    assert any("for 'fair'" in reason for reason in verdict.reasons)


def test_half_of_the_a_leads_must_not_turn_into_c() -> None:
    a_leads = np.flatnonzero(KNOWING >= 0.4)
    lower = KNOWING.copy()
    lower[a_leads[::2]] = 0.15

    assert {"A leads"} <= failed(judge(KNOWING, lower))


def test_a_single_a_lead_that_becomes_c_shows_nothing() -> None:
    champion, challenger = (np.minimum(said, 0.39) for said in (BLIND, KNOWING))
    champion[0], challenger[0] = 0.5, 0.15

    verdict = judge(champion, challenger)

    assert figure(verdict, "A leads") == 1
    assert "A leads" not in failed(verdict)


def test_grades_must_not_shift_further_than_agreed() -> None:
    lower = expit(logit(KNOWING) - 1.2)

    assert "grade shares" in failed(judge(KNOWING, lower))
    agreed_to = rules(most_grade_shift=0.6)
    assert "grade shares" not in failed(judge(KNOWING, lower, agreement=agreed_to))


def test_grades_may_shift_where_that_mends_the_champion() -> None:
    verdict = judge(expit(logit(KNOWING) + 1.4), KNOWING)

    assert (figure(verdict, "grade shares") or 0) > 0.35
    assert verdict.promoted, verdict.reasons


def test_where_sales_can_work_every_lead_the_probabilities_decide() -> None:
    verdict = judge(
        BLIND, KNOWING, agreement=rules().model_copy(update={"capacity": agreed().capacity})
    )

    assert figure(verdict, "wins") == 0
    assert verdict.promoted, verdict.reasons
    assert any("sales can work all of these leads" in c.sentence for c in verdict.checks)


def test_an_agreement_may_let_the_probabilities_decide_alone() -> None:
    verdict = judge(BLIND, KNOWING, agreement=rules(decide_by="log_loss"))

    assert verdict.promoted
    assert verdict.headline.startswith("promoted: its probabilities are shown to be truer")


def test_without_days_the_wins_of_the_best_tenth_count() -> None:
    verdict = judge(BLIND, KNOWING, replace(WINDOW, day=None))

    best = [WINDOW.won[np.argsort(-said)[:300]].sum() for said in (BLIND, KNOWING)]
    assert figure(verdict, "wins") == pytest.approx(best[1] - best[0])
    assert "in the best tenth" in verdict.headline
    assert "from draws of single leads" in verdict.judged_on


def test_wins_are_those_among_the_best_of_each_day() -> None:
    won = np.array([1, 0, 0, 1, 0, 1], dtype=np.int8)
    window = Window(won, np.array([0, 0, 0, 1, 1, 1]))
    agreement = agreed(columns={"created": "created"}, capacity={"leads_per_day": 1})

    verdict = decide(
        window,
        np.array([0.1, 0.9, 0.2, 0.1, 0.8, 0.3]),
        np.array([0.9, 0.1, 0.2, 0.8, 0.1, 0.3]),
        agreement,
        times=TIMES,
    )

    assert figure(verdict, "wins") == 2


def test_a_lead_of_weight_two_counts_as_two() -> None:
    window = Window(WINDOW.won[:600], WINDOW.day[:600], 1.0 + (np.arange(600) % 3 == 0))  # type: ignore[index]
    twice = np.repeat(np.arange(600), window.weight.astype(int))  # type: ignore[union-attr]
    repeated = Window(window.won[twice], window.day[twice])  # type: ignore[index]

    weighted = judge(BLIND[:600], KNOWING[:600], window)
    counted = judge(BLIND[:600][twice], KNOWING[:600][twice], repeated)

    for name in ("wins", "order", "gain", "calibration", "grade shares"):
        assert figure(weighted, name) == pytest.approx(figure(counted, name)), name


def test_calls_are_shared_with_the_leads_that_have_no_outcome_yet() -> None:
    assert replace(WINDOW, came_in=6000).calls(10) == 5
    assert WINDOW.calls(10) == 10


def test_with_one_outcome_alone_nothing_is_decided() -> None:
    window = replace(WINDOW, won=np.zeros_like(WINDOW.won))

    verdict = judge(BLIND, KNOWING, window)

    assert not verdict.promoted
    assert "none was won, so nothing can be shown; the champion stays" in verdict.headline


def test_a_model_takes_over_from_points_by_the_rule_of_train() -> None:
    points = expit(-1.5 + 0.4 * np.round(FACTS[:, 0]))

    verdict = judge(points, KNOWING, against="points")

    assert verdict.promoted, verdict.reasons
    assert verdict.headline.startswith("promoted: the model scores")


def test_it_is_said_that_what_is_registered_was_not_judged_itself() -> None:
    verdict = judge(BLIND, KNOWING, replace(WINDOW, days="2026-01-01 to 2026-03-01"))

    assert "of 2026-01-01 to 2026-03-01, " in verdict.judged_on
    assert "came in after both fits ended" in verdict.judged_on
    assert "fitted anew with later leads too and is not judged itself" in verdict.judged_on


def test_without_times_it_is_not_said_that_leads_came_in_later() -> None:
    told = judge(BLIND, KNOWING, replace(WINDOW, day=None)).judged_on

    assert "which neither fit has learned from" in told
    assert "came in after" not in told


def test_a_verdict_is_json_with_one_row_a_check() -> None:
    verdict = judge(BLIND, KNOWING)

    told = json.loads(json.dumps(verdict.as_dict(), allow_nan=False))

    assert [row["name"] for row in told["checks"]] == [check.name for check in verdict.checks]
    assert set(told["checks"][0]) == {
        "name", "figure", "low", "high", "bound", "passed", "sentence",
    }  # fmt: skip


def test_the_same_seed_gives_the_same_verdict() -> None:
    assert judge(BLIND, KNOWING, seed=3) == judge(BLIND, KNOWING, seed=3)
