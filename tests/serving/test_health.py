"""The loop's health in figures and words."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta

from features.sections import MarketingPromise, SalesPromise
from features.store.health import Passed, Won
from serving.health import (
    Month,
    Promise,
    health_lines,
    months,
    spool_lines,
    teams,
    told_reasons,
)
from serving.spool import Waiting

MONDAY = datetime(2026, 3, 2, 9)
NOW = datetime(2026, 6, 30, 12)
SALES = SalesPromise(first_touch_hours=24, disposition_days=14)


def _row(touch: float | None, answer: float | None, team: str = "north", at: datetime = MONDAY):
    hours = None if touch is None else at + timedelta(hours=touch)
    days = None if answer is None else at + timedelta(days=answer)
    return Passed(at, team, hours, days)


def test_a_promise_is_kept_up_to_its_last_moment_and_due_only_when_its_time_is_over() -> None:
    fresh = _row(None, None, at=NOW - timedelta(hours=23))
    (team,) = teams([_row(24, 14), _row(24.1, 14.1), _row(None, None), fresh], SALES, NOW)
    assert team.touch == Promise(1, 3)
    assert team.answer == Promise(1, 3)
    assert (team.handed, team.answered) == (4, 2)


def test_leads_still_waiting_count_in_the_median() -> None:
    waiting = [_row(None, None) for _ in range(3)]
    (team,) = teams([_row(2, 1), _row(4, 3), _row(6, 5), *waiting[:1]], SALES, NOW)
    assert (team.touch_hours, team.answer_days) == (4.0, 3.0)
    (team,) = teams([_row(2, 1), _row(4, 3), *waiting], SALES, NOW)
    assert team.touch_hours is None


def test_teams_stand_by_size_below_all_together() -> None:
    rows = [_row(1, 1, "south"), _row(1, 1), _row(1, 1)]
    assert [(t.name, t.handed) for t in teams(rows, SALES, NOW)] == [
        ("all teams", 3),
        ("north", 2),
        ("south", 1),
    ]


def test_only_whole_months_are_held_against_marketings_promise() -> None:
    graded = [datetime(2026, 4, 3), datetime(2026, 4, 30), datetime(2026, 6, 2)]
    assert months(graded, datetime(2026, 3, 15), NOW) == [Month("2026-04", 2), Month("2026-05", 0)]


def test_what_a_single_person_wrote_is_not_shown() -> None:
    reasons = {"lost": {"too expensive": 7, "mr smith died": 1, "": 2}}
    lines = list(
        health_lines(
            teams([_row(2, 1)], SALES, NOW),
            Won(3, 12_500.0),
            told_reasons(reasons),
            [Month("2026-05", 90)],
            SALES,
            MarketingPromise(leads_graded_a_or_b_per_month=100),
        )
    )
    assert "    won 3, worth 12,500 together" in lines
    assert "    lost 10: too expensive 7, other reasons 1, no reason 2" in lines
    assert "  marketing, 2026-05: 90 A and B leads of 100: broken" in lines
    assert any("first touch after 2.0 h (median); within 24 h: 100% of 1 due" in x for x in lines)
    assert not any("smith" in line for line in lines)


def test_a_machine_reads_the_same_reasons() -> None:
    counts = {"lost": {"price": 4, "mr smith died": 1, "": 2}, "unqualified": {"student": 3}}
    assert [asdict(found) for found in told_reasons(counts)] == [
        {
            "code": "lost",
            "leads": 7,
            "reasons": {"price": 4},
            "other_reasons": 1,
            "no_reason": 2,
        },
        {
            "code": "unqualified",
            "leads": 3,
            "reasons": {"student": 3},
            "other_reasons": 0,
            "no_reason": 0,
        },
    ]


def test_a_spool_is_named_where_it_does_not_empty_or_has_lost_something() -> None:
    assert list(spool_lines(Waiting(5, 900, 59.0, 0, 0))) == []
    waits, dropped, aside = spool_lines(Waiting(1200, 900, 610.0, 1, 2))
    assert waits.startswith("waiting for the store: 1,200 scores, the oldest for 10 minutes")
    assert dropped.startswith("given and not kept, as the spool was full: 1 score;")
    assert aside.startswith("set aside, as the store cannot take them: 2 scores;")
