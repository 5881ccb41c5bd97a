"""The funnel, what both sides promised, and where hand-offs wait."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from tests.serving.recount.past import Json, Past, Span, in_time, lies_in, share_of
from tests.serving.recount.rates import Interval, difference, wilson
from tests.serving.recount.rows import (
    ACCEPTED,
    DAY,
    Row,
    born,
    campaign_of,
    that_counts,
    value_of,
)

FUNNEL = ("leads", "mql", "handed", "sal", "sql", "opportunity", "won")


def _reached(past: Past, lead: int) -> dict[str, datetime]:
    """When a lead first got to each step."""
    said = past.said[lead]
    bar = past.agreed.bar.mql_probability
    moments = {
        "leads": [born(past.leads[lead])],
        "mql": [row["at"] for row in past.scores[lead] if row["probability"] >= bar],
        "handed": [row["at"] for row in past.handoffs[lead]],
        "sal": [word["at"] for word in said if word["code"] in ACCEPTED],
        "sql": [word["at"] for word in said if word["code"] in ACCEPTED[1:]],
        "opportunity": [word["at"] for word in said if word["code"] in ACCEPTED[2:]],
    }
    return {step: min(times) for step, times in moments.items() if times}


def funnel(past: Past, span: Span) -> list[Json]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    spelled: dict[str, Counter[str]] = defaultdict(Counter)
    sums: dict[str, dict[str, float]] = defaultdict(dict)

    def count(name: str | None, step: str, **amounts: float | None) -> None:
        key = campaign_of(name)
        counts[key][step] += 1
        spelled[key][name or "not given"] += step == "leads"
        for what, amount in amounts.items():
            if amount is not None:
                sums[key][what] = sums[key].get(what, 0) + amount

    for key, lead in past.leads.items():
        for step, at in _reached(past, key).items():
            if lies_in(at, span, past.as_of):
                count(lead["campaign"], step)
        word = that_counts(past.said[key])
        if word and word["code"] == "won" and lies_in(word["at"], span, past.as_of):
            count(lead["campaign"], "won", revenue=value_of(word, past.said[key]))
    for row in past.rows["spend"]:
        if lies_in(datetime.combine(row["date"], datetime.min.time()), span, past.as_of):
            count(row["campaign"], "spent", cost=row["amount"], visits=row["visits"])
    is_scored = past.scored_since is not None and past.scored_since < min(span.end, past.as_of)
    parts = [_part(_usual(spelled[key]), n, sums[key], is_scored) for key, n in counts.items()]
    parts.sort(key=lambda one: (-one["leads"], -one["handed"], one["campaign"]))
    others = [_sum("all others", parts[12:], is_scored)] if parts[12:] else []
    return [_sum("all campaigns", parts, is_scored), *parts[:12], *others]


def _usual(spelled: Counter[str]) -> str:
    return min(spelled, key=lambda name: (-spelled[name], name))


def _part(name: str, counts: Counter[str], sums: dict[str, float], is_scored: bool) -> Json:
    steps = {step: counts[step] for step in FUNNEL}
    amounts = {what: sums.get(what) for what in ("visits", "cost", "revenue")}
    return {"campaign": name, **amounts, **steps, **({} if is_scored else {"mql": None})}


def _sum(name: str, parts: Sequence[Json], is_scored: bool) -> Json:
    counts = Counter({step: sum(one[step] or 0 for one in parts) for step in FUNNEL})
    told = {
        what: [one[what] for one in parts if one[what] is not None]
        for what in ("visits", "cost", "revenue")
    }
    return _part(name, counts, {what: sum(some) for what, some in told.items() if some}, is_scored)


def brought(past: Past, month: Span) -> Json:
    by = min(month.end, past.as_of)
    promised = past.agreed.sla.marketing.leads_graded_a_or_b_per_month
    firsts = (
        min((row["at"] for row in some if row["grade"] in "AB"), default=None)
        for some in past.scores.values()
    )
    leads = sum(lies_in(at, month, past.as_of) for at in firsts)
    since = past.scored_since
    found = {"month": month.name, "promised": promised, "by": by, "scored_since": None}
    if since is None or since >= by:
        return found | {"leads": None, "state": "not scored yet"}
    is_part = since > month.start
    gone = (by - month.start) / (month.end - month.start)
    if leads >= promised:
        state = "kept"
    elif is_part:
        state = "partly scored"
    elif by == month.end:
        state = "broken"
    else:
        state = "on course" if leads >= promised * gone else "behind"
    return found | {"leads": leads, "state": state, "scored_since": since if is_part else None}


def due(past: Past, what: str, limit: timedelta) -> Json:
    """A promise counts where its time runs out."""
    due = [c for c in past.chances if lies_in(c["at"] + limit, past.span, past.as_of)]
    return {"kept": sum(in_time(c, what, limit) for c in due), "due": len(due)}


def coverage(past: Past, back: Sequence[Row]) -> Interval | None:
    over = [c for c in back if past.is_over(c["at"].date(), past.answer)]
    return share_of(sum(c["answered"] is not None for c in over), len(over))


def weeks(past: Past, back: Sequence[Row]) -> list[Json]:
    by_week: dict[date, list[Row]] = defaultdict(list)
    for chance in back:
        day = chance["at"].date()
        by_week[day - day.weekday() * DAY].append(chance)
    found = []
    for start, part in sorted(by_week.items()):
        last = start + 6 * DAY
        touched, answered = (past.is_over(last, limit) for limit in (past.touch, past.answer))
        kept = {
            "touch": touched and sum(in_time(c, "touched", past.touch) for c in part),
            "answer": answered and sum(in_time(c, "answered", past.answer) for c in part),
            "coverage": answered and sum(c["answered"] is not None for c in part),
        }
        shares = {n: None if k is False else wilson(k, len(part)) for n, k in kept.items()}
        found.append({"start": start, "handed": len(part), **shares})
    return found


def hands(past: Past, lately: Sequence[Row], who: str) -> list[Json]:
    by_name: dict[str, list[Row]] = defaultdict(list)
    for chance in lately:
        by_name[chance[who] or "nobody named"].append(chance)
    level = 1 - 0.05 / max(len(by_name), 1)
    due = {
        name: [c for c in part if past.is_over(c["at"].date(), past.touch)]
        for name, part in by_name.items()
    }
    found = []
    for name, part in by_name.items():
        own = due[name]
        rest = [c for other, some in due.items() if other != name for c in some]
        kept, kept_by_rest = (
            sum(in_time(c, "touched", past.touch) for c in some) for some in (own, rest)
        )
        differs = ""
        if own and rest:
            apart = difference(
                wilson(kept, len(own), level), wilson(kept_by_rest, len(rest), level)
            )
            differs = "slower" if apart["high"] < 0 else "faster" if apart["low"] > 0 else ""
        waiting = [c["at"] for c in part if c["touched"] is None and not c["again"]]
        found.append(
            {
                "name": name,
                "handed": len(own),
                "touch": share_of(kept, len(own)),
                "waiting": len(waiting),
                "overdue": sum(at + past.touch <= past.as_of for at in waiting),
                "oldest": min(waiting, default=None),
                "differs": differs,
            }
        )
    return sorted(found, key=lambda one: (-one["overdue"], -one["handed"], one["name"]))
