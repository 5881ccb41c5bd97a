"""How many wins are to come, by docs/science.md: sums and loops, and luck added up one by one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

LEVEL = 0.9
MOVES = 0.15
STEPS = [NormalDist().inv_cdf((i + 0.5) / 41) for i in range(41)]
"""Shifts are normal: 41 equally likely ones stand for all."""
Shares = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """When wins come: the share of them by some days, and what being open is worth by then."""

    days: tuple[float, ...]
    shares: tuple[float, ...]
    lifts: tuple[float, ...]
    """By age 0 and by the days but the last, in log-odds."""
    strays: float

    @classmethod
    def even(cls, horizon: int) -> Curve:
        """Wins that come evenly."""
        return cls((float(horizon),), (1.0,), (0.0,), 0.0)

    def share(self, age: float) -> float:
        """The share of the wins that have come by an age."""
        days, shares = (0.0, *self.days), (0.0, *self.shares)
        if age >= days[-1]:
            return 1.0
        n = max(i for i, day in enumerate(days) if day <= age)
        length, rest = days[n + 1] - days[n], shares[n + 1] - shares[n]
        gone = (age - days[n]) / length
        if n + 2 < len(days) or n == 0:
            return shares[n] + gone * rest
        # The last interval begins half-way between its own pace and that of the one before.
        pace = rest / length
        before = (shares[n] - shares[n - 1]) / (days[n] - days[n - 1])
        begins = max((pace + before) / 2, pace)
        return 1 - rest * (1 - gone) ** (begins / pace)

    def lift(self, age: float) -> float:
        """What being open at an age says, in log-odds."""
        days = (0.0, *self.days[:-1])
        if age >= days[-1]:
            return self.lifts[-1]
        n = max(i for i, day in enumerate(days) if day <= age)
        part = (age - days[n]) / (days[n + 1] - days[n])
        return self.lifts[n] + part * (self.lifts[n + 1] - self.lifts[n])


@dataclass(frozen=True)
class Cell:
    """Leads that are alike in age, grade and what became of them."""

    leads: int
    won: int
    open: int
    probability: float
    """The mean of those that were first given."""
    age: float

    def odds(self) -> float:
        """Of being won within the horizon."""
        chance = min(max(self.probability, 1e-9), 1 - 1e-9)
        return chance / (1 - chance)

    def so_far(self, curve: Curve) -> float:
        """The log-odds of having been won by now, seen from the creation."""
        first = self.odds() * math.exp(curve.lifts[0])
        chance = curve.share(self.age) * first / (1 + first)
        return math.log(max(chance, 1e-9) / (1 - min(chance, 1 - 1e-9)))

    def to_come(self, curve: Curve) -> float:
        """The log-odds of being won in the time that is left, for a lead that is still open."""
        left = max((1 - curve.share(self.age)) * self.odds(), 1e-12)
        return math.log(left) + curve.lift(self.age)

    def is_young(self, curve: Curve) -> bool:
        """Whether its horizon is not over."""
        return self.age < curve.days[-1]


@dataclass(frozen=True)
class Told:
    """What a group of leads comes to."""

    won: int
    by_now: float
    by_now_luck: Shares
    """How likely each number of wins by now is."""
    wins: float
    to_come_luck: Shares
    """How likely each number of wins to come is."""


def told_of(
    groups: Sequence[Sequence[Cell]], curve: Curve, spreads: Sequence[float]
) -> list[Told | None]:
    """Say what groups come to; None of one without cells."""
    if not any(groups):
        return [None] * len(groups)
    own = [spread * math.sqrt(0.5) for spread in spreads]
    shared = [z * sum(own) / len(own) for z in STEPS]
    said = [[_fits(cells, curve, shift) for shift in shared] for cells in groups]
    found: list[Told | None] = []
    for n, cells in enumerate(groups):
        others = [sum(told[i] for m, told in enumerate(said) if m != n) for i in range(len(shared))]
        market, unsure = _mean_and_deviation(shared, others)
        shifts = [market + z * math.hypot(own[n], unsure) for z in STEPS]
        mean, left = _mean_and_deviation(shifts, [_fits(cells, curve, s) for s in shifts])
        strays = math.sqrt(left**2 + curve.strays**2 + MOVES**2)
        found.append(_told(cells, curve, mean, strays, spreads[n]) if cells else None)
    return found


def _fits(cells: Sequence[Cell], curve: Curve, shift: float) -> float:
    """How well a shift explains the wins so far of young leads: log-likelihood."""
    total = 0.0
    for cell in cells:
        if cell.is_young(curve):
            chance = _chance(cell.so_far(curve) + shift)
            total += cell.won * math.log(chance) + (cell.leads - cell.won) * math.log(1 - chance)
    return total


def _mean_and_deviation(shifts: Sequence[float], fits: Sequence[float]) -> tuple[float, float]:
    weights = [math.exp(fit - max(fits)) for fit in fits]
    mean = sum(w * s for w, s in zip(weights, shifts, strict=True)) / sum(weights)
    square = sum(w * (s - mean) ** 2 for w, s in zip(weights, shifts, strict=True)) / sum(weights)
    return mean, math.sqrt(square)


def _told(cells: Sequence[Cell], curve: Curve, mean: float, strays: float, spread: float) -> Told:
    won = sum(cell.won for cell in cells)
    still = [(cell.open if cell.is_young(curve) else 0, cell.to_come(curve)) for cell in cells]
    to_come = [[(n, _chance(odds + mean + z * strays)) for n, odds in still] for z in STEPS]
    so_far = [(cell.leads, cell.so_far(curve)) for cell in cells]
    by_now = [[(n, _chance(odds + z * spread)) for n, odds in so_far] for z in STEPS]
    return Told(
        won,
        sum(n * _chance(odds) for n, odds in so_far),
        _luck(by_now),
        won + sum(n * p for leads in to_come for n, p in leads) / len(STEPS),
        _luck(to_come),
    )


def _chance(log_odds: float) -> float:
    return 1 / (1 + math.exp(-log_odds))


def _luck(mixture: Sequence[Sequence[tuple[int, float]]]) -> Shares:
    """How likely each number of wins is, lead by lead, on the mean of equally likely cases."""
    chances = np.array([[p for n, p in leads for _ in range(n)] for leads in mixture])
    shares = np.zeros((len(mixture), chances.shape[1] + 1))
    shares[:, 0] = 1.0
    for chance in chances.T:
        won = shares[:, :-1] * chance[:, None]
        shares *= 1 - chance[:, None]
        shares[:, 1:] += won
    return np.asarray(shares.mean(axis=0))


def off_by(luck: Shares, low: int, high: int) -> float:
    """How much worse a run of numbers is than the best: nearest to 90 %, as likely as its length.

    Args:
        luck: how likely each number is.
        low: the first of the run,
        high: and the last.

    """
    held = np.concatenate([[0.0], np.cumsum(luck)])

    def likeliest(width: int) -> float:
        return float((held[width:] - held[:-width]).max())

    widths = range(1, len(luck) + 1)
    best = min(abs(likeliest(width) - LEVEL) for width in widths)
    share = float(luck[low : high + 1].sum())
    return max(abs(share - LEVEL) - best, likeliest(high - low + 1) - share)
