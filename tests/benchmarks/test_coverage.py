"""Intervals of campaigns' wins, held against simulated CRMs: the short form."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.coverage import WORLD, judge, table


def test_intervals_hold_the_wins_of_a_small_crm() -> None:
    told = table(judge(replace(WORLD, leads=3000, months=12, campaigns=10, win_rate=0.2, seed=3)))
    assert told["all"]["campaign_months"] >= 10
    assert told["all"]["covered"] >= 0.8
    assert 0.7 < told["all"]["expected"] / told["all"]["won"] < 1.4
