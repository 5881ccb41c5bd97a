"""Wins to expect of a campaign: the sum of its probabilities, with intervals that cover.

A sum is off for two reasons. Luck: leads with right probabilities win as dice fall. And the model:
a campaign is better or worse than its leads look, and all of them move as a market does. The second
is a shift in log-odds common to a campaign's leads, normal about none; its standard deviation is
the `Spread`, found on leads that were held out (training/spread.py).

Three running sums for each campaign are enough, however many leads it has: their number n, the
sum of p, and the sum of p (1 - p). The last is also how fast the sum moves with a shift d; so the
sum is taken for n q with q = sigmoid(a + b d), where a and b give the sum and its motion at none.
Luck is taken for binomial with that mean and the variance n b q (1 - q): of n q / r leads, each
with the probability r = 1 - b (1 - q). With equal probabilities b is 1 and all of this is exact.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from scipy.special import betainc, expit, logit, ndtri

from features.cells import Cell, key_of, text_of
from features.coded import coded
from serving.members import Vector
from serving.spread import Spread

LEVEL = 0.9
"""Of the intervals."""
NOT_GIVEN = "not given"
SMALLER = "smaller ones"
_MOST = 1_000
"""Campaigns that stand by name, the largest ones; a column with more of them names no campaigns."""
_OF_A_LEAD = 0.8
"""Standard deviation, in log-odds, of a lead's true probability about its score.

Outcomes cannot tell it: each lead is won once or not at all. In simulated CRMs it was .6 to 1.2.
It matters for true probabilities alone, and little in campaigns of many leads.
"""
_SHIFTS = ndtri((np.arange(99) + 0.5) / 99)
"""Equally likely shifts, in standard deviations."""


@dataclass(frozen=True)
class Group:
    """The sums over a campaign."""

    name: str
    known: bool
    """Whether the model learned it."""
    leads: int
    expected: float
    """Sum of p."""
    variance: float
    """Sum of p (1 - p)."""

    def and_also(self, other: Group) -> Group:
        """Return the sums over both, under this name."""
        return replace(
            self,
            leads=self.leads + other.leads,
            expected=self.expected + other.expected,
            variance=self.variance + other.variance,
        )

    @property
    def slope(self) -> float:
        """How much of a shift its mean probability follows, on the log-odds scale.

        1 where all leads have one probability, less the more these differ.
        """
        mean = self.mean
        return min(max(self.variance / (self.leads * mean * (1 - mean)), 1e-6), 1.0)

    @property
    def mean(self) -> float:
        """Its mean probability, within what log-odds can tell."""
        return min(max(self.expected / self.leads, 1e-12), 1 - 1e-12)

    def shifted(self, shift: Vector) -> Vector:
        """Return the mean log-odds under shifts of all its leads, shape of `shift`."""
        return np.asarray(logit(self.mean) + self.slope * shift)


@dataclass(frozen=True)
class CampaignSum:
    """What to expect of a campaign."""

    name: str
    leads: int
    known: bool
    """Whether the model learned this campaign."""
    expected: float
    """Wins: the sum of its leads' probabilities."""
    low: int
    """Lower end of the 90 % interval of the number of wins."""
    high: int
    expected_low: float
    """Lower end of the 90 % interval of the sum of true probabilities: without luck."""
    expected_high: float

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)


class Sums:
    """Running sums by campaign; spellings that differ in case or spacing are one campaign."""

    def __init__(self, known: Callable[[Cell], bool]) -> None:
        """Start with none; `known` tells whether the model learned a campaign."""
        self._known = known
        self.by_key: dict[str, Group] = {}
        """By what decides whether two names are the same: see `features.cells.key_of`."""

    def add(self, campaigns: Sequence[Cell], probability: Vector) -> None:
        """Count leads, each with its campaign and its probability, shape (leads,)."""
        column = coded(campaigns)
        size = len(column.values)
        expected = np.bincount(column.codes, probability, size).tolist()
        variance = np.bincount(column.codes, probability * (1 - probability), size).tolist()
        for found in zip(column.values, column.counts(), expected, variance, strict=True):
            self._count(*found)

    def _count(self, value: Cell, leads: int, expected: float, variance: float) -> None:
        key = key_of(value)
        before = self.by_key.get(key)
        if before is None:
            name, known = (text_of(value), self._known(value)) if key else (NOT_GIVEN, True)
            before = Group(name, known, 0, 0.0, 0.0)
        self.by_key[key] = before.and_also(Group("", before.known, leads, expected, variance))

    def groups(self) -> list[Group]:
        """Return the campaigns, the largest first; beyond a thousand the rest stand as one."""
        order = sorted(self.by_key.values(), key=lambda group: (-group.leads, group.name))
        rest = Group(SMALLER, False, 0, 0.0, 0.0)
        for group in order[_MOST:]:
            rest = rest.and_also(group)
        return [*order[:_MOST], *([rest] if rest.leads else [])]


def campaign_sums(groups: Sequence[Group], spread: Spread) -> list[CampaignSum]:
    """Return what to expect of each campaign, in their order."""
    return [_sum(group, spread.of(group.known)) for group in groups]


def _sum(group: Group, spread: float) -> CampaignSum:
    low, high = wins_interval(group, spread)
    reach = -ndtri((1 - LEVEL) / 2) * _of_true(group, spread)
    ends = group.leads * expit(group.shifted(np.array([-reach, reach])))
    return CampaignSum(
        group.name, group.leads, group.known, group.expected, low, high, *ends.tolist()
    )


def _of_true(group: Group, spread: float) -> float:
    """Return the standard deviation of a campaign's shift, what single leads add included."""
    alike = group.leads * group.mean / (1 - group.slope * (1 - group.mean))
    return math.hypot(spread, _OF_A_LEAD / math.sqrt(alike))


def wins_interval(group: Group, spread: float) -> tuple[int, int]:
    """Return the numbers of wins that are not odd: the middle 90 % by the mid-P rule.

    A number counts for half on either side (Lancaster 1961, J. Am. Stat. Assoc. 56): whole
    numbers then hold 90 % on average, where full tails hold 97 % in small campaigns.
    """
    mean = expit(group.shifted(spread * _SHIFTS))
    chance = 1 - group.slope * (1 - mean)
    leads = group.leads * mean / chance

    def at_most(wins: int) -> float:
        """Return P(so many wins or fewer) of a number of leads that need not be whole."""
        part = betainc(np.maximum(leads - wins, 1e-12), wins + 1, 1 - chance)
        return float(np.where(wins < leads, part, 1.0).mean())

    def below(wins: int) -> float:
        """Return P(fewer wins) and half of P(just so many)."""
        return (at_most(wins) + (at_most(wins - 1) if wins else 0.0)) / 2

    tail, numbers = (1 - LEVEL) / 2, range(group.leads + 1)
    low = bisect_left(numbers, tail, key=below)
    return low, bisect_right(numbers, 1 - tail, key=below) - 1
