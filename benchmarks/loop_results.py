"""What the closed loop is judged by, and the tables that tell it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import measures
from benchmarks.sales import DAYS_A_MONTH, Diary, Floats, Market, Policy, Rows
from features.errors import UsageError
from features.simulate.journey import NOT_READY

LAST_DAYS = 365
"""The time that policies are judged by: the last year, when all have learned what they can."""


@dataclass(frozen=True)
class Result:
    """How one policy did in one world."""

    share: float
    """Wins of the last twelve months over the oracle's."""
    expected: float
    """The same in true chances of the calls: what luck left out."""
    regret: Floats
    """Wins behind the oracle by month, expected, added up; shape (months,)."""
    called_said: Floats
    """Mean probability said of the calls by month, NaN where the policy says none."""
    called_true: Floats
    """Mean true chance of the same calls by month."""
    auc: float
    """On all leads of the last twelve months that would be decided, called or not."""
    explored: float
    """Share of the calls of the last twelve months that were drawn by lot."""
    promoted: float
    """Share of the challengers that took over; NaN where there were none."""
    seconds: float
    """For a year."""

    @property
    def calibration(self) -> float:
        """Mean said over mean true of the calls of the last twelve months; 1 is calibrated."""
        return float(self.called_said[-12:].mean() / self.called_true[-12:].mean())


def judged(market: Market, diary: Diary, oracle: Diary, policy: Policy, seconds: float) -> Result:
    """Judge a policy against the oracle in the same world.

    Raises:
        UsageError: when not even the oracle wins anybody.

    """
    ours, best = (_calls(market, d, market.ends - LAST_DAYS, market.ends) for d in (diary, oracle))
    won = market.world.won
    if not won[best].any():
        raise UsageError(f"seed {market.seed}: the oracle wins nobody; set more leads=")
    by_month = [_expected(market, diary, m) - _expected(market, oracle, m) for m in _months(market)]
    said, true = _said(market, diary) if policy.gives_probability else (np.array([np.nan]),) * 2
    years = (market.ends - market.begins) / 365
    return Result(
        share=float(won[ours].sum() / won[best].sum()),
        expected=float(_chance(market)[ours].sum() / _chance(market)[best].sum()),
        regret=-np.cumsum(by_month),
        called_said=said,
        called_true=true,
        auc=_auc(market, diary),
        explored=float(diary.explored[ours].mean()),
        promoted=float(np.mean(policy.promoted)) if policy.promoted else np.nan,
        seconds=seconds / years,
    )


def _chance(market: Market) -> Floats:
    """The chance that a call wins."""
    return market.world.chance * (1 - market.world.recycled_chance)


def _months(market: Market) -> list[tuple[float, float]]:
    bounds = np.arange(market.begins, market.ends + 1, DAYS_A_MONTH).tolist()
    return list(zip(bounds, [*bounds[1:], market.ends], strict=True))[: len(bounds) - 1]


def _calls(market: Market, diary: Diary, begin: float, end: float) -> Rows:
    return np.flatnonzero((diary.called >= begin) & (diary.called < end))


def _expected(market: Market, diary: Diary, month: tuple[float, float]) -> float:
    return float(_chance(market)[_calls(market, diary, *month)].sum())


def _said(market: Market, diary: Diary) -> tuple[Floats, Floats]:
    calls = [_calls(market, diary, *month) for month in _months(market)]
    said = np.array([diary.said[rows].mean() for rows in calls])
    return said, np.array([market.world.chance[rows].mean() for rows in calls])


def _auc(market: Market, diary: Diary) -> float:
    late = market.world.created >= market.ends - LAST_DAYS
    rows = late & ~np.isnan(diary.said) & (market.world.outcome < NOT_READY)
    return measures.auc(market.world.won[rows].astype(np.int8), diary.said[rows])


def show(console: Console, results: dict[str, list[Result]], seeds: int) -> None:
    """Print the mean over seeds of each figure, and the spread of the share of wins."""
    table = Table(
        title=f"The last 12 months over {seeds} seed{'s' * (seeds > 1)}; share of the oracle's "
        "wins: mean ± standard deviation [lowest, highest]",
        title_justify="left",
    )
    heads = (
        "policy",
        "share of wins",
        "expected",
        "regret",
        "said / true",
        "AUC",
        "by lot",
        "promoted",
    )
    for head in (*heads, "s a year"):
        table.add_column(head, justify="left" if head == "policy" else "right")
    for name, found in results.items():
        table.add_row(name, *_cells(found))
    console.print(table)
    console.print(
        "expected: the same in true chances of the calls, without luck. regret: expected wins "
        "behind the oracle\nover the whole time. said / true: mean probability said of the calls "
        "over their mean true chance. promoted: challengers that took over"
    )


def _cells(found: list[Result]) -> list[str]:
    shares = np.array([result.share for result in found])
    spread = f" ± {shares.std(ddof=1):.3f}" if len(shares) > 1 else ""
    calibration = np.mean([result.calibration for result in found])
    promoted = np.mean([result.promoted for result in found])
    return [
        f"{shares.mean():.3f}{spread} [{shares.min():.3f}, {shares.max():.3f}]",
        f"{np.mean([result.expected for result in found]):.3f}",
        f"{np.mean([result.regret[-1] for result in found]):.0f}",
        "" if np.isnan(calibration) else f"{calibration:.2f}",
        f"{np.mean([result.auc for result in found]):.3f}",
        f"{np.mean([result.explored for result in found]):.1%}",
        "" if np.isnan(promoted) else f"{promoted:.0%}",
        f"{np.mean([result.seconds for result in found]):.1f}",
    ]
