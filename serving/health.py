"""The loop's health in words: what came back, how fast, and which promises were kept."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from features.counted import counted
from features.sections import MarketingPromise, SalesPromise
from features.store.health import Passed, Won
from serving.spool import Waiting

_FEWEST_OF_A_REASON = 3
"""Rarer reasons are counted together: what one person wrote of one lead is not for a table."""
_MOST_REASONS = 5
_LONG_SECONDS = 60
"""Scores that have waited for longer are told: the keeper brings them within half a minute."""


@dataclass(frozen=True)
class Promise:
    """How often a promise was kept, among the leads for which its time is over."""

    kept: int
    due: int


@dataclass(frozen=True)
class Team:
    """What one team did with the leads handed to it."""

    name: str
    handed: int
    answered: int
    """With a disposition."""
    touch_hours: float | None
    """Median hours to the first touch, of all its leads; None while half are untouched."""
    answer_days: float | None
    """Median days to a disposition; None while half have none."""
    touch: Promise
    answer: Promise


@dataclass(frozen=True)
class Month:
    """How many A and B leads marketing brought in a whole month."""

    name: str
    leads: int


@dataclass(frozen=True)
class Reasons:
    """Why leads of one disposition were not won."""

    code: str
    leads: int
    reasons: Mapping[str, int]
    """The usual ones, the most frequent first."""
    other_reasons: int
    """Leads with rarer ones."""
    no_reason: int


def teams(rows: Sequence[Passed], promise: SalesPromise, now: datetime) -> list[Team]:
    """Account for hand-offs by team, the largest first; all together come first of all."""
    by_team: dict[str, list[Passed]] = defaultdict(list)
    for row in rows:
        by_team[row.team or "no team"].append(row)
    ordered = sorted(by_team.items(), key=lambda item: (-len(item[1]), item[0]))
    groups = [("all teams", list(rows)), *ordered] if len(ordered) != 1 else ordered
    return [_team(name, part, promise, now) for name, part in groups if part]


def _team(name: str, rows: Sequence[Passed], promise: SalesPromise, now: datetime) -> Team:
    touch, answer = (
        timedelta(hours=promise.first_touch_hours),
        timedelta(days=promise.disposition_days),
    )
    return Team(
        name=name,
        handed=len(rows),
        answered=sum(row.answered is not None for row in rows),
        touch_hours=_median([(row.at, row.touched) for row in rows], now, timedelta(hours=1)),
        answer_days=_median([(row.at, row.answered) for row in rows], now, timedelta(days=1)),
        touch=_kept([(row.at, row.touched) for row in rows], touch, now),
        answer=_kept([(row.at, row.answered) for row in rows], answer, now),
    )


def _median(
    spans: Sequence[tuple[datetime, datetime | None]], now: datetime, unit: timedelta
) -> float | None:
    """Return the median wait by Kaplan & Meier 1958: those still waiting count as they should."""
    waits = sorted(((end or now) - start, end is None) for start, end in spans)
    waiting, share = len(waits), 1.0
    for wait, goes_on in waits:
        if not goes_on:
            share *= 1 - 1 / waiting
            if share <= 0.5:
                return wait / unit
        waiting -= 1
    return None


def _kept(
    spans: Sequence[tuple[datetime, datetime | None]], limit: timedelta, now: datetime
) -> Promise:
    due = [(start, end) for start, end in spans if start + limit <= now]
    kept = sum(end is not None and end - start <= limit for start, end in due)
    return Promise(kept, len(due))


def months(graded: Sequence[datetime], since: datetime, now: datetime) -> list[Month]:
    """Count the leads that first got a good grade, by whole month of a stretch of time."""
    counts = Counter(f"{at:%Y-%m}" for at in graded)
    found, at = [], since.replace(day=1)
    while f"{at:%Y-%m}" < f"{now:%Y-%m}":
        if at.date() >= since.date():
            found.append(Month(f"{at:%Y-%m}", counts[f"{at:%Y-%m}"]))
        at = (at + timedelta(days=32)).replace(day=1)
    return found


def health_lines(
    found: Sequence[Team],
    won: Won,
    reasons: Sequence[Reasons],
    brought: Sequence[Month],
    sales: SalesPromise,
    marketing: MarketingPromise,
) -> Iterator[str]:
    """Tell the loop's health in plain words."""
    if not found:
        yield "no lead was handed over in this time; say which were with: leadq handoff FILE"
    for team in found:
        yield f"  {team.name}: {counted(team.handed, 'lead')} handed over, {_share(team)}"
        touched = _span(team.touch_hours, "h")
        yield (
            f"    first touch after {touched} (median); within {sales.first_touch_hours:g} h: "
            f"{_promise(team.touch)}"
        )
        yield (
            f"    disposition after {_span(team.answer_days, 'days')} (median); within "
            f"{sales.disposition_days} days: {_promise(team.answer)}"
        )
    promised = marketing.leads_graded_a_or_b_per_month
    for month in brought:
        kept = "kept" if month.leads >= promised else "broken"
        yield f"  marketing, {month.name}: {month.leads:,} A and B leads of {promised:,}: {kept}"
    if won.leads or reasons:
        yield "  what sales last said in this time, also of leads handed over earlier:"
        worth = f", worth {won.value:,.0f} together" if won.value else ""
        yield f"    won {won.leads:,}{worth}"
        yield from map(_reason_line, reasons)


def _share(team: Team) -> str:
    return f"{team.answered / team.handed:.0%} with a disposition"


def _span(value: float | None, unit: str) -> str:
    return f"{value:,.1f} {unit}" if value is not None else f"? {unit} (half have none yet)"


def _promise(promise: Promise) -> str:
    if not promise.due:
        return "not due yet"
    return f"{promise.kept / promise.due:.0%} of {promise.due:,} due"


def told_reasons(reasons: Mapping[str, Mapping[str, int]]) -> list[Reasons]:
    """Return why leads were not won, without what few people wrote, by code."""
    found = []
    for code, counts in sorted(reasons.items()):
        usual = {
            reason: count
            for reason, count in counts.items()
            if reason and count >= _FEWEST_OF_A_REASON
        }
        ordered = sorted(usual.items(), key=lambda item: (-item[1], item[0]))[:_MOST_REASONS]
        total, silent = sum(counts.values()), counts.get("", 0)
        others = total - silent - sum(count for _, count in ordered)
        found.append(Reasons(code, total, dict(ordered), others, silent))
    return found


def _reason_line(found: Reasons) -> str:
    told = [f"{reason} {count:,}" for reason, count in found.reasons.items()]
    told += [f"other reasons {found.other_reasons:,}"] if found.other_reasons else []
    told += [f"no reason {found.no_reason:,}"] if found.no_reason else []
    return f"    {found.code} {found.leads:,}: {', '.join(told)}"


def spool_lines(found: Waiting) -> Iterator[str]:
    """Name what keeps scores given over REST from the store; nothing where all is well."""
    if found.oldest_seconds > _LONG_SECONDS:
        yield (
            f"waiting for the store: {counted(found.scores, 'score')}, the oldest for "
            f"{found.oldest_seconds / 60:,.0f} minutes; look whether leadq serve runs and the "
            "store answers"
        )
    if found.dropped:
        yield (
            f"given and not kept, as the spool was full: {counted(found.dropped, 'score')}; "
            "see LEADQ_SPOOL__MEGABYTES"
        )
    if found.set_aside:
        yield (
            f"set aside, as the store cannot take them: {counted(found.set_aside, 'score')}; "
            "look into spool/aside in the home"
        )
