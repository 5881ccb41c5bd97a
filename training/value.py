"""What won leads were worth: a model of the value given won, and whether ordering by it pays.

Deals are few and their values have heavy tails. So the model is a ridge on the log of values cut
at quantiles, every effect pulled toward none; fields enter only when they lower the error on wins
that the fit did not see, else every lead has the same expected value. A factor (smearing; Duan
1983, JASA 78) makes expected values add up to the sum of the wins. For that sum the largest value
in five hundred, at least one, counts as the next smaller one: a once winsorised mean has the
smaller error where a tail is long (Rivest 1994, Biometrika 81), and a slip of the pen moves little.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import rankdata
from threadpoolctl import threadpool_limits

from features.agreement import Agreement
from features.cells import Cell, missing_as_none, number
from features.encoder import MIN_COUNT
from features.leads import History
from serving.members import Vector
from serving.rates import Interval
from serving.scorer import Scorer
from serving.value import ValueModel
from training.effects import ALL, Choice, Design, Ridge, choose
from training.intervals import by_draws, draws
from training.judged import Judged, days_of
from training.labels import Labelled
from training.ranking import Ranked
from training.splits import Rows

SHARE = 0.1
"""Of the leads, best first, that are called in the evaluation."""
_CUT = (0.01, 0.99)
_LARGEST = 500
"""One in so many values counts as the next smaller one in the sum."""
_MOST_WINS = 20_000


@dataclass(frozen=True)
class FittedValue:
    """A model of the value given won, or why there is none."""

    model: ValueModel | None
    wins: int
    """Won leads with a usable value."""
    unusable: Counter[str]
    """Won leads whose value cannot be used, by reason."""
    choice: Choice | None
    mean: float
    """Mean value of the wins; NaN without a model."""
    cut: int
    """Values that count as the next smaller one."""
    cut_share: float
    """Share of the sum that this takes away."""
    absent_because: str = ""

    def as_metrics(self) -> dict[str, float]:
        """Return the figures by name; none without a model."""
        if self.model is None:
            return {}
        return {"value_wins": float(self.wins), "value_cut_share": self.cut_share}

    def sentences(self) -> list[str]:
        """Tell what was learned, and from what."""
        account = [
            f"{n:,} won leads have no usable value: {why}" for why, n in self.unusable.items()
        ]
        if self.choice is None:
            return [f"No expected value: {self.absent_because}.", *account]
        return [_form(self.choice, self.wins), *self._cutting(), *account]

    def _cutting(self) -> list[str]:
        if not self.cut_share:
            return []
        what = "value counts" if self.cut == 1 else f"{self.cut:,} values count"
        return [
            f"The largest {what} as the next smaller one, which takes {self.cut_share:.1%} off "
            "the sum."
        ]


def _form(choice: Choice, wins: int) -> str:
    if choice.field is None:
        return (
            f"Every lead has the same expected value given won: on the {wins:,} wins learned from, "
            "no field was shown to tell more about it."
        )
    by = "all fields" if choice.field == ALL else repr(choice.field)
    return (
        f"Expected value given won differs by {by}: on the {wins:,} wins learned from, the error "
        f"out of fold is lower by {choice.gain:.3f} (standard error {choice.error:.3f}; gamma "
        "deviance)."
    )


def values_of(history: History, agreement: Agreement) -> tuple[Vector, Counter[str]]:
    """Return the value of each won lead, NaN for all others, and the account of unusable ones.

    Values of leads that are not won are ignored: they are estimates, or were never filled in.
    """
    cells = history.leads.column(agreement.columns.value or "")
    reading = missing_as_none(agreement.export.missing)
    values = np.full(len(history), np.nan)
    unusable: Counter[str] = Counter()
    for i, disposition in enumerate(history.dispositions):
        if disposition == "won":
            values[i], why = _value(reading(cells[i]), agreement.export.decimal)
            if why:
                unusable[why] += 1
    return values, unusable


def _value(cell: Cell, decimal: Any) -> tuple[float, str]:
    if cell is None:
        return np.nan, "missing"
    try:
        value = number(cell, decimal)
    except ValueError:
        return np.nan, "not a number"
    return (value, "") if value > 0 else (np.nan, "zero or less")


def fit_value(labelled: Labelled, scorer: Scorer, rows: Rows, seed: int = 0) -> FittedValue:
    """Fit the value given won.

    Args:
        labelled: leads with their labels.
        scorer: its encoder reads the leads.
        rows: the positions to learn from; of them the wins within the horizon.
        seed: decides the folds.

    """
    history, column = labelled.history, scorer.agreement.columns.value
    if column is None:
        return _absent("the agreement names no value column")
    if column not in history.leads.columns:
        return _absent(f"the export has no column {column!r}")
    taken = history.take(rows)
    values, unusable = values_of(taken, scorer.agreement)
    wins = np.flatnonzero((labelled.labels[rows] == 1) & ~np.isnan(values))
    if len(wins) < MIN_COUNT:
        return _absent(
            f"{len(wins)} wins with a value; below {MIN_COUNT} it could tell a single deal",
            len(wins),
            unusable,
        )
    if len(wins) > _MOST_WINS:
        wins = np.sort(np.random.default_rng(seed).choice(wins, _MOST_WINS, replace=False))
    matrix = scorer.encoder.encode(taken.leads)
    with threadpool_limits(1):  # so that sums are the same on any number of cores
        return _fit(Design(matrix, scorer.encoder.columns, wins), values[wins], unusable, seed)


def _absent(why: str, wins: int = 0, unusable: Counter[str] | None = None) -> FittedValue:
    return FittedValue(None, wins, unusable or Counter(), None, np.nan, 0, 0.0, why)


def _fit(design: Design, values: Vector, unusable: Counter[str], seed: int) -> FittedValue:
    target = np.log(np.clip(values, *np.quantile(values, _CUT)))
    summed, cut = _cut_largest(values)
    weight = np.ones(len(values))

    def deviance(log_value: Vector) -> Vector:
        expected = _factor(summed, log_value) * np.exp(log_value)
        ratio = summed / expected
        return np.asarray(2 * (ratio - 1 - np.log(ratio)))

    choice, unseen = choose(design, target, weight, deviance, seed)
    coefficients, intercept = Ridge.of(design.values, target, weight).solve(
        design.places(choice.field), choice.penalty
    )
    # By predictions out of fold, because those for rows of the fit vary more than for new leads.
    factor = _factor(summed, unseen)
    model = ValueModel(design.effects(choice.field, coefficients, intercept), factor)
    share = 1 - float(summed.sum() / values.sum())
    return FittedValue(model, len(values), unusable, choice, float(values.mean()), cut, share)


def _cut_largest(values: Vector) -> tuple[Vector, int]:
    """Return the values with the largest ones counted as the next smaller, and how many."""
    cut = max(1, round(len(values) / _LARGEST))
    return np.minimum(values, np.sort(values)[-1 - cut]), cut


def _factor(values: Vector, log_value: Vector) -> float:
    return float(values.sum() / np.exp(log_value).sum())


@dataclass(frozen=True)
class ValueEvaluation:
    """What later leads say of the expected values."""

    rows: int
    won: int
    """Won later leads with a usable value."""
    unusable: Counter[str]
    revenue: float
    by_value: Interval
    """Share of the revenue in the top tenth by expected revenue."""
    by_probability: Interval
    perfect: float
    """The share that the most valuable tenth holds."""
    gain: Interval
    """`by_value` minus `by_probability`."""
    total: Interval
    """Sum of expected values of won leads over the sum of their values."""
    revenue_ratio: Interval
    """Sum of probability × expected value over the revenue, all leads."""
    rank_correlation: Interval | None
    """Spearman's, expected and actual value of won leads; None where all are expected alike."""

    def as_metrics(self) -> dict[str, float]:
        """Return the figures by name."""
        found = {
            "revenue_top_tenth_by_value": self.by_value,
            "revenue_top_tenth_by_probability": self.by_probability,
            "revenue_top_tenth_gain": self.gain,
            "value_total_ratio": self.total,
            "revenue_ratio": self.revenue_ratio,
        }
        if self.rank_correlation is not None:
            found["value_rank_correlation"] = self.rank_correlation
        metrics = {"revenue": self.revenue, "revenue_top_tenth_perfect": self.perfect}
        for name, figure in found.items():
            metrics |= {name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high}
        return metrics

    def sentences(self) -> list[str]:
        """Tell what ordering by expected revenue finds, and whether expected values add up."""
        told = [
            f"Of {self.rows:,} judged leads, {self.won:,} won, the top tenth by expected revenue "
            f"holds {_percent(self.by_value)} of the revenue, by probability "
            f"{_percent(self.by_probability)}; the best possible order {self.perfect:.0%}.",
            self.verdict,
            f"Expected values of won leads add up to {_percent(self.total)} of their values; "
            f"expected revenue of all leads to {_percent(self.revenue_ratio)} of the revenue.",
        ]
        if self.rank_correlation is not None:
            r = self.rank_correlation
            told.append(
                f"Among won leads expected and actual value go together with a rank correlation of "
                f"{r.value:.2f} (95 % interval {r.low:.2f} to {r.high:.2f}; 0 is chance)."
            )
        told += [
            f"{n:,} won judged leads are left out: value {w}." for w, n in self.unusable.items()
        ]
        return told

    @property
    def verdict(self) -> str:
        """Whether ordering by expected revenue finds more than ordering by probability."""
        if self.gain.low == self.gain.high == 0:
            return (
                "Expected revenue and probability put the leads in one order: nothing to compare."
            )
        low, high = f"{100 * self.gain.low:+.0f}", f"{100 * self.gain.high:+.0f}"
        interval = f"95 % interval of the difference {low} to {high} points of the revenue"
        if self.gain.low > 0:
            return f"Ordering by expected revenue is shown to find more revenue ({interval})."
        if self.gain.high < 0:
            return f"Ordering by expected revenue finds LESS revenue ({interval})."
        return (
            "Ordering by expected revenue is not shown to find more than ordering by probability "
            f"({interval})."
        )


def _percent(figure: Interval) -> str:
    return f"{figure.value:.0%} (95 % interval {figure.low:.0%} to {figure.high:.0%})"


def evaluate_value(
    labelled: Labelled, scorer: Scorer, rows: Rows, seed: int = 0
) -> ValueEvaluation | None:
    """Judge the scorer's value model on leads that it was not fitted on.

    Args:
        labelled: leads with their labels.
        scorer: with a value model.
        rows: the later positions; won leads without a usable value are left out.
        seed: decides the bootstrap, which draws whole days of leads where these are known.

    Returns:
        None without a value model, or where the later leads have one outcome only.

    """
    if scorer.value is None:
        return None
    taken = labelled.history.take(rows)
    values, unusable = values_of(taken, scorer.agreement)
    won = labelled.labels[rows] == 1
    used = np.flatnonzero(~won | ~np.isnan(values))
    if not 0 < won[used].sum() < len(used):
        return None
    leads = taken.leads.take(used.tolist())
    revenue = np.where(won, values, 0.0)[used]
    expected = scorer.value.expected(scorer.encoder.encode(leads))
    probability = scorer.probabilities(leads)
    judged = Judged((revenue > 0).astype(np.int8), probability, clusters=days_of(leads))
    return _evaluate(judged, _Orders(revenue, probability, expected), unusable, seed)


class _Orders:
    """Later leads in their orders; a weight of each lead makes a draw of the bootstrap."""

    def __init__(self, revenue: Vector, probability: Vector, expected: Vector) -> None:
        """Take arrays of shape (leads,); equal scores share their revenue, as in all figures."""
        self.revenue, self.expected = revenue, expected
        self._said = probability * expected
        self._ranked = {
            "by_value": Ranked(revenue, self._said),
            "by_probability": Ranked(revenue, probability),
            "perfect": Ranked(revenue, revenue),
        }

    def figures(self, weight: Vector) -> dict[str, float]:
        won = self.revenue > 0
        revenue = float(weight @ self.revenue)
        tenth = np.array([SHARE])
        found = {
            name: float(ranked.steps(weight).found(tenth)[0])
            for name, ranked in self._ranked.items()
        }
        return {
            **found,
            "gain": found["by_value"] - found["by_probability"],
            "total": float(weight[won] @ self.expected[won]) / revenue,
            "revenue_ratio": float(weight @ self._said) / revenue,
            "rank_correlation": self._rank_correlation(weight),
        }

    def _rank_correlation(self, weight: Vector) -> float:
        rows = np.repeat(np.arange(len(weight)), weight.astype(np.intp))
        rows = rows[self.revenue[rows] > 0]
        return _spearman(self.expected[rows], self.revenue[rows])


def _evaluate(
    judged: Judged, orders: _Orders, unusable: Counter[str], seed: int
) -> ValueEvaluation:
    point = orders.figures(judged.weights)
    drawn = [orders.figures(weight) for weight in draws(judged, seed)]
    found = {
        name: by_draws(value, np.array([draw[name] for draw in drawn]))
        for name, value in point.items()
        if np.isfinite(value)
    }
    return ValueEvaluation(
        rows=len(judged.y),
        won=int(judged.y.sum()),
        unusable=unusable,
        revenue=float(orders.revenue.sum()),
        by_value=found["by_value"],
        by_probability=found["by_probability"],
        perfect=point["perfect"],
        gain=found["gain"],
        total=found["total"],
        revenue_ratio=found["revenue_ratio"],
        rank_correlation=found.get("rank_correlation"),
    )


def _spearman(one: Vector, other: Vector) -> float:
    """Return the rank correlation, NaN where either side is all alike."""
    a, b = rankdata(one), rankdata(other)
    a, b = a - a.mean(), b - b.mean()
    spread = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / spread if spread else np.nan
