"""What the period taught: speed to lead, disagreements on leads, and what changes brought."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import NormalDist
from typing import Literal

from features.agreement import Agreement
from features.cells import key_of
from features.store.alignment import Ended, Speed, WorkedSum
from serving.alignment.promises import rate
from serving.health import Reasons, told_reasons
from serving.rates import LEVEL, Interval, difference_of_rates

DECIDED = ("won", "lost", "unqualified")
_MOST_DAYS = 28
"""Before and after a change, at most."""
_SEEN_AFTER = 7
"""Days after which hand-offs are looked at: what sales says takes its time."""


@dataclass(frozen=True)
class Band:
    """What became of leads that were first touched within so long."""

    name: str
    leads: int
    won: Interval
    """Share won within the horizon."""
    expected: float | None
    """Share of wins that their scores at hand-off said; None where few had a score."""


@dataclass(frozen=True)
class SlowTouch:
    """What the leads touched later than promised came to, beside those touched in time."""

    leads: int
    won: int
    as_prompt: Interval
    """Wins that they would have brought, had they been won as often beyond their scores as the
    prompt ones were, less their own: what slow touch cost, if it was the slowness."""


def band_names(bounds: Sequence[float]) -> list[str]:
    """Name the bands of waits that some bounds, in hours, make."""
    spans = [f"{h:g} h" if h < 48 else f"{h / 24:g} days" for h in bounds]
    return [*(f"within {span}" for span in spans), f"after {spans[-1]}", "never"]


def bands(speeds: Sequence[Speed], bounds: Sequence[float]) -> list[Band]:
    """Return the won share of leads by the time to their first touch; empty bands are left out."""
    names = band_names(bounds)
    return [
        Band(
            names[speed.band],
            speed.handed,
            won,
            speed.expected / speed.scored
            if speed.expected is not None and 2 * speed.scored >= speed.handed
            else None,
        )
        for speed in speeds
        if (won := rate(speed.won, speed.handed)) is not None
    ]


def slow_touch(speeds: Sequence[Speed], prompt: int) -> SlowTouch | None:
    """Compare leads touched late, or never, with those of the first `prompt` bands.

    Wins are held against the sums of the scores, so that better leads touched sooner explain
    nothing; both counts are taken for Poisson. None without leads with a score on either side.
    """
    early, late = (
        [s for s in speeds if (s.band < prompt) == is_early] for is_early in (True, False)
    )
    said_early, said_late = (sum(s.expected or 0.0 for s in part) for part in (early, late))
    won_early, won_late = (sum(s.won_scored for s in part) for part in (early, late))
    if not (said_early and said_late and won_early):
        return None
    scale = said_late / said_early
    more = scale * won_early - won_late
    reach = NormalDist().inv_cdf(0.5 + LEVEL / 2) * math.sqrt(scale**2 * won_early + won_late)
    leads = sum(s.scored for s in late)
    return SlowTouch(leads, won_late, Interval(more, more - reach, more + reach))


@dataclass(frozen=True)
class Disagreement:
    """Where sales and the grades differ on leads that ended lately."""

    what: Literal["a_rejected", "a_won", "low_won"]
    leads: int
    """Decided leads of these grades."""
    share: Interval
    """Of them: rejected as unqualified, or won."""
    bound: float | None
    """What the agreement says of them: the bound of the grade; None: it says nothing."""
    calls_for_change: bool
    """Whether chance does not explain it."""


@dataclass(frozen=True)
class Disagreements:
    """All of them, and why sales rejected leads graded A."""

    found: tuple[Disagreement, ...]
    reasons: Reasons | None


def disagreements(ended: Sequence[Ended], agreement: Agreement) -> Disagreements:
    """Find where the grades promise other than sales finds."""
    decided = [e for e in ended if e.code in DECIDED]
    best = [e for e in decided if e.grade == "A"]
    # Where every grade is handed over, D is the one of which least is said.
    worst_handed = min(agreement.bar.handoff_grade, "C")
    low = [e for e in decided if e.grade > worst_handed]
    high_end: float = getattr(agreement.grades, worst_handed)
    found = []
    if (share := _share(best, "unqualified")) is not None:
        found.append(Disagreement("a_rejected", _leads(best), share, None, False))
    if (share := _share(best, "won")) is not None:
        bound = agreement.grades.A
        found.append(Disagreement("a_won", _leads(best), share, bound, share.high < bound))
    if (share := _share(low, "won")) is not None:
        found.append(Disagreement("low_won", _leads(low), share, high_end, share.low > high_end))
    counts = Counter[str]()
    for e in best:
        if e.code == "unqualified":
            counts[key_of(e.reason)] += e.leads
    reasons = told_reasons({"unqualified": counts}) if counts else []
    return Disagreements(tuple(found), reasons[0] if reasons else None)


def _leads(part: Sequence[Ended]) -> int:
    return sum(e.leads for e in part)


def _share(part: Sequence[Ended], code: str) -> Interval | None:
    return rate(_leads([e for e in part if e.code == code]), _leads(part))


@dataclass(frozen=True)
class Change:
    """Something that both sides, or the model, did otherwise from a day on."""

    at: datetime
    kind: Literal["model", "agreement", "decision"]
    what: str


@dataclass(frozen=True)
class Effect:
    """A measure before a change and after it."""

    measure: str
    """touched_in_time, accepted or rejected."""
    before: Interval
    after: Interval
    difference: Interval
    verdict: Literal["better", "worse", "not shown"]


@dataclass(frozen=True)
class Changed:
    """A change, and what it brought as far as can be seen."""

    change: Change
    days: int
    """Looked at before it, and as many after; 0: too early to say."""
    effects: tuple[Effect, ...]


_BETTER_IF_MORE = {"touch_kept": True, "accepted": True, "rejected": False}
MEASURES: Mapping[str, str] = {
    "touch_kept": "touched within the promise",
    "accepted": "accepted within a week",
    "rejected": "unqualified within a week",
}


def what_changed(
    changes: Sequence[Change], sums: Sequence[WorkedSum], as_of: datetime
) -> list[Changed]:
    """Hold hand-offs after each change against those of as many days before it.

    The day of the change itself is left out. Whatever else changed at the same time shows too.
    """
    first = min((s.day for s in sums), default=None)
    last = (as_of - timedelta(days=_SEEN_AFTER)).date()
    return [_changed(change, sums, first, last) for change in changes]


def _changed(change: Change, sums: Sequence[WorkedSum], first: date | None, last: date) -> Changed:
    day = change.at.date()
    room = 0 if first is None else (day - first).days
    days = max(0, min(_MOST_DAYS, room, (last - day).days - 1))
    before = [s for s in sums if 0 < (day - s.day).days <= days]
    after = [s for s in sums if 0 < (s.day - day).days <= days]
    effects = (_effect(name, before, after) for name in MEASURES)
    found = tuple(effect for effect in effects if effect is not None)
    return Changed(change, days if found else 0, found)


def _effect(measure: str, before: Sequence[WorkedSum], after: Sequence[WorkedSum]) -> Effect | None:
    then, now = (
        rate(sum(getattr(s, measure) for s in part), sum(s.handed for s in part))
        for part in (before, after)
    )
    if then is None or now is None:
        return None
    apart = difference_of_rates(now, then)
    shown = apart.low > 0 or apart.high < 0
    rose = apart.value > 0
    verdict: Literal["better", "worse", "not shown"] = "not shown"
    if shown:
        verdict = "better" if rose == _BETTER_IF_MORE[measure] else "worse"
    return Effect(measure, then, now, apart, verdict)
