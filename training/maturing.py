"""What recent leads will come to, learned from what former recent leads came to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
from scipy.optimize import brentq

from features.leads import History
from serving.maturing import LEVEL, Fates, Maturing, Watched, expect
from serving.members import Mask, Vector
from serving.scorer import Scorer
from serving.timing import Timing

_DATES = 4
"""Past moments at most at which a replay looks at the leads that were recent then."""
_FAR = 30.0
_NEWEST = 0.5
"""Share of the matured leads, the newest, by which open leads are judged: markets move."""


def with_undecided(timing: Timing, watched: Watched) -> Timing:
    """Return the timing with what being open at an age adds to the log-odds of a win.

    Leads leave the open ones by being won, which the curve tells, and by being lost or recycled;
    and some are never worked. So of matured leads that were open at that age, as many must be
    expected to win as did.
    """
    mature = np.flatnonzero(_placed(watched.fates) & (watched.fates.age >= watched.horizon))
    newest = np.argsort(watched.fates.age[mature], kind="stable")[: round(_NEWEST * len(mature))]
    seen = watched.take(mature[np.sort(newest)])
    shares = timing.won_by(seen.matrix, seen.log_odds)
    end = np.where(seen.fates.open, np.inf, seen.fates.day)
    lifts = []
    for age in (0.0, *timing.days[:-1]):
        still = end >= age
        left = 1 - timing.by_age(shares[still], np.full(int(still.sum()), age))
        log_odds_left = seen.log_odds[still] + np.log(np.maximum(left, 1e-12))
        lifts.append(_lift(log_odds_left, float((seen.fates.won & still).sum())))
    return replace(timing, undecided=tuple(lifts))


def _placed(found: Fates) -> Mask:
    """Return the leads that are open, or whose end has its day."""
    return found.open | ~np.isnan(found.day)


def _lift(log_odds: Vector, wins: float) -> float:
    """Return what must be added to the log-odds so that probabilities add up to the wins."""
    if not len(log_odds):
        return 0.0
    aim = np.clip(wins, 0.5, len(log_odds) - 0.5)

    def excess(lift: float) -> float:
        return float((1 / (1 + np.exp(-np.clip(log_odds + lift, -700, 700)))).sum() - aim)

    return float(np.clip(brentq(excess, -2 * _FAR, 2 * _FAR, xtol=1e-6), -_FAR, _FAR))


@dataclass(frozen=True)
class Replayed:
    """A group of leads as it was expected to mature, and what it came to."""

    expected: Maturing
    open: int
    """Leads that were still open."""
    wins: int
    """Wins by the end of the horizon."""

    @property
    def covered(self) -> bool:
        """Whether the interval holds the wins."""
        return self.expected.low <= self.wins <= self.expected.high


def watch(scorer: Scorer, history: History, as_of: datetime) -> Watched:
    """Return the leads of a history by campaign where it is agreed, else by source, else in one."""
    return Watched.of(scorer, history, as_of, _groups(history, scorer))


def replay(timing: Timing, watched: Watched, since: float) -> list[Replayed]:
    """Look back at past moments: what was expected of the leads recent then, and what they came to.

    The moments lie between `since` (in days before now) and one horizon ago, so that by now all
    is known. What being open means is learned again from what was known at each moment.
    """
    if since < watched.horizon:
        return []
    step = max((since - watched.horizon) / (_DATES - 1), watched.horizon / 4)
    moments = [watched.horizon + i * step for i in range(_DATES)]
    # A little beyond, because the steps were divided.
    kept = [ago for ago in moments if ago <= since + 1e-6]
    return [one for ago in kept for one in _replay_at(timing, watched, ago)]


def _replay_at(timing: Timing, watched: Watched, ago: float) -> list[Replayed]:
    rows = np.flatnonzero(_placed(watched.fates) & (watched.fates.age > ago))
    final = watched.take(rows)
    past = replace(final, fates=_days_ago(final.fates, ago))
    recent = np.flatnonzero(past.fates.age <= watched.horizon)
    if len(recent) in (0, len(rows)):
        return []
    now, then = final.take(recent).fates, past.take(recent)
    expected = expect(then, with_undecided(timing, past))
    return [
        Replayed(one, int(then.fates.open[one.rows].sum()), int(now.won[one.rows].sum()))
        for one in expected.values()
    ]


def _days_ago(found: Fates, days: float) -> Fates:
    """Return what had become of leads so many days before: what ended later was open."""
    age = found.age - days
    still = found.open | (found.day >= age)
    return Fates(found.won & ~still, still, np.where(still, np.nan, found.day), age)


def _groups(history: History, scorer: Scorer) -> list[str | None]:
    names = scorer.agreement.columns
    column = names.campaign or names.source
    if column is None:
        return [None] * len(history)
    return [None if cell is None else str(cell) for cell in history.leads.column(column)]


def spread(timing: Timing, watched: Watched, since: float) -> float:
    """Return how far wins to come strayed beyond chance: standard deviation as a share of them.

    By the method of moments, over past moments: squared errors less what chance explains, over
    squared expectations, before a group's own wins correct what is expected of it.
    """
    beyond = squared = 0.0
    for one in replay(replace(timing, spread=0.0), watched, since):
        to_come, open_leads = one.expected.to_come, max(one.open, 1)
        by_chance = to_come * (1 - to_come / open_leads)
        beyond += (one.wins - one.expected.final) ** 2 - by_chance
        squared += to_come**2
    return float(np.sqrt(max(beyond, 0.0) / squared)) if squared else 0.0


@dataclass(frozen=True)
class MaturingEvaluation:
    """How well it was told at past moments what recent leads would come to."""

    groups: int
    wins: int
    expected: float
    covered: float
    """Share of groups whose wins lay in the 90 % interval."""
    spread: float
    """How far they strayed beyond chance."""

    def as_metrics(self) -> dict[str, float]:
        """Return the figures by name."""
        return {f"maturing_{name}": float(value) for name, value in vars(self).items()}

    def sentences(self) -> list[str]:
        """Tell how expectation and outcome compare."""
        return [
            f"Recent leads, seen from past moments in {self.groups:,} groups: {self.expected:.0f} "
            f"wins were to be expected by the end of the horizon, {self.wins:,} came. The "
            f"{LEVEL:.0%} interval held the wins of {self.covered:.0%} of the groups."
            f"{self._warning()}"
        ]

    def _warning(self) -> str:
        by_chance = (LEVEL * (1 - LEVEL) / self.groups) ** 0.5
        if self.covered >= LEVEL - 2 * by_chance:
            return ""
        return " WARNING: that is too seldom; leads mature otherwise than they used to."


def evaluate_maturing(
    history: History, scorer: Scorer, as_of: datetime, since: datetime
) -> MaturingEvaluation | None:
    """Judge what was expected of recent leads at past moments.

    Args:
        history: all leads as known by `as_of`.
        scorer: with a timing model, fitted on what was known at `since`.
        as_of: the moment of the export.
        since: no moment before it is looked at.

    Returns:
        None where no moment lies a horizon back, or the scorer has no timing model.

    """
    if scorer.timing is None:
        return None
    watched, ago = watch(scorer, history, as_of), (as_of - since) / timedelta(days=1)
    replays = replay(scorer.timing, watched, ago)
    if not replays:
        return None
    return MaturingEvaluation(
        groups=len(replays),
        wins=sum(one.wins for one in replays),
        expected=sum(one.expected.final for one in replays),
        covered=sum(one.covered for one in replays) / len(replays),
        spread=spread(scorer.timing, watched, ago),
    )
