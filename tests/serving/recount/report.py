"""The alignment report, hand-off by hand-off: the JSON of `GET /v1/report`."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from statistics import NormalDist
from typing import Any

from features.agreement import Agreement
from tests.serving.recount.past import Json, Past, Span, in_time, share_of
from tests.serving.recount.promised import brought, coverage, due, funnel, hands, weeks
from tests.serving.recount.rates import Interval, difference, wilson
from tests.serving.recount.rows import DAY, HOUR, Row, Rows, key_of, that_counts

BETTER = {"touch_kept": True, "accepted": True, "rejected": False}


def recounted(rows: Rows, agreement: Agreement, name: str, now: datetime) -> Json:
    """Recount the whole report."""
    past = Past(rows, agreement, Span.of(name), now)
    back, lately = past.weeks_back(), past.lately(28)
    decided = _decisions(past)
    missed = [d for d in decided if d["done_at"] is None and d["due"] < now.date()]
    start = past.span.start
    others = [d for d in decided if d not in missed]
    others = [d for d in others if d["done_at"] is None or d["done_at"] >= start]
    reached, before = (funnel(past, span) for span in (past.span, past.span.before()))
    return plain(
        {
            "period": {"name": name, "start": start, "end": past.span.end},
            "as_of": past.as_of,
            "scored_since": past.scored_since,
            "agreement": agreement.label,
            "promise_hours": agreement.sla.sales.first_touch_hours,
            "promise_days": agreement.sla.sales.disposition_days,
            "horizon_days": agreement.horizon_days,
            "missed_decisions": missed,
            "decisions": others,
            "funnel": reached,
            "funnel_before": before[0],
            "brought": [brought(past, month) for month in past.span.months()],
            "touch": due(past, "touched", past.touch),
            "answer": due(past, "answered", past.answer),
            "coverage": coverage(past, back),
            "weeks": weeks(past, back),
            "teams": hands(past, lately, "team"),
            "owners": hands(past, lately, "owner"),
            "missed": _missed(past),
            "speed": _speed(past),
            "slow_touch": _slow_touch(past),
            "disagreements": _disagreements(past),
            "changes": _changed(past, back),
            **_asked(past),
        }
    )


def plain(value: Any) -> Any:
    """JSON values; moments say by a Z that they are UTC."""
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, datetime):
        return f"{value.isoformat()}Z"
    return value.isoformat() if isinstance(value, date) else value


def _missed(past: Past) -> list[Json]:
    """The best leads that wait for longer than agreed: those handed over, then those not."""
    since, by = past.as_of - 28 * DAY, past.as_of - past.touch
    handed = [
        _missed_lead(past, c["lead"], c["score"], c["at"], c["owner"], True)
        for c in past.chances
        if since <= c["at"] < by and c["touched"] is None and not c["again"] and c["score"]
    ]
    never = []
    for key in past.leads:
        score = past.score_at(key, past.as_of)
        if score and since <= score["at"] < by and not past.handoffs[key] and not past.said[key]:
            never.append(_missed_lead(past, key, score, score["at"], None, False))
    return [*_best(handed), *_best(never)]


def _missed_lead(
    past: Past, key: int, score: Row, since: datetime, owner: str | None, is_handed: bool
) -> Json:
    lead = past.leads[key]
    told = {name: score[name] for name in ("probability", "grade")}
    return {
        "id": None if lead["erased"] else lead["id"],
        "campaign": lead["campaign"],
        "owner": owner,
        "since": since,
        "handed": is_handed,
        **told,
    }


def _best(leads: Sequence[Json]) -> list[Json]:
    good = [lead for lead in leads if lead["grade"] in "AB" and lead["id"] is not None]
    best = sorted(good, key=lambda lead: (-lead["probability"], lead["id"]))[:10]
    return [lead | {"all": len(good)} for lead in best]


def _old(past: Past) -> list[Row]:
    """The hand-offs of a quarter whose horizon is over, with what is known by that of the last."""
    ends = past.as_of - past.agreed.horizon_days * DAY
    return [c for c in past.chances if ends - 91 * DAY <= c["at"] < ends]


def _is_won(past: Past, chance: Row) -> bool:
    return in_time(chance, "won", past.agreed.horizon_days * DAY)


def _speed(past: Past) -> list[Json]:
    promise = past.agreed.sla.sales.first_touch_hours
    bounds = sorted({1.0, 4.0, 24.0, 72.0, 168.0, promise})
    spans = [f"{hours:g} h" if hours < 48 else f"{hours / 24:g} days" for hours in bounds]
    names = [*(f"within {span}" for span in spans), f"after {spans[-1]}", "never"]
    bands: dict[str, list[Row]] = {name: [] for name in names}
    for chance in _old(past):
        if chance["touched"] is None:
            bands["never"].append(chance)
            continue
        late = [n for n, hours in enumerate(bounds) if in_time(chance, "touched", hours * HOUR)]
        bands[names[min(late, default=len(bounds))]].append(chance)
    found = []
    for name, part in bands.items():
        if part:
            won = sum(_is_won(past, c) for c in part)
            said = [c["score"]["probability"] for c in part if c["score"]]
            expected = sum(said) / len(said) if 2 * len(said) >= len(part) else None
            found.append(
                {"name": name, "leads": len(part), "won": share_of(won, len(part)),
                 "expected": expected}
            )  # fmt: skip
    return found


def _slow_touch(past: Past) -> Json | None:
    scored = [c for c in _old(past) if c["score"]]
    prompt = [c for c in scored if in_time(c, "touched", past.touch)]
    slow = [c for c in scored if c not in prompt]
    said, said_slow = (sum(c["score"]["probability"] for c in part) for part in (prompt, slow))
    won, won_slow = (sum(_is_won(past, c) for c in part) for part in (prompt, slow))
    if not (said and said_slow and won):
        return None
    scale = said_slow / said
    cost = scale * won - won_slow
    reach = NormalDist().inv_cdf(0.975) * math.sqrt(scale * scale * won + won_slow)
    as_prompt = {"value": cost, "low": cost - reach, "high": cost + reach}
    return {"leads": len(slow), "won": won_slow, "as_prompt": as_prompt}


def _disagreements(past: Past) -> Json:
    decided: list[tuple[str, Row]] = []
    for key in past.leads:
        word = that_counts(past.said[key])
        if word and word["at"] >= past.as_of - 28 * DAY:
            score = past.score_at(key, word["at"])
            if score and word["code"] in ("won", "lost", "unqualified"):
                decided.append((score["grade"], word))
    bounds = past.agreed.grades
    handed = past.agreed.bar.handoff_grade
    worst = "C" if handed == "D" else handed
    low = [word for grade, word in decided if grade > worst]
    best = [word for grade, word in decided if grade == "A"]
    rejected = [word for word in best if word["code"] == "unqualified"]
    found = []
    if best:
        share = wilson(len(rejected), len(best))
        found.append(_disagreement("a_rejected", len(best), share, None, False))
        share = wilson(sum(word["code"] == "won" for word in best), len(best))
        is_less = share["high"] < bounds.A
        found.append(_disagreement("a_won", len(best), share, bounds.A, is_less))
    if low:
        bound = getattr(bounds, worst)
        share = wilson(sum(word["code"] == "won" for word in low), len(low))
        found.append(_disagreement("low_won", len(low), share, bound, share["low"] > bound))
    return {"found": found, "reasons": _reasons(rejected)}


def _disagreement(what: str, leads: int, share: Interval, bound: float | None, calls: bool) -> Json:
    return {
        "what": what,
        "leads": leads,
        "share": share,
        "bound": bound,
        "calls_for_change": calls,
    }


def _reasons(rejected: Sequence[Row]) -> Json | None:
    told = Counter(key_of(word["reason"]) for word in rejected)
    usual = sorted((t for t in told if t and told[t] >= 3), key=lambda t: (-told[t], t))[:5]
    return {
        "code": "unqualified",
        "leads": len(rejected),
        "reasons": {text: told[text] for text in usual},
        "other_reasons": sum(n for text, n in told.items() if text and text not in usual),
        "no_reason": told[""],
    } if rejected else None  # fmt: skip


def _decisions(past: Past) -> list[Json]:
    since = min(past.as_of - 42 * DAY, past.span.start)
    names = ("key", "at", "text", "owner", "due", "consequence", "done_at", "by")
    found = [
        {name: row[name] for name in names}
        for row in past.rows["decisions"]
        if row["at"] < past.now and (row["done_at"] is None or row["done_at"] >= since)
    ]
    return sorted(found, key=lambda row: (row["due"], row["key"]))


def _changed(past: Past, back: Sequence[Row]) -> list[Json]:
    found = [(row["done_at"], "decision", row["text"]) for row in _decisions(past)]
    for row in past.rows["promotions"]:
        what = f"version {row['model']} scores"
        if row["act"] == "rollback":
            what += f" again: {row['why']}"
        elif row["previous"]:
            what += f" after version {row['previous']}"
        found.append((row["at"], "model", f"model: {what}"))
    for text in past.rows["agreements"]:
        signed = {
            side: min(at)
            for side in ("marketing", "sales")
            if (
                at := [
                    row["at"]
                    for row in past.rows["signatures"]
                    if row["digest"] == text["digest"] and row["side"] == side
                ]
            )
        }
        if len(signed) == 2:
            label = f"{text['version']}-{text['digest'][:8]}"
            found.append((max(signed.values()), "agreement", f"agreement {label} is signed"))
    lately = [one for one in found if one[0] and past.as_of - 42 * DAY <= one[0] < past.as_of]
    return [
        _effects(past, back, *one) for one in sorted(lately, key=lambda one: one[0], reverse=True)
    ]


def _effects(past: Past, back: Sequence[Row], at: datetime, kind: str, what: str) -> Json:
    first = min((c["at"].date() for c in back), default=at.date())
    last = (past.as_of - 7 * DAY).date()
    days = max(0, min(28, (at.date() - first).days, (last - at.date()).days - 1))
    before = [c for c in back if 0 < (at.date() - c["at"].date()).days <= days]
    after = [c for c in back if 0 < (c["at"].date() - at.date()).days <= days]
    limits = {
        "touch_kept": ("touched", past.touch),
        "accepted": ("accepted", 7 * DAY),
        "rejected": ("rejected", 7 * DAY),
    }
    effects = [_effect(m, before, after, *limits[m]) for m in BETTER] if before and after else []
    change = {"at": at, "kind": kind, "what": what}
    return {"change": change, "days": days if effects else 0, "effects": effects}


def _effect(
    measure: str, before: Sequence[Row], after: Sequence[Row], what: str, limit: timedelta
) -> Json:
    then, now = (
        wilson(sum(in_time(c, what, limit) for c in part), len(part)) for part in (before, after)
    )
    apart = difference(now, then)
    verdict = "not shown"
    if apart["low"] > 0 or apart["high"] < 0:
        verdict = "better" if (apart["value"] > 0) == BETTER[measure] else "worse"
    return {
        "measure": measure,
        "before": then,
        "after": now,
        "difference": apart,
        "verdict": verdict,
    }


def _asked(past: Past) -> Json:
    """What both sides answered of the last twelve weeks, and in the period's own."""
    last = Span.week(past.as_of - timedelta(microseconds=1))
    weeks = [last]
    while len(weeks) < 12 or weeks[-1].start > past.span.start:
        weeks.append(weeks[-1].before())
    names = {week.name for week in weeks}
    own = {week.name for week in weeks if week.end > past.span.start}
    told = sorted(
        (row for row in past.rows["answers"] if row["week"] in names),
        key=lambda row: (row["week"], row["side"], row["at"], row["key"]),
    )
    marks: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row in told:
        marks[row["week"], row["side"]].append(row["mark"])
    parts = ("week", "side", "mark", "comment", "by", "at")
    return {
        "marks": [
            {"week": week, "side": side, "answers": len(m), "mean": sum(m) / len(m)}
            for (week, side), m in sorted(marks.items())
        ],
        "answers": [{name: row[name] for name in parts} for row in told if row["week"] in own],
    }
