"""A time in which nothing was scored yet has no MQL, and breaks no promise of marketing."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from features.store.database import Store
from serving.alignment.files import content
from serving.alignment.period import Period
from tests.features.store.past import drawn
from tests.serving.raw_rows import DAY, Raw, lies_in, reported

MONTH = Period.named("2026-05")
INSTANT = timedelta(microseconds=1)


def scored_from(store: Store, since: datetime) -> Raw:
    """Keep a past in which no lead was scored before a moment, and one lead at that moment."""
    past = drawn(1)
    later = [row for row in past.scores if row["at"] > since][:25]
    later[0] = {**later[0], "at": since, "probability": 0.9, "grade": "A"}
    replace(past, scores=later).keep(store)
    return Raw(replace(past, scores=later), MONTH.end)


def test_before_the_first_score_there_is_no_figure_and_no_promise_is_broken(store: Store) -> None:
    scored_from(store, MONTH.end)
    report = reported(store, MONTH)

    (month,) = report.brought
    assert (month.leads, month.state) == (None, "not scored yet")
    assert {part.mql for part in (*report.funnel, report.funnel_before)} == {None}
    assert report.funnel[0].leads > 0
    assert report.scored_since is None


def test_a_month_in_which_scores_began_is_told_since_when(store: Store) -> None:
    since = MONTH.start + 20 * DAY
    raw = scored_from(store, since)
    report = reported(store, MONTH)

    (month,) = report.brought
    assert (month.state, month.scored_since, report.scored_since) == ("partly scored", since, since)
    good = [min(r["at"] for r in rows if r["grade"] in "AB") for rows in raw.scores.values()
            if any(r["grade"] in "AB" for r in rows)]  # fmt: skip
    assert month.leads == sum(lies_in(at, MONTH) for at in good) > 0
    firsts = raw.firsts("mql").values()
    assert report.funnel[0].mql == sum(lies_in(at, MONTH) for at in firsts) > 0
    assert report.funnel_before.mql is None


@pytest.mark.parametrize(
    ("since", "state", "before"),
    [
        (MONTH.start, "broken", None),
        (MONTH.start - INSTANT, "broken", 1),
        (MONTH.start + INSTANT, "partly scored", None),
    ],
)
def test_the_month_counts_whole_where_scores_began_by_its_first_moment(
    store: Store, since: datetime, state: str, before: int | None
) -> None:
    scored_from(store, since)
    report = reported(store, MONTH)
    assert (report.brought[0].state, report.funnel_before.mql) == (state, before)


def test_a_running_month_is_not_behind_before_it_is_scored(store: Store) -> None:
    scored_from(store, MONTH.start + 10 * DAY)
    for days, state in ((5, "not scored yet"), (10, "not scored yet"), (11, "partly scored")):
        report = reported(store, MONTH, now=MONTH.start + days * DAY)
        assert report.brought[0].state == state


def test_a_promise_that_is_kept_is_kept_though_scores_began_late(store: Store) -> None:
    past = drawn(1)
    good = [{**row, "at": MONTH.start + DAY, "grade": "A"} for row in past.scores]
    once = list({row["lead"]: row for row in good}.values())
    replace(past, scores=once).keep(store)
    assert reported(store, MONTH).brought[0].state == "kept"


def test_page_files_and_json_say_that_nothing_was_scored(store: Store) -> None:
    scored_from(store, MONTH.end + DAY)
    report = reported(store, MONTH)
    html, told = content(report, ".html").decode(), json.loads(content(report, ".json"))

    assert "leads graded A or B in May 2026, 30 promised: not scored yet." in html
    assert "MQL: its score met the agreed bar; not scored yet in this time." in html
    assert "behind" not in html
    assert "broken" not in html
    assert [part["mql"] for part in told["funnel"]] == [None] * len(told["funnel"])
    assert (told["brought"][0]["leads"], told["scored_since"]) == (None, None)
    assert content(report, ".pdf").startswith(b"%PDF-")


def test_page_and_files_say_since_when_leads_were_scored(store: Store) -> None:
    scored_from(store, MONTH.start + 20 * DAY)
    html = content(reported(store, MONTH), ".html").decode()
    assert " graded A or B in May 2026 from 21 May 2026 on, 30 promised: " in html
    assert "agreed bar, counted from 21 May 2026 on, when the first lead was scored." in html
