"""The funnel of a stretch of time, from visits to revenue, by campaign and in all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from features.campaign import campaign_key, usual
from features.store.funnel import Step

NOT_GIVEN = "not given"
STEPS = ("leads", "mql", "handed", "sal", "sql", "opportunity", "won")
_MOST = 12
"""Campaigns that stand by name."""
OTHERS = "all others"


@dataclass(frozen=True)
class Funnel:
    """How many leads reached each step for the first time."""

    campaign: str
    visits: int | None = None
    """None where nobody told them; so is `cost`."""
    cost: float | None = None
    leads: int = 0
    mql: int | None = 0
    """Met the agreed bar; None where no lead had a score yet."""
    handed: int = 0
    """Handed over to sales."""
    sal: int = 0
    """Accepted by sales, or more."""
    sql: int = 0
    """Sales confirmed a possibility, or more."""
    opportunity: int = 0
    won: int = 0
    """Of which sales last said so."""
    revenue: float | None = None
    """Of those won whose value was told."""

    def __add__(self, other: Funnel) -> Funnel:
        """Return both together, under the name of the first."""
        names = [field.name for field in fields(self) if field.name != "campaign"]
        sums: dict[str, Any] = {
            name: _sum(getattr(self, name), getattr(other, name)) for name in names
        }
        return Funnel(self.campaign, **sums)


def _sum(a: float | None, b: float | None) -> float | None:
    return b if a is None else a if b is None else a + b


def funnels(steps: Sequence[Step], now: bool, is_scored: bool) -> list[Funnel]:
    """Return the funnel of each campaign, those with most leads first; all together come first.

    Spellings of one campaign (`campaign_key`) stand together; beyond the largest, so do all others.

    Args:
        steps: how many leads reached each.
        now: whether those of the period itself are told, or those of the one before.
        is_scored: whether a lead had a score by the end of that; else nobody knows of an MQL.

    """
    found: dict[str, Funnel] = {}
    spellings: dict[str, Counter[str]] = {}
    for step in steps:
        if step.now == now and (part := _one(step)) is not None:
            key = campaign_key(step.campaign) if step.campaign else ""
            spellings.setdefault(key, Counter())[part.campaign] += part.leads
            found[key] = found[key] + part if key in found else part
    named_so = (replace(f, campaign=usual(spellings[key])) for key, f in found.items())
    ordered = sorted(named_so, key=lambda f: (-f.leads, -f.handed, f.campaign))
    named, rest = ordered[:_MOST], ordered[_MOST:]
    others = [_together(OTHERS, rest)] if rest else []
    whole = [_together("all campaigns", ordered), *named, *others]
    return whole if is_scored else [replace(part, mql=None) for part in whole]


def _one(step: Step) -> Funnel | None:
    name = step.campaign or NOT_GIVEN
    if step.step == "visits":
        visits = None if step.leads is None else int(step.leads)
        return Funnel(name, visits=visits, cost=step.amount)
    if step.step not in STEPS:
        return None
    counts: dict[str, Any] = {step.step: int(step.leads or 0)}
    return Funnel(name, revenue=step.amount, **counts)


def _together(name: str, parts: Iterable[Funnel]) -> Funnel:
    whole = Funnel(name)
    for part in parts:
        whole += part
    return whole
