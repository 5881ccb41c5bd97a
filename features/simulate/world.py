"""Leads with what would become of each if sales called it: for trials in which a policy chooses.

An export shows what sales did. Here nobody has called yet: each hand-off has its true chance and
its ending in a drawer, to be opened by whoever calls it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar

import numpy as np

from features.simulate.draw import Codes, Floats, Mask, Table, Times, stamp
from features.simulate.journey import (
    NOT_READY,
    UNREACHABLE,
    WON,
    Journey,
    follow_up,
    recycled_chance,
)
from features.simulate.market import Campaigns, arrive, launch
from features.simulate.people import Leads, enquire
from features.simulate.record import ROLES, records
from features.simulate.settings import Settings
from features.simulate.truth import Level, chances, find_level, log_odds

REST_DAYS = 30
"""Days after which a lead that nobody reached is worth another try."""
_KNOWN = ("id", "created", "campaign", "personal", "honest", "idle")
_MINUTES = 1440
Part = TypeVar("Part")


@dataclass(frozen=True)
class World:
    """Hand-offs, n of them: every lead of the history, then those that would come back once.

    Times are days since the first midnight of the history, all arrays of shape (n,).
    """

    settings: Settings
    rows: Table
    """What the CRM shows at hand-off: no column that sales fills in."""
    created: Floats
    chance: Floats
    """P(won within the horizon | everything in `rows`), if called and not recycled."""
    recycled_chance: Floats
    """P(recycled | everything in `rows`), if called; it does not depend on the win."""
    outcome: Codes
    """Where it ends sooner or later, if called: a place in `journey.DISPOSITIONS`."""
    returns_as: Codes
    """As which hand-off it comes back if it is called and recycled; -1 where it does not."""
    first: int
    """How many stand for a first hand-off; the others exist only where the first was recycled."""
    contact: Floats
    """When a company that works every lead would call."""
    closed: Floats
    """When the outcome would then be known."""

    @property
    def won(self) -> Mask:
        """Which would be won within the horizon, if called."""
        won: Mask = (self.outcome == WON) & (self.closed < self._limit)
        return won

    @property
    def _limit(self) -> Floats:
        return self.created + self.settings.horizon_days

    def closes(self, leads: Codes, called: Floats) -> Floats:
        """When the outcome of each of `leads` is known, if it is called at `called`.

        An ending within the horizon keeps its place in the time that is left; a recycled lead
        takes as many days of trying as ever; a win after the horizon stays where it is.
        """
        limit, contact, closed = self._limit[leads], self.contact[leads], self.closed[leads]
        place = (closed - contact) / (limit - contact)
        within = called + place * (limit - called)
        recycled = self.outcome[leads] >= NOT_READY
        closes: Floats = np.select(
            [recycled, closed >= limit], [called + closed - contact, closed], within
        )
        return closes


def world(settings: Settings) -> World:
    """Draw the hand-offs of a history; equal settings give equal worlds.

    `win_rate` and `signal` hold for all leads, as there is no sales team that picks some, and
    `capacity` plays no part. A lead that would be recycled comes back once: when its contract
    ends or it wants to be asked again, or `REST_DAYS` after nobody reached it; as a new hand-off
    with the chance that it has at that time. A lead of the last night plays no part.
    """
    campaigns = launch(settings)
    leads = enquire(settings, arrive(settings, campaigns))
    shape = log_odds(settings, campaigns, leads)
    level = find_level(settings, leads, shape, np.ones(len(shape), dtype=bool))
    first = _Part.of(settings, campaigns, leads, level, "sales")
    rows = records(settings, campaigns, leads, first.journey)
    history = np.arange(settings.leads)
    who, back = _returns(settings, first.journey, history)
    second = _Part.of(settings, campaigns, _again(settings, leads, who, back), level, "sales again")
    returns_as = np.full(len(history) + len(who), -1)
    returns_as[who] = len(history) + np.arange(len(who))
    both = (first.take(history), second)
    return World(
        settings=settings,
        rows=_handoff_rows(rows, history, who, back),
        chance=_joined(both, lambda part: part.chance),
        recycled_chance=_joined(both, lambda part: recycled_chance(settings, part.leads)),
        outcome=np.concatenate([part.journey.outcome for part in both]),
        returns_as=returns_as,
        first=len(history),
        created=_joined(both, lambda part: _days(settings, part.leads.arrivals.created)),
        contact=_joined(both, lambda part: _days(settings, part.journey.contact)),
        closed=_joined(both, lambda part: _days(settings, part.journey.closed)),
    )


@dataclass(frozen=True)
class _Part:
    """First or second hand-offs with their truth."""

    leads: Leads
    chance: Floats
    journey: Journey

    @classmethod
    def of(
        cls, settings: Settings, campaigns: Campaigns, leads: Leads, level: Level, stream: str
    ) -> _Part:
        chance = chances(settings, leads, log_odds(settings, campaigns, leads), level)
        everyone = np.ones(len(chance), dtype=bool)
        return cls(leads, chance, follow_up(settings, leads, chance, everyone, stream))

    def take(self, rows: Codes) -> _Part:
        return _Part(_taken(self.leads, rows), self.chance[rows], _taken(self.journey, rows))


def _joined(parts: tuple[_Part, ...], of: Callable[[_Part], Floats]) -> Floats:
    return np.concatenate([of(part) for part in parts])


def _taken(part: Part, rows: Codes) -> Part:
    """The leads at `rows` of arrays in (nested) dataclasses; single numbers stay as they are."""
    kept: dict[str, Any] = {}
    for name in (f.name for f in fields(part)):  # type: ignore[arg-type]  # always a dataclass
        value = getattr(part, name)
        if is_dataclass(value):
            kept[name] = _taken(value, rows)
        elif isinstance(value, np.ndarray):
            kept[name] = value[rows]
    return replace(part, **kept)  # type: ignore[type-var]


def _returns(settings: Settings, journey: Journey, history: Codes) -> tuple[Codes, Times]:
    """Who would come back within the history, and when (to the minute)."""
    outcome = journey.outcome[history]
    rest = journey.closed[history] + np.timedelta64(REST_DAYS * _MINUTES, "m")
    until = journey.until[history].astype("datetime64[m]")
    back = np.where(outcome == UNREACHABLE, rest, until)
    who = np.flatnonzero((outcome >= NOT_READY) & (back < settings.as_of))
    return who, back[who]


def _again(settings: Settings, leads: Leads, who: Codes, back: Times) -> Leads:
    """The leads as they stand when they come back: older, and with a visit longer ago."""
    again = _taken(leads, who)
    gap = _days(settings, back) - _days(settings, again.arrivals.created)
    elapsed = _days(settings, back) / settings.days
    return replace(
        again,
        arrivals=replace(again.arrivals, created=back, elapsed=elapsed, history=len(who)),
        engagement=replace(again.engagement, last_visit=again.engagement.last_visit + gap),
    )


def _handoff_rows(rows: Table, history: Codes, who: Codes, back: Times) -> Table:
    names = [name for role in _KNOWN for name in ROLES[role]]
    places = np.concatenate([history, who]).tolist()
    table = {name: [rows[name][place] for place in places] for name in names}
    table["id"][len(history) :] = [f"{rows['id'][place]}-2" for place in who.tolist()]
    table["created_at"][len(history) :] = stamp(back)
    return table


def _days(settings: Settings, times: Times) -> Floats:
    days: Floats = (times - settings.start) / np.timedelta64(1, "D")
    return days
