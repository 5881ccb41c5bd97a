"""When wins come: what share of the wins within the horizon has come by each day.

The curve of a lead is its share of the horizon's wins by day, times its probability: so that by
the end of the horizon it is the served probability, and no two numbers contradict each other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from features.encoder import Matrix
from serving.effects import Effects
from serving.members import Vector


@dataclass(frozen=True)
class Timing:
    """Discrete-time hazards in reverse: how many of the wins by the end of an interval fall in it.

    With q[j] = sigmoid(hazards[j] + delay(lead)), the share of the wins by the end of interval k
    is the product of 1 - q[j] over the intervals j after k. Read backwards, a win that is not
    reported yet plays no part, however young its lead is (Kalbfleisch & Lawless 1989).
    """

    days: tuple[float, ...]
    """Ends of the intervals in days since creation, rising; the last is the horizon."""
    hazards: tuple[float, ...]
    """Log-odds of each interval but the first."""
    delay: Effects
    """What holds a lead's win up, over its matrix with its log-odds as a last column."""
    undecided: tuple[float, ...]
    """By age 0 and `days` but the last: log-odds by which a lead that is still open is the likelier
    won for being open, the curve apart; from matured leads."""
    spread: float
    """How far the wins to come of a group of leads stray beyond chance: standard deviation as a
    share of their number."""

    @cached_property
    def _backwards(self) -> list[tuple[float, float]]:
        """The beginning and the hazard of each interval but the first, the last of them first."""
        return list(zip(self.days[-2::-1], reversed(self.hazards), strict=True))

    def inputs(self, matrix: Matrix, log_odds: Vector) -> Matrix:
        """Return what `delay` reads, shape (rows, columns + 1)."""
        return np.concatenate((matrix, log_odds[:, None]), axis=1)

    def shares(self, delay: float) -> list[float]:
        """Return the share of the horizon's wins by each of `days`, for one lead's delay."""
        found = [1.0]
        for hazard in reversed(self.hazards):
            found.append(found[-1] / (1.0 + math.exp(min(hazard + delay, 700.0))))
        return found[::-1]

    def won_by(self, matrix: Matrix, log_odds: Vector) -> Matrix:
        """Return the share of the horizon's wins by each of `days`, shape (rows, days)."""
        delays = self.delay.at(self.inputs(matrix, log_odds)).tolist()
        known = {delay: self.shares(delay) for delay in set(delays)}
        return np.array([known[delay] for delay in delays]).reshape(len(delays), len(self.days))

    def expected_days(self, matrix: Matrix, log_odds: Vector) -> list[float]:
        """Return the day by which half the wins of such leads have come."""
        delays = self.delay.at(self.inputs(matrix, log_odds)).tolist()
        known = {delay: self.median(delay) for delay in set(delays)}
        return [known[delay] for delay in delays]

    def median(self, delay: float) -> float:
        """Return the same for one lead's delay; `shares` as far back as it must be known."""
        by, end, exp = 1.0, self.days[-1], math.exp
        for start, hazard in self._backwards:
            odds = hazard + delay
            before = by / (1.0 + exp(odds if odds < 700.0 else 700.0))
            if before < 0.5:
                return start + (end - start) * (0.5 - before) / (by - before)
            by, end = before, start
        return end * 0.5 / by

    def to_come(self, matrix: Matrix, log_odds: Vector, ages: Vector) -> Vector:
        """Return P(won in the time that is left) of leads that are still open, shape (rows,).

        Args:
            matrix: the leads.
            log_odds: their scores.
            ages: days since creation; from the horizon on nothing is to come.

        """
        left = 1.0 - self.by_age(self.won_by(matrix, log_odds), ages)
        lift = np.interp(ages, (0.0, *self.days[:-1]), self.undecided)
        odds = left * np.exp(np.clip(log_odds + lift, -700.0, 700.0))
        return np.asarray(odds / (1.0 + odds))

    def so_far(self, matrix: Matrix, log_odds: Vector, ages: Vector) -> Vector:
        """Return P(won by its age) of leads, seen from their creation, shape (rows,)."""
        odds = np.exp(np.clip(log_odds + self.undecided[0], -700.0, 700.0))
        return self.by_age(self.won_by(matrix, log_odds), ages) * odds / (1.0 + odds)

    def by_age(self, shares: Matrix, ages: Vector) -> Vector:
        """Return the shares at each lead's age, straight between the days, shape (rows,)."""
        days = np.array([0.0, *self.days])
        grown = np.column_stack([np.zeros(len(shares)), shares])
        age = np.clip(ages, 0.0, days[-1])
        end = np.clip(np.searchsorted(days, age, side="right"), 1, len(days) - 1)
        at = np.arange(len(age))
        part = (age - days[end - 1]) / (days[end] - days[end - 1])
        return np.asarray(grown[at, end - 1] * (1 - part) + grown[at, end] * part)

    def as_dict(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return {
            "days": list(self.days),
            "hazards": list(self.hazards),
            "delay": self.delay.as_dict(),
            "undecided": list(self.undecided),
            "spread": self.spread,
        }

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> Timing:
        """Read back what `as_dict` wrote.

        Raises:
            ValueError: when days do not rise, or the tables do not fit them.

        """
        days, hazards, undecided = (
            tuple(float(number) for number in state[name])
            for name in ("days", "hazards", "undecided")
        )
        rising = all(a < b for a, b in pairwise((0.0, *days)))
        fits = len(days) == len(undecided) == len(hazards) + 1
        if not rising or not fits:
            raise ValueError("the days of the timing model and its tables do not fit")
        delay = Effects.from_dict(state["delay"])
        return cls(days, hazards, delay, undecided, float(state["spread"]))
