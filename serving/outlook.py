"""What groups of leads will come to, from counts alone: no lead is read again.

Leads of a group that are alike in age and score are counted together (`Counts`). Their scores and
the curve of the timing model say how many wins were to be expected by now, and how many are still
to come. A group may be better or worse than its leads look, by a shift of all its log-odds that is
normal about that of the market; its wins so far tell of it, few wins little (empirical Bayes:
Morris 1983, J. Am. Stat. Assoc. 78). What is to come is then a mixture of binomials over the shifts
that are left; its interval takes in luck, the group's own shift, a market that moves meanwhile, and
the model's error, which the spread of the shifts was measured with (training/spread.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from serving.effects import Effects
from serving.members import Additive, Mask, Vector
from serving.spread import Spread
from serving.timing import Timing

LEVEL = 0.9
"""Of all intervals here."""
USUAL = Spread(0.5, 0.7)
"""How far groups are off where no model says it: the prior of training/spread.py."""
_STEPS = 41
_PART = 0.5**0.5
"""Of a spread, what all groups have in common and what each has of its own: equal variances."""
_MOVES = 0.15
"""How far the market moves between the wins so far and those to come: standard deviation in
log-odds. Chosen on twelve simulated CRMs; see docs/science.md."""
Table = npt.NDArray[np.float64]
_MANY = 400
"""Wins from which on they are not counted one by one."""
_GRID = 2001


@dataclass(frozen=True)
class Range:
    """A figure and the ends of its 90 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Counts:
    """Leads counted together by group, age and score, as arrays (cells,)."""

    group: npt.NDArray[np.intp]
    """The place of the group."""
    leads: Vector
    """Those with a score."""
    won: Vector
    """Of these, within the horizon."""
    open: Vector
    """Of these, not decided and not recycled; past the horizon they count as over."""
    probability: Vector
    """The mean of those with a score."""
    age: Vector
    """In days."""


@dataclass(frozen=True)
class Outlook:
    """What a group has come to and will come to by the end of its horizon."""

    won: int
    by_now: Range
    """Wins that were to be expected by now, seen from the creation of its leads."""
    final: Range
    """Wins so far and wins to come."""
    shift: float
    """How much better its leads are than they look, in log-odds, the market's shift included."""


def even(horizon: float) -> Timing:
    """Return a timing for a model that has none: wins come evenly over the horizon."""
    return Timing((horizon,), (), Effects((), Additive(0.0, ())), (0.0,), 0.0)


def outlooks(
    counts: Counts, groups: int, timing: Timing, spreads: Sequence[float]
) -> list[Outlook]:
    """Return what each group will come to.

    Args:
        counts: of all groups.
        groups: how many there are.
        timing: when wins come; its curve for an average lead is used.
        spreads: of each group, how far it may be off: standard deviation in log-odds.

    """
    chances = _Chances.of(counts, timing)
    part = np.array(spreads) * _PART
    common = part.mean() * _normal_steps()
    told = chances.likelihood(counts.group, np.tile(common, (groups, 1)))
    # What the others say of the market: a group's own wins are not to count twice.
    market = _Posterior.of(np.tile(common, (groups, 1)), told.sum(axis=0) - told)
    spread = np.hypot(part, market.deviation)
    shifts = market.mean[:, None] + spread[:, None] * _normal_steps()
    own = _Posterior.of(shifts, chances.likelihood(counts.group, shifts))
    strays = np.hypot(np.hypot(own.deviation, timing.spread), _MOVES)
    return [
        chances.outlook(
            place, counts.group == place, own.mean[place], strays[place], np.array(spreads)[place]
        )
        for place in range(groups)
    ]


class _Posterior(NamedTuple):
    """What is known of the groups' shifts: equally spaced values with their weights."""

    shifts: Table
    """Shape (groups, steps)."""
    weights: Table

    @classmethod
    def of(cls, shifts: Table, told: Table) -> _Posterior:
        """Weigh equally likely shifts by their log-likelihood, both of shape (groups, steps)."""
        weights = np.exp(told - told.max(axis=1, keepdims=True))
        return cls(shifts, weights / weights.sum(axis=1, keepdims=True))

    @property
    def mean(self) -> Vector:
        """Of each group."""
        return np.asarray((self.shifts * self.weights).sum(axis=1))

    @property
    def deviation(self) -> Vector:
        """Standard deviation of each group."""
        square = (self.shifts**2 * self.weights).sum(axis=1)
        return np.asarray(np.sqrt(np.maximum(square - self.mean**2, 0.0)))


@dataclass(frozen=True)
class _Chances:
    """Log-odds of having been won by now, and of being won in the time left, shape (cells,)."""

    counts: Counts
    so_far: Vector
    to_come: Vector
    left: Vector
    """Leads that may still be won."""
    young: Mask

    @classmethod
    def of(cls, counts: Counts, timing: Timing) -> _Chances:
        """Read them from the counts and the curve of an average lead."""
        days = np.array([0.0, *timing.days])
        age = np.clip(counts.age, 0.0, days[-1])
        share = _share_by(age, days, np.array([0.0, *timing.shares(0.0)]))
        lift = np.interp(age, days[:-1], timing.undecided)
        odds = np.clip(counts.probability, 1e-9, 1 - 1e-9)
        odds = odds / (1 - odds)
        first = odds * np.exp(timing.undecided[0])
        young = counts.age < days[-1]
        return cls(
            counts,
            _log_odds(share * first / (1 + first)),
            np.log(np.maximum((1 - share) * odds, 1e-12)) + lift,
            np.where(young, counts.open, 0.0),
            young,
        )

    def likelihood(self, group: npt.NDArray[np.intp], shifts: Table) -> Table:
        """Return how well each group's shifts explain its wins so far, shape (groups, steps).

        Only leads within their horizon speak: the model has learned from the older ones.
        """
        young = np.flatnonzero(self.young)
        chance = _expit(self.so_far[young, None] + shifts[group[young]])
        won, leads = self.counts.won[young, None], self.counts.leads[young, None]
        told = won * np.log(chance) + (leads - won) * np.log1p(-chance)
        order = np.argsort(group[young], kind="stable")
        places, starts = np.unique(group[young][order], return_index=True)
        total = np.zeros_like(shifts)
        if len(young):
            total[places] = np.add.reduceat(told[order], starts, axis=0)
        return total

    def outlook(self, place: int, cells: Mask, mean: float, left: float, spread: float) -> Outlook:
        """Return what one group will come to.

        Args:
            place: of the group.
            cells: its counts.
            mean: of its shift, as its wins so far tell it.
            left: standard deviation of what its leads to come may stray from that.
            spread: the same of all its leads, before anything was known of it.

        """
        won, steps = int(self.counts.won[cells].sum()), _normal_steps()
        chance = _expit(self.to_come[cells, None] + mean + left * steps)
        expected, variance = _moments(self.left[cells], chance)
        low, high = _interval(expected, variance)
        leads, so_far = self.counts.leads[cells], self.so_far[cells, None]
        now = _moments(leads, _expit(so_far + spread * steps))
        return Outlook(
            won,
            Range(float(leads @ _expit(so_far[:, 0])), *_interval(*now)),
            Range(won + float(expected.mean()), won + low, won + high),
            mean,
        )


def _share_by(age: Vector, days: Vector, shares: Vector) -> Vector:
    """Return the share of the horizon's wins by each age, shape of `age`.

    Straight between the days, but in the last interval, which is long: there wins thin out toward
    the horizon, in such a way that they begin as often as half-way between its mean and that of
    the interval before.
    """
    share = np.interp(age, days, shares)
    if len(days) < 3:
        return np.asarray(share)
    rest, length = 1.0 - shares[-2], days[-1] - days[-2]
    before = (shares[-2] - shares[-3]) / (days[-2] - days[-3])
    power = max((before * length / max(rest, 1e-12) + 1) / 2, 1.0)
    left = np.clip((days[-1] - age) / length, 0.0, 1.0)
    return np.asarray(np.where(left < 1, 1 - rest * left**power, share))


@cache
def _normal_steps() -> Vector:
    """Return equally likely values of a standard normal."""
    normal = NormalDist()
    return np.array([normal.inv_cdf((i + 0.5) / _STEPS) for i in range(_STEPS)])


def _moments(leads: Vector, chance: Table) -> tuple[Vector, Vector]:
    """Return mean and variance of the wins at each shift, shape (steps,)."""
    return np.asarray(leads @ chance), np.asarray(leads @ (chance * (1 - chance)))


def _interval(expected: Vector, variance: Vector) -> tuple[int, int]:
    """Return the 90 % interval of the wins, which at each shift are binomial.

    Args:
        expected: wins at each of the shifts, which are equally likely, shape (steps,).
        variance: of the wins at each.

    """
    most = float(expected.max(initial=0.0))
    if most <= 1e-9:
        return 0, 0
    if most > _MANY:
        return _of_many(expected, np.maximum(variance, 1.0))
    rate = np.clip(1 - variance / np.maximum(expected, 1e-12), 1e-9, 1 - 1e-9)
    trials = expected / rate
    wins = np.arange(int(np.ceil((expected + 6 * np.sqrt(variance + 1) + 6).max())))
    odds = (trials[:, None] - wins) / (wins + 1) * (rate / (1 - rate))[:, None]
    steps = np.log(np.maximum(odds, 1e-300))
    log = np.cumsum(np.column_stack([trials * np.log1p(-rate), steps]), axis=1)
    share = np.exp(log).sum(axis=0)
    share /= share.sum()
    return _nearest(share)


def _of_many(expected: Vector, variance: Vector) -> tuple[int, int]:
    """Do the same for many wins: they are taken for normal at each shift, on a grid."""
    reach = 6 * np.sqrt(variance.max())
    wins = np.linspace(max(expected.min() - reach, 0.0), expected.max() + reach, _GRID)
    off = (wins - expected[:, None]) ** 2 / variance[:, None]
    share = (np.exp(-off / 2) / np.sqrt(variance)[:, None]).sum(axis=0)
    low, high = _nearest(share / share.sum())
    return round(float(wins[low])), round(float(wins[high]))


def _nearest(share: Vector) -> tuple[int, int]:
    """Return the ends of the shortest run of numbers whose share is nearest to `LEVEL`."""
    held = np.concatenate([[0.0], np.cumsum(share)])
    ends = np.searchsorted(held, held + LEVEL - 1e-12)
    width = int((ends - np.arange(len(held)))[ends < len(held)].min())
    runs = [_likeliest(held, wide) for wide in range(max(width - 1, 1), width + 1)]
    low, high, _ = min(runs, key=lambda run: abs(run[2] - LEVEL))
    return low, high


def _likeliest(held: Vector, width: int) -> tuple[int, int, float]:
    """Return the ends of the likeliest run of so many numbers, and its share."""
    shares = held[width:] - held[:-width]
    low = int(shares.argmax())
    return low, low + width - 1, float(shares[low])


def _expit(log_odds: Table) -> Table:
    return np.asarray(1 / (1 + np.exp(-np.clip(log_odds, -30, 30))))


def _log_odds(chance: Vector) -> Vector:
    clipped = np.clip(chance, 1e-9, 1 - 1e-9)
    return np.asarray(np.log(clipped / (1 - clipped)))
