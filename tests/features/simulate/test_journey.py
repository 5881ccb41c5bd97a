from dataclasses import replace

import numpy as np
import pytest

from features.simulate import ROLES, Crm, simulate

from .conftest import SETTINGS, history

HINDSIGHT = ("closed", "value", "leak")
ENDING = {
    "won": "Closed Won",
    "lost": "Closed Lost",
    "unqualified": "Disqualified",
    "not_ready": "Nurture - not ready",
    "in_contract": "In contract with competitor",
    "unreachable": "No answer",
}


def columns(*roles: str) -> list[str]:
    return [name for role in roles for name in ROLES[role]]


def test_every_column_has_exactly_one_role(crm: Crm) -> None:
    assert sorted(columns(*ROLES)) == sorted(crm.export)


def test_the_night_shows_neither_outcome_nor_hindsight(crm: Crm) -> None:
    filled = {name for name in columns("outcome", *HINDSIGHT) if any(crm.nightly[name])}
    assert filled == set()


def test_open_leads_show_no_hindsight(crm: Crm) -> None:
    unworked = np.array(crm.export["status"]) == "Open"
    filled = {n for n in columns(*HINDSIGHT) if np.any(np.array(crm.export[n])[unworked] != "")}
    assert unworked.any()
    assert filled == set()


def test_every_hindsight_field_is_filled_somewhere(crm: Crm) -> None:
    assert all(any(crm.export[name]) for name in columns(*HINDSIGHT))


@pytest.mark.parametrize(
    ("column", "status"),
    [("deal_value", "Closed Won"), ("contract_until", "In contract with competitor")],
)
def test_some_fields_belong_to_one_ending_only(crm: Crm, column: str, status: str) -> None:
    filled = np.array(crm.export[column]) != ""
    assert set(np.array(crm.export["status"])[filled]) == {status}


def test_undecided_leads_have_no_closing_time_and_all_others_do(crm: Crm) -> None:
    undecided = np.isin(crm.export["status"], ["Open", "Working"])
    assert np.array_equal(undecided, np.isnat(history(crm).closed))


def test_nothing_is_known_before_the_lead_or_after_the_export(crm: Crm) -> None:
    past = history(crm)
    known = ~np.isnat(past.closed)
    assert np.all(past.created[known] < past.closed[known])
    assert np.all(past.closed[known] < crm.settings.as_of)


def test_losses_close_within_the_horizon_and_few_wins_after_it(crm: Crm) -> None:
    past, status = history(crm), np.array(crm.export["status"])
    late = past.closed >= past.created + np.timedelta64(crm.settings.horizon_days, "D")
    assert set(status[late]) == {"Closed Won"}
    assert 0.01 < late[status == "Closed Won"].mean() < 0.10


def test_late_wins_are_late_from_the_hand_off_too(crm: Crm) -> None:
    past = history(crm)
    given = np.datetime64("NaT") + np.zeros(len(past.created), dtype="timedelta64[m]")
    place = [int(name.removeprefix("L-")) - 1 for name in crm.handoffs["id"]]
    given[place] = np.array(crm.handoffs["at"], dtype="datetime64[m]")
    horizon = np.timedelta64(crm.settings.horizon_days, "D")
    won = np.array(crm.export["status"]) == "Closed Won"
    assert np.array_equal((past.closed < given + horizon)[won], past.won[won])


def test_most_wins_come_in_the_first_two_thirds_of_the_horizon(crm: Crm) -> None:
    past = history(crm)
    days = (past.closed - past.created)[past.won & past.decided]
    assert 0.7 < np.mean(days < np.timedelta64(60, "D")) < 0.97


def test_a_share_of_worked_leads_is_recycled_with_no_value_and_no_win(crm: Crm) -> None:
    status = np.array(crm.export["status"])
    worked = history(crm).decided | np.isin(status, list(ENDING.values())[3:])
    assert np.mean(np.isin(status[worked], list(ENDING.values())[3:])) == pytest.approx(
        crm.settings.recycled_share, abs=0.03
    )


def test_less_capacity_leaves_more_leads_unworked() -> None:
    busy = simulate(replace(SETTINGS, capacity=0.5)).export["status"].count("Open")
    idle = simulate(replace(SETTINGS, capacity=2.0)).export["status"].count("Open")
    assert idle < 0.02 * SETTINGS.leads < 0.45 * SETTINGS.leads < busy


def test_feedback_ends_as_the_export_says(crm: Crm) -> None:
    ended = {
        lead: ENDING[word]
        for lead, word in zip(crm.feedback["id"], crm.feedback["disposition"], strict=True)
        if word in ENDING
    }
    shown = dict(zip(crm.export["id"], crm.export["status"], strict=True))
    assert ended == {lead: s for lead, s in shown.items() if s not in ("Open", "Working")}


def test_feedback_is_in_order_of_time_and_from_leads_handed_over(crm: Crm) -> None:
    at = np.array(crm.feedback["at"], dtype="datetime64[m]")
    handed = dict(zip(crm.handoffs["id"], crm.handoffs["at"], strict=True))
    assert np.all(np.diff(at) >= np.timedelta64(0, "m"))
    assert all(
        handed[lead] <= when
        for lead, when in zip(crm.feedback["id"], crm.feedback["at"], strict=True)
    )


def test_only_a_won_lead_carries_a_value_back(crm: Crm) -> None:
    rows = zip(crm.feedback["disposition"], crm.feedback["value"], strict=True)
    assert all((word == "won") == bool(value) for word, value in rows)


def test_leads_to_be_called_again_say_when(crm: Crm) -> None:
    rows = zip(crm.feedback["disposition"], crm.feedback["until"], strict=True)
    assert all((word in ("not_ready", "in_contract")) == bool(until) for word, until in rows)
