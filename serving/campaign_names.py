"""What is told of campaigns, gathered by name; spellings of one campaign stand together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from features.campaign import campaign_key, usual
from features.cells import Memo, key_of
from features.store.campaigns import CampaignNote, Cost, LeadGroup, Reason

NOT_GIVEN = "not given"
SMALLER = "smaller ones"
_MOST = 1_000
"""Campaigns that stand by name, the largest ones."""
_FEWEST = 10
"""Leads below which a value of a field is not named: it could be one person's."""
_OF_ADVERTISING = ("campaign", "source")
N = TypeVar("N", int, float)


class Told(NamedTuple):
    """What the store knows of a stretch of time."""

    groups: Sequence[LeadGroup]
    reasons: Sequence[Reason]
    costs: Sequence[Cost]
    notes: Sequence[CampaignNote]


@dataclass
class Named:
    """All that is told of one campaign."""

    name: str
    groups: list[LeadGroup]
    reasons: list[Reason]
    notes: list[CampaignNote]
    cost: float | None = None
    visits: int | None = None

    @property
    def leads(self) -> int:
        """How many there are."""
        return sum(group.leads for group in self.groups)


def gathered(told: Told, by: str) -> dict[str, Named]:
    """Gather what is told by campaign, source or field; spellings of one stand together."""
    key_by_name = Memo(campaign_key if by in _OF_ADVERTISING else key_of)
    spelled: dict[str, Counter[str]] = {}
    for group in told.groups:
        key = key_by_name[group.name]
        if key not in spelled:
            spelled[key] = Counter()
        spelled[key][group.name or ""] += group.leads
    for cost in told.costs:
        spelled.setdefault(key_by_name[cost.name], Counter())[cost.name] += 0
    found = {
        key: Named(usual(counts) if key else NOT_GIVEN, [], [], [])
        for key, counts in spelled.items()
    }
    for group in told.groups:
        found[key_by_name[group.name]].groups.append(group)
    for reason in told.reasons:
        if (key := key_by_name[reason.name]) in found:
            found[key].reasons.append(reason)
    for note in told.notes:
        if (key := key_by_name[note.name]) in found:
            found[key].notes.append(note)
    for cost in told.costs:
        one = found[key_by_name[cost.name]]
        one.cost = (one.cost or 0.0) + cost.amount
        one.visits = _added(one.visits, cost.visits)
    return _large(found, 0 if by in _OF_ADVERTISING else _FEWEST)


def _large(found: dict[str, Named], fewest: int) -> dict[str, Named]:
    """Put the smallest ones together, so that nobody alone and no endless list is shown."""
    order = sorted(found, key=lambda key: (-found[key].leads, key))
    small = [key for n, key in enumerate(order) if n >= _MOST or found[key].leads < fewest]
    if not small:
        return found
    rest = together([found[key] for key in small])
    kept = {key: one for key, one in found.items() if key not in set(small)}
    return kept | {SMALLER: Named(SMALLER, rest.groups, rest.reasons, [], rest.cost, rest.visits)}


def together(parts: Sequence[Named]) -> Named:
    """Return all campaigns as one."""
    whole = Named("all", [], [], [])
    for part in parts:
        whole.groups += part.groups
        whole.reasons += part.reasons
        whole.cost = _added(whole.cost, part.cost)
        whole.visits = _added(whole.visits, part.visits)
    return whole


def _added(one: N | None, other: N | None) -> N | None:
    return one if other is None else other if one is None else one + other
