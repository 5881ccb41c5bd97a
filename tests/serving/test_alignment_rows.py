"""The figures of the alignment report are those of the raw rows, found by another route."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date, timedelta
from typing import Any

import pytest

from features.store.database import Store
from features.store.meetings import decide, mark_done
from serving.alignment.period import Period
from tests.features.store.making import hand
from tests.features.store.past import Row, drawn
from tests.serving.raw_rows import DAY, HOUR, WEEK, Raw, lies_in, reported
from tests.serving.recount.rows import campaign_of


@pytest.mark.parametrize("seed", range(3))
def test_the_funnel_is_that_of_the_raw_rows(store: Store, seed: int) -> None:
    past = drawn(seed)
    past.keep(store)
    raw, report = Raw(past, WEEK.end), reported(store)

    wanted: dict[str, Counter[str]] = defaultdict(Counter)
    for step in ("leads", "mql", "handed", "sal", "sql", "opportunity"):
        for key, at in raw.firsts(step).items():
            wanted[raw.campaign(key)][step] += lies_in(at, WEEK)
    revenue = 0.0
    for key in raw.leads:
        word = raw.last_word(key)
        if word and word["code"] == "won" and lies_in(word["at"], WEEK):
            wanted[raw.campaign(key)]["won"] += 1
            same = [w["value"] for w in raw.said[key]
                    if w["code"] == "won" and w["at"] == word["at"]]  # fmt: skip
            revenue += word["value"] if word["value"] is not None else max(same)
    whole, *parts = report.funnel
    steps = ("leads", "mql", "handed", "sal", "sql", "opportunity", "won")
    found = {campaign_of(f.campaign): Counter({s: getattr(f, s) for s in steps}) for f in parts}

    assert {k: +v for k, v in found.items() if +v} == {k: +v for k, v in wanted.items() if +v}
    assert whole.leads == sum(count["leads"] for count in wanted.values()) > 0
    assert (whole.revenue or 0.0) == pytest.approx(revenue)


def test_visits_and_cost_are_those_of_the_days(store: Store) -> None:
    past = drawn(1)
    past.keep(store)
    days = [row for row in past.spend if WEEK.start.date() <= row["date"] < WEEK.end.date()]
    told = [row["visits"] for row in days if row["visits"] is not None]

    whole = reported(store).funnel[0]

    assert whole.cost == pytest.approx(sum(row["amount"] for row in days))
    assert whole.visits == (sum(told) if told else None)


@pytest.mark.parametrize("seed", range(3))
def test_promises_are_kept_as_the_raw_rows_say(store: Store, seed: int) -> None:
    past = drawn(seed)
    past.keep(store)
    raw, report = Raw(past, WEEK.end), reported(store)

    for promise, limit, name in (
        (report.touch, 6 * HOUR, "touched"),
        (report.answer, 3 * DAY, "answered"),
    ):
        due = [c for c in raw.chances() if lies_in(c["at"] + limit, WEEK)]
        kept = [c for c in due if c[name] and c[name] - c["at"] <= limit]
        assert (promise.kept, promise.due) == (len(kept), len(due))
        assert promise.due > 0


def test_good_leads_count_in_the_month_of_their_first_good_grade(store: Store) -> None:
    past = drawn(2)
    past.keep(store)
    month = Period.named("2026-05")
    raw, report = Raw(past, month.end), reported(store, month)

    firsts = [min((s["at"] for s in rows if s["grade"] in "AB"), default=None)
              for rows in raw.scores.values()]  # fmt: skip
    (found,) = report.brought

    assert found.leads == sum(at is not None and lies_in(at, month) for at in firsts)
    assert found.state == ("kept" if found.leads >= 30 else "broken")


def test_owners_and_weeks_add_up_to_the_raw_rows(store: Store) -> None:
    past = drawn(0)
    past.keep(store)
    raw, report = Raw(past, WEEK.end), reported(store)
    lately = [c for c in raw.chances() if c["at"] >= WEEK.end - 28 * DAY]

    waiting = Counter(c["owner"] or "nobody named" for c in lately
                      if c["touched"] is None and not c["again"])  # fmt: skip
    by_week: Counter[date] = Counter()
    for c in raw.chances():
        day = c["at"].date()
        by_week[day - timedelta(days=day.weekday())] += 1

    assert {h.name: h.waiting for h in report.owners} == {
        name: waiting[name] for name in {c["owner"] or "nobody named" for c in lately}
    }
    assert {w.start: w.handed for w in report.weeks} == {
        w.start: by_week[w.start] for w in report.weeks
    }


@pytest.mark.parametrize("seed", range(2))
def test_speed_is_told_of_leads_whose_horizon_is_over(store: Store, seed: int) -> None:
    past = drawn(seed)
    past.keep(store)
    raw, report = Raw(past, WEEK.end), reported(store)
    ends = WEEK.end - 30 * DAY
    bounds = {"within 1 h": 1, "within 4 h": 4, "within 6 h": 6, "within 24 h": 24,
              "within 3 days": 72, "within 7 days": 168}  # fmt: skip

    def band(chance: Row) -> str:
        if chance["touched"] is None:
            return "never"
        wait = chance["touched"] - chance["at"]
        return next((n for n, h in bounds.items() if wait <= h * HOUR), "after 7 days")

    old = [c for c in raw.chances() if ends - 91 * DAY <= c["at"] < ends]
    leads = Counter(band(c) for c in old)
    won = Counter(band(c) for c in old if c["won"] and c["won"] - c["at"] <= 30 * DAY)

    assert {b.name: b.leads for b in report.speed} == dict(leads)
    assert {b.name: round(b.won.value * b.leads) for b in report.speed} == {
        name: won[name] for name in leads
    }


def test_missed_leads_are_good_and_untouched(store: Store) -> None:
    past = drawn(1)
    past.keep(store)
    raw, report = Raw(past, WEEK.end), reported(store)
    since, by = WEEK.end - 28 * DAY, WEEK.end - 6 * HOUR

    handed, scores = [], dict(raw.scores)
    for c in raw.chances():
        score = raw.score_at(c["lead"], c["at"])
        waits = c["touched"] is None and not c["again"] and since <= c["at"] < by
        if waits and score and score["grade"] in "AB" and not raw.leads[c["lead"]]["erased"]:
            handed.append((-score["probability"], raw.leads[c["lead"]]["id"]))
    never = []
    for key, (*_, score) in scores.items():
        alone = not raw.handoffs[key] and not raw.said[key] and since <= score["at"] < by
        if alone and score["grade"] in "AB" and not raw.leads[key]["erased"]:
            never.append((-score["probability"], raw.leads[key]["id"]))

    found = {is_it: [m for m in report.missed if m.handed is is_it] for is_it in (True, False)}
    assert sorted(m.id for m in found[True]) == sorted(id_ for _, id_ in sorted(handed)[:10])
    assert sorted(m.id for m in found[False]) == sorted(id_ for _, id_ in sorted(never)[:10])
    assert {m.all for m in found[True]} == ({len(handed)} if handed else set())


def test_disagreements_are_counted_by_the_grade_before_the_word(store: Store) -> None:
    past = drawn(0)
    past.keep(store)
    raw, report = Raw(past, WEEK.end), reported(store)

    decided: Counter[str] = Counter()
    rejected = 0
    for key in raw.leads:
        word = raw.last_word(key)
        if word and word["at"] >= WEEK.end - 28 * DAY:
            score = raw.score_at(key, word["at"])
            if score and word["code"] in ("won", "lost", "unqualified"):
                decided[score["grade"]] += 1
                rejected += score["grade"] == "A" and word["code"] == "unqualified"

    found = {one.what: one for one in report.disagreements.found}
    assert found["a_rejected"].leads == decided["A"] > 0
    assert round(found["a_rejected"].share.value * decided["A"]) == rejected
    assert (found["low_won"].leads if "low_won" in found else 0) == decided["D"]


def test_the_period_before_is_counted_as_it_was(store: Store) -> None:
    past = drawn(1)
    past.keep(store)
    raw, before = Raw(past, WEEK.end), reported(store).funnel_before

    for step in ("leads", "mql", "handed", "sal", "sql", "opportunity"):
        found = sum(lies_in(at, WEEK.before) for at in raw.firsts(step).values())
        assert getattr(before, step) == found > 0


@pytest.mark.parametrize("seed", range(2))
def test_coverage_and_weeks_are_those_of_hand_offs_whose_time_is_over(
    store: Store, seed: int
) -> None:
    past = drawn(seed)
    past.keep(store)
    raw, report = Raw(past, WEEK.end), reported(store)
    lately = [c for c in raw.chances() if c["at"] >= WEEK.end - 70 * DAY]

    over = [c for c in lately if c["at"].date() < (WEEK.end - 3 * DAY).date()]
    assert report.coverage is not None
    answered = sum(c["answered"] is not None for c in over)
    assert report.coverage.value == pytest.approx(answered / len(over))
    for week in report.weeks:
        part = [c for c in lately if week.start <= c["at"].date() < week.start + 7 * DAY]
        shares = {"touched": (week.touch, 6 * HOUR), "answered": (week.answer, 3 * DAY)}
        for name, (share, limit) in shares.items():
            kept = sum(c[name] is not None and c[name] - c["at"] <= limit for c in part)
            assert share is None or share.value == pytest.approx(kept / len(part))
    assert any(week.answer for week in report.weeks)


def test_teams_are_told_by_what_each_touched_in_time(store: Store) -> None:
    past = drawn(2)
    past.keep(store)
    raw, report = Raw(past, WEEK.end), reported(store)
    lately = [c for c in raw.chances() if c["at"] >= WEEK.end - 28 * DAY]
    over = (WEEK.end - 6 * HOUR).date()

    for team in report.teams:
        own = [c for c in lately if (c["team"] or "nobody named") == team.name]
        due = [c for c in own if c["at"].date() < over]
        kept = sum(c["touched"] is not None and c["touched"] - c["at"] <= 6 * HOUR for c in due)
        waiting = [c["at"] for c in own if c["touched"] is None and not c["again"]]
        assert (team.handed, team.waiting) == (len(due), len(waiting))
        assert team.overdue == sum(at <= WEEK.end - 6 * HOUR for at in waiting)
        assert team.oldest == min(waiting, default=None)
        assert team.touch is not None
        assert team.touch.value == pytest.approx(kept / len(due))


def _is_prompt(chance: Row) -> bool:
    return chance["touched"] is not None and chance["touched"] - chance["at"] <= 6 * HOUR


@pytest.mark.parametrize("seed", range(2))
def test_slow_touch_is_held_against_the_scores_at_the_hand_off(store: Store, seed: int) -> None:
    past = drawn(seed)
    past.keep(store)
    raw, report = Raw(past, WEEK.end), reported(store)
    ends = WEEK.end - 30 * DAY
    old = [c for c in raw.chances() if ends - 91 * DAY <= c["at"] < ends]
    scored = [(c, s) for c in old if (s := raw.score_at(c["lead"], c["at"]))]

    def sums(is_prompt: bool) -> tuple[int, int, float]:
        part = [pair for pair in scored if _is_prompt(pair[0]) == is_prompt]
        won = sum(c["won"] is not None and c["won"] - c["at"] <= 30 * DAY for c, _ in part)
        return len(part), won, sum(s["probability"] for _, s in part)

    (_, won, said), (late, late_won, late_said) = sums(True), sums(False)
    assert report.slow_touch is not None
    assert (report.slow_touch.leads, report.slow_touch.won) == (late, late_won)
    wanted = late_said / said * won - late_won
    assert report.slow_touch.as_prompt.value == pytest.approx(wanted)


def test_before_and_after_a_change_are_those_of_the_hand_offs(store: Store) -> None:
    past = drawn(0)
    past.keep(store)
    at = WEEK.start - 24 * DAY

    def meet(connection: Any) -> None:
        due = (at + 2 * DAY).date()
        key = decide(connection, "Reject students", "ann", due, "again", "lee", "key", at)
        mark_done(connection, key, "ann", at)

    store.write(meet)
    raw, report = Raw(past, WEEK.end), reported(store)
    (changed,) = report.changes
    limits = {"touch_kept": ("touched", 6 * HOUR), "accepted": ("accepted", 7 * DAY),
              "rejected": ("rejected", 7 * DAY)}  # fmt: skip

    assert changed.days == 23
    for effect in changed.effects:
        name, limit = limits[effect.measure]
        for share, first in ((effect.before, -23), (effect.after, 1)):
            days = [(at + n * DAY).date() for n in range(first, first + 23)]
            part = [c for c in raw.chances() if c["at"].date() in days]
            kept = sum(c[name] is not None and c[name] - c["at"] <= limit for c in part)
            assert share.value == pytest.approx(kept / len(part))


def test_at_the_edge_of_a_week_the_last_moment_counts_and_the_first_of_the_next_does_not(
    store: Store,
) -> None:
    instant = timedelta(microseconds=1)
    for n, at in enumerate((WEEK.start - instant, WEEK.start, WEEK.end - instant, WEEK.end)):
        hand(store, f"lead-{n}", at=at)
    report = reported(store)
    assert (report.funnel[0].handed, report.funnel_before.handed) == (2, 1)
