"""What a recent group of leads will come to: its wins so far, and those still to come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from features.agreement import Agreement
from features.encoder import MIN_COUNT, Matrix
from features.leads import History
from serving.members import Mask, Vector
from serving.scorer import Scorer
from serving.timing import Timing

OTHERS = "smaller ones"
LEVEL = 0.9
"""Of the interval of the final wins."""
_DRAWS = 4000


@dataclass(frozen=True)
class Fates:
    """What became of leads so far, as arrays (leads,)."""

    won: Mask
    """Won within the horizon."""
    open: Mask
    """Nobody said yet what became of it."""
    day: Vector
    """Days from creation to the end; NaN where it has none or none is known."""
    age: Vector
    """Days from creation to the as-of date; NaN without a creation time."""


def fates(history: History, agreement: Agreement, as_of: datetime) -> Fates:
    """Return what became of leads by `as_of`, the moment of the export."""
    created, is_open = history.leads.created, [d == "open" for d in history.dispositions]
    age = np.array([_days(start, as_of) for start in created])
    # The closing date of an open lead is a wish.
    ends = [None if o else end for o, end in zip(is_open, history.closed, strict=True)]
    day = np.array([_days(start, end) for start, end in zip(created, ends, strict=True)])
    won = np.array([d == "won" for d in history.dispositions], dtype=bool)
    return Fates(
        won=won & ~(day >= agreement.horizon_days),
        open=np.array(is_open, dtype=bool),
        # A closing date without its hour may lie before the hour of creation.
        day=np.maximum(day, 0.0),
        age=age,
    )


def _days(start: datetime | None, end: datetime | None) -> float:
    return (end - start) / timedelta(days=1) if start and end else np.nan


@dataclass(frozen=True)
class Maturing:
    """A group of leads and the wins to expect of it by the end of its horizon."""

    rows: list[int]
    """Positions of its leads."""
    won: int
    """Wins so far."""
    to_come: float
    low: int
    """Lower end of the 90 % interval of the final wins."""
    high: int

    @property
    def final(self) -> float:
        """Wins so far and wins to come."""
        return self.won + self.to_come


def maturing(
    scorer: Scorer, history: History, as_of: datetime, groups: Sequence[str | None]
) -> dict[str, Maturing]:
    """Return what each group of leads will come to.

    Args:
        scorer: with a timing model.
        history: the leads of the groups with what became of them so far.
        as_of: the moment of the export.
        groups: the group of each lead, such as its campaign. Groups of fewer than ten leads are
            put together.

    Raises:
        ValueError: when the scorer has no timing model.

    """
    if scorer.timing is None:
        raise ValueError("the scorer has no timing model")
    return expect(Watched.of(scorer, history, as_of, groups), scorer.timing)


@dataclass(frozen=True)
class Watched:
    """Leads, what became of them so far, and what a timing model reads, as arrays (leads,)."""

    fates: Fates
    matrix: Matrix
    log_odds: Vector
    groups: npt.NDArray[np.object_]
    horizon: float
    """In days."""

    @classmethod
    def of(
        cls, scorer: Scorer, history: History, as_of: datetime, groups: Sequence[str | None]
    ) -> Watched:
        """Read them from a history as known by `as_of`."""
        matrix = scorer.encoder.encode(history.leads)
        return cls(
            fates(history, scorer.agreement, as_of),
            matrix,
            scorer.blend.log_odds(matrix),
            np.array(groups, dtype=object),
            float(scorer.agreement.horizon_days),
        )

    def take(self, rows: npt.NDArray[np.intp]) -> Watched:
        """Return the leads at the given positions."""
        f = self.fates
        return Watched(
            Fates(f.won[rows], f.open[rows], f.day[rows], f.age[rows]),
            self.matrix[rows],
            self.log_odds[rows],
            self.groups[rows],
            self.horizon,
        )


def expect(watched: Watched, timing: Timing) -> dict[str, Maturing]:
    """Return what each group will come to. See `maturing`."""
    found, age = watched.fates, np.nan_to_num(watched.fates.age)
    left = found.open & (age < watched.horizon)
    to_come = timing.to_come(watched.matrix, watched.log_odds, age)
    so_far = timing.so_far(watched.matrix, watched.log_odds, age)
    hopes = _Hopes(found.won, so_far, np.where(left, to_come, 0.0), timing.spread)
    rows: dict[str, list[int]] = {}
    for i, name in enumerate(_named(watched.groups.tolist())):
        rows.setdefault(name, []).append(i)
    level = hopes.level(list(range(len(age))), 1.0)
    return {name: hopes.mature(rows[name], level) for name in sorted(rows)}


def _named(groups: Sequence[str | None]) -> list[str]:
    counts = Counter(groups)
    return [OTHERS if name is None or counts[name] < MIN_COUNT else name for name in groups]


@dataclass(frozen=True)
class _Hopes:
    """What was won and what was to be expected of each lead, as arrays (leads,)."""

    won: Mask
    so_far: Vector
    """P(won by now), seen from its creation."""
    to_come: Vector
    """P(won in the time that is left); 0 where it is decided."""
    spread: float

    def level(self, rows: list[int], prior: float) -> float:
        """Return how many wins a group has to each that was expected, pulled toward a prior.

        The wins so far tell whether a group is better than its leads look; few tell little. It is
        the mean of a gamma distribution whose standard deviation was `spread` of the prior.
        """
        if not self.spread:
            return prior
        strength = self.spread**-2
        won, expected = float(self.won[rows].sum()), float(self.so_far[rows].sum())
        return (strength + won) / (strength / prior + expected)

    def mature(self, rows: list[int], prior: float) -> Maturing:
        """Return what a group will come to."""
        won = int(self.won[rows].sum())
        chance = np.minimum(self.to_come[rows] * self.level(rows, prior), 1.0)
        left = (self.spread**-2 + won) ** -0.5 if self.spread else 0.0
        low, high = interval(chance, left)
        return Maturing(rows, won, float(chance.sum()), won + low, won + high)


def interval(chance: Vector, spread: float) -> tuple[int, int]:
    """Return the 90 % interval of the number of wins among leads with these chances.

    Chance makes it binomial (a little wide where chances differ; Hoeffding 1956); that a whole
    group can be better or worse than its leads look makes it beta-binomial.

    Args:
        chance: of each lead, shape (leads,).
        spread: standard deviation of the group's wins beyond chance, as a share of them.

    """
    open_leads = int((chance > 0).sum())
    if not open_leads:
        return 0, 0
    mean = float(chance.sum()) / open_leads
    generator = np.random.default_rng(0)
    rate = np.full(_DRAWS, mean)
    if spread > 0:
        # Beta of this mean, whose standard deviation is `spread` of the mean.
        strength = max((1 - mean) / (mean * spread**2) - 1, 1e-3)
        rate = generator.beta(mean * strength, (1 - mean) * strength, _DRAWS)
    tail = (1 - LEVEL) / 2
    wins = generator.binomial(open_leads, rate)
    low, high = np.quantile(wins, [tail, 1 - tail], method="inverted_cdf")
    return int(low), int(high)
