"""What is said of a campaign whose spellings the model has learned in part."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from features.store.campaigns import LeadGroup
from serving.campaign_figures import Campaign
from serving.campaign_names import Told
from serving.campaigns import Lens, Stretch, study
from serving.spread import Spread

NOW = datetime(2026, 6, 1)


def told(**leads: int) -> Campaign:
    """What is told of a campaign with leads under two spellings, of which one was learned."""
    groups = [
        LeadGroup(name, 0, "B", "open", False, n, 0.2 * n, 0.04 * n, 0.0, 0.0, 0.0, 0, 0.0)
        for name, n in leads.items()
        if n
    ]
    lens = Lens("1", None, Spread(0.1, 0.9), lambda name: name == "spring_fair")
    stretch = Stretch(NOW - timedelta(days=90), NOW, 90)
    (found,) = study(Told(groups, [], [], []), stretch, lens).campaigns
    return found


def width(found: Campaign) -> float:
    assert found.wins is not None
    return found.wins.high - found.wins.low


def test_one_lead_more_or_less_under_a_spelling_changes_little() -> None:
    more, less = (told(**{"spring_fair": 100 + n, "Spring Fair": 100 - n}) for n in (1, -1))
    assert width(more) == pytest.approx(width(less), abs=2)


def test_the_more_of_its_leads_the_model_learned_the_narrower_the_interval() -> None:
    shares = [told(**{"spring_fair": n, "Spring Fair": 200 - n}) for n in (0, 50, 100, 150, 200)]
    widths = [width(one) for one in shares]
    assert widths == sorted(widths, reverse=True)
    assert widths[0] > 1.5 * widths[-1]
    assert [one.known for one in shares] == [False, False, True, True, True]


def test_leads_without_a_campaign_are_known() -> None:
    assert told(**{"": 10}).known
