"""What the alignment report tells, of which period, and how it is shown."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import event

from features.errors import UsageError
from features.store.database import Store
from features.store.meetings import answer, decide, mark_done
from features.store.spend import Spent, book
from serving.alignment.files import content
from serving.alignment.learned import MEASURES
from serving.alignment.period import Period
from serving.alignment.report import Reports
from tests.features.store.making import hand
from tests.features.store.past import START, drawn
from tests.serving.raw_rows import DAY, LATER, WEEK, Raw, agreed, reported


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


def test_the_first_of_the_weeks_is_told_whole_on_any_day(store: Store) -> None:
    now = WEEK.start + 3 * DAY + timedelta(hours=9)
    first = WEEK.start - 10 * 7 * DAY
    hand(store, "monday", at=first)
    hand(store, "sunday", at=first + 7 * DAY - timedelta(microseconds=1))
    hand(store, "before", at=first - timedelta(microseconds=1))

    (week,) = reported(store, now=now).weeks

    assert (week.start, week.handed) == (first.date(), 2)


def test_what_today_has_cost_counts_in_a_period_that_still_runs(store: Store) -> None:
    today = WEEK.start + 2 * DAY
    spent = [Spent("Fair", (today + n * DAY).date(), 10.0 + n) for n in (-3, -1, 0, 1)]
    store.write(lambda c: book(c, spent, "kim", today))

    assert reported(store, now=today + timedelta(hours=9)).funnel[0].cost == 9.0 + 10.0
    assert reported(store, now=today).funnel[0].cost == 9.0
