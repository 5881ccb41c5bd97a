"""What campaigns bring, lead by lead: the JSON of `GET /v1/campaigns`."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

from tests.serving.recount.outlook import Cell, Curve, Shares, Told, off_by, told_of
from tests.serving.recount.rates import wilson
from tests.serving.recount.rows import (
    ACCEPTED,
    DAY,
    Row,
    Rows,
    born,
    campaign_of,
    key_of,
    that_counts,
    value_of,
)

Range = dict[str, float]
Z = 1.6449
"""Of the ends of a 90 % interval of a normal."""
WORSE, WORSE_OF_FEW, FEW = 0.01, 0.06, 10
"""By so much of a chance may an interval be worse than the best, and that of up to ten leads: the
product takes wins at each shift for binomial, which they are not quite where chances differ."""


@dataclass(frozen=True)
class Asked:
    """What is asked for, and what the champion says of it."""

    now: datetime
    days: int
    horizon: int
    by: str
    curve: Curve
    spread: Callable[[str], float]
    """How far a campaign of a name may be off."""
    known: Callable[[str], bool]
    version: str | None = None
    timed: bool = False
    usual_spread: float = 0.5
    """Of all campaigns together."""

    @property
    def since(self) -> datetime:
        """From here on leads are counted."""
        return self.now - self.days * DAY


@dataclass
class Counted:
    """One lead."""

    name: str | None
    born: datetime
    score: Row | None
    code: str
    """The word that counts; `won late` lies past the horizon, `open` where there is none."""
    accepted: bool
    value: float | None
    reason: str | None


@dataclass
class Bag:
    """What is told of one campaign."""

    leads: list[Counted] = field(default_factory=list)
    costs: list[Row] = field(default_factory=list)
    notes: list[Row] = field(default_factory=list)

    def spelling(self) -> str:
        """The spelling of most leads, of two alike the first by the alphabet."""
        told = Counter(lead.name or "" for lead in self.leads)
        told.update({row["campaign"]: 0 for row in self.costs})
        return sorted(told, key=lambda name: (-told[name], name))[0]


def recounted(rows: Rows, asked: Asked, told: dict[str, Any]) -> dict[str, Any]:
    """Recount everything that is told of campaigns.

    Of the intervals of wins the ends are taken as `told` has them, if they are right: they are
    whole numbers, of which two runs may be as good.
    """
    bags = _bags(rows, asked)
    names = sorted(bags, key=str.casefold)
    leads = [lead for bag in bags.values() for lead in bag.leads]
    cells = [_cells(bags[name].leads, asked) for name in names]
    spreads = [asked.spread(name) for name in names]
    ends = {one["name"]: one for one in told["campaigns"]}
    outlooks = told_of(cells, asked.curve, spreads)
    whole = Bag(leads, [row for bag in bags.values() for row in bag.costs])
    (of_all,) = told_of([_cells(leads, asked)], asked.curve, [asked.usual_spread])
    found = [
        _campaign(name, bags[name], _ranges(one, ends[name]), asked.known(name), asked, leads)
        for name, one in zip(names, outlooks, strict=True)
    ]
    return {
        "by": asked.by,
        "days": asked.days,
        "since": _moment(asked.since),
        "as_of": _moment(asked.now),
        "horizon_days": asked.horizon,
        "model_version": asked.version,
        "timed": asked.timed,
        "total": _campaign("all", whole, _ranges(of_all, told["total"]), True, asked, leads),
        "campaigns": _ordered(found),
    }


def _moment(at: datetime) -> str:
    return at.isoformat() + "Z"


def _bags(rows: Rows, asked: Asked) -> dict[str, Bag]:
    bags: dict[str, Bag] = defaultdict(Bag)
    alike = campaign_of if asked.by in ("campaign", "source") else key_of
    for lead in _counted(rows, asked):
        bags[alike(lead.name)].leads.append(lead)
    if asked.by == "campaign":
        first, last = asked.since.date(), asked.now.date()
        for row in rows["spend"]:
            if first <= row["date"] <= last:
                bags[campaign_of(row["campaign"])].costs.append(row)
        told = [note for note in rows["notes"] if note["campaign"] is not None]
        for note in sorted(told, key=lambda row: (row["at"], row["key"]), reverse=True):
            if asked.since <= note["at"] < asked.now and campaign_of(note["campaign"]) in bags:
                bags[campaign_of(note["campaign"])].notes.append(note)
    named = {bag.spelling() if key else "not given": bag for key, bag in bags.items()}
    if asked.by in ("campaign", "source"):
        return named
    # A value that few leads hold could be one person's.
    few = [bag for bag in named.values() if len(bag.leads) < 10]
    usual = {name: bag for name, bag in named.items() if len(bag.leads) >= 10}
    smaller = Bag([lead for bag in few for lead in bag.leads])
    return usual | ({"smaller ones": smaller} if few else {})


def _counted(rows: Rows, asked: Asked) -> list[Counted]:
    scores, said = rows.of_leads("scores"), rows.words(asked.now)
    fields = {row["key"]: json.loads(row["fields"] or "{}") for row in rows["snapshots"]}
    found = []
    for lead in rows["leads"]:
        if lead["erased"] is not None or not asked.since <= born(lead) < asked.now:
            continue
        score = scores[lead["key"]][0] if scores[lead["key"]] else None
        if asked.by in ("campaign", "source"):
            name = lead[asked.by]
        else:
            name = fields[score["snapshot"]].get(asked.by) if score else None
        found.append(_lead(name, lead, score, said[lead["key"]], asked.horizon))
    return found


def _lead(name: str | None, lead: Row, score: Row | None, said: list[Row], days: int) -> Counted:
    word = that_counts(said)
    accepted = any(w["code"] in ACCEPTED and w["code"] != "won" for w in said)
    if word is None:
        return Counted(name, born(lead), score, "open", accepted, None, None)
    code, ended = word["code"], word["at"]
    if word["origin"] == "export" and word["closed"] is not None:
        ended = word["closed"]
    value = value_of(word, said) if code == "won" else None
    accepted = accepted or code == "won"
    if code == "won" and ended >= born(lead) + days * DAY:
        code = "won late"
    return Counted(name, born(lead), score, code, accepted, value, word["reason"])


def _bounds(horizon: int) -> list[int]:
    """The days at which ages are told apart: weeks, the horizon, and the end of the trend."""
    end = max(horizon, 56)
    return sorted({*range(0, end, 7), horizon, end})


def _age(at: datetime, asked: Asked) -> int:
    """The place of an age among the bounds."""
    return max(n for n, day in enumerate(_bounds(asked.horizon)) if asked.now - at >= day * DAY)


def _cells(leads: Sequence[Counted], asked: Asked) -> list[Cell]:
    alike: dict[Any, list[Counted]] = defaultdict(list)
    for lead in leads:
        if lead.score is not None:
            grade = lead.score["grade"]
            age = _age(lead.born, asked)
            alike[lead.name, age, grade, lead.code, lead.accepted].append(lead)
    bounds = _bounds(asked.horizon)
    ages = [*((a + b) / 2 for a, b in pairwise(bounds)), bounds[-1] + 1]
    return [
        Cell(
            len(some),
            len(some) if code == "won" else 0,
            len(some) if code == "open" else 0,
            sum(_chance(lead) for lead in some) / len(some),
            float(ages[age]),
        )
        for (_, age, _, code, _), some in alike.items()
    ]


def _chance(lead: Counted) -> float:
    return float(lead.score["probability"]) if lead.score else 0.0


@dataclass(frozen=True)
class Ranges:
    """Wins to come of leads with a score, and those that were to be expected by now."""

    won: int
    to_come: Range
    by_now: Range


def _ranges(told: Told | None, ends: dict[str, Any]) -> Ranges | None:
    """Take the ends of both intervals where chance says that they are right."""
    if told is None:
        assert (ends["wins"], ends["by_now"]) == (None, None)
        return None
    before = ends["won"]
    to_come = _held(told.wins - told.won, told.to_come_luck, ends["wins"], before)
    return Ranges(told.won, to_come, _held(told.by_now, told.by_now_luck, ends["by_now"], 0))


def _held(value: float, luck: Shares, ends: Range, before: int) -> Range:
    low, high = ends["low"] - before, ends["high"] - before
    assert (low, high) == (int(low), int(high))
    assert 0 <= low <= high < len(luck)
    worse = WORSE if len(luck) - 1 > FEW else WORSE_OF_FEW
    assert off_by(luck, int(low), int(high)) < worse
    return {"value": value, "low": low, "high": high}


def _campaign(
    name: str,
    bag: Bag,
    ranges: Ranges | None,
    known: bool,
    asked: Asked,
    all_: Sequence[Counted],
) -> dict[str, Any]:
    leads = bag.leads
    won = sum(lead.code == "won" for lead in leads)
    grades = Counter(lead.score["grade"] for lead in leads if lead.score)
    accepted = sum(lead.accepted for lead in leads)
    answered = sum(lead.accepted or lead.code != "open" for lead in leads)
    value = sum(lead.value or 0.0 for lead in leads)
    cost = round(sum(row["amount"] for row in bag.costs), 2) if bag.costs else None
    visits = [row["visits"] for row in bag.costs if row["visits"] is not None]
    wins = ranges and {end: won + n for end, n in ranges.to_come.items()}
    return {
        "name": name,
        "known": known,
        "leads": len(leads),
        "scored": sum(lead.score is not None for lead in leads),
        "grades": {grade: grades[grade] for grade in "ABCD"},
        "won": won,
        "won_late": sum(lead.code == "won late" for lead in leads),
        "wins": wins,
        "by_now": ranges and ranges.by_now,
        "pace": ranges and _pace(ranges),
        "value": value,
        "revenue": ranges and _revenue(ranges.to_come, value, *_worth(leads, all_)),
        "cost": cost,
        "visits": sum(visits) if visits else None,
        "cost_per_lead": cost / len(leads) if cost is not None and leads else None,
        "cost_per_win": _cost_of_a_win(cost, wins),
        "accepted": accepted,
        "answered": answered,
        "acceptance": wilson(accepted, answered, 0.9) if answered else None,
        "reasons": _reasons(leads) if asked.by in ("campaign", "source") else [],
        "trend": _trend(leads, asked),
        "gain": None,
        "budget": None,
        "notes": [{"text": n["text"], "by": n["by"], "at": _moment(n["at"])} for n in bag.notes],
    }


def _pace(ranges: Ranges) -> str:
    if ranges.won < ranges.by_now["low"]:
        return "behind"
    return "ahead" if ranges.won > ranges.by_now["high"] else "as expected"


def _revenue(to_come: Range, value: float, each: float | None, differ: float) -> Range | None:
    """Wins so far, and a log-normal sum of the wins to come: number and values are unknown."""
    if each is None:
        return None
    wins = to_come["value"]
    if wins <= 0:
        return {"value": value, "low": value, "high": value}
    number = (to_come["high"] - to_come["low"]) / (2 * Z) / wins
    deviation = math.sqrt(math.log(1 + number**2 + differ**2 / wins))
    median = each * wins / math.exp(deviation**2 / 2)
    low, high = (median * math.exp(sign * Z * deviation) for sign in (-1, 1))
    low = low if to_come["low"] > 0 else 0.0
    return {
        "value": value + each * wins,
        "low": value + low,
        "high": value + max(high, each * wins),
    }


def _cost_of_a_win(cost: float | None, wins: Range | None) -> dict[str, float | None] | None:
    if cost is None or wins is None or not wins["value"]:
        return None
    return {
        "value": cost / wins["value"],
        "low": cost / max(wins["high"], wins["value"]),
        "high": cost / wins["low"] if wins["low"] else None,
    }


def _worth(leads: Sequence[Counted], all_: Sequence[Counted]) -> tuple[float | None, float]:
    """What a win is worth, and how far values differ: their deviation as a share of their mean."""
    told = [lead.score for lead in leads if lead.score and lead.score["expected_value"] is not None]
    values = [lead.value for lead in all_ if lead.value is not None]
    mean = sum(values) / len(values) if values else None
    differ = 1.0
    if mean and len(values) >= 10:
        differ = math.sqrt(sum((v - mean) ** 2 for v in values) / len(values)) / mean
    if chance := sum(score["probability"] for score in told):
        return sum(score["expected_value"] for score in told) / chance, differ
    return mean, differ


def _reasons(leads: Sequence[Counted]) -> list[dict[str, Any]]:
    """Why leads were not won: five reasons of each code that three leads share; the rest by sum."""
    found = []
    turned_down = [lead for lead in leads if lead.code not in ("won", "won late", "open")]
    for code in {lead.code for lead in turned_down}:
        told = Counter(key_of(lead.reason) for lead in turned_down if lead.code == code)
        usual = [text for text in told if text and told[text] >= 3]
        usual = sorted(usual, key=lambda text: (-told[text], text))[:5]
        rare = sum(n for text, n in told.items() if text and text not in usual)
        parts = [*((text, told[text]) for text in usual), ("others", rare), ("", told[""])]
        found += [{"code": code, "reason": text, "leads": n} for text, n in parts if n]
    return sorted(found, key=lambda one: (-one["leads"], one["code"], one["reason"]))


def _trend(leads: Sequence[Counted], asked: Asked) -> dict[str, Any]:
    now, before = (
        [_chance(one) for one in leads if a <= (asked.now - one.born) / DAY < a + 28]
        for a in (0, 28)
    )
    change = None
    if sum(now) and sum(before):
        ratio = sum(now) / sum(before)
        error = math.sqrt(sum(sum(p * p for p in s) / sum(s) ** 2 for s in (now, before)))
        low, high = (ratio * math.exp(sign * Z * error) - 1 for sign in (-1, 1))
        change = {"value": ratio - 1, "low": low, "high": high}
    return {"now": sum(now), "before": sum(before), "change": change}


def _ordered(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Say what each gains over the average by its cost; first stand those of which that is sure."""
    priced = [one for one in found if one["cost"] and one["wins"]]
    cost = sum(one["cost"] for one in priced)
    wins = sum(one["wins"]["value"] for one in priced)
    for one in priced:
        gain = one["wins"]["value"] - wins * one["cost"] / cost
        by_interval = (one["wins"]["high"] - one["wins"]["low"]) / 2
        reach = max(by_interval, Z * math.sqrt(max(one["wins"]["value"], 1.0)))
        one["gain"] = {"value": gain, "low": gain - reach, "high": gain + reach}
        one["budget"] = "more" if gain > reach else "less" if gain < -reach else "unclear"
    return sorted(found, key=_place)


def _place(one: dict[str, Any]) -> tuple[Any, ...]:
    expected = one["wins"]["value"] if one["wins"] else 0.0
    if one["gain"] is None:
        return 1, 0.0, 0.0, -round(expected, 6), one["name"]
    sure = max(one["gain"]["low"], -one["gain"]["high"], 0.0)
    gain = abs(one["gain"]["value"])
    return 0, -round(sure, 6), -round(gain, 6), -round(expected, 6), one["name"]
