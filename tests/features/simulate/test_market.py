from dataclasses import replace

import numpy as np
import pytest

from features.simulate import Crm, Settings
from features.simulate.market import arrive, intensity, launch

from .conftest import SETTINGS, history


def test_money_is_spent_only_while_the_campaign_runs(crm: Crm) -> None:
    place = [crm.campaigns.names.index(name) for name in crm.spend["campaign"]]
    date = np.array(crm.spend["date"], dtype="datetime64[D]")
    assert np.all(crm.campaigns.start[place] <= date)
    assert np.all(date <= crm.campaigns.end[place])


def test_spend_has_one_row_a_campaign_and_week(crm: Crm) -> None:
    week = np.array(crm.spend["date"], dtype="datetime64[D]").astype(np.int64) + 3
    cells = list(zip(crm.spend["campaign"], (week // 7).tolist(), strict=True))
    assert len(set(cells)) == len(cells)


def test_leads_come_only_while_their_campaign_runs() -> None:
    campaigns = launch(SETTINGS)
    arrivals = arrive(SETTINGS, campaigns)
    day = arrivals.created.astype("datetime64[D]")
    assert np.all(campaigns.start[arrivals.campaign] <= day)
    assert np.all(day <= campaigns.end[arrivals.campaign])


def test_leads_are_ordered_by_creation_within_history_and_night(crm: Crm) -> None:
    created = history(crm).created
    night = np.array(crm.nightly["created_at"], dtype="datetime64[m]")
    assert np.all(np.diff(np.concatenate([created, night])) >= np.timedelta64(0, "m"))
    assert created[0] >= crm.settings.start
    assert created[-1] < crm.settings.as_of <= night[0]


def test_the_last_campaign_is_unseen_before_the_night() -> None:
    arrivals = arrive(SETTINGS, launch(SETTINGS))
    newest = arrivals.campaign == SETTINGS.campaigns - 1
    assert newest[SETTINGS.leads :].any()
    assert not newest[: SETTINGS.leads].any()


@pytest.mark.parametrize("campaigns", [6, 200])
def test_campaigns_have_names_of_their_own(campaigns: int) -> None:
    assert len(set(launch(Settings(campaigns=campaigns)).names)) == campaigns


def test_no_day_is_without_a_running_campaign() -> None:
    settings = replace(SETTINGS, campaigns=6, months=120)
    assert np.all(intensity(settings, launch(settings)).sum(axis=0) > 0)
