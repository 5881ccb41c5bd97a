"""How the leads that come in differ from those that the model learned from, on a sample.

A few leads a second are looked at, between requests: fields that are missing, values that training
did not see, and how each column is spread over the bands of the artefact's reference. Only counts
are kept.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, NamedTuple

from features.leads import Fault
from serving.artefact import LoadedModel, lead_of_cells
from serving.scorer import Scorer

_WAITING = 50
"""Leads that wait to be looked at; more are let go."""
_RECENT = 20_000
"""Leads after which all counts are halved: what came lately counts more."""
_FEWEST = 200
"""Leads from which on a PSI is told; of fewer it is mostly chance."""
_FEW_VALUES = 5
"""Different deciles of which a column may hold no other values, such as points or a rating."""
_HALF = 0.5
"""Added to each band, so that none is empty."""
_LEARNED_FROM = 1000
"""Leads for which the shares of the reference are taken."""


class Bands(NamedTuple):
    """The bands of one column, with their shares in training."""

    bounds: tuple[float, ...] | None
    """Upper ends of all but the last; None where each code is a band."""
    shares: list[float]
    """Of each band, the missing ones last."""

    def place(self, value: float) -> int:
        """Return the band of a value; NaN is missing."""
        if math.isnan(value):
            return len(self.shares) - 1
        if self.bounds is None:
            return min(int(value), len(self.shares) - 2)
        return bisect_left(self.bounds, value)


class FieldSeen(NamedTuple):
    """What recent leads show of one field."""

    field: str
    missing: float
    """Share of leads without it."""
    unseen: float
    """Share of leads with a value that training hardly saw, or that cannot be read."""
    psi: float | None
    """Of its column that moved most, against the training; None for too few leads."""


@dataclass
class Seen:
    """Counts of recent leads under one model."""

    model: str
    """See `name_of`."""
    leads: float = 0.0
    missing: dict[str, float] = field(default_factory=dict)
    """By field."""
    unseen: dict[str, float] = field(default_factory=dict)
    bands: dict[str, list[float]] = field(default_factory=dict)
    """By column: leads in each band of the reference, the missing ones last."""
    scores: list[float] = field(default_factory=list)
    """Leads in each band of the scores that later leads of the training got."""

    def halve(self) -> None:
        """Let what was counted until now count half."""
        self.leads /= 2
        self.missing = {name: n / 2 for name, n in self.missing.items()}
        self.unseen = {name: n / 2 for name, n in self.unseen.items()}
        self.bands = {name: [n / 2 for n in counts] for name, counts in self.bands.items()}
        self.scores = [n / 2 for n in self.scores]

    def take_in(self, state: dict[str, Any]) -> None:
        """Add what another worker has counted under the same model; nothing of another."""
        if state["model"] != self.model:
            return
        self.leads += state["leads"]
        for mine, others in ((self.missing, state["missing"]), (self.unseen, state["unseen"])):
            for name, n in others.items():
                mine[name] = mine.get(name, 0.0) + n
        for name, counts in state["bands"].items():
            have = self.bands.get(name, [0.0] * len(counts))
            self.bands[name] = [a + b for a, b in zip(have, counts, strict=True)]
        scores = state.get("scores", [])
        both = zip(self.scores, scores, strict=True) if self.scores and scores else ()
        self.scores = [a + b for a, b in both] or self.scores or scores


def name_of(model: LoadedModel) -> str:
    """Name a model as no other is named: versions begin anew where a registry does."""
    return f"{model.version} {model.digest}"


class Watch:
    """Looks at a sample of the leads that one worker scores."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[LoadedModel, Any]] = deque()
        self._bands: dict[str, Bands] = {}
        self._scores: Bands | None = None
        self.seen = Seen("")

    def saw(self, model: LoadedModel, record: Any) -> None:
        """Take a lead that was scored, unless enough of them wait."""
        if len(self._waiting) < _WAITING:
            self._waiting.append((model, record))

    def look(self) -> bool:
        """Look at one lead; return whether there was one."""
        if not self._waiting:
            return False
        model, record = self._waiting.popleft()
        if name_of(model) != self.seen.model:
            self.seen = Seen(name_of(model))
            reference = model.artefact.reference
            self._bands = {name: bands_of(known) for name, known in reference.items()}
            self._scores = score_bands(model)
        self._count(model, record)
        if self.seen.leads >= _RECENT:
            self.seen.halve()
        return True

    def _count(self, model: LoadedModel, record: Any) -> None:
        scorer, seen = model.artefact.scorer, self.seen
        lead = lead_of_cells(scorer.cells({n: record.get(n) for n in scorer.read_names}), scorer)
        if isinstance(lead, Fault):
            return
        seen.leads += 1
        row, odd = scorer.encoder.alone(lead.cells, lead.created)
        for name in scorer.fields:
            if lead.cells[name] is None:
                seen.missing[name] = seen.missing.get(name, 0.0) + 1
            elif name in odd:
                seen.unseen[name] = seen.unseen.get(name, 0.0) + 1
        if (scores := self._scores) is not None:
            seen.scores = seen.scores or [0.0] * len(scores.shares)
            seen.scores[scores.place(scorer.score_few([lead], 0)[0].probability)] += 1
        for column, value in zip(scorer.encoder.columns, row, strict=True):
            if (bands := self._bands.get(column.name)) is not None:
                counts = seen.bands.setdefault(column.name, [0.0] * len(bands.shares))
                counts[bands.place(value)] += 1


def score_bands(model: LoadedModel) -> Bands | None:
    """Return the bands of scores in training; None where too few leads gave any."""
    known = model.artefact.facts.get("scores", {})
    return bands_of(known) if known.get("deciles") else None


def scores_moved(counts: list[float], bands: Bands | None) -> float | None:
    """Return the PSI of recent scores against the training; None where too little is known."""
    if bands is None or sum(counts) < _FEWEST:
        return None
    return psi([_LEARNED_FROM * share for share in bands.shares], counts)


def fields_seen(seen: Seen, scorer: Scorer, reference: dict[str, Any]) -> list[FieldSeen]:
    """Tell what recent leads show of each field, against the reference of the artefact."""
    if not seen.leads:
        return []
    enough = seen.leads >= _FEWEST
    return [
        FieldSeen(
            each.field,
            seen.missing.get(each.field, 0.0) / seen.leads,
            seen.unseen.get(each.field, 0.0) / seen.leads,
            max(_psis(seen, [c.name for c in each.columns], reference), default=0.0)
            if enough
            else None,
        )
        for each in scorer.encoder.fields
    ]


def _psis(seen: Seen, columns: list[str], reference: dict[str, Any]) -> list[float]:
    return [
        psi([_LEARNED_FROM * share for share in bands_of(reference[n]).shares], seen.bands[n])
        for n in columns
        if n in reference and n in seen.bands
    ]


def psi(before: list[float], after: list[float]) -> float:
    """Return the population stability index of counts by band: Σ (a − b) ln(a / b) over shares."""
    b, a = ([n + _HALF for n in counts] for counts in (before, after))
    all_b, all_a = sum(b), sum(a)
    pairs = [(x / all_b, y / all_a) for x, y in zip(b, a, strict=True)]
    return math.fsum((y - x) * math.log(y / x) for x, y in pairs)


def bands_of(known: dict[str, Any]) -> Bands:
    """Return the bands of a column from what the artefact keeps of it: shares, or deciles."""
    missing = known["missing"]
    if "shares" in known:
        return Bands(None, [*known["shares"], missing])
    bounds, shares, before, at, tied = [], [], 0.0, 0, False
    for bound, same in groupby(known["deciles"]):
        many = len(list(same))
        at, tied = at + many, many > 1
        # Leads of one value that fill several tenths end somewhere within the next.
        up_to = at / 10 + (0.05 if tied else 0.0)
        bounds.append(bound)
        shares.append(up_to - before)
        before = up_to
    if tied or 0 < len(bounds) <= _FEW_VALUES:
        # How many lie above the last bound cannot be told, and none where it is the largest value
        # of few: they are one band with it.
        bounds.pop()
        before -= shares.pop()
    shares.append(1.0 - before)
    return Bands(tuple(bounds), [*((1.0 - missing) * share for share in shares), missing])
