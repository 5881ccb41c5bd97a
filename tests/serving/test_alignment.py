"""The figures of the alignment report are those of the raw rows, found by another route."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import event

from features.agreement import Agreement
from features.cells import key_of
from features.errors import UsageError
from features.store.database import Store
from features.store.meetings import answer, decide, mark_done
from serving.alignment.files import content
from serving.alignment.learned import MEASURES
from serving.alignment.period import Period
from serving.alignment.report import Report, Reports, report_of
from tests.features.making import an_agreement
from tests.features.store.past import START, Past, Row, drawn

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WEEK = Period.named("2026-W20")
LATER = START + timedelta(days=400)
ACCEPTED = ("accepted", "qualified", "opportunity", "won")
STEPS = ("contacted", "accepted", "qualified", "opportunity")


def agreed() -> Agreement:
    """An agreement with short promises, and a horizon that is over within the past."""
    sla = {
        "marketing": {"leads_graded_a_or_b_per_month": 30},
        "sales": {"first_touch_hours": 6.0, "disposition_days": 3},
    }
    return an_agreement(horizon_days=30, sla=sla)


def reported(store: Store, period: Period = WEEK, now: datetime = LATER) -> Report:
    """The report of a period."""
    return report_of(store, agreed(), period, now)


class Raw:
    """The same figures from the raw rows, in plain Python."""

    def __init__(self, past: Past, as_of: datetime) -> None:
        self.leads = {lead["key"]: lead for lead in past.leads}
        self.spend = past.spend
        self.as_of = as_of
        self.scores, self.words, self.handoffs = (
            _by_lead([row for row in rows if row["at"] < as_of])
            for rows in (past.scores, past.words, past.handoffs)
        )
        stands = standing(past.words)
        self.said = _by_lead([row for row in stands if row["at"] < as_of])

    def campaign(self, key: int) -> str:
        """The name of a lead's campaign, without case and spacing."""
        return key_of(self.leads[key]["campaign"] or "not given")

    def firsts(self, step: str) -> dict[int, datetime]:
        """When each lead first got to a step."""
        if step == "leads":
            return {k: v["created"] or v["added"] for k, v in self.leads.items()}
        rows = {"mql": self.scores, "handed": self.handoffs}.get(step, self.said)
        codes = ACCEPTED[{"sal": 0, "sql": 1, "opportunity": 2}.get(step, 3) :]
        reaches = {
            "mql": lambda row: row["probability"] >= 0.1,
            "handed": lambda row: True,
        }.get(step, lambda row: row["code"] in codes)
        found = {k: [r["at"] for r in rows if reaches(r)] for k, rows in rows.items()}
        return {k: min(times) for k, times in found.items() if times}

    def last_word(self, key: int) -> Row | None:
        """The word on a lead that counts."""
        rank = ("open", "unreachable", "not_ready", "in_contract", "unqualified", "lost", "won")
        said = [row for row in self.words[key] if row["code"] not in STEPS]
        return max(
            said,
            key=lambda r: (r["at"], rank.index(r["code"]), r["origin"] != "export", r["digest"]),
            default=None,
        )

    def chances(self) -> list[Row]:
        """Each hand-off with what was said of it before the next one."""
        found = []
        for key, rows in self.handoffs.items():
            ends = [*(row["at"] for row in rows[1:]), None]
            for n, (row, end) in enumerate(zip(rows, ends, strict=True)):
                said = [w for w in self.said[key] if _answers(w["at"], row["at"], n == 0)]
                said = [w for w in said if end is None or not _answers(w["at"], end, False)]
                found.append({**row, "again": end is not None, **_chance(row["at"], said)})
        return found

    def score_at(self, key: int, at: datetime) -> Row | None:
        """The newest score of a lead up to a moment."""
        known = [row for row in self.scores[key] if row["at"] <= at]
        return max(known, key=lambda row: row["at"], default=None)


def standing(words: list[Row]) -> list[Row]:
    """What was said and not taken back: `open` on a page takes back the word before it."""
    found = [row for row in words if row["origin"] == "export"]
    by_people = _by_lead([row for row in words if row["origin"] != "export"])
    for said in by_people.values():
        stack: list[Row] = []
        for row in said:
            if row["origin"] == "page" and row["code"] == "open":
                stack[-1:] = []
            else:
                stack.append(row)
        found += stack
    return found


def _by_lead(rows: list[Row]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row["at"]):
        found[row["lead"]].append(row)
    return found


def _answers(word: datetime, handed: datetime, is_first: bool) -> bool:
    of_the_day = (word.hour, word.minute) == (0, 0) and word.date() == handed.date()
    return word >= handed or of_the_day or (is_first and word >= handed - DAY)


def _chance(handed: datetime, said: list[Row]) -> dict[str, datetime | None]:
    def first(codes: Any) -> datetime | None:
        return min((max(w["at"], handed) for w in said if codes(w["code"])), default=None)

    return {
        "touched": first(lambda code: True),
        "answered": first(lambda code: code not in STEPS and code != "open"),
        "accepted": first(lambda code: code in ACCEPTED),
        "rejected": first(lambda code: code == "unqualified"),
        "won": first(lambda code: code == "won"),
    }


def _in(at: datetime, period: Period) -> bool:
    return period.start <= at < period.end


@pytest.mark.parametrize("seed", range(3))
def test_the_funnel_is_that_of_the_raw_rows(store: Store, seed: int) -> None:
    past = drawn(seed)
    past.keep(store)
    raw, report = Raw(past, WEEK.end), reported(store)

    wanted: dict[str, Counter[str]] = defaultdict(Counter)
    for step in ("leads", "mql", "handed", "sal", "sql", "opportunity"):
        for key, at in raw.firsts(step).items():
            wanted[raw.campaign(key)][step] += _in(at, WEEK)
    revenue = 0.0
    for key in raw.leads:
        word = raw.last_word(key)
        if word and word["code"] == "won" and _in(word["at"], WEEK):
            wanted[raw.campaign(key)]["won"] += 1
            same = [w["value"] for w in raw.words[key]
                    if w["code"] == "won" and w["at"] == word["at"]]  # fmt: skip
            revenue += word["value"] if word["value"] is not None else max(same)
    whole, *parts = report.funnel
    steps = ("leads", "mql", "handed", "sal", "sql", "opportunity", "won")
    found = {key_of(f.campaign): Counter({s: getattr(f, s) for s in steps}) for f in parts}

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
        due = [c for c in raw.chances() if _in(c["at"] + limit, WEEK)]
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

    assert found.leads == sum(at is not None and _in(at, month) for at in firsts)
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
        alone = not raw.handoffs[key] and not raw.words[key] and since <= score["at"] < by
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
    assert found["low_won"].leads == decided["D"]


def test_statements_are_as_many_for_few_leads_as_for_many(store: Store) -> None:
    asked: list[str] = []
    engine = store._engine
    event.listen(engine, "before_cursor_execute", lambda *event: asked.append(event[2]))
    few = _statements(store, asked)
    drawn(0).keep(store)
    assert _statements(store, asked) == few


def _statements(store: Store, asked: list[str]) -> int:
    asked.clear()
    reported(store)
    return len([statement for statement in asked if "PRAGMA" not in statement])


def test_a_period_that_has_not_begun_has_no_report(store: Store) -> None:
    with pytest.raises(UsageError, match="2026-W20 has not begun; it does on 2026-05-11"):
        reported(store, now=datetime(2026, 5, 10))


def test_a_running_period_is_told_up_to_now(store: Store) -> None:
    past = drawn(0)
    past.keep(store)
    now = WEEK.start + 3 * DAY
    raw = Raw(past, now)
    report = reported(store, now=now)

    assert report.as_of == now
    assert report.funnel[0].handed == sum(
        WEEK.start <= at < now for at in raw.firsts("handed").values()
    )


def test_missed_decisions_lead_and_done_ones_are_held_against_what_followed(store: Store) -> None:
    past = drawn(0)
    past.keep(store)
    moment = WEEK.start - 25 * DAY

    def meet(connection: Any) -> None:
        late = (moment + 2 * DAY).date()
        decide(connection, "Call within a day", "kim", late, "fewer leads", "lee", "key", moment)
        done = decide(connection, "Reject students", "ann", late, "again", "lee", "key", moment)
        mark_done(connection, done, "ann", moment + DAY)

    store.write(meet)
    report = reported(store)

    assert [d.text for d in report.missed_decisions] == ["Call within a day"]
    (changed,) = report.changes
    assert (changed.change.what, changed.days) == ("Reject students", 23)
    assert [effect.measure for effect in changed.effects] == list(MEASURES)


def test_answers_of_both_sides_are_shown_over_time(store: Store) -> None:
    def say(connection: Any) -> None:
        answer(connection, "2026-W19", "sales", 2, "", "kim", "key", LATER)
        answer(connection, "2026-W20", "sales", 4, "better", "kim", "key", LATER)
        answer(connection, "2026-W20", "sales", 5, "much better", "kim", "key", LATER)
        answer(connection, "2026-W20", "marketing", 3, "", "lee", "key", LATER)

    store.write(say)
    report = reported(store)

    assert [(m.week, m.side, m.mean) for m in report.marks] == [
        ("2026-W19", "sales", 2.0),
        ("2026-W20", "marketing", 3.0),
        ("2026-W20", "sales", 5.0),
    ]
    assert [a.comment for a in report.answers] == [None, "much better"]


def test_weeks_follow_one_another_over_the_end_of_a_year() -> None:
    names = [Period.named("2026-W52")]
    for _ in range(3):
        names.append(names[-1].after)
    assert [week.name for week in names] == ["2026-W52", "2026-W53", "2027-W01", "2027-W02"]
    assert all(a.end == b.start and b.before == a for a, b in pairwise(names))


@pytest.mark.parametrize("name", ["2026-W54", "2026-13", "2026", "W47", "2026-W4", "9999-12-1"])
def test_what_is_no_week_and_no_month_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="write it as 2026-W47 or 2026-11"):
        Period.named(name)


def test_the_file_holds_the_same_figures_in_each_form(store: Store) -> None:
    drawn(0).keep(store)
    report = reported(store)
    html = content(report, ".html").decode()
    told = json.loads(content(report, ".json"))

    assert told["funnel"][0]["leads"] == report.funnel[0].leads
    assert f"<b>{report.funnel[0].leads:,}</b><span>leads</span>" in html
    assert not re.search(r"<script|https?://(?!www\.w3\.org)", html)
    assert content(report, ".pdf") == content(report, ".pdf")
    assert content(report, ".pdf").startswith(b"%PDF-")


def test_markup_in_what_people_wrote_is_shown_as_text(store: Store) -> None:
    def meet(connection: Any) -> None:
        text, day = "<script>alert(1)</script>", (START + DAY).date()
        decide(connection, text, "kim", day, '=HYPERLINK("x")', "lee", "key", START)

    store.write(meet)
    html = content(reported(store), ".html").decode()

    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "<script>" not in html


def test_a_report_of_an_empty_store_says_what_it_does_not_know(store: Store) -> None:
    html = content(reported(store), ".html").decode()
    assert "No lead that was handed over is old enough" in html
    assert "none was due" in html


def test_sums_are_added_up_anew_after_a_minute_and_decisions_at_once(store: Store) -> None:
    past, reports = drawn(0), Reports()
    first = reports.report(store, agreed(), WEEK, LATER)
    past.keep(store)
    store.write(lambda c: decide(c, "Call", "kim", START.date(), "none", "lee", "key", START))

    soon = reports.report(store, agreed(), WEEK, LATER + timedelta(seconds=59))
    late = reports.report(store, agreed(), WEEK, LATER + timedelta(seconds=60))

    assert (first.funnel[0].leads, soon.funnel[0].leads) == (0, 0)
    assert [d.text for d in soon.missed_decisions] == ["Call"]
    assert late.funnel == reported(store).funnel
