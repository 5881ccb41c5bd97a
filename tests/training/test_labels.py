from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.training.firms import IN_TIME, agreed, history
from training.labels import label, last_answer, last_moment

CREATED = datetime(2026, 1, 10)
END = datetime(2026, 6, 30)
AGREED = agreed(IN_TIME)


def labels_of(disposition: str, created: datetime, closed: datetime | None) -> list[int]:
    """The label of one lead in an export whose last lead came in at END."""
    told = history([disposition, "open"], [created, END], [closed, None])
    return label(told, AGREED).labels.tolist()


def test_a_win_within_the_horizon_is_positive() -> None:
    assert labels_of("won", CREATED, datetime(2026, 3, 1)) == [1]


def test_a_win_a_second_before_day_90_is_positive() -> None:
    assert labels_of("won", CREATED, CREATED + timedelta(days=90, seconds=-1)) == [1]


def test_a_win_on_day_90_exactly_lies_outside_the_half_open_window() -> None:
    assert labels_of("won", CREATED, CREATED + timedelta(days=90)) == [0]


@pytest.mark.parametrize("disposition", ["lost", "unqualified"])
def test_a_lead_that_was_turned_down_is_negative(disposition: str) -> None:
    assert labels_of(disposition, CREATED, datetime(2026, 2, 1)) == [0]


def test_an_open_lead_has_no_label() -> None:
    assert labels_of("open", CREATED, None) == []


@pytest.mark.parametrize("disposition", ["not_ready", "in_contract", "unreachable"])
def test_not_yet_is_never_a_negative(disposition: str) -> None:
    told = history([disposition, "open"], [CREATED, END])

    result = label(told, AGREED)

    assert result.labels.tolist() == []
    assert result.unlabelled[f"{disposition}: not yet"] == 1


def test_the_agreement_may_make_not_ready_a_negative() -> None:
    told = history(["not_ready", "open"], [CREATED, END])

    result = label(told, agreed(IN_TIME, learning={"not_ready": "negative"}))

    assert result.labels.tolist() == [0]


def test_a_lead_whose_horizon_ends_with_the_export_is_old_enough() -> None:
    assert labels_of("won", datetime(2026, 4, 1), datetime(2026, 4, 20)) == [1]


@pytest.mark.parametrize("disposition", ["won", "lost"])
def test_a_younger_lead_has_no_label_although_it_is_decided(disposition: str) -> None:
    assert labels_of(disposition, datetime(2026, 4, 2), datetime(2026, 4, 20)) == []


def test_without_a_closing_time_a_win_counts_whenever_it_came() -> None:
    assert labels_of("won", CREATED, None) == [1]


def test_without_creation_times_no_horizon_applies() -> None:
    result = label(history(["won", "lost", "open"]), agreed())

    assert result.labels.tolist() == [1, 0]
    assert result.as_of is None


def test_every_row_has_a_label_or_a_reason_for_none() -> None:
    dispositions = ["won", "open", "not_ready", "lost", "open"]
    told = history(dispositions, [CREATED, CREATED, CREATED, END, END])

    result = label(told, AGREED)

    assert len(result.labels) + result.unlabelled.total() == len(dispositions)


def test_labels_stand_beside_the_leads_they_belong_to() -> None:
    result = label(history(["open", "won", "not_ready", "lost"]), agreed())

    assert result.history.leads.ids == ["1", "3"]


def test_the_closing_date_expected_of_an_open_lead_says_nothing_of_today() -> None:
    told = history(["won", "open"], [CREATED, END], [None, END + timedelta(days=400)])

    assert last_moment(told) == END


def test_the_last_decision_is_a_moment_up_to_which_outcomes_are_known() -> None:
    told = history(["lost"], [CREATED], [END])

    assert last_moment(told) == END


def test_who_knows_until_when_outcomes_are_known_may_say_so() -> None:
    told = history(["lost"], [CREATED], [CREATED + timedelta(days=20)])

    assert label(told, AGREED).labels.tolist() == []
    assert label(told, AGREED, known_until=END).labels.tolist() == [0]


def test_a_history_without_times_has_no_last_moment() -> None:
    assert last_moment(history(["won"])) is None


def test_one_mistyped_year_does_not_age_the_other_leads() -> None:
    created = [CREATED + timedelta(hours=i) for i in range(400)]
    closed = [CREATED + timedelta(days=30)] * 399 + [datetime(2098, 12, 31)]

    found = last_moment(history(["lost"] * 400, created, closed))

    assert found == CREATED + timedelta(days=30)


def test_the_agreement_may_count_leads_still_open_after_the_horizon_as_not_won() -> None:
    told = history(["open", "open"], [CREATED, END])

    result = label(told, agreed(IN_TIME, learning={"open": "negative"}))

    assert result.labels.tolist() == [0]


def test_answers_are_known_until_the_last_one_however_many_leads_came_later() -> None:
    answered = CREATED + timedelta(days=5)
    told = history(["lost", "open", "open"], [CREATED, END, END], [answered, None, END])

    assert last_answer(told) == answered
    assert last_answer(history(["open"], [END])) is None
