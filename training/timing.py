"""When wins come: discrete-time hazards in reverse, and whether fields tell more than one curve.

A young lead that is not won yet may still be won, so recent wins are the quick ones. Read
backwards from the horizon, that takes care of itself: among wins by day 30, how many came after
day 20? A lead takes part from the day on that it has reached itself, and nothing is assumed of
leads that are open, lost or never worked, nor that the rate of wins has stayed as it was.
Sources: Lagakos, Barraj & De Gruttola 1988 (Biometrika 75) and Kalbfleisch & Lawless 1989
(JASA 84) for reverse hazards under right truncation; Singer & Willett 1993 (J. Educ. Stat. 18)
for hazards by interval as a logistic regression on person-periods.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from threadpoolctl import threadpool_limits

from features.encoder import MIN_COUNT, Column, Matrix
from features.leads import History
from serving.effects import Effects
from serving.maturing import Fates, Watched, fates
from serving.members import Additive, Mask, Vector
from serving.rates import Interval, wilson
from serving.scorer import Scorer
from serving.timing import Timing
from training.effects import ALL, Choice, Design, Ridge, choose
from training.intervals import mean_interval
from training.judged import days_of
from training.maturing import spread, watch, with_undecided
from training.splits import Rows

SCORE = "the score"
_MOST_INTERVALS = 8
_WINS_AN_INTERVAL = 10
_MOST_WINS = 25_000
"""With eight intervals, 200,000 person-periods."""
_STEPS = 6
_DUST = 1e-9
_LOOK_BACK = 3
"""Horizons back at most from which former recent leads are looked at."""


@dataclass(frozen=True)
class FittedTiming:
    """A timing model, or why there is none."""

    model: Timing | None
    wins: int
    """Wins whose day is known."""
    choice: Choice | None
    absent_because: str = ""

    def as_metrics(self) -> dict[str, float]:
        """Return the figures by name; none without a model."""
        if self.model is None:
            return {}
        return {"timing_wins": float(self.wins), "timing_spread": self.model.spread}

    def sentences(self) -> list[str]:
        """Tell when wins come, and what tells it."""
        if self.model is None or self.choice is None:
            return [f"No time to conversion: {self.absent_because}."]
        shares = self.model.shares(0.0)
        days = zip(self.model.days[:-1], shares[:-1], strict=True)
        curve = ", ".join(f"{share:.0%} by day {day:.0f}" for day, share in days)
        # The widest that a share of so many wins can be, were none of them cut off by its age.
        half = wilson(self.wins / 2, self.wins)
        reach = 50 * (half.high - half.low)
        return [
            f"Of the wins within {self.model.days[-1]:.0f} days: {curve} ({self.wins:,} wins; the "
            f"95 % interval of a share near a half is at best ±{reach:.0f} points).",
            _form(self.choice),
        ]


def _form(choice: Choice) -> str:
    if choice.field is None:
        return "One curve for all leads: no field was shown to tell more about when a win comes."
    by = {ALL: "all fields", SCORE: "the score"}.get(choice.field, repr(choice.field))
    return (
        f"When a win comes differs by {by}: the log loss out of fold is lower by "
        f"{choice.gain:.3f} a win (standard error {choice.error:.3f})."
    )


@dataclass(frozen=True)
class Periods:
    """Wins by interval, read backwards; arrays (wins, intervals - 1), the first interval left out.

    A win is at risk in an interval when it came by its end, and when its lead has reached that
    end: else it could not have been seen there.
    """

    at_risk: Matrix
    event: Matrix

    @classmethod
    def of(cls, day: Vector, age: Vector, days: tuple[float, ...]) -> Periods:
        """Build them from the day of each win, its lead's age, and the ends of the intervals."""
        starts, ends = np.array(days[:-1]), np.array(days[1:])
        at_risk = (day[:, None] < ends) & (age[:, None] >= ends)
        return cls(at_risk.astype(float), (at_risk & (day[:, None] >= starts)).astype(float))

    def take(self, rows: Rows) -> Periods:
        """Return the wins at the given positions."""
        return Periods(self.at_risk[rows], self.event[rows])

    def hazards(self, delay: Vector) -> Vector:
        """Return the log-odds of each interval that fit best, given each win's delay."""
        events, risks = self.event.sum(axis=0), self.at_risk.sum(axis=0)
        # Half an event more and less, so that an interval without wins has a finite hazard.
        rate = (events + 0.5) / (risks + 1.0)
        hazards = np.log(rate / (1 - rate))
        for _ in range(_STEPS):
            chance = self._chance(hazards, delay)
            slope = np.maximum((chance * (1 - chance)).sum(axis=0), 1e-9)
            step = (rate * risks - chance.sum(axis=0)) / slope
            hazards = hazards + np.clip(step, -1, 1)
        return np.asarray(hazards)

    def working(self, hazards: Vector, delay: Vector) -> tuple[Vector, Vector]:
        """Return target and weight of each win in a Newton step for its delay."""
        chance = self._chance(hazards, delay)
        weight = np.maximum((chance * (1 - chance)).sum(axis=1), 1e-9)
        rest = np.where(self.at_risk > 0, self.event - chance, 0.0).sum(axis=1)
        return delay + rest / weight, weight

    def loss(self, hazards: Vector, delay: Vector) -> Vector:
        """Return the log loss of each win: of its interval, given that it has come."""
        signed = np.where(self.event > 0, -1.0, 1.0) * (hazards + delay[:, None])
        return np.asarray((self.at_risk * np.logaddexp(0.0, signed)).sum(axis=1))

    def _chance(self, hazards: Vector, delay: Vector) -> Matrix:
        chance = 1 / (1 + np.exp(-np.clip(hazards + delay[:, None], -30, 30)))
        return np.asarray(self.at_risk * chance)


def fit_timing(
    history: History, scorer: Scorer, as_of: datetime | None, seed: int = 0
) -> FittedTiming:
    """Fit when wins come.

    Args:
        history: all leads with what became of them by `as_of`, the young and the open included.
        scorer: its encoder and its log-odds read the leads.
        as_of: the moment of the export; None where leads have no creation time.
        seed: decides the folds.

    """
    names = scorer.agreement.columns
    if names.created is None or names.closed is None or as_of is None:
        return _absent("it needs the creation and the closing time of leads")
    watched = watch(scorer, history, as_of)
    found = watched.fates
    won = found.won & ~np.isnan(found.day) & (found.day <= found.age)
    mature = won & (found.age >= scorer.agreement.horizon_days)
    if mature.sum() < MIN_COUNT:
        return _absent(
            f"{int(mature.sum())} wins whose horizon is over have a closing time, at least "
            f"{MIN_COUNT} are needed",
            int(won.sum()),
        )
    wins = np.flatnonzero(won)
    if len(wins) > _MOST_WINS:
        wins = np.sort(np.random.default_rng(seed).choice(wins, _MOST_WINS, replace=False))
    days = _intervals(found.day[mature], scorer)
    with threadpool_limits(1):  # so that sums are the same on any number of cores
        return _fit(scorer, watched, wins, days, seed)


def _absent(why: str, wins: int = 0) -> FittedTiming:
    return FittedTiming(None, wins, None, why)


def _intervals(day: Vector, scorer: Scorer) -> tuple[float, ...]:
    """Return the ends of intervals with about as many wins each, the horizon last."""
    horizon = float(scorer.agreement.horizon_days)
    count = int(np.clip(len(day) // _WINS_AN_INTERVAL, 2, _MOST_INTERVALS))
    # Up to the whole day: closing dates often lack their hour.
    inner = np.ceil(np.quantile(day, np.arange(1, count) / count))
    return (*(float(end) for end in np.unique(inner) if 0 < end < horizon), horizon)


def _fit(
    scorer: Scorer, watched: Watched, wins: Rows, days: tuple[float, ...], seed: int
) -> FittedTiming:
    seen = watched.take(wins)
    periods = Periods.of(seen.fates.day, seen.fates.age, days)
    inputs = np.column_stack([seen.matrix, seen.log_odds])
    columns = (*scorer.encoder.columns, Column(SCORE, SCORE, None))
    choice, hazards, delay = _delays(periods, Design(inputs, columns, np.arange(len(wins))), seed)
    curve = Timing(days, tuple(hazards.tolist()), delay, (0.0,) * len(days), spread=0.0)
    model = with_undecided(curve, watched)
    strayed = spread(model, watched, _LOOK_BACK * watched.horizon)
    return FittedTiming(replace(model, spread=strayed), len(wins), choice)


def _delays(periods: Periods, design: Design, seed: int) -> tuple[Choice, Vector, Effects]:
    """Choose what tells the delay by one Newton step out of fold; then fit it to the end."""
    delay = np.zeros(len(design.values))
    hazards = periods.hazards(delay)
    target, weight = periods.working(hazards, delay)
    choice, _ = choose(design, target, weight, lambda d: periods.loss(hazards, d), seed)
    if choice.field is None:
        return choice, hazards, Effects((), Additive(0.0, ()))
    for _ in range(_STEPS):
        target, weight = periods.working(hazards, delay)
        ridge = Ridge.of(design.values, target, weight)
        coefficients, _ = ridge.solve(design.places(choice.field), choice.penalty)
        # The hazards hold the mean; the delay is measured from it.
        shift = float((design.values @ coefficients).mean())
        delay = design.values @ coefficients - shift
        hazards = periods.hazards(delay)
    return choice, hazards, design.effects(choice.field, coefficients, -shift)


@dataclass(frozen=True)
class TimingEvaluation:
    """What later leads say of the curves, the young ones among them weighted for."""

    leads: int
    wins: int
    log_loss: float
    """Of the interval in which a win came, given that it came, in nats a win."""
    log_loss_one_curve: float
    gain: Interval
    """One curve's log loss minus the model's."""
    brier: float
    """Of "won by day t", the mean over the days."""
    brier_same_for_all: float
    """The same with one curve and one probability for all leads."""
    skill: Interval
    """The latter minus the former."""
    by_field: bool

    def as_metrics(self) -> dict[str, float]:
        """Return the figures by name."""
        names = ("log_loss", "log_loss_one_curve", "brier", "brier_same_for_all")
        found = {f"timing_{name}": float(getattr(self, name)) for name in names}
        for name, figure in (("gain", self.gain), ("skill", self.skill)):
            found[f"timing_{name}"] = figure.value
            ends = {"low": figure.low, "high": figure.high}
            found |= {f"timing_{name}_{k}": v for k, v in ends.items() if np.isfinite(v)}
        return found

    def sentences(self) -> list[str]:
        """Tell whether fields help to say when, and how good the curves are."""
        shape = [self._shape()] if self.by_field else []
        # Equal curves differ by the dust of their sums.
        if abs(self.skill.value) < _DUST:
            return [*shape, "All leads have one chance and one curve: there is nothing to compare."]
        better = "better than" if self.skill.low > _DUST else "not shown to be better than"
        return [
            *shape,
            f'As a forecast of "won by day t" score and curve together are {better} one '
            f"chance and one curve for all leads: Brier score {self.brier:.4f} against "
            f"{self.brier_same_for_all:.4f} (95 % interval of the difference "
            f"{self.skill.low:+.4f} to {self.skill.high:+.4f}; {self.leads:,} leads since the "
            "first judged one, those too young for a day weighted for).",
        ]

    def _shape(self) -> str:
        verdict = "is confirmed" if self.gain.low > 0 else "is NOT confirmed"
        return (
            f"That fields tell when a win comes {verdict} on {self.wins:,} later wins: log loss "
            f"{self.log_loss:.3f} against {self.log_loss_one_curve:.3f} with one curve (95 % "
            f"interval of the difference {self.gain.low:+.3f} to {self.gain.high:+.3f})."
        )


def evaluate_timing(
    history: History, scorer: Scorer, as_of: datetime, since: datetime
) -> TimingEvaluation | None:
    """Judge the scorer's curves on leads created from `since` on, as known by `as_of`.

    Leads too young for a day are accounted for by inverse-probability-of-censoring weights (Graf
    et al. 1999, Stat. Med. 18); a lost lead cannot win any more (Fine & Gray 1999, JASA 94).
    Intervals take the leads of one day as hanging together.

    Args:
        history: all leads.
        scorer: with a timing model, fitted on what was known at `since`.
        as_of: the moment of the export.
        since: the creation time of the first later lead.

    Returns:
        None without a timing model or without a later win whose day is known.

    """
    timing = scorer.timing
    found = fates(history, scorer.agreement, as_of)
    rows = _judgeable(history, scorer, found, since)
    if timing is None or not found.won[rows].any():
        return None
    matrix = scorer.encoder.encode(history.leads.take(rows.tolist()))
    log_odds = scorer.blend.log_odds(matrix)
    won, day, age = found.won[rows], found.day[rows], found.age[rows]
    delay = timing.delay.at(timing.inputs(matrix, log_odds))[won]
    periods = Periods.of(day[won], age[won], timing.days)
    model, one_curve = (
        periods.loss(np.array(timing.hazards), d) for d in (delay, np.zeros(len(delay)))
    )
    gains = one_curve - model
    taken = days_of(history.leads.take(rows.tolist()))
    days = None if taken is None else np.array(taken)
    probability = 1 / (1 + np.exp(-log_odds))
    curves = probability[:, None] * timing.won_by(matrix, log_odds)
    same = np.broadcast_to(probability.mean() * np.array(timing.shares(0.0)), curves.shape)
    weight, outcome = _censoring_weights(won, day, age, np.array(timing.days))
    brier, brier_same = ((weight * (c - outcome) ** 2).mean(axis=1) for c in (curves, same))
    skill = brier_same - brier
    return TimingEvaluation(
        leads=len(rows),
        wins=int(won.sum()),
        log_loss=float(model.mean()),
        log_loss_one_curve=float(one_curve.mean()),
        gain=mean_interval(gains, None if days is None else days[won]),
        brier=float(brier.mean()),
        brier_same_for_all=float(brier_same.mean()),
        skill=mean_interval(skill, days),
        by_field=bool(timing.delay.columns),
    )


def _judgeable(history: History, scorer: Scorer, found: Fates, since: datetime) -> Rows:
    """Return later leads that win or do not: none that is recycled, or open past its horizon."""
    learning = scorer.agreement.learning
    teaches = [getattr(learning, d) != "censored" for d in history.dispositions]
    young = found.open & (found.age < scorer.agreement.horizon_days)
    decided = np.array(teaches, dtype=bool) & (found.open | ~np.isnan(found.day))
    later = np.array([bool(c and c >= since) for c in history.leads.created], dtype=bool)
    return np.flatnonzero(later & (young | decided))


def _censoring_weights(won: Mask, day: Vector, age: Vector, days: Vector) -> tuple[Matrix, Matrix]:
    """Return weight and outcome (won by the day), shape (leads, days)."""
    ages = np.sort(age)

    def reached(days: Vector) -> Vector:
        left = len(ages) - np.searchsorted(ages, days, side="left")
        return np.asarray(np.maximum(left, 1) / len(ages))

    end = np.where(np.isnan(day), np.inf, day)[:, None]
    ended = (end < days) & (end <= age[:, None])
    weight = np.where(ended, (1 / reached(end[:, 0]))[:, None], 1 / reached(days))
    known = ended | (age[:, None] >= days)
    return np.where(known, weight, 0.0), (ended & won[:, None]).astype(float)
