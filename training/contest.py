"""Champion and challenger on one window: what each finds, how true each is, what would change.

All figures come from the same draws of whole days (`paired.measure`), so that what is hard about
a day is hard for both. Bounds are one-sided, each with the error that is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.agreement import GRADES, Agreement
from serving.members import Vector
from serving.rates import Interval
from training.intervals import exact
from training.judged import groups
from training.later import Later
from training.paired import DRAWS, Measures, drawn_by, measure, same
from training.ranking import Ranked, best_by_day, top_share
from training.reliability import log_losses
from training.splits import Rows
from training.window import Window

_FEWEST_ROWS = 20
"""A campaign of fewer leads is not named."""
_MOST = 40
_HALF_A_WIN = 0.5
"""Stands for no win, so that the ratio of predicted to actual exists."""
_WINS, _LOSS, _AUC, _SHARES, _RATIOS = 0, 1, 2, slice(3, 7), slice(7, None)
"""Where a model's measures stand; of the ratios, as logarithms, that of all leads is the first."""


@dataclass(frozen=True)
class Both:
    """One figure of the champion and of the challenger."""

    champion: Interval
    challenger: Interval


@dataclass(frozen=True)
class Contest:
    """What the window shows of both; a difference is the challenger's minus the champion's."""

    rows: int
    won: int
    drawn_by: str
    """What the intervals drew anew: day or lead."""
    calls: float | None
    """Leads called a day among these; None without days: then the best tenth is called once."""
    calls_all: bool
    """Whether both call every lead, so that no order can find more."""
    identical: bool
    """Whether both give every lead the same probability."""
    wins_found: float
    """By the champion."""
    wins: Interval
    log_loss: Interval
    auc: Interval
    auc_of: tuple[float, float]
    """Of champion and challenger."""
    ratio: Both
    """Mean predicted by mean actual."""
    campaigns: Mapping[str, Both]
    """The same for each large campaign; the bounds hold for all of them together."""
    shares: tuple[tuple[float, ...], tuple[float, ...]]
    """Shares of the grades A to D by champion and challenger."""
    grade_shift: Interval
    """Share of the leads by which these differ (total variation distance)."""
    a_leads: int
    """Leads that the champion grades A."""
    a_lost: Interval | None
    """Share of them that the challenger grades C or D; None where there are none."""


def meet(
    window: Window,
    champion: Vector,
    challenger: Vector,
    agreement: Agreement,
    seed: int = 0,
    times: int = DRAWS,
) -> Contest:
    """Measure both on the window.

    Args:
        window: leads that neither fit has seen, with both outcomes among them.
        champion: its probabilities, shape (rows,).
        challenger: its probabilities, shape (rows,).
        agreement: gives capacity, grades, and what is a large campaign and how sure to be.
        seed: of the draws.
        times: how often days (or leads) are drawn anew.

    """
    large = _large(window, (champion, challenger), agreement.gate.large_campaign_wins)
    models = [_Model(window, p, agreement, large) for p in (champion, challenger)]
    judged = window.judged(champion)
    found = measure(judged, models, seed, times)
    error = 1 - agreement.gate.sure
    apart = Measures(
        found.seen[1] - found.seen[0], found.drawn[:, 1] - found.drawn[:, 0], found.units
    )
    margin = apart.margin(apart.drawn, error)
    wins, loss, auc = (_around(apart.seen[i], margin[i]) for i in (_WINS, _LOSS, _AUC))
    ratio, *by_campaign = _ratios(found, error, len(large))
    shift = np.abs(apart.seen[_SHARES]).sum() / 2
    shifts = np.abs(apart.drawn[:, _SHARES]).sum(axis=1) / 2
    graded = [model.grades for model in models]
    calls = None if window.day is None else window.calls(agreement.capacity.leads_per_day)
    a_leads = np.flatnonzero(graded[0] == 0)
    return Contest(
        rows=len(window.won),
        won=int(window.won.sum()),
        drawn_by=drawn_by(Later(window.won, champion, window.day)),
        calls=calls,
        calls_all=all(model.calls_all for model in models),
        identical=same(champion, challenger),
        wins_found=float(found.seen[0, _WINS]),
        wins=wins,
        log_loss=loss,
        auc=auc,
        auc_of=(float(found.seen[0, _AUC]), float(found.seen[1, _AUC])),
        ratio=ratio,
        campaigns=dict(zip(large, by_campaign, strict=True)),
        shares=(_plain(found.seen[0, _SHARES]), _plain(found.seen[1, _SHARES])),
        grade_shift=_around(shift, found.margin(shifts, error)),
        a_leads=len(a_leads),
        a_lost=_lost(graded[1][a_leads] >= 2, judged.weights[a_leads], error),
    )


def _large(window: Window, said: tuple[Vector, ...], fewest_wins: int) -> dict[str, Rows]:
    """Return the rows of each campaign with enough wins, expected by either or actual."""
    if window.campaign is None:
        return {}
    weights = window.judged(said[0]).weights
    counted: tuple[Vector, ...] = (*said, window.won.astype(np.float64))
    parts = {
        name: rows
        for name, rows in groups(window.campaign).items()
        if len(rows) >= _FEWEST_ROWS
        and max(float(weights[rows] @ wins[rows]) for wins in counted) >= fewest_wins
    }
    largest = sorted(parts, key=lambda name: (-len(parts[name]), name))[:_MOST]
    return {name: parts[name] for name in largest}


class _Model:
    """One model on the window, made once for all draws."""

    def __init__(
        self, window: Window, probability: Vector, agreement: Agreement, large: dict[str, Rows]
    ) -> None:
        won = window.won.astype(np.float64)
        self._ranked = Ranked(window.won, probability)
        self._tenth = np.array([top_share(len(won))])
        self._campaigns = 1 + len(large)
        self._by_day = window.day is not None
        called = np.zeros(len(won))
        if window.day is not None:
            calls = window.calls(agreement.capacity.leads_per_day)
            called = best_by_day(probability, window.day.astype(float), calls, window.weight)
        self.calls_all = bool((called == 1).all())
        self.grades = agreement.grades.places(probability)
        inside = np.zeros((len(won), self._campaigns))
        inside[:, 0] = 1
        for i, rows in enumerate(large.values(), start=1):
            inside[rows, i] = 1
        self._each = np.column_stack(
            [
                called * won,
                log_losses(won, probability),
                np.eye(len(GRADES))[self.grades],
                inside * probability[:, None],
                inside * won[:, None],
            ]
        )

    def measure(self, weights: Vector) -> Vector:
        """Return the measures, each row counted `weights` times."""
        steps, total = self._ranked.steps(weights), weights.sum()
        sums = weights @ self._each
        wins = sums[0] if self._by_day else steps.found(self._tenth)[0] * steps.won.sum()
        predicted, actual = sums[6 : 6 + self._campaigns], sums[6 + self._campaigns :]
        ratios = np.log(np.maximum(predicted, _HALF_A_WIN) / np.maximum(actual, _HALF_A_WIN))
        return np.concatenate(
            [[wins, sums[1] / total, steps.roc_auc()], sums[2:6] / total, ratios]
        )  # fmt: skip


def _ratios(found: Measures, error: float, campaigns: int) -> list[Both]:
    """Return predicted by actual of all leads, then by campaign; intervals on the log scale."""
    seen, drawn = found.seen[:, _RATIOS], found.drawn[:, :, _RATIOS]
    margin = found.margin(drawn, error)
    if campaigns > 1:
        margin[:, 1:] = found.margin(drawn[:, :, 1:], error / campaigns)
    ends = np.exp(np.stack([seen, seen - margin, seen + margin]))
    return [
        Both(*(Interval(*ends[:, model, i].tolist()) for model in (0, 1)))
        for i in range(seen.shape[1])
    ]


def _lost(lower: npt.NDArray[np.bool_], weights: Vector, error: float) -> Interval | None:
    """Return the share of A leads that get a lower grade; None where there are none."""
    if not len(lower):
        return None
    worth = float(weights.sum() ** 2 / (weights**2).sum())
    return exact(float(np.average(lower, weights=weights)) * worth, worth, error)


def _around(value: float, margin: float | Vector) -> Interval:
    return Interval(float(value), float(value - margin), float(value + margin))


def _plain(values: Vector) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
