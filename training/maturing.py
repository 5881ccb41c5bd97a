"""What recent leads will come to, learned from what former recent leads came to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
from scipy.optimize import brentq

from features.leads import History
from serving.maturing import LEVEL, Fates, Maturing, fates, maturing
from serving.members import Vector
from serving.scorer import Scorer
from serving.timing import Timing
from training.splits import Rows

_DATES = 4
"""Past moments at most at which a replay looks at the leads that were recent then."""
_FAR = 30.0
_NEWEST = 0.5
"""Share of the matured leads, the newest, by which open leads are judged: markets move."""


def undecided(history: History, scorer: Scorer, timing: Timing, found: Fates) -> tuple[float, ...]:
    """Return, for age 0 and each day but the last, the log-odds that being open then adds.

    Leads leave the open ones by being won, which the curve tells, and by being lost or recycled;
    and some are never worked. So of matured leads that were open at that age, as many must be
    expected to win as did.
    """
    known = found.open | ~np.isnan(found.day)
    rows = np.flatnonzero(known & (found.age >= scorer.agreement.horizon_days))
    newest = np.argsort(found.age[rows], kind="stable")[: round(_NEWEST * len(rows))]
    rows = rows[np.sort(newest)]
    matrix = scorer.encoder.encode(history.leads.take(rows.tolist()))
    log_odds = scorer.blend.log_odds(matrix)
    shares = timing.won_by(matrix, log_odds)
    end = np.where(found.open, np.inf, found.day)[rows]
    found_lifts = []
    for age in (0.0, *timing.days[:-1]):
        still = end >= age
        left = 1 - timing.by_age(shares[still], np.full(int(still.sum()), age))
        log_odds_left = log_odds[still] + np.log(np.maximum(left, 1e-12))
        found_lifts.append(_lift(log_odds_left, float((found.won[rows] & still).sum())))
    return tuple(found_lifts)


def with_undecided(history: History, scorer: Scorer, timing: Timing, as_of: datetime) -> Timing:
    """Return the timing with `undecided` learned from what is known at `as_of`."""
    found = fates(history, scorer.agreement, as_of)
    return replace(timing, undecided=undecided(history, scorer, timing, found))


def _lift(log_odds: Vector, wins: float) -> float:
    """Return what must be added to the log-odds so that probabilities add up to the wins."""
    if not len(log_odds):
        return 0.0
    aim = np.clip(wins, 0.5, len(log_odds) - 0.5)

    def excess(lift: float) -> float:
        return float((1 / (1 + np.exp(-np.clip(log_odds + lift, -700, 700)))).sum() - aim)

    return float(np.clip(brentq(excess, -2 * _FAR, 2 * _FAR, xtol=1e-6), -_FAR, _FAR))


def known_at(history: History, when: datetime) -> tuple[History, Rows]:
    """Return the history as an export at `when` would have told it, and the rows it keeps.

    What ended later was open then. An end without its time cannot be placed and is left out.
    """
    rows = [
        i
        for i, created in enumerate(history.leads.created)
        if created
        and created < when
        and (history.dispositions[i] == "open" or history.closed[i] is not None)
    ]
    told = history.take(rows)
    late = [
        d == "open" or (end is not None and end >= when)
        for d, end in zip(told.dispositions, told.closed, strict=True)
    ]
    past = History(
        told.leads,
        ["open" if is_late else d for is_late, d in zip(late, told.dispositions, strict=True)],
        [None if is_late else end for is_late, end in zip(late, told.closed, strict=True)],
        told.serial,
    )
    return past, np.array(rows, dtype=np.intp)


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


def horizon_of(scorer: Scorer) -> timedelta:
    """Return the horizon as a time."""
    return timedelta(days=scorer.agreement.horizon_days)


def replay(history: History, scorer: Scorer, as_of: datetime, since: datetime) -> list[Replayed]:
    """Look back at past moments: what was expected of the leads recent then, and what they came to.

    The moments lie between `since` and one horizon before `as_of`, so that all is known by now.
    Groups are campaigns where they are agreed, else sources, else the leads of a moment together.
    What being open means is learned again from what was known at each moment.
    """
    horizon = horizon_of(scorer)
    last = as_of - horizon
    if since > last:
        return []
    step = max((last - since) / (_DATES - 1), horizon / 4)
    moments = [last - i * step for i in range(_DATES) if last - i * step >= since]
    return [one for moment in moments for one in _replay_at(history, scorer, as_of, moment)]


def _replay_at(
    history: History, scorer: Scorer, as_of: datetime, moment: datetime
) -> list[Replayed]:
    past, rows = known_at(history, moment)
    if scorer.timing is not None:
        scorer = replace(scorer, timing=with_undecided(past, scorer, scorer.timing, moment))
    start = moment - horizon_of(scorer)
    recent = [i for i, created in enumerate(past.leads.created) if created and created >= start]
    past, final = past.take(recent), history.take(rows[recent].tolist())
    won = fates(final, scorer.agreement, as_of).won
    is_open = fates(past, scorer.agreement, moment).open
    groups = _groups(past, scorer)
    expected = maturing(scorer, past, moment, groups)
    return [
        Replayed(mature, int(is_open[mature.rows].sum()), int(won[mature.rows].sum()))
        for mature in expected.values()
    ]


def _groups(history: History, scorer: Scorer) -> list[str | None]:
    names = scorer.agreement.columns
    column = names.campaign or names.source
    if column is None:
        return [None] * len(history)
    return [None if cell is None else str(cell) for cell in history.leads.column(column)]


def spread(history: History, scorer: Scorer, as_of: datetime, since: datetime) -> float:
    """Return how far wins to come strayed beyond chance: standard deviation as a share of them.

    By the method of moments, over past moments: squared errors less what chance explains, over
    squared expectations, before a group's own wins correct what is expected of it.
    """
    if scorer.timing is None:
        return 0.0
    unmoved = replace(scorer, timing=replace(scorer.timing, spread=0.0))
    beyond = squared = 0.0
    for one in replay(history, unmoved, as_of, since):
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
        ]


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
    replays = replay(history, scorer, as_of, since)
    strayed = spread(history, scorer, as_of, since)
    if not replays:
        return None
    return MaturingEvaluation(
        groups=len(replays),
        wins=sum(one.wins for one in replays),
        expected=sum(one.expected.final for one in replays),
        covered=sum(one.covered for one in replays) / len(replays),
        spread=strayed,
    )
