"""The marketing side: campaigns in their channels, the leads they bring by the day, the spend."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from features.simulate.draw import Codes, Floats, Table, Times, pick, stamp
from features.simulate.settings import Settings


class Channel(NamedTuple):
    """A way to reach people: its usual length and price, and the sources behind it."""

    name: str
    days: int
    visits_a_lead: float
    cost_a_visit: float
    sources: tuple[str, ...]


CHANNELS = (
    Channel("Paid Search", 240, 24, 3.2, ("google", "bing")),
    Channel("Content", 400, 60, 0.25, ("organic", "newsletter", "blog")),
    Channel("Referral", 400, 6, 2.0, ("customer", "employee")),
    Channel("Partner", 300, 9, 4.0, ("reseller", "marketplace")),
    Channel("Paid Social", 150, 45, 1.6, ("linkedin", "facebook", "instagram")),
    Channel("Webinar", 28, 12, 4.5, ("linkedin", "email", "organic")),
    Channel("Trade Fair", 14, 3, 38.0, ("stand", "badge scan")),
    Channel("Outbound", 90, 5, 6.0, ("bought list", "email")),
)
CHANNEL_NAMES = tuple(channel.name for channel in CHANNELS)
SOURCES = tuple(sorted({source for channel in CHANNELS for source in channel.sources}))
ALWAYS_ON = 4  # the first four channels keep one campaign running, so that no day is empty
THEMES = (
    "Forecasting Guide", "Clean Data", "Customer Voice", "Price Check", "Quick Start",
    "Month-End", "Field Service", "New Buyers", "Compliance", "Growth Days", "Switch Now",
    "Benchmark Report",
)  # fmt: skip
WEEKDAYS = np.array([1.05, 1.2, 1.15, 1.1, 0.85, 0.25, 0.3])


@dataclass(frozen=True)
class Campaigns:
    """All campaigns, each array (campaigns,); `end` is the last day on which one runs."""

    names: tuple[str, ...]
    channel: Codes
    start: Times
    end: Times
    weight: Floats
    level: Floats
    trend: Floats


@dataclass(frozen=True)
class Arrivals:
    """When and through which campaign each lead came: history first, then the last night.

    `elapsed` is the place in the history, 0 at its start and 1 at its end.
    """

    created: Times
    campaign: Codes
    channel: Codes
    elapsed: Floats
    history: int


def launch(settings: Settings) -> Campaigns:
    """Plan the campaigns; the last two are new: one just before the end, one on the last night."""
    rng, count = settings.stream("campaigns"), settings.campaigns
    cycle = np.arange(count - ALWAYS_ON) % (len(CHANNELS) + 2)
    channel = np.concatenate([np.arange(ALWAYS_ON), (cycle + ALWAYS_ON) % len(CHANNELS)])
    first, length = _plan(rng, settings, channel)
    start = settings.start + first.astype("timedelta64[D]")
    scarce = np.where(np.arange(count) < ALWAYS_ON, 2.5, np.sqrt(120 / length))
    return Campaigns(
        names=_names(channel, start),
        channel=channel,
        start=start,
        end=start + length.astype("timedelta64[D]"),
        weight=scarce * rng.lognormal(0.0, 0.7, count),
        level=rng.normal(0.0, 0.45, count),
        trend=rng.normal(0.0, 0.6, count),
    )


def _plan(rng: np.random.Generator, settings: Settings, channel: Codes) -> tuple[Codes, Codes]:
    """First day (counted from the history's start) and length in days of each campaign."""
    days, count = settings.days, len(channel)
    first = np.floor(rng.uniform(0.0, 0.93, count) * days).astype(np.int64)
    usual = np.array([c.days for c in CHANNELS])[channel]
    length = np.ceil(usual * rng.lognormal(0.0, 0.35, count)).astype(np.int64)
    first[:ALWAYS_ON], length[:ALWAYS_ON] = 0, days + 60
    first[-2:] = days - min(21, days // 4), days
    length[-2:] = np.maximum(length[-2:], 60)
    return first, length


def _names(channel: Codes, start: Times) -> tuple[str, ...]:
    quarters = [(str(day)[:4], (int(str(day)[5:7]) + 2) // 3) for day in start]
    names: list[str] = []
    for place, (code, (year, quarter)) in enumerate(zip(channel, quarters, strict=True)):
        theme = THEMES[place * 5 % len(THEMES)]
        name = f"{CHANNEL_NAMES[code]} {theme} {year}-Q{quarter}"
        names.append(name if name not in names else f"{name} No. {place}")
    return tuple(names)


def intensity(settings: Settings, campaigns: Campaigns) -> Floats:
    """Expected leads (campaigns, days + 1); the history sums to `leads`, the last day is extra."""
    day = settings.start + np.arange(settings.days + 1)
    runs = (campaigns.start[:, None] <= day) & (day <= campaigns.end[:, None])
    weekday = (day.astype(np.int64) + 3) % 7  # day 0 of the epoch was a Thursday
    growth = 1.0 + 0.3 * np.arange(settings.days + 1) / settings.days
    busy = runs * campaigns.weight[:, None] * (WEEKDAYS[weekday] * growth * (1 + season(day) / 5))
    expected: Floats = busy * settings.leads / busy[:, :-1].sum()
    return expected


def season(times: Times) -> Floats:
    """The year as a wave: 1 in early March, -1 in early September."""
    day = (times.astype("datetime64[D]") - times.astype("datetime64[Y]")).astype(np.int64)
    wave: Floats = np.cos(2 * np.pi * (day - 62) / 365.25)
    return wave


def arrive(settings: Settings, campaigns: Campaigns) -> Arrivals:
    """Draw the leads of the history and of the night after it, in order of creation."""
    rng, expected = settings.stream("arrivals"), intensity(settings, campaigns)
    cell = pick_cell(rng, expected[:, :-1], settings.leads)
    night = pick_cell(rng, expected[:, -1:], settings.new_leads)
    campaign = np.concatenate([cell // settings.days, night])
    day = np.concatenate([cell % settings.days, np.full(len(night), settings.days)])
    clock = np.clip(rng.normal(13.0, 3.8, len(day)), 0.0, 23.99) * 60
    minute = day * 1440 + clock.astype(np.int64)
    order = np.argsort(minute, kind="stable")
    return Arrivals(
        created=settings.start.astype("datetime64[m]") + minute[order],
        campaign=campaign[order],
        channel=campaigns.channel[campaign[order]],
        elapsed=minute[order] / (settings.days * 1440),
        history=settings.leads,
    )


def pick_cell(rng: np.random.Generator, expected: Floats, size: int) -> Codes:
    """Draw places in a flattened table in proportion to its cells; searching beats comparing."""
    cumulative = np.cumsum(expected.ravel())
    cells: Codes = np.searchsorted(cumulative, rng.random(size) * cumulative[-1], side="right")
    return cells


def pick_source(rng: np.random.Generator, channel: Codes) -> Codes:
    """The source of each lead (a code into `SOURCES`), the channel's first named most often."""
    chances = np.zeros((len(CHANNELS), len(SOURCES)))
    for row, known in enumerate(CHANNELS):
        for place, source in enumerate(known.sources):
            chances[row, SOURCES.index(source)] = 0.5**place
    return pick(rng, chances[channel], len(channel))


def spend(settings: Settings, campaigns: Campaigns) -> Table:
    """What each campaign cost and drew a week, dated to the first day of that week it ran."""
    rng, expected = settings.stream("spend"), intensity(settings, campaigns)[:, :-1]
    day = settings.start + np.arange(settings.days)
    weekday = (day.astype(np.int64) + 3) % 7
    begins = np.flatnonzero((weekday == 0) | (np.arange(settings.days) == 0))
    weekly = np.add.reduceat(expected, begins, axis=1)
    row, week = np.nonzero(weekly)
    price = np.array([(c.visits_a_lead, c.cost_a_visit) for c in CHANNELS])[campaigns.channel[row]]
    visits = rng.poisson(weekly[row, week] * price[:, 0])
    amount = weekly[row, week] * price[:, 0] * price[:, 1] * rng.lognormal(0.0, 0.12, len(row))
    return {
        "campaign": [campaigns.names[place] for place in row],
        "date": stamp(np.maximum(day[begins[week]], campaigns.start[row])),
        "amount": [f"{value:.2f}" for value in amount.tolist()],
        "visits": [str(value) for value in visits.tolist()],
    }
