"""The scorecard of what was said before the outcome was known: promise and truth side by side.

A backtest can fool its maker; a score that was stored before the outcome came cannot. Each lead
counts once for each model, by the first score that the model gave it. It is judged once its
horizon is over (`created <= t < created + horizon`) and sales has decided it; leads that are not
ready, in contract, not reached or open have no outcome and are counted apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

import numpy as np

from features.agreement import Agreement
from features.store.health import GivenScore
from serving.members import Vector
from training.evaluate import Evaluation, judge
from training.intervals import Interval, by_draws, draws, sum_test, wilson
from training.judged import Judged
from training.labels import DECIDED

T = TypeVar("T")
FEWEST = 20
"""Matured leads below which a month shows nothing but its count."""


@dataclass(frozen=True)
class Truth:
    """Scores whose outcome is known, with the outcome."""

    scores: Sequence[GivenScore]
    won: Sequence[int]
    waiting: Counter[str]
    """Scores without an outcome, by reason."""

    def take(self, rows: Sequence[int]) -> Truth:
        """Return the scores at the given positions; those waiting are left out."""
        return Truth([self.scores[i] for i in rows], [self.won[i] for i in rows], Counter())

    def by(self, key: Callable[[GivenScore], T]) -> dict[T, Truth]:
        """Return the scores by what `key` gives for each."""
        rows: dict[T, list[int]] = {}
        for i, score in enumerate(self.scores):
            rows.setdefault(key(score), []).append(i)
        return {found: self.take(places) for found, places in rows.items()}

    @property
    def both_occur(self) -> bool:
        """Whether there are leads of each outcome."""
        return 0 < sum(self.won) < len(self.won)

    def judged(self) -> Judged:
        """Return what is judged: rows of one day hang together."""
        days = [f"{score.at:%Y-%m-%d}" for score in self.scores]
        place = [score.at.timestamp() / 86400 for score in self.scores]
        return Judged(
            y=np.array(self.won, dtype=np.int8),
            probability=np.array([score.probability for score in self.scores]),
            clusters=days,
            place=np.array(place),
            campaign=[score.campaign for score in self.scores],
            grades=[score.grade for score in self.scores],
        )


def truth_of(scores: Sequence[GivenScore], agreement: Agreement, now: datetime) -> Truth:
    """Join scores with outcomes as known at a moment."""
    horizon = timedelta(days=agreement.horizon_days)
    known: list[GivenScore] = []
    won: list[int] = []
    waiting: Counter[str] = Counter()
    for score in scores:
        start = score.created or score.at
        if start + horizon > now:
            waiting["too young: the horizon is not over"] += 1
        elif score.code not in DECIDED:
            waiting["open: not decided" if score.code in (None, "open") else score.code] += 1
        else:
            known.append(score)
            in_time = score.closed is None or score.closed < start + horizon
            won.append(int(score.code == "won" and in_time))
    return Truth(known, won, waiting)


@dataclass(frozen=True)
class Month:
    """The scores that a model gave in a month, and what came of them."""

    model: str
    name: str
    rows: int
    won: int
    expected: float
    """The sum of the probabilities."""
    by_chance: tuple[int, int] | None
    """The middle 95 % of the wins that the probabilities themselves allow."""


def by_month(truth: Truth) -> list[Month]:
    """Account for each model and month, in their order."""
    found = []
    parts = truth.by(lambda score: (score.model, f"{score.at:%Y-%m}"))
    for model, name in sorted(parts, key=lambda key: (_version(key[0]), key[1])):
        part = parts[model, name]
        chances = np.array([score.probability for score in part.scores])
        won = sum(part.won)
        test = sum_test(chances, won) if len(chances) >= FEWEST else None
        allowed = None if test is None else (test.low, test.high)
        found.append(Month(model, name, len(chances), won, float(chances.sum()), allowed))
    return found


def _version(name: str) -> tuple[int, str]:
    return (int(name), "") if name.isdecimal() else (0, name)


def by_model(truth: Truth, agreement: Agreement, seed: int = 0) -> dict[str, Evaluation]:
    """Judge each model that has leads of both outcomes, in the order of versions."""
    parts = truth.by(lambda score: score.model)
    return {
        model: judge(parts[model].judged(), agreement, seed)
        for model in sorted(parts, key=_version)
        if parts[model].both_occur
    }


@dataclass(frozen=True)
class MeasuredLift:
    """How many times as many wins sales found by the model as it would have by chance."""

    top: int
    """Matured leads that were called because of their score."""
    explored: int
    """Matured leads that were drawn at random from below the cut."""
    lift: Interval


def measured_lift(truth: Truth, seed: int = 0) -> MeasuredLift | None:
    """Measure the model's lift from the exploration lane, or None without one.

    The win rate of the leads called for their score, over that of all leads: each explored lead
    stands for 1 / propensity leads that were never called (Horvitz & Thompson 1952). The interval
    draws whole days anew.
    """
    in_lane = [i for i, score in enumerate(truth.scores) if score.lane is not None]
    lanes = truth.take(in_lane)
    top = np.array([score.lane == "model" for score in lanes.scores], dtype=bool)
    if not lanes.both_occur or top.all() or not top.any():
        return None
    weight = np.array([1 / (score.propensity or 1.0) for score in lanes.scores])
    y = np.array(lanes.won, dtype=np.float64)

    def lift(drawn: Vector) -> float:
        called, all_ = drawn * top, drawn * weight
        if not called.sum() or not (all_ @ y):
            return float("nan")
        return float((called @ y / called.sum()) / (all_ @ y / all_.sum()))

    drawn = np.array([lift(times) for times in draws(lanes.judged(), seed)])
    ones = np.ones(len(y))
    return MeasuredLift(int(top.sum()), int((~top).sum()), by_draws(lift(ones), drawn))


def prospective_lines(
    truth: Truth, models: Mapping[str, Evaluation], promises: Mapping[str, Mapping[str, float]]
) -> Iterator[str]:
    """Tell what became of the scores that were given, beside what the backtest promised.

    Args:
        truth: all scores with their outcomes.
        models: each model judged on them.
        promises: the backtest's figures by model, as far as they are known.

    """
    told = ", ".join(f"{reason} {count:,}" for reason, count in truth.waiting.most_common())
    without = f"; without one: {told}" if told else ""
    yield f"  {len(truth.scores):,} scores have an outcome{without}"
    for model, found in models.items():
        promise = promises.get(model, {})
        yield f"  version {model}, {found.rows:,} leads, {found.won:,} won:"
        for name, words in _SHOWN.items():
            figure = found.figures[name]
            promised = f"; backtest {promise[name]:.3f}" if name in promise else ""
            yield (
                f"    {words} {figure.value:.3f} (95 % interval {figure.low:.3f} to "
                f"{figure.high:.3f}{promised})"
            )
        rate = wilson(found.won, found.rows)
        yield (
            f"    predicted {found.mean_predicted:.1%}, won {rate.value:.1%} "
            f"({rate.low:.1%} to {rate.high:.1%})"
        )
    for month in by_month(truth):
        allowed = " (by chance {} to {})".format(*month.by_chance) if month.by_chance else ""
        yield (
            f"    {month.name}, version {month.model}: {month.rows:,} leads, "
            f"{month.expected:.1f} wins expected{allowed}, {month.won:,} won"
        )


_SHOWN = {
    "roc_auc": "ROC AUC",
    "lift_top_tenth": "lift of the best tenth",
    "won_in_top_tenth": "wins in the best tenth",
}


def lift_lines(lift: MeasuredLift | None) -> Iterator[str]:
    """Tell the measured lift, or why there is none."""
    if lift is None:
        yield (
            "  how much better than chance sales does by the model cannot be known: only leads "
            "that the model liked were worked. leadq queue draws a few by lot ([exploration] share)"
        )
        return
    yield (
        f"  measured lift: by the model sales wins {lift.lift.value:.2f} times as many as by "
        f"chance (95 % interval {lift.lift.low:.2f} to {lift.lift.high:.2f}; {lift.top:,} leads "
        f"called for their score, {lift.explored:,} drawn at random)"
    )
