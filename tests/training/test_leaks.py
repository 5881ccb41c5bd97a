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
     "call_minutes", "lead-status", "Notes", "Phase", "Number of Calls", "next_step",
     "Motivo de pérdida", "Gesprächsdauer", "Activity Score", "Lead Score", "propensity"],
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


def scale(spread: float) -> list[Cell]:
    """A number of many values, higher for the won leads."""
    noise = np.random.default_rng(13).normal(0, spread, ROWS)
    return [float(round(won + n, 3)) for won, n in zip(WON, noise, strict=True)]


def test_a_strong_number_with_nothing_against_it_is_left_to_a_human_and_not_accused() -> None:
    finding = judge("loyalty", scale(0.55), "number")

    assert 0.85 < finding.evidence.auc_alone < 0.95
    assert finding.verdict == "cannot_tell"


def test_the_same_number_is_blocked_where_its_name_says_that_it_was_written_later() -> None:
    assert judge("talk_time", scale(0.55), "number").verdict == "blocked"


def test_a_flag_that_orders_the_leads_so_well_is_suspect() -> None:
    cells: list[Cell] = [float(won ^ (d < 0.09)) for won, d in zip(WON, DRAW, strict=True)]

    finding = judge("step four", cells, "number")

    assert 0.85 < finding.evidence.auc_alone < 0.9
    assert finding.verdict == "suspect"


def test_a_number_that_makes_a_model_all_but_perfect_is_suspect() -> None:
    random = np.random.default_rng(14)
    hint = random.random(ROWS)
    # Neither field alone tells it: the sum of both does.
    meter: list[Cell] = [
        float(round(won - 2 * h + n, 3))
        for won, h, n in zip(WON, hint, random.normal(0, 0.05, ROWS), strict=True)
    ]
    known = labelled(WON, base=hint.round(3).tolist(), meter=meter)

    found = find_leaks(
        known, known.history, agreed(), {n: use("number") for n in ("base", "meter")}
    )

    assert found["meter"].evidence.auc_alone < 0.95 < (found["meter"].evidence.auc_with or 0)
    assert found["meter"].verdict == "suspect"


def dispositions(name: str) -> Finding:
    """What is found of a field whose values are what sales noted on losing some of the leads."""
    cells: list[Cell] = [
        "no answer" if not won and d < 0.3 else "abc"[int(d * 1e6) % 3]
        for won, d in zip(WON, DRAW, strict=True)
    ]
    return judge(name, cells)


def test_values_that_say_how_working_a_lead_ended_speak_where_the_name_is_silent() -> None:
    finding = dispositions("field 12")

    assert finding.evidence.ending_words == pytest.approx(0.2, abs=0.05)
    assert finding.verdict == "suspect"
    assert "its values say" in finding.reason


def test_what_an_earlier_campaign_ended_with_is_fine() -> None:
    assert dispositions("previous campaign").verdict == "fine"


def test_whom_a_lead_was_given_to_is_suspect_where_winners_are_given_more_often() -> None:
    assert judge("Lead Owner", filled(0.99, 0.6)).verdict == "suspect"


def test_a_field_that_every_winner_has_and_many_others_lack_is_suspect() -> None:
    finding = judge("branch", filled(0.985, 0.55))

    assert finding.verdict == "suspect"
    assert "a sale may not be possible without it" in finding.reason


def test_an_answer_that_most_winners_gave_and_many_others_did_not_is_fine() -> None:
    assert judge("occupation", filled(0.9, 0.6)).verdict == "fine"


def test_values_under_which_the_outcome_is_all_but_certain_are_suspect() -> None:
    cells: list[Cell] = [
        "sure" if won and d < 0.7 else "rest" for won, d in zip(WON, DRAW, strict=True)
    ]

    finding = judge("branch", cells)

    assert finding.verdict == "suspect"
    assert "all but certain" in finding.reason


@pytest.mark.parametrize("name", ["Risk Score", "site_index", "Grade", "Lead Owner", "sales_rep"])
def test_of_a_score_or_an_owner_only_the_time_of_writing_decides(name: str) -> None:
    finding = judge(name, mostly(0.35))

    assert finding.verdict == "cannot_tell"
    assert "no statistic of one export shows when" in finding.reason


@pytest.mark.parametrize("name", ["site_index", "Lead Owner"])
def test_a_score_or_an_owner_that_tells_nothing_is_fine(name: str) -> None:
    assert judge(name, NOISE).verdict == "fine"


def test_a_telling_name_that_tells_much_is_blocked() -> None:
    finding = judge("Lead Quality", mostly(0.55))

    assert finding.verdict == "blocked"
    assert "written while a lead is worked" in finding.reason


@pytest.mark.parametrize(
    "name", ["close_date", "Lost Reason", "Date Closed", "won_at", "last_modified", "calls made"]
)
def test_what_is_written_at_the_end_or_while_sales_works_is_suspect_though_it_tells_nothing(
    name: str,
) -> None:
    assert judge(name, NOISE).verdict == "suspect"


def test_an_offer_is_suspect_where_it_is_given_to_the_winners_more_often() -> None:
    assert judge("Angebot", filled(0.7, 0.4)).verdict == "suspect"


def test_a_quote_that_every_lead_came_with_is_fine() -> None:
    assert judge("quoted_amt", MODEST).verdict == "fine"


def test_another_systems_score_that_nearly_tells_the_outcome_is_blocked() -> None:
    assert judge("Activity Score", mostly(0.95)).verdict == "blocked"


def test_an_answer_that_rules_a_sale_out_is_honest_where_few_buy() -> None:
    few = (np.random.default_rng(2).random(ROWS) < 0.12).astype(int).tolist()
    cells: list[Cell] = [
        "insured" if not won and d < 0.5 else "not" for won, d in zip(few, DRAW, strict=True)
    ]
    known = labelled(few, previously_insured=cells)

    finding = find_leaks(known, known.history, agreed(), {"previously_insured": use()})

    assert finding["previously_insured"].evidence.auc_alone > 0.7
    assert finding["previously_insured"].verdict == "fine"


def test_a_number_other_than_zero_for_one_outcome_only_is_blocked() -> None:
    cells: list[Cell] = [float(won and d < 0.15) * 100 for won, d in zip(WON, DRAW, strict=True)]

    finding = judge("balance due", cells, "number")

    assert finding.verdict == "blocked"
    assert "other than zero" in finding.reason


def test_an_id_given_at_the_sale_is_blocked_by_its_running_number() -> None:
    cells: list[Cell] = [str(10_000 * (1 + 4 * won) + i) for i, won in enumerate(WON)]

    assert judge("ledger id", cells).verdict == "blocked"


def test_an_id_that_runs_on_with_time_is_fine() -> None:
    assert judge("ledger id", [str(10_000 + i) for i in range(ROWS)]).verdict == "fine"


def test_texts_that_tell_how_leads_ended_are_suspect() -> None:
    cells: list[Cell] = [
        f"no answer today {i}" if not won and d < 0.3 else f"would like to hear more {i}"
        for i, (won, d) in enumerate(zip(WON, DRAW, strict=True))
    ]

    assert judge("memo", cells, "text").verdict == "suspect"


def test_a_field_filled_while_leads_are_worked_is_suspect_by_the_open_leads() -> None:
    outcome = ["won" if won else "lost" for won in WON]
    state = [o if i % 4 else "open" for i, o in enumerate(outcome)]
    share = {"won": 0.85, "lost": 0.38, "open": 0.15}
    created = [START + timedelta(days=i / 5) for i in range(ROWS)]
    cells: list[Cell] = ["x" if d < share[s] else None for d, s in zip(DRAW, state, strict=True)]
    told = history(state, created, columns={"branch": cells})
    agreement = agreed(IN_TIME)

    finding = find_leaks(label(told, agreement), told, agreement, {"branch": use()})["branch"]

    assert finding.verdict == "suspect"
    assert "filled in while a lead is worked" in finding.reason


def test_an_empty_field_is_fine() -> None:
    finding = judge("branch", [None] * ROWS)

    assert finding.verdict == "fine"
    assert finding.evidence.auc_alone == 0.5


def test_a_field_of_noise_is_fine() -> None:
    assert judge("branch", NOISE).verdict == "fine"


def test_a_finding_is_given_as_json_values() -> None:
    content = judge("branch", NOISE).as_dict()

    assert content["verdict"] == "fine"
    assert isinstance(content["evidence"], dict)


def test_the_evidence_of_fill_is_the_log_of_the_ratio() -> None:
    evidence = judge("branch", filled(0.5, 0.25)).evidence

    assert evidence.fill_log_ratio == pytest.approx(math.log(2), abs=0.2)


def test_the_shares_that_are_told_are_those_of_the_leads() -> None:
    evidence = judge("branch", ["x" if won else None for won in WON]).evidence

    assert (evidence.filled_won, evidence.filled_lost) == (1.0, 0.0)


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


def test_of_many_leads_a_part_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.leaks._MOST_ROWS", 500)

    assert judge("colour", mostly(0.95)).verdict == "blocked"
