"""What campaigns bring: leads, wins to expect, costs, what sales says of them. Figures alone.

The page, `GET /v1/campaigns`, `leadq campaigns` and the report show these figures and no others.
Everything is counted from scores and words that the store keeps: no lead is scored again.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import numpy as np

from features.cells import Cell, Memo, key_of
from features.store.campaigns import (
    TREND_DAYS,
    LeadGroup,
    Reason,
    age_bounds,
)
from serving.artefact import LoadedModel
from serving.campaign_figures import (
    Budget,
    Campaign,
    Campaigns,
    CostOfWin,
    NoteReply,
    Pace,
    ReasonCount,
    Trend,
)
from serving.campaign_names import Named, Told, gathered, together
from serving.health import told_reasons
from serving.outlook import LEVEL, USUAL, Counts, Outlook, Range, even, outlooks
from serving.rates import wilson
from serving.spread import Spread, learned
from serving.timing import Timing

GRADES = ("A", "B", "C", "D")
_FEWEST = 10
"""Values below which how far they differ is not to be told."""
_Z = 1.6449
"""Of the ends of a 90 % interval of a normal."""
_VALUES_DIFFER = 1.0
"""Standard deviation of deal values as a share of their mean, where too few are known."""


@dataclass(frozen=True)
class Lens:
    """What a model says of groups of leads: when their wins come, and how far they may be off."""

    version: str | None
    timing: Timing | None
    spread: Spread
    known: Callable[[Cell], bool]

    @classmethod
    def of(cls, model: LoadedModel | None, by: str) -> Lens:
        """Take it from the champion; without one the usual holds."""
        if model is None:
            return cls(None, None, USUAL, lambda _: False)
        scorer = model.artefact.scorer
        names = scorer.agreement.columns
        column = {"campaign": names.campaign, "source": names.source}.get(by, by)
        return cls(
            model.version,
            scorer.timing,
            scorer.spread or USUAL,
            Memo(learned(scorer.encoder, column or "")).__getitem__,
        )

    def share_known(self, one: Named) -> float:
        """Return the share of its leads whose spelling the model learned; none given is known."""
        if not one.leads:
            return float(self.known(one.name))
        learned = (group.leads for group in one.groups if not group.name or self.known(group.name))
        return sum(learned) / one.leads


@dataclass(frozen=True)
class Stretch:
    """Which leads are counted: those created in `[since, as_of)`."""

    since: datetime
    as_of: datetime
    horizon_days: int
    by: str = "campaign"

    @property
    def days(self) -> int:
        """How many days that are."""
        return round((self.as_of - self.since).total_seconds() / 86_400)


def study(told: Told, stretch: Stretch, lens: Lens) -> Campaigns:
    """Return the figures of all campaigns.

    Args:
        told: what the store knows of the stretch.
        stretch: of time.
        lens: of the model that scores.

    """
    named = gathered(told, stretch.by)
    timing = lens.timing or even(float(stretch.horizon_days))
    bounds = age_bounds(stretch.horizon_days)
    ages = _middles(bounds)
    names = sorted(named, key=lambda key: named[key].name.casefold())
    seen = [(i, group) for i, key in enumerate(names) for group in named[key].groups]
    known = [lens.share_known(named[key]) for key in names]
    spreads = [lens.spread.of(share) for share in known]
    found = outlooks(_counts(seen, ages), len(names), timing, spreads) if seen else []
    whole = together(list(named.values()))
    alone = [(0, group) for group in whole.groups]
    of_all = outlooks(_counts(alone, ages), 1, timing, [lens.spread.known]) if alone else []
    worth = _Worth.of(whole.groups)
    total = _campaign(whole, of_all[0] if of_all else None, True, worth, bounds)
    campaigns = [
        _campaign(
            named[key],
            found[i] if i < len(found) else None,
            known[i] >= 0.5,
            worth,
            bounds,
        )
        for i, key in enumerate(names)
    ]
    return Campaigns(
        by=stretch.by,
        days=stretch.days,
        since=stretch.since,
        as_of=stretch.as_of,
        horizon_days=stretch.horizon_days,
        model_version=lens.version,
        timed=lens.timing is not None,
        total=total,
        campaigns=_ordered(campaigns),
    )


def _middles(bounds: Sequence[int]) -> list[float]:
    """Return the mean age of each group of ages; the last is past the horizon in any case."""
    inner = [(a + b) / 2 for a, b in pairwise(bounds)]
    return [*inner, float(bounds[-1]) + 1]


def _counts(seen: Sequence[tuple[int, LeadGroup]], ages: Sequence[float]) -> Counts:
    """Return the groups with a score as arrays, each with the place of its campaign."""
    scored = [(place, group) for place, group in seen if group.grade is not None]
    groups = [group for _, group in scored]
    leads = np.array([group.leads for group in groups], dtype=float)
    return Counts(
        np.array([place for place, _ in scored], dtype=np.intp),
        leads,
        np.where([group.state == "won" for group in groups], leads, 0.0),
        np.where([group.state == "open" for group in groups], leads, 0.0),
        np.array([group.probability / group.leads for group in groups]),
        np.array([ages[group.ages] for group in groups]),
    )


@dataclass(frozen=True)
class _Worth:
    """What wins are worth, over all campaigns."""

    mean: float | None
    """None where no value is known."""
    differ: float
    """Standard deviation as a share of the mean."""

    @classmethod
    def of(cls, groups: Sequence[LeadGroup]) -> _Worth:
        valued = sum(group.valued for group in groups)
        if not valued:
            return cls(None, _VALUES_DIFFER)
        mean = sum(group.value for group in groups) / valued
        square = sum(group.value_square for group in groups) / valued
        if valued < _FEWEST or not mean:
            return cls(mean, _VALUES_DIFFER)
        return cls(mean, math.sqrt(max(square - mean**2, 0.0)) / mean)

    def of_a_win(self, groups: Sequence[LeadGroup]) -> float | None:
        """Return what a win is worth: as the model said of these leads, else as of all wins."""
        worthy = sum(group.worthy for group in groups)
        return sum(group.worth for group in groups) / worthy if worthy else self.mean


def _campaign(
    one: Named, outlook: Outlook | None, known: bool, worth: _Worth, bounds: Sequence[int]
) -> Campaign:
    groups = one.groups
    scored = sum(group.leads for group in groups if group.grade is not None)
    won = sum(group.leads for group in groups if group.state == "won")
    unscored = sum(g.leads for g in groups if g.state == "won" and g.grade is None)
    wins: Range | None = None
    by_now: Range | None = None
    pace: Pace | None = None
    if outlook is not None and scored:
        wins = _more(outlook.final, unscored)
        by_now = outlook.by_now
        pace = _pace(outlook)
    value = sum(group.value for group in groups)
    accepted = sum(group.leads for group in groups if group.accepted)
    answered = accepted + sum(g.leads for g in groups if not g.accepted and g.state != "open")
    return Campaign(
        name=one.name,
        known=known,
        leads=one.leads,
        scored=scored,
        grades={grade: sum(g.leads for g in groups if g.grade == grade) for grade in GRADES},
        won=won,
        won_late=sum(group.leads for group in groups if group.state == "won late"),
        wins=wins,
        by_now=by_now,
        pace=pace,
        value=value,
        revenue=_revenue(wins, won, value, worth.of_a_win(groups), worth.differ),
        cost=one.cost,
        visits=one.visits,
        cost_per_lead=None if one.cost is None or not one.leads else one.cost / one.leads,
        cost_per_win=_cost_of_win(one.cost, wins),
        accepted=accepted,
        answered=answered,
        acceptance=_share(accepted, answered),
        reasons=_reasons(one.reasons),
        trend=_trend(groups, bounds),
        gain=None,
        budget=None,
        notes=[NoteReply(text=n.text, by=n.by, at=n.at) for n in one.notes],
    )


def _pace(outlook: Outlook) -> Pace:
    if outlook.won < outlook.by_now.low:
        return "behind"
    return "ahead" if outlook.won > outlook.by_now.high else "as expected"


def _more(wins: Range, more: int) -> Range:
    return Range(wins.value + more, wins.low + more, wins.high + more)


def _revenue(
    wins: Range | None, won: int, value: float, each: float | None, differ: float
) -> Range | None:
    """Return the value of the wins so far and of those to come.

    Of the latter number and values are both unknown; their sum is taken for log-normal.
    """
    if wins is None or each is None:
        return None
    to_come = wins.value - won
    if to_come <= 0:
        return Range(value, value, value)
    by_number = (wins.high - wins.low) / (2 * _Z) / to_come
    spread = math.sqrt(math.log1p(by_number**2 + differ**2 / to_come))
    middle = each * to_come * math.exp(-(spread**2) / 2)
    low = 0.0 if wins.low <= won else middle * math.exp(-_Z * spread)
    mean = each * to_come
    return Range(value + mean, value + low, value + max(middle * math.exp(_Z * spread), mean))


def _cost_of_win(cost: float | None, wins: Range | None) -> CostOfWin | None:
    if cost is None or wins is None or wins.value <= 0:
        return None
    most = cost / wins.low if wins.low > 0 else None
    return CostOfWin(value=cost / wins.value, low=cost / max(wins.high, wins.value), high=most)


def _share(part: int, whole: int) -> Range | None:
    if not whole:
        return None
    found = wilson(part, whole, LEVEL)
    return Range(found.value, found.low, found.high)


def _reasons(reasons: Sequence[Reason]) -> list[ReasonCount]:
    """Return why leads were not won, the usual reasons first; rare ones stand together."""
    by_code: dict[str, Counter[str]] = {}
    for reason in reasons:
        by_code.setdefault(reason.code, Counter())[key_of(reason.reason)] += reason.leads
    found = []
    for code in told_reasons(by_code):
        told = [*code.reasons.items(), ("others", code.other_reasons), ("", code.no_reason)]
        found += [
            ReasonCount(code=code.code, reason=text, leads=leads) for text, leads in told if leads
        ]
    return sorted(found, key=lambda one: (-one.leads, one.code, one.reason))


def _trend(groups: Sequence[LeadGroup], bounds: Sequence[int]) -> Trend:
    """Hold the last weeks against those before, by what was to be expected of their leads.

    Leads come as they please, so the sums are taken for compound Poisson; the interval of their
    ratio is normal on the log scale (delta method).
    """
    now, before = _Sum(), _Sum()
    for group in groups:
        days = bounds[group.ages]
        if days < 2 * TREND_DAYS:
            (now if days < TREND_DAYS else before).add(group)
    if not now.wins or not before.wins:
        return Trend(now=now.wins, before=before.wins, change=None)
    ratio = now.wins / before.wins
    error = math.sqrt(now.square / now.wins**2 + before.square / before.wins**2)
    ends = (ratio * math.exp(sign * _Z * error) - 1 for sign in (-1, 1))
    return Trend(now=now.wins, before=before.wins, change=Range(ratio - 1, *ends))


@dataclass
class _Sum:
    wins: float = 0.0
    square: float = 0.0

    def add(self, group: LeadGroup) -> None:
        self.wins += group.probability
        self.square += group.square


def _ordered(campaigns: Sequence[Campaign]) -> list[Campaign]:
    """Add what each gains over the average by its cost; put those first where budget matters."""
    priced = [c for c in campaigns if c.cost and c.wins is not None]
    cost, wins = sum(c.cost or 0.0 for c in priced), sum(c.wins.value for c in priced if c.wins)
    found = []
    for campaign in campaigns:
        if campaign.cost and campaign.wins is not None and cost:
            usual = wins * campaign.cost / cost
            more, reach = campaign.wins.value - usual, _Z * error_of(campaign.wins)
            gain = Range(more, more - reach, more + reach)
            campaign = campaign.model_copy(update={"gain": gain, "budget": _budget(gain)})
        found.append(campaign)
    return sorted(found, key=_place)


def error_of(wins: Range) -> float:
    """Return the standard deviation of what a campaign brings, were it to go on as it is.

    Also wins that have come already came by luck, as those of a Poisson process.
    """
    return max((wins.high - wins.low) / (2 * _Z), math.sqrt(max(wins.value, 1.0)))


def _budget(gain: Range) -> Budget:
    if gain.low > 0:
        return "more"
    return "less" if gain.high < 0 else "unclear"


def _place(campaign: Campaign) -> tuple[bool, float, float, float, str]:
    gain = campaign.gain
    expected = campaign.wins.value if campaign.wins else 0.0
    if gain is None:
        return True, 0.0, 0.0, -round(expected, 6), campaign.name
    sure = max(gain.low, -gain.high, 0.0)
    # Of two campaigns with a cost one gains what the other loses, but for the last bits.
    return False, -round(sure, 6), -round(abs(gain.value), 6), -round(expected, 6), campaign.name
