"""The scorecard of what was said before the outcome was known: promise and truth side by side.

A backtest can fool its maker; a score that was stored before the outcome came cannot. Each lead
counts once for each model, by the first score that the model gave it. It is judged once its
horizon is over (`created <= t < created + horizon`) and sales has decided it; leads that are not
ready, in contract, not reached or open have no outcome and are counted apart. A lead that is handed
over again has a new chance, as in training: the horizon begins anew with the hand-off, and what
became of it says nothing of a score from the chance before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from features.agreement import Agreement
from features.coded import CodedCells, each
from features.store.health import GivenScores
from serving.members import Mask, Vector
from serving.rates import Interval, wilson
from training.evaluate import Evaluation, judge
from training.intervals import by_draws, draws, sum_test
from training.judged import Judged, groups
from training.labels import DECIDED, Labels
from training.splits import Rows

_DAY = 86_400_000_000
"""Microseconds of a day."""
_YOUNG = "too young: the horizon is not over"
FEWEST = 20
"""Matured leads below which a month shows nothing but its count."""


@dataclass(frozen=True)
class Truth:
    """Scores whose outcome is known, with the outcome."""

    scores: GivenScores
    won: Labels
    """Shape (scores,)."""
    waiting: Counter[str]
    """Scores without an outcome, by reason."""

    def take(self, rows: Rows) -> Truth:
        """Return the scores at the given positions; those waiting are left out."""
        return Truth(self.scores.take(rows), self.won[rows], Counter())

    def by_version(self) -> dict[str, Truth]:
        """Return the scores of each model, in the order of versions."""
        parts = groups(_names(self.scores.model))
        return {model: self.take(parts[model]) for model in sorted(parts, key=_version)}

    def by_month(self) -> dict[str, Truth]:
        """Return the scores of each month, in the order of time."""
        months, place = np.unique(self.scores.at.astype("datetime64[M]"), return_inverse=True)
        return {str(m): self.take(np.flatnonzero(place == i)) for i, m in enumerate(months)}

    @property
    def both_occur(self) -> bool:
        """Whether there are leads of each outcome."""
        return 0 < int(self.won.sum()) < len(self.won)

    def judged(self) -> Judged:
        """Return what is judged: rows of one day hang together."""
        days, place = np.unique(self.scores.at.astype("datetime64[D]"), return_inverse=True)
        return Judged(
            y=self.won,
            probability=self.scores.probability,
            clusters=_names(CodedCells(days.astype(str).tolist(), place)),
            place=self.scores.at.astype(np.int64) / _DAY,
            campaign=_names(self.scores.campaign),
            grades=_names(self.scores.grade),
        )


def _names(cells: CodedCells) -> list[str | None]:
    """Return a category for each row; rows of one category share its text."""
    return each(cells, lambda cell: None if cell is None else str(cell))


def truth_of(scores: GivenScores, agreement: Agreement, now: datetime) -> Truth:
    """Join scores with outcomes as known at a moment."""
    ends = scores.start + np.timedelta64(agreement.horizon_days, "D")
    young = ends > np.datetime64(now)
    decided = _is(scores.code, *DECIDED)
    waiting = Counter({_YOUNG: int(young.sum())} if young.any() else {})
    for code in scores.code.take(np.flatnonzero(~young & ~decided)):
        waiting["open: not decided" if code in (None, "open") else str(code)] += 1
    known = ~young & decided
    in_time = np.isnat(scores.closed) | (scores.closed < ends)
    won = (_is(scores.code, "won") & in_time)[known].astype(np.int8)
    return Truth(scores.take(np.flatnonzero(known)), won, waiting)


def _is(cells: CodedCells, *wanted: str) -> Mask:
    """Return for each row whether its cell is one of some."""
    return np.array([value in wanted for value in cells.values], dtype=np.bool_)[cells.codes]


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
    return [
        _month(model, name, part)
        for model, given in truth.by_version().items()
        for name, part in given.by_month().items()
    ]


def _month(model: str, name: str, part: Truth) -> Month:
    chances, won = part.scores.probability, int(part.won.sum())
    test = sum_test(chances, won) if len(chances) >= FEWEST else None
    allowed = None if test is None else (test.low, test.high)
    return Month(model, name, len(chances), won, float(chances.sum()), allowed)


def _version(name: str) -> tuple[int, str]:
    return (int(name), "") if name.isdecimal() else (0, name)


def by_model(truth: Truth, agreement: Agreement, seed: int = 0) -> dict[str, Evaluation]:
    """Judge each model that has leads of both outcomes, in the order of versions."""
    return {
        model: judge(part.judged(), agreement, seed)
        for model, part in truth.by_version().items()
        if part.both_occur
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
    lanes = truth.take(np.flatnonzero(_is(truth.scores.lane, "model", "exploration")))
    top = _is(lanes.scores.lane, "model")
    if not lanes.both_occur or top.all() or not top.any():
        return None
    chance = lanes.scores.propensity
    weight = 1 / np.where(chance > 0, chance, 1.0)
    y = lanes.won.astype(np.float64)

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
