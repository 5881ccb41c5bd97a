"""What if money moved between campaigns: wins to expect, with what nobody knows about it.

What the average euro of a campaign brought is known about; what the next one brings is not, and it
is less: the best audience is bought first. Wins are taken to follow spend by a power, its
elasticity: 1 would be the average again. Measured elasticities of sales to advertising are small,
.12 in the short and .24 in the long run on the mean of 1,193 studies' estimates (Sethuraman, Tellis
& Briesch 2011, J. Marketing Research 48), while money that buys clicks and leads follows demand
more closely; Little 1979 (Operations Research 27) on why response is concave. So all elasticities
from .2 to 1 are taken for equally likely, and the interval holds them and the campaigns' own error.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from pydantic import BaseModel, Field

from features.errors import UsageError
from serving.campaign_figures import Campaign, Campaigns
from serving.campaigns import error_of
from serving.outlook import Range

_ELASTICITIES = np.linspace(0.2, 1.0, 9)
_Z = 1.6449
_FAR = 1.5
"""A spend that many times larger, or smaller, than it was is beyond what was seen."""


class Move(BaseModel):
    """One campaign, as it was and as it would be."""

    name: str
    cost: float
    new_cost: float
    wins: float = Field(description="To expect of the cost as it was.")
    new_wins: Range


class WhatIf(BaseModel):
    """What a change of spend would bring, over as many days as the figures are of."""

    cost: float
    new_cost: float
    wins: float
    new_wins: Range
    change: Range = Field(description="Wins more or fewer than without the change.")
    at_average: float = Field(
        description="The same change if every euro brought what the average one did: too hopeful "
        "where spend rises."
    )
    moves: list[Move] = Field(description="The campaigns whose spend changes.")
    caveats: list[str]


def what_if(figures: Campaigns, spend: Mapping[str, float]) -> WhatIf:
    """Return what to expect if campaigns had other costs.

    Args:
        figures: the campaigns as they are.
        spend: the new cost of some, by name, over as many days as the figures are of; the others
            keep theirs.

    Raises:
        UsageError: when a campaign is not known, or nothing was spent on it so far.

    """
    known = {campaign.name: campaign for campaign in figures.campaigns}
    moved = [(_priced(known, name), new) for name, new in spend.items()]
    moved = [(campaign, new) for campaign, new in moved if new != campaign.cost]
    changes = [_changes(campaign, new) for campaign, new in moved]
    change = sum(changes, np.zeros(len(_ELASTICITIES)))
    variance = sum(_variance(campaign, _ratio(campaign, new) - 1) for campaign, new in moved)
    priced = [campaign for campaign in figures.campaigns if campaign.cost is not None]
    cost = sum(campaign.cost or 0.0 for campaign in priced)
    wins = sum(campaign.wins.value for campaign in priced if campaign.wins)
    more = sum(new - (campaign.cost or 0.0) for campaign, new in moved)
    found = _range(change, variance)
    return WhatIf(
        cost=cost,
        new_cost=cost + more,
        wins=wins,
        new_wins=Range(wins + found.value, max(0.0, wins + found.low), wins + found.high),
        change=found,
        at_average=sum(float(_changes(campaign, new)[-1]) for campaign, new in moved),
        moves=[_move(campaign, new) for campaign, new in moved],
        caveats=_caveats(moved),
    )


def _priced(known: Mapping[str, Campaign], name: str) -> Campaign:
    campaign = known.get(name)
    if campaign is None:
        raise UsageError(f"{name}: there is no such campaign in this time")
    if not campaign.cost or campaign.wins is None:
        raise UsageError(
            f"{name}: nothing was spent on it, or none of its leads has a score; what more would "
            "bring cannot be told"
        )
    return campaign


def _expected(campaign: Campaign) -> float:
    return campaign.wins.value if campaign.wins else 0.0


def _changes(campaign: Campaign, new: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the wins more or fewer at each elasticity; the last one is 1."""
    return _expected(campaign) * ((new / (campaign.cost or 1.0)) ** _ELASTICITIES - 1)


def _ratio(campaign: Campaign, new: float) -> float:
    """Return by what factor wins change, on the mean of the elasticities."""
    return float(((new / (campaign.cost or 1.0)) ** _ELASTICITIES).mean())


def _variance(campaign: Campaign, factor: float) -> float:
    """Return the variance of so many times the wins of a campaign."""
    return 0.0 if campaign.wins is None else (error_of(campaign.wins) * factor) ** 2


def _range(change: np.ndarray[tuple[int], np.dtype[np.float64]], variance: float) -> Range:
    """Return the mean over the elasticities, and the ends by both errors together."""
    reach = _Z * math.sqrt(float(change.var()) + variance)
    middle = float(change.mean())
    return Range(middle, middle - reach, middle + reach)


def _move(campaign: Campaign, new: float) -> Move:
    found = _range(
        _changes(campaign, new) + _expected(campaign),
        _variance(campaign, _ratio(campaign, new)),
    )
    return Move(
        name=campaign.name,
        cost=campaign.cost or 0.0,
        new_cost=new,
        wins=_expected(campaign),
        new_wins=Range(found.value, max(0.0, found.low), found.high),
    )


def _caveats(moved: list[tuple[Campaign, float]]) -> list[str]:
    if not moved:
        return []
    told = [
        "Marginal is not average: the next euro brings less than the average one did, by how much "
        "nobody knows; the interval holds returns that diminish fast, slowly, and not at all.",
        "Only a trial tells: change one budget for four weeks and look at the trend.",
    ]
    far = [c.name for c, new in moved if not 1 / _FAR <= new / (c.cost or 1.0) <= _FAR]
    if far:
        told.append(
            f"Far from anything that was tried: {', '.join(far)}. Move in steps of a third at most."
        )
    return told
