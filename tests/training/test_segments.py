from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from serving.rates import difference_of_rates
from training.intervals import sum_distribution
from training.judged import Judged
from training.segments import SMALLER, by_campaign, by_grade, by_segment

RANDOM = np.random.default_rng(7)
ROWS = 2000
SAID = RANDOM.beta(2, 6, ROWS)
Y = (RANDOM.random(ROWS) < SAID).astype(np.int8)
CAMPAIGNS = [f"campaign {i % 20:02}" for i in range(ROWS)]
JUDGED = Judged(Y, SAID, campaign=CAMPAIGNS)


def spoilt() -> Judged:
    """In campaign 03 nobody buys."""
    y = np.where(np.array(CAMPAIGNS) == "campaign 03", 0, Y).astype(np.int8)
    return replace(JUDGED, y=y)


def test_the_expected_wins_of_a_campaign_are_the_sum_of_its_probabilities() -> None:
    rows = np.arange(3, ROWS, 20)

    found = {c.name: c for c in by_campaign(JUDGED)}["campaign 03"]

    assert (found.rows, found.won) == (100, int(Y[rows].sum()))
    assert found.expected == pytest.approx(SAID[rows].sum())
    below = np.cumsum(sum_distribution(SAID[rows]))
    assert (below[found.low - 1], below[found.high]) == (
        pytest.approx(0.015, abs=0.01),
        pytest.approx(0.98, abs=0.01),
    )


def test_a_campaign_that_nobody_buys_from_is_found_and_no_other() -> None:
    found = [c for c in by_campaign(spoilt()) if c.wins != "not shown"]

    assert [(c.name, c.wins, c.won) for c in found] == [("campaign 03", "fewer", 0)]


def test_among_many_campaigns_the_lucky_ones_raise_no_alarm() -> None:
    random = np.random.default_rng(9)
    alarms = beyond = 0
    for _ in range(100):
        y = (random.random(ROWS) < SAID).astype(np.int8)
        found = by_campaign(replace(JUDGED, y=y))
        alarms += any(c.wins != "not shown" for c in found)
        beyond += sum(not c.low <= c.won <= c.high for c in found)

    assert alarms <= 10
    assert 40 <= beyond <= 120  # 20 campaigns × 100 draws × 5 %, less for whole numbers


def test_a_model_that_doubts_itself_calls_less_odd() -> None:
    doubting = replace(spoilt(), spread=np.full(ROWS, 1.0))

    assert all(c.wins == "not shown" for c in by_campaign(doubting))


def test_wins_that_come_by_account_widen_the_intervals() -> None:
    accounts = [f"account {i // 40}" for i in range(ROWS)]
    luck = np.random.default_rng(1).random(50).repeat(40)
    y = (luck < SAID).astype(np.int8)

    alone = by_campaign(Judged(y, SAID, campaign=CAMPAIGNS))
    together = by_campaign(Judged(y, SAID, campaign=CAMPAIGNS, clusters=accounts))

    assert together[0].high - together[0].low > 2 * (alone[0].high - alone[0].low)


def test_campaigns_of_few_leads_are_not_named() -> None:
    names = ["tiny"] * 9 + ["small"] * 10 + ["large"] * (ROWS - 19)

    found = by_campaign(replace(JUDGED, campaign=names))

    assert [(c.name, c.rows) for c in found] == [("large", ROWS - 19), (SMALLER, 19)]


def test_a_handful_of_leads_is_left_out_even_together() -> None:
    names = ["tiny"] * 9 + ["large"] * (ROWS - 9)

    found = replace(JUDGED, campaign=names, segments={"field": names})

    assert [c.name for c in by_campaign(found)] == ["large"]
    assert [s.name for s in by_segment(found)["field"]] == ["large"]


def test_categories_with_few_expected_wins_stand_together() -> None:
    y = np.array([1] * 40 + [0] * 60 + [1] * 4 + [0] * 46, dtype=np.int8)
    said = np.concatenate([np.linspace(0.9, 0.1, 100), np.full(50, 0.08)])
    source = ["fair"] * 100 + ["web"] * 50

    found = by_segment(Judged(y, said, segments={"source": source}))["source"]

    assert [(s.name, s.rows, s.won) for s in found] == [("fair", 100, 40), (SMALLER, 50, 4)]
    assert found[0].auc is not None
    assert found[0].auc.value == 1.0
    assert found[1].auc is None
    assert found[0].predicted == pytest.approx(said[:100].mean())
    assert found[0].actual.low < 0.4 < found[0].actual.high


def test_a_category_whose_wins_stayed_out_is_named_all_the_same() -> None:
    y = np.array([1, 0] * 50 + [0] * 60, dtype=np.int8)

    found = by_segment(
        Judged(y, np.full(160, 0.4), segments={"source": ["fair"] * 100 + ["web"] * 60})
    )["source"]

    assert [(s.name, s.won) for s in found] == [("fair", 50), ("web", 0)]


def test_only_the_largest_of_very_many_categories_are_named() -> None:
    names = [f"category {i % 60}" for i in range(6000)]
    y = (np.arange(6000) // 60 % 2).astype(np.int8)

    found = by_segment(Judged(y, np.full(6000, 0.5), segments={"field": names}))["field"]

    assert len(found) == 41
    assert sum(s.rows for s in found) == 6000


def grades(y: list[int], names: str, place: list[float] | None = None) -> Judged:
    where = None if place is None else np.array(place)
    return Judged(np.array(y, dtype=np.int8), np.full(len(y), 0.5), place=where, grades=list(names))


def test_grades_keep_their_order_where_that_is_shown() -> None:
    found = by_grade(grades([1] * 80 + [0] * 20 + [1] * 20 + [0] * 80, "A" * 100 + "B" * 100))

    assert found is not None
    assert [(g.name, g.won, g.actual.value) for g in found.rows] == [("A", 80, 0.8), ("B", 20, 0.2)]
    assert [order[3] for order in found.order] == ["kept"]


def test_grades_of_few_leads_show_no_order() -> None:
    found = by_grade(grades([1, 1, 0, 1, 0, 0], "AAABBB"))

    assert found is not None
    assert [order[3] for order in found.order] == ["not shown"]


def test_grades_the_wrong_way_round_are_called_reversed() -> None:
    found = by_grade(grades([1] * 20 + [0] * 80 + [1] * 80 + [0] * 20, "A" * 100 + "B" * 100))

    assert found is not None
    assert [order[3] for order in found.order] == ["reversed"]


def test_the_shares_of_grades_are_told_for_both_halves_of_the_time() -> None:
    found = by_grade(grades([1, 0, 1, 0, 1, 0], "AABABB", [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]))

    assert found is not None
    a = found.rows[0]
    assert a.share_before is not None
    assert a.share_after is not None
    assert (a.share_before.value, a.share_after.value) == (
        pytest.approx(2 / 3),
        pytest.approx(1 / 3),
    )


def test_without_a_time_there_are_no_halves() -> None:
    found = by_grade(grades([1, 0], "AB"))

    assert found is not None
    assert found.rows[0].share_before is None


def test_shares_of_grades_that_do_not_move_are_seldom_told_to_have_moved() -> None:
    random = np.random.default_rng(12)
    told = 0
    for _ in range(60):
        grades = random.choice(list("ABCD"), ROWS, p=[0.1, 0.2, 0.3, 0.4]).tolist()
        found = by_grade(replace(JUDGED, grades=grades, place=np.arange(ROWS, dtype=float)))
        assert found is not None
        moved = [
            difference_of_rates(grade.share_after, grade.share_before)
            for grade in found.rows
            if grade.share_after is not None and grade.share_before is not None
        ]
        told += any(not off.low <= 0 <= off.high for off in moved)

    assert told <= 5  # 5 % of 60 are 3; each grade by itself would be told 9 times
