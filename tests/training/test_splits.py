from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from features.leads import History
from tests.training.firms import IN_TIME, START, agreed, history
from training import splits
from training.splits import Split, judged_part, order, regular, split

DAYS = 1000
AGREED = agreed(IN_TIME)
BY_SERIAL = agreed({"serial": "number"})


def one_a_day(days: int = DAYS) -> History:
    """A lead each day."""
    return history(["won"] * days, [START + timedelta(days=i) for i in range(days)])


def alternating(rows: int) -> np.ndarray:
    return (np.arange(rows) % 2).astype(np.int8)


def test_the_later_three_tenths_judge() -> None:
    result = split(one_a_day(), alternating(DAYS), AGREED, seed=0)

    assert result.later.tolist() == list(range(700, 1000))


def test_one_horizon_lies_between_the_last_earlier_and_the_first_later_lead() -> None:
    result = split(one_a_day(), alternating(DAYS), AGREED, seed=0)

    assert result.later.min() - result.earlier.max() == AGREED.horizon_days


def test_the_gap_is_named_in_the_sentence_for_the_summary() -> None:
    result = split(one_a_day(), alternating(DAYS), AGREED, seed=0)

    assert result.method == "leads from 2025-12-01 on judge those at least 90 days older"


def test_leads_created_at_the_same_time_stay_on_one_side() -> None:
    created = [START + timedelta(days=i // 100) for i in range(DAYS)]

    result = split(history(["won"] * DAYS, created), alternating(DAYS), AGREED, seed=0)

    moments = [{created[i] for i in rows} for rows in (result.earlier, result.later)]
    assert not moments[0] & moments[1]


def test_a_short_history_goes_without_the_gap_and_says_so() -> None:
    result = split(one_a_day(150), alternating(150), AGREED, seed=0)

    assert len(result.earlier) == 105
    assert "too short a history for a gap" in result.method


def test_a_serial_splits_where_there_is_no_time() -> None:
    told = history(["won"] * 10, serial=[float(10 - i) for i in range(10)])

    result = split(told, alternating(10), BY_SERIAL, seed=0)

    assert result.later.tolist() == [0, 1, 2]
    assert "by 'number'" in result.method


def test_without_any_order_both_sides_hold_the_same_share_of_wins() -> None:
    labels = (np.arange(1000) % 5 == 0).astype(np.int8)

    result = split(history(["won"] * 1000), labels, agreed(), seed=0)

    assert labels[result.earlier].mean() == pytest.approx(labels[result.later].mean())
    assert "drift cannot be seen" in result.method


def test_no_row_is_on_both_sides() -> None:
    result = split(history(["won"] * 100), alternating(100), agreed(), seed=0)

    assert not set(result.earlier) & set(result.later)


@pytest.mark.parametrize(("seed", "same"), [(1, True), (2, False)])
def test_the_seed_decides_the_random_split(seed: int, same: bool) -> None:
    told, labels = history(["won"] * 100), alternating(100)
    first = split(told, labels, agreed(), seed=1)

    second = split(told, labels, agreed(), seed)

    assert (first.later.tolist() == second.later.tolist()) is same


def test_time_is_told_in_days() -> None:
    place = order(one_a_day(3), AGREED)

    assert place is not None
    assert np.diff(place).tolist() == [1.0, 1.0]


def test_there_is_no_order_without_time_and_serial() -> None:
    assert order(history(["won"]), agreed()) is None


def test_leads_that_mostly_share_the_first_moment_are_parted_behind_it() -> None:
    told = history(
        ["won", "lost"] * 100, created=[START] * 150 + [START + timedelta(days=400)] * 50
    )

    parts = split(told, np.array([1, 0] * 100, dtype=np.int8), agreed(IN_TIME), 0)

    assert (len(parts.earlier), len(parts.later)) == (150, 50)


def test_leads_of_one_single_moment_are_parted_at_random_and_it_is_said() -> None:
    told = history(["won", "lost"] * 100, created=[START] * 200)

    parts = split(told, np.array([1, 0] * 100, dtype=np.int8), agreed(IN_TIME), 0)

    assert (len(parts.earlier), len(parts.later)) == (140, 60)
    assert "all leads came in at one time" in parts.method


def test_of_very_many_later_leads_a_regular_part_judges_and_the_sentence_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(splits, "MOST_JUDGED", 40)
    found = split(one_a_day(), alternating(DAYS), AGREED, seed=0)

    part = judged_part(found)

    assert (len(part.later), part.later[0], part.later[-1]) == (40, 700, 999)
    assert set(np.diff(part.later)) == {7, 8}
    assert part.all_later.tolist() == found.later.tolist()
    assert part.share == 40 / 300
    assert part.earlier.tolist() == found.earlier.tolist()
    assert part.method == f"{found.method}; of 300 such leads a regular part judges"


def test_as_many_later_leads_as_are_wanted_all_judge() -> None:
    found = Split(np.arange(3), np.arange(3, 6), "as agreed")

    assert judged_part(found) is found
    assert regular(found.later, 3).tolist() == [3, 4, 5]
