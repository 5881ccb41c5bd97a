"""How well an order by probability finds wins: gain, lift, ROC AUC, PR AUC.

Rows of equal probability form one step, and calling a part of a step finds its wins in
proportion: no figure depends on the order in which equal rows happen to stand.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.stats import norm, rankdata

from serving.members import Vector
from serving.rates import LEVEL, Interval, wilson
from training.labels import Labels

GRID = np.linspace(0, 1, 101)
"""Shares of leads called at which curves are drawn."""
_NOTHING = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class Steps:
    """Weights of won and of all rows by distinct probability, best first; shape (steps,)."""

    won: Vector
    rows: Vector

    @cached_property
    def won_above(self) -> Vector:
        """Weights of won rows before each step and after the last, shape (steps + 1,)."""
        return np.concatenate([[0.0], np.cumsum(self.won)])

    @cached_property
    def rows_above(self) -> Vector:
        """Weights of all rows before each step and after the last, shape (steps + 1,)."""
        return np.concatenate([[0.0], np.cumsum(self.rows)])

    def roc_auc(self) -> float:
        """Return the chance that a won row stands above a lost one; equal ones count half."""
        lost, above = self.rows - self.won, self.won_above[:-1] + self.won / 2
        total = self.won_above[-1]
        return float(lost @ above / ((self.rows_above[-1] - total) * total))

    def pr_auc(self) -> float:
        """Return the average precision: precision at each step, weighted by the wins it adds."""
        precision = self.won_above[1:] / np.maximum(self.rows_above[1:], _NOTHING)
        return float(self.won @ precision / self.won_above[-1])

    def found(self, share: Vector) -> Vector:
        """Return the share of wins among the best `share` of rows, shape as `share`."""
        wins = np.interp(share * self.rows_above[-1], self.rows_above, self.won_above)
        return np.asarray(wins / self.won_above[-1], dtype=np.float64)

    def roc(self) -> tuple[Vector, Vector]:
        """Return shares of lost and of won rows above each step, from (0, 0) to (1, 1)."""
        lost, won = self.rows_above - self.won_above, self.won_above
        return lost / lost[-1], won / won[-1]

    def precision_recall(self) -> tuple[Vector, Vector]:
        """Return recall and precision over `GRID` of the share of rows called, from 1 % on."""
        recall = self.found(GRID[1:])
        return recall, recall * self.won_above[-1] / (GRID[1:] * self.rows_above[-1])


class Ranked:
    """Rows in the order of their probability, made once; weights come later."""

    def __init__(self, y: Labels | Vector, probability: Vector) -> None:
        self._order = np.argsort(-probability, kind="stable")
        ranked = probability[self._order]
        self._starts = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
        self._won = y[self._order].astype(np.float64)

    def steps(self, weights: Vector) -> Steps:
        """Return the steps with every row counted `weights` times, shape (rows,)."""
        ranked = weights[self._order]
        return Steps(
            np.add.reduceat(ranked * self._won, self._starts),
            np.add.reduceat(ranked, self._starts),
        )


def top_share(rows: int) -> float:
    """Return the share of the best tenth, rounded to whole rows, one at least."""
    return max(1, round(0.1 * rows)) / rows


def auc_interval(y: Labels, probability: Vector) -> Interval:
    """Return ROC AUC with its interval, both outcomes given; rows count alike.

    DeLong's standard error (DeLong et al. 1988, Biometrics 44) on the scale of log-odds, so that
    the interval stays within 0 … 1.
    """
    won, lost = probability[y == 1], probability[y == 0]
    m, n = len(won), len(lost)
    together = rankdata(np.concatenate([won, lost]))
    of_won = (together[:m] - rankdata(won)) / n
    of_lost = 1 - (together[m:] - rankdata(lost)) / m
    auc = float(of_won.mean())
    if not 0 < auc < 1 or min(m, n) < 2:
        return one_sided(auc, min(m, n))
    error = np.sqrt(of_won.var(ddof=1) / m + of_lost.var(ddof=1) / n) / (auc * (1 - auc))
    middle, reach = np.log(auc / (1 - auc)), norm.ppf(0.5 + LEVEL / 2) * error
    low, high = 1 / (1 + np.exp(-(middle + np.array([-reach, reach]))))
    return Interval(auc, float(low), float(high))


def one_sided(auc: float, rarer: int) -> Interval:
    """Return the interval of a ROC AUC of 0 or 1, or of too few rows to vary.

    No draw of such rows shows a mistake, so draws know no doubt. Every row of the rarer outcome
    counts as one trial (Wilson), which is careful: 1 of 1 shows nothing, 5 of 5 shows an order.
    """
    return wilson(auc * rarer, rarer)


def best_by_day(
    probability: Vector, place: Vector, each_day: float, weights: Vector | None = None
) -> Vector:
    """Return how much of each row is called, shape (rows,), with so many calls a day.

    Each day's best leads are called; the calls left for a step of equal probabilities are
    shared among its rows. Leads without a time are not counted: NaN. A row takes as many calls
    as the leads that it stands for by its weight; None: one.
    """
    called = np.full(len(probability), np.nan)
    days = np.floor(place)
    known = np.flatnonzero(np.isfinite(days))
    order = known[np.lexsort((-probability[known], days[known]))]
    new_day = np.concatenate([[True], np.diff(days[order]) != 0])
    new_step = new_day | np.concatenate([[True], np.diff(probability[order]) != 0])
    starts = np.flatnonzero(new_step)
    rows = np.diff(np.append(starts, len(order)))
    calls = np.ones(len(order)) if weights is None else weights[order]
    size = np.add.reduceat(calls, starts)
    above = np.concatenate([[0.0], np.cumsum(size)[:-1]])
    before = above - np.maximum.accumulate(np.where(new_day[starts], above, 0.0))
    called[order] = np.repeat(np.clip((each_day - before) / size, 0, 1), rows)
    return called
