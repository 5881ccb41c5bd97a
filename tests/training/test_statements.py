from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from serving.rates import Interval
from tests.training.firms import IN_TIME, agreed
from training.evaluate import Capacity, Evaluation, judge
from training.judged import Judged
from training.moved import drift
from training.segments import SMALLER, Campaign, Grades, by_grade
from training.statements import (
    calibration_sentences,
    calls_a_day,
    campaign_sentences,
    drift_sentences,
    grade_sentences,
    in_the_large,
    order_sentences,
    segment_sentences,
)

RANDOM = np.random.default_rng(2)
ROWS = 1500
SAID = RANDOM.random(ROWS)
Y = (RANDOM.random(ROWS) < SAID).astype(np.int8)
GOOD = judge(Judged(Y, SAID))
SALES = agreed(columns=IN_TIME, capacity={"leads_per_day": 3})


def told(evaluation: Evaluation) -> str:
    return " ".join([*order_sentences(evaluation), *calibration_sentences(evaluation)])


def with_figure(name: str, value: float, low: float, high: float) -> Evaluation:
    return replace(GOOD, figures={**GOOD.figures, name: Interval(value, low, high)})


# By its meaning the 95 % interval takes one order in forty for more than it is; not these.
@pytest.mark.parametrize("seed", range(5))
def test_of_random_labels_nothing_is_boasted(seed: int) -> None:
    random = np.random.default_rng(200 + seed)
    y = (random.random(600) < 0.6).astype(np.int8)
    judged = Judged(
        y, random.beta(6, 4, 600), place=np.arange(600) / 10, value=random.lognormal(size=600)
    )

    text = told(judge(judged, SALES, seed))

    assert "not shown to be better than chance" in text
    assert "Do not call by it" in text
    assert not [
        word for word in ("finds", "found", "times as many", "of the value") if word in text
    ]


def test_an_order_the_wrong_way_round_is_called_worse_than_chance() -> None:
    assert "worse than chance" in told(judge(Judged(Y, 1 - SAID)))


def test_the_best_tenth_is_told_with_its_intervals() -> None:
    won, lift = GOOD.figures["won_in_top_tenth"], GOOD.figures["lift_top_tenth"]

    text = next(order_sentences(GOOD))

    assert text == (
        f"The best tenth of the judged leads holds {won.value * 100:.0f} % of their wins (95 % "
        f"interval {won.low * 100:.0f} to {won.high * 100:.0f} %), {lift.value:.1f} times as many "
        f"as a tenth picked at random ({lift.low:.1f} to {lift.high:.1f})."
    )


def test_one_probability_for_all_is_no_order_and_has_no_bands() -> None:
    flat = judge(Judged(Y, np.full(ROWS, 0.4), segments={"half": ["a", "b"] * (ROWS // 2)}))

    assert list(order_sentences(flat)) == [
        "All judged leads have one probability: there is no order to call by."
    ]
    assert len(list(calibration_sentences(flat))) == len(flat.reliability.bins) == 1
    assert all(s.auc is None for s in flat.segments["half"])


def test_calls_that_nobody_set_are_said_to_be_the_default() -> None:
    each = Interval(0.5, 0.4, 0.6)
    by_default, as_set = (Capacity(calls, 1.0, each, each) for calls in (50, 20))

    assert calls_a_day(by_default) == "50 calls a day (the default)"
    assert calls_a_day(as_set) == "20 calls a day"


def test_a_small_lift_is_not_rounded_to_none() -> None:
    text = next(order_sentences(with_figure("lift_top_tenth", 1.09, 1.02, 1.16)))

    assert text.endswith("1.09 times as many as a tenth picked at random (1.02 to 1.16).")


def test_a_best_tenth_that_may_be_like_any_other_is_not_praised() -> None:
    text = next(order_sentences(with_figure("lift_top_tenth", 1.2, 0.9, 1.5)))

    assert "not shown to hold more wins" in text


@pytest.mark.parametrize(
    ("share", "won", "words"),
    [
        (1.0, Interval(1.0, 1.0, 1.0), "reach every judged lead"),
        (0.3, Interval(0.35, 0.28, 0.4), "not shown to reach more wins"),
        (0.3, Interval(0.6, 0.5, 0.7), "30 % of the judged leads are reached, who hold 60 %"),
    ],
)
def test_capacity_is_told_for_what_it_shows(share: float, won: Interval, words: str) -> None:
    capacity = Capacity(20, share, won, Interval(0.5, 0.4, 0.6))

    assert words in told(replace(GOOD, capacity=capacity))


@pytest.mark.parametrize(
    ("off", "words"),
    [
        (Interval(0.01, -0.01, 0.03), "no difference is shown"),
        (Interval(0.045, 0.03, 0.06), "too high by 3 to 6 points"),
        (Interval(-0.045, -0.06, -0.03), "too low by 3 to 6 points"),
        (Interval(0.006, 0.004, 0.008), "too high by 0.4 to 0.8 points"),
    ],
)
def test_the_mean_probability_is_held_against_what_won(off: Interval, words: str) -> None:
    assert words in in_the_large(
        with_figure("predicted_minus_actual", off.value, off.low, off.high)
    )


def test_true_probabilities_are_not_accused() -> None:
    text = " ".join(calibration_sentences(GOOD))

    assert "no more than true probabilities would show by chance" in text
    assert "bold" not in text
    assert "timid" not in text


def test_bold_and_timid_probabilities_are_told_apart() -> None:
    odds = SAID / (1 - SAID)
    bold, timid = odds**2 / (1 + odds**2), odds**0.5 / (1 + odds**0.5)

    assert "too bold" in told(judge(Judged(Y, bold)))
    assert "too timid" in told(judge(Judged(Y, timid)))


def campaign(name: str, won: int, wins: str) -> Campaign:
    return Campaign(name, 100, won, 20.0, 12, 28, 0.01, wins)  # type: ignore[arg-type]


def test_campaigns_as_expected_are_counted_and_not_named() -> None:
    found = replace(GOOD, campaigns=(campaign("Spring", 21, "not shown"),))

    assert list(campaign_sentences(found)) == [
        "1 campaign was looked at; none is shown to have won more or fewer than expected."
    ]


def test_campaigns_that_are_off_are_named_with_what_was_expected() -> None:
    odd = tuple(campaign(f"Fair {i}", 2, "fewer") for i in range(7))

    text = list(campaign_sentences(replace(GOOD, campaigns=odd)))

    assert text[0] == (
        "Fair 0 won fewer than expected: 2 of 100 leads, where 12 to 28 wins lie within the 95 % "
        "interval of true probabilities."
    )
    assert text[-1] == "2 more of 7 campaigns are off; the table names them."


def test_misses_among_many_categories_are_set_against_chance() -> None:
    names = [f"s{i % 10}" for i in range(ROWS)]

    text = next(segment_sentences(judge(Judged(Y, SAID, segments={"source": names}))))

    assert "of 10 categories" in text
    assert "about 0.5 would by chance" in text


def test_misses_of_the_level_are_one_finding_in_however_many_categories() -> None:
    names = [f"s{i % 10}" for i in range(ROWS)]

    text = list(segment_sentences(judge(Judged(Y, SAID**2, segments={"source": names}))))

    assert "one finding, not many" in text[1]
    assert len(list(segment_sentences(judge(Judged(Y, SAID, segments={"source": names}))))) == 1


def test_small_campaigns_that_stand_together_are_not_counted_as_one() -> None:
    parts = (campaign("Spring", 21, "not shown"), campaign(SMALLER, 21, "not shown"))

    text = next(campaign_sentences(replace(GOOD, campaigns=parts)))

    assert text.startswith("1 campaign was looked at, and the smaller ones as one; none is shown")


def test_campaigns_of_which_none_is_odd_may_together_have_won_fewer() -> None:
    off = with_figure("predicted_minus_actual", 0.05, 0.02, 0.08)

    text = next(campaign_sentences(replace(off, campaigns=(campaign("A", 21, "not shown"),))))

    assert text.endswith("; all together won fewer.")


def test_campaigns_that_are_off_where_all_leads_are_may_miss_by_that_alone() -> None:
    off = with_figure("predicted_minus_actual", 0.05, 0.02, 0.08)

    text = list(campaign_sentences(replace(off, campaigns=(campaign("A", 2, "fewer"),))))

    assert text[-1] == "All together won fewer than expected: campaigns may miss by that alone."


def grades(a: int, b: int) -> Grades | None:
    y = np.array([1] * a + [0] * (100 - a) + [1] * b + [0] * (100 - b), dtype=np.int8)
    place = np.concatenate([np.arange(100.0), np.arange(100.0) + 60])
    return by_grade(Judged(y, np.full(200, 0.5), grades=["A"] * 100 + ["B"] * 100, place=place))


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        (80, 20, "shown to win more often, leads taken as independent: A 80 %, B 20 %."),
        (50, 49, "Grade A is not shown to win more often than grade B."),
        (20, 80, "than grade A, leads taken as independent: the grades mislead there."),
    ],
)
def test_grades_are_told_for_what_they_show(a: int, b: int, words: str) -> None:
    assert words in " ".join(grade_sentences(grades(a, b)))


def test_grades_whose_share_moved_are_told() -> None:
    text = " ".join(grade_sentences(grades(80, 20)))

    assert "of grade A, in the earlier half 80 %" in text


def test_what_moved_most_is_named_and_a_steady_win_rate_is_not_accused() -> None:
    found = drift(
        {"source": ["a"] * 1000, "size": ["1"] * 1000},
        {"source": ["b"] * 1000, "size": ["1"] * 1000},
        Y[:1000],
        Y[:1000],
    )

    text = list(drift_sentences(found))

    assert "not shown to have changed" in text[0]
    assert "1 of 2 fields moved; most of all source (100 % of leads)" in text[1]


def test_a_win_rate_that_fell_is_told_in_points() -> None:
    before, after = (np.array([1] * n + [0] * (1000 - n), dtype=np.int8) for n in (500, 300))

    text = list(drift_sentences(drift({}, {}, before, after)))

    assert "50 % of the leads learned from won, 30 % of the later" in text[0]
    assert text[0].endswith("16 to 24 points less (95 % interval).")
