"""What if money moved: a pure function of the figures, with what nobody knows about it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from features.errors import UsageError
from serving.campaign_figures import Campaign, Campaigns, Trend
from serving.moves import what_if
from serving.outlook import Range

NOW = datetime(2026, 11, 1)


def campaign(name: str, cost: float | None = 100.0, wins: Range | None = None) -> Campaign:
    return Campaign(
        name=name,
        known=True,
        leads=100,
        scored=100,
        grades={},
        won=0,
        won_late=0,
        wins=wins,
        by_now=None,
        pace=None,
        value=0.0,
        revenue=None,
        cost=cost,
        visits=None,
        cost_per_lead=None,
        cost_per_win=None,
        accepted=0,
        answered=0,
        acceptance=None,
        reasons=[],
        trend=Trend(now=0.0, before=0.0, change=None),
        gain=None,
        budget=None,
        notes=[],
    )


def figures(*campaigns: Campaign) -> Campaigns:
    told: dict[str, Any] = {"by": "campaign", "days": 180, "since": NOW, "as_of": NOW}
    told |= {"horizon_days": 90, "model_version": None, "timed": True}
    return Campaigns(total=campaign("all"), campaigns=list(campaigns), **told)


GOOD = campaign("good", 100.0, Range(20.0, 14, 27))
POOR = campaign("poor", 100.0, Range(2.0, 0, 5))


def test_nothing_moved_changes_nothing() -> None:
    found = what_if(figures(GOOD, POOR), {"good": 100.0})
    assert (found.change, found.moves, found.caveats) == (Range(0, 0, 0), [], [])
    assert found.wins == found.new_wins.value == 22.0


def test_more_money_brings_more_wins_but_less_than_the_average_euro() -> None:
    found = what_if(figures(GOOD, POOR), {"good": 150.0})
    assert 0 < found.change.value < found.at_average == pytest.approx(10.0)
    assert found.change.low < found.change.value < found.change.high
    assert (found.cost, found.new_cost) == (200.0, 250.0)


def test_money_moved_to_where_it_brings_more_gains() -> None:
    there, back = (
        what_if(figures(GOOD, POOR), spend)
        for spend in ({"good": 150.0, "poor": 50.0}, {"good": 50.0, "poor": 150.0})
    )
    assert there.new_cost == back.new_cost == 200.0
    assert back.change.value < 0 < there.change.value


def test_a_campaign_that_ends_loses_all_of_its_wins_and_no_more() -> None:
    found = what_if(figures(GOOD), {"good": 0.0})
    assert found.change.value == pytest.approx(-20.0)
    assert found.moves[0].new_wins.value == pytest.approx(0.0)
    assert found.new_wins.low == 0.0


def test_the_caveats_say_that_marginal_is_not_average_and_what_is_far_off() -> None:
    found = what_if(figures(GOOD), {"good": 300.0})
    assert "Marginal is not average" in found.caveats[0]
    assert "good" in found.caveats[-1]
    assert len(what_if(figures(GOOD), {"good": 110.0}).caveats) == 2


@pytest.mark.parametrize("name", ["nobody", "free"])
def test_what_cannot_be_told_is_refused_with_the_reason(name: str) -> None:
    with pytest.raises(UsageError, match=name):
        what_if(figures(GOOD, campaign("free", None, Range(1.0, 0, 3))), {name: 10.0})
