"""A sales team of limited capacity in a simulated market, day by day, under a policy.

Each day the team calls so many of the leads that wait; the policy puts them in order. Only a lead
that is called shows an outcome, after its delay. A lead that waits longer than buyers' patience is
gone: nobody wins it. A recycled lead comes back once, as a new hand-off.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, partial
from typing import Protocol

import numpy as np
import numpy.typing as npt

from features.agreement import Agreement, Disposition
from features.cells import cell
from features.coded import coded
from features.leads import Faults, Leads, admit
from features.simulate import Settings, World, world
from features.simulate.journey import DISPOSITIONS
from serving.queue import draw_lane
from training.censoring import moments

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]
Order = Callable[[Rows], Floats]
"""What a policy makes of waiting leads: more is called sooner."""
DAYS_A_MONTH = 365.25 / 12
_MINUTES = 1440
_DISPOSITIONS: tuple[Disposition, ...] = (*DISPOSITIONS, "open")  # type: ignore[assignment]


@dataclass(frozen=True)
class Terms:
    """What holds for every policy."""

    capacity: float = 0.3
    """Calls as a share of the leads that come in over the whole time."""
    patience: int = 7
    """Days after which a lead that nobody called is gone."""
    warm_up: int = 12
    """Months before the policies begin, in which sales calls what looks best at a noisy look."""
    retrain: float = 1.0
    """Months from one training to the next."""
    renew: int = 90
    """Days after which the gate takes a champion for old."""


@dataclass(frozen=True)
class Market:
    """A simulated world, read as leadq reads an export, and the terms of selling in it."""

    world: World
    leads: Leads
    terms: Terms
    agreement: Agreement
    seed: int

    @classmethod
    def of(cls, settings: Settings, terms: Terms, agreement: Agreement) -> Market:
        """Draw the world and admit its leads under the agreement."""
        drawn, faults = world(settings), Faults()
        columns = {name: coded(map(cell, cells)) for name, cells in drawn.rows.items()}
        leads = admit(columns, agreement, faults, need_created=True)
        if faults:
            raise AssertionError(f"the simulated CRM holds rows that are no leads: {faults}")
        return cls(drawn, leads, terms, agreement, settings.seed)

    @property
    def begins(self) -> int:
        """First day of the policies."""
        return round(self.terms.warm_up * DAYS_A_MONTH)

    @property
    def ends(self) -> int:
        """Day after the last one."""
        return self.world.settings.days

    def month_before(self, day: float) -> int:
        """Return the last day up to this one that lies whole months from the first."""
        months = math.floor((day - self.begins) / DAYS_A_MONTH)
        return math.ceil(self.begins + months * DAYS_A_MONTH)

    def calls_on(self, day: int) -> int:
        """How many leads sales can call on a day."""
        a_day = self.terms.capacity * self.world.settings.leads / self.ends
        return math.floor((day + 1) * a_day) - math.floor(day * a_day)

    @cached_property
    def _by_creation(self) -> Rows:
        return np.argsort(self.world.created, kind="stable")

    @cached_property
    def _sorted(self) -> Floats:
        return self.world.created[self._by_creation]

    def came(self, begin: float, end: float) -> Rows:
        """Return the hand-offs created in `begin <= t < end`, oldest first."""
        low, high = np.searchsorted(self._sorted, [begin, end])
        return self._by_creation[low:high]

    def times(self, days: Floats) -> npt.NDArray[np.datetime64]:
        """Return days since the start as moments, NaN as not-a-time."""
        known = ~np.isnan(days)
        minutes = np.floor(np.where(known, days, 0) * _MINUTES).astype("timedelta64[m]")
        return np.where(known, self._start + minutes, np.datetime64("NaT"))

    def days(self, times: Sequence[datetime | None]) -> Floats:
        """Return moments as days since the start."""
        return np.asarray((moments(times) - self._start) / np.timedelta64(1, "D"))

    @property
    def _start(self) -> np.datetime64:
        return self.world.settings.start.astype("datetime64[m]")


@dataclass(frozen=True)
class Known:
    """What the CRM shows on a day of the leads that were called; all of shape (rows,)."""

    rows: Rows
    """Which hand-offs."""
    as_of: datetime
    decided: npt.NDArray[np.datetime64]
    """When each was given its disposition; not-a-time where it was not yet."""
    dispositions: Sequence[Disposition]
    propensity: Floats
    """The chance to be called of a lead that waited; NaN in the warm-up, where nobody knows."""
    came: Floats
    """When each lead came in that is there by then, called or not; shape (leads,)."""


class Policy(Protocol):
    """How sales chooses whom to call."""

    share: float
    """Of the calls that go to leads drawn by lot."""
    gives_probability: bool
    """Whether what orders the leads is a probability."""
    promoted: Sequence[bool]
    """For each challenger, whether it took over; empty where there are none."""

    def learn(self, market: Market, day: int, known: Callable[[int], Known]) -> Order:
        """Return the order of the leads from `day` on; called at the start and at each retrain.

        Args:
            market: where it sells.
            day: this day.
            known: what the CRM shows at the beginning of this day or showed at that of another.

        """
        ...


@dataclass(frozen=True)
class Diary:
    """What happened to each hand-off; arrays of shape (hand-offs,)."""

    called: Floats
    """The day; NaN where it was not called."""
    propensity: Floats
    waits: npt.NDArray[np.bool_]
    """Which exist: a recycled lead comes back only if its first hand-off was called."""
    said: Floats
    """What the policy made of it last, before it was called or gone; NaN in the warm-up."""
    explored: npt.NDArray[np.bool_]

    def copy(self) -> Diary:
        """Return one to write on."""
        return replace(self, **{name: part.copy() for name, part in vars(self).items()})


def warm_up(market: Market) -> Diary:
    """Let sales call what looks best at a noisy look, until the policies begin."""
    truth, size = market.world.chance, len(market.world.chance)
    shape = np.log(truth / (1 - truth))
    noise = np.random.default_rng([market.seed, 1]).normal(size=size)
    look = 0.6 * shape / shape.std() + noise
    nobody = Diary(
        called=np.full(size, np.nan),
        propensity=np.full(size, np.nan),
        waits=np.arange(size) < market.world.first,
        said=np.full(size, np.nan),
        explored=np.zeros(size, dtype=bool),
    )
    for day in range(market.begins):
        _work(market, day, nobody, lambda rows: look[rows], 0.0)
    nobody.propensity[:] = np.nan
    nobody.said[:] = np.nan
    return nobody


def live(market: Market, policy: Policy, past: Diary) -> tuple[Diary, float]:
    """Let a policy choose from the end of the warm-up on; return how it went and the seconds."""
    diary, trained, start = past.copy(), -1, time.perf_counter()
    for day in range(market.begins, market.ends):
        months = (day - market.begins) / (DAYS_A_MONTH * market.terms.retrain)
        if int(months) > trained:
            trained = int(months)
            order = policy.learn(market, day, partial(known, market, diary))
        _work(market, day, diary, order, policy.share)
    return diary, time.perf_counter() - start


def _work(market: Market, day: int, diary: Diary, order: Order, share: float) -> None:
    """Sales calls at the beginning of a day; written into the diary."""
    came = market.came(day - market.terms.patience, day)
    waiting = came[diary.waits[came] & np.isnan(diary.called[came])]
    score = order(waiting)
    diary.said[waiting] = score
    queue = draw_lane(score, market.calls_on(day), share, (market.seed, day))
    called = waiting[queue.calls]
    diary.called[called] = day
    diary.propensity[called] = queue.propensity[queue.calls]
    diary.explored[called] = np.array(queue.lanes) == "exploration"
    back = market.world.returns_as[called]
    diary.waits[back[back >= 0]] = True


def known(market: Market, diary: Diary, day: int) -> Known:
    """Return what the CRM shows at the beginning of a day."""
    rows, came = np.flatnonzero(diary.called < day), market.world.created
    closes = market.world.closes(rows, diary.called[rows])
    decided = closes < day
    codes = np.where(decided, market.world.outcome[rows], len(DISPOSITIONS))
    return Known(
        rows=rows,
        as_of=market.times(np.array([float(day)]))[0].astype(datetime),
        decided=market.times(np.where(decided, closes, np.nan)),
        dispositions=[_DISPOSITIONS[code] for code in codes.tolist()],
        propensity=diary.propensity[rows],
        came=came[diary.waits & (came < day)],
    )
