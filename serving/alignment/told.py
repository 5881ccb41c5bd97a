"""The alignment report in words and tables, as page, HTML file and PDF show it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from features.counted import counted
from features.store.agreements import SIDES
from features.store.alignment import Missed
from features.store.meetings import Decided
from serving.alignment.audited import audit, by_handed
from serving.alignment.drawn import marks_by_week, touched_in_time, won_by_touch
from serving.alignment.funnel import Funnel
from serving.alignment.learned import MEASURES, Band, Changed, Disagreement
from serving.alignment.promises import Brought, Week
from serving.alignment.report import QUESTIONS, Report
from serving.document import Number, Section, Table
from serving.health import Promise
from serving.rates import Interval, wilson
from serving.shown import day, moment, share, signed

_STATES = {
    "kept": "kept",
    "broken": "broken",
    "on course": "on course",
    "behind": "behind what the promise comes to by now",
    "partly scored": "no lead of the time before had a score",
}


def title(report: Report) -> str:
    """Return the report's title."""
    period = report.period
    of = f" of {period.name[:4]}" if period.is_week else ""
    return f"Sales and marketing, {period.title}{of}"


def facts(report: Report) -> dict[str, str]:
    """Return the small print under the title."""
    running = report.as_of < report.period.end
    so_far = f", so far: as known at {moment(report.as_of)} UTC" if running else ""
    return {
        "Period": f"{report.period.words}{so_far}",
        "Agreement": report.agreement,
        "Intervals": "95%: how far chance alone may have moved a share",
    }


def sections(report: Report) -> list[Section]:
    """Return what the report says, the summary first; missed decisions lead it."""
    return [
        _in_short(report),
        _funnel(report),
        _promises(report),
        _speed(report),
        audit(report),
        _disagreements(report),
        _changes(report),
        _decisions(report),
        _asked(report),
    ]


def _kept(promise: Promise) -> str:
    if not promise.due:
        return "none was due"
    found = wilson(promise.kept, promise.due)
    return f"{found.value:.0%} kept ({promise.kept:,} of {promise.due:,})"


def _in_short(report: Report) -> Section:
    whole, before = report.funnel[0], report.funnel_before
    numbers = [
        Number(f"{whole.leads:,}", "leads", f"{before.leads:,} in the period before"),
        Number(f"{whole.sal:,}", "accepted by sales", f"{before.sal:,} before"),
        Number(f"{whole.won:,}", "won", f"{before.won:,} before"),
    ]
    if whole.revenue is not None:
        note = "" if before.revenue is None else f"{before.revenue:,.0f} before"
        numbers.append(Number(f"{whole.revenue:,.0f}", "revenue won", note))
    missed = [_decisions_table("Missed decisions", report.missed_decisions)]
    return Section(
        "In short",
        tuple(_sentences(report)),
        tuple(missed) if report.missed_decisions else (),
        numbers=tuple(numbers),
    )


def _sentences(report: Report) -> Iterator[str]:
    if report.missed_decisions:
        count = counted(len(report.missed_decisions), "decision")
        yield f"{count} of earlier meetings missed the day that was agreed."
    for month in report.brought:
        yield f"Marketing: {_brought(month)}."
    yield (
        f"Sales: first touch within {report.promise_hours:g} h: {_kept(report.touch)}; disposition "
        f"within {report.promise_days} days: {_kept(report.answer)}."
    )
    waiting = sum(found.all for found in _first_of_each(report))
    if waiting:
        yield (
            f"{counted(waiting, 'lead')} graded A or B of the last four weeks "
            f"{_were(waiting)} not touched in the agreed time."
        )
    if any(one.calls_for_change for one in report.disagreements.found):
        yield "Leads end otherwise than the grades say: see disagreements."


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _first_of_each(report: Report) -> list[Missed]:
    return [next(iter(part)) for part in by_handed(report) if part]


def _brought(month: Brought) -> str:
    promised = f"{month.promised:,} promised"
    if month.leads is None:
        return f"leads graded A or B in {_spoken(month.month)}, {promised}: not scored yet"
    since = "" if month.scored_since is None else f" from {day(month.scored_since)} on"
    return (
        f"{counted(month.leads, 'lead')} graded A or B in {_spoken(month.month)}{since}, "
        f"{promised}: {_STATES[month.state]}"
    )


def _spoken(month: str) -> str:
    """Write a month such as 2026-11 as Nov 2026."""
    return f"{datetime.strptime(month, '%Y-%m'):%b %Y}"


def _funnel(report: Report) -> Section:
    rows = [*report.funnel, replace(report.funnel_before, campaign="all, the period before")]
    has_spend = any(row.visits is not None or row.cost is not None for row in rows)
    spend = ("visits", "cost") if has_spend else ()
    columns = ("campaign", *spend, "leads", "MQL", "handed over", "SAL", "SQL")
    return Section(
        "Funnel",
        ("What happened in this time, of leads of any age: each step counts a lead once, the "
         "first time it gets there.",),
        (
            Table(
                "From visit to revenue, by campaign",
                (*columns, "opportunity", "won", "revenue"),
                tuple(_funnel_row(row, has_spend) for row in rows),
                f"MQL: its score met the agreed bar{_scored(report)}. SAL: accepted by sales, or "
                "more. SQL: sales confirmed a possibility, or more. Won counts what sales last "
                "said.",
            ),
        ),
    )  # fmt: skip


def _scored(report: Report) -> str:
    """Say from when on leads had scores, where that leaves a figure out or makes it small."""
    since = report.scored_since
    if since is None:
        return "; not scored yet in this time"
    if since < report.period.before.start:
        return ""
    return f", counted from {day(since)} on, when the first lead was scored"


def _funnel_row(row: Funnel, has_spend: bool) -> tuple[str, ...]:
    spend = (_number(row.visits), _number(row.cost)) if has_spend else ()
    steps = (row.leads, row.mql, row.handed, row.sal, row.sql, row.opportunity, row.won)
    return (row.campaign, *spend, *map(_number, steps), _number(row.revenue))


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def _promises(report: Report) -> Section:
    rows: list[tuple[str, ...]] = [
        (
            "marketing",
            f"A and B leads, {_spoken(m.month)}",
            f"{m.promised:,}",
            _number(m.leads),
            m.state if m.scored_since is None else f"{m.state}, from {day(m.scored_since)} on",
        )
        for m in report.brought
    ]
    for name, promise in (
        (f"first touch within {report.promise_hours:g} h", report.touch),
        (f"disposition within {report.promise_days} days", report.answer),
    ):
        kept = f"{promise.kept:,}"
        state = "" if not promise.due else f"{promise.kept / promise.due:.0%} kept"
        rows.append(("sales", name, f"{promise.due:,} due", kept, state))
    return Section(
        "Promises",
        (_feedback(report.coverage),),
        (
            Table(
                "Promised and kept", ("side", "promise", "promised", "kept", "state"), tuple(rows),
                "A promise of sales counts in the period in which its time runs out.",
                ("promise", "state"),
            ),
            *([_weeks(report.weeks)] if report.weeks else []),
        ),
        touched_in_time(report.weeks),
    )  # fmt: skip


def _feedback(coverage: Interval | None) -> str:
    if coverage is None:
        return "Feedback: of no lead is the time for a disposition over yet."
    return (
        f"Feedback: of the leads whose time for a disposition is over, {share(coverage)} have one. "
        "Of the others nobody learns anything."
    )


def _weeks(weeks: Sequence[Week]) -> Table:
    columns = ("hand-offs of the week from", "handed over", "touched in time",
               "answered in time", "answered by now")  # fmt: skip
    rows = tuple(
        (day(w.start), f"{w.handed:,}", share(w.touch), share(w.answer), share(w.coverage))
        for w in weeks
    )
    return Table("Week by week", columns, rows)


def _speed(report: Report) -> Section:
    says = [
        f"Leads handed over in a quarter whose {report.horizon_days} days are over, by the time to "
        "their first touch."
    ]
    if (slow := report.slow_touch) is not None:
        shown = "" if slow.as_prompt.low > 0 else " Chance alone may explain it."
        says.append(
            f"{counted(slow.leads, 'lead')} of them {_were(slow.leads)} touched later than agreed, "
            f"or never; {slow.won:,} {_were(slow.won)} won. Won as often beyond their scores as "
            f"the prompt ones, they would have brought {signed(slow.as_prompt.value)} wins "
            f"({signed(slow.as_prompt.low)} to {signed(slow.as_prompt.high)}).{shown}"
        )
    says.append(
        "This is no experiment: sales may call first whom it likes best, for reasons that no score "
        "knows. Only leads called late by lot could tell."
    )
    if not report.speed:
        says = ["No lead that was handed over is old enough to tell what speed is worth."]
    has_scores = any(b.expected is not None for b in report.speed)
    if report.speed and not has_scores:
        says.append("Too few of them had a score at their hand-off to say what scores promised.")
    columns = ("touched", "leads", "won", *(("scores said",) if has_scores else ()))
    rows = tuple(_band_row(b)[: len(columns)] for b in report.speed)
    table = Table("Won by time to first touch", columns, rows)
    charts = (won_by_touch(report),) if rows else ()
    return Section("Speed to lead", tuple(says), (table,) if rows else (), charts)


def _band_row(band: Band) -> tuple[str, ...]:
    said = "–" if band.expected is None else f"{band.expected:.0%}"
    return (band.name, f"{band.leads:,}", share(band.won), said)


_DISAGREES = {
    "a_rejected": "A leads that sales rejected as unqualified",
    "a_won": "A leads won",
    "low_won": "leads below the hand-off grade won",
}


def _disagreements(report: Report) -> Section:
    found = report.disagreements.found
    says = [_calls(one) for one in found if one.calls_for_change]
    if not found:
        says = ["No lead that had a grade ended in the last four weeks."]
    elif not says:
        says = ["Nothing here is beyond what chance explains."]
    rows = tuple(
        (_DISAGREES[one.what], f"{one.leads:,}", share(one.share),
         "–" if one.bound is None else f"{one.bound:.0%}")
        for one in found
    )  # fmt: skip
    tables = [Table("Ended in the last four weeks", ("what", "decided", "share", "agreed bound"),
                    rows)] if rows else []  # fmt: skip
    if (why := report.disagreements.reasons) is not None:
        told = [(reason, f"{count:,}") for reason, count in why.reasons.items()]
        told += [("other reasons", f"{why.other_reasons:,}")] if why.other_reasons else []
        told += [("no reason", f"{why.no_reason:,}")] if why.no_reason else []
        tables.append(Table("Why sales rejected A leads", ("reason", "leads"), tuple(told)))
    return Section("Disagreements", tuple(says), tuple(tables))


def _calls(one: Disagreement) -> str:
    bound = f"{one.bound:.0%}" if one.bound is not None else "–"
    if one.what == "a_won":
        return (
            f"Grade A promises at least {bound}; {share(one.share)} of {one.leads:,} were won. "
            "Agree on a higher bound, or look at what the model misses."
        )
    return (
        f"Leads below the hand-off grade are said to be won less than {bound}; {share(one.share)} "
        f"of {one.leads:,} decided ones were. Agree on a lower bar."
    )


def _changes(report: Report) -> Section:
    if not report.changes:
        return Section(
            "What changed", ("No model, agreement or decision took effect in six weeks.",)
        )
    says = (
        "Hand-offs of the days after each change beside as many days before it. Whatever else "
        "changed at that time shows here too.",
    )
    rows = [row for changed in report.changes for row in _changed(changed)]
    columns = ("change", "measure", "before", "after", "difference", "verdict")
    return Section(
        "What changed",
        says,
        (Table("Before and after", columns, tuple(rows), words=("measure", "verdict")),),
    )


def _changed(changed: Changed) -> Iterator[tuple[str, ...]]:
    what = f"{day(changed.change.at)}: {changed.change.what}"
    if not changed.effects:
        yield what, "", "", "", "", "too early to say"
    for n, effect in enumerate(changed.effects):
        d = effect.difference
        yield (
            what if n == 0 else "",
            f"{MEASURES[effect.measure]}, {changed.days} days",
            f"{effect.before.value:.0%}",
            f"{effect.after.value:.0%}",
            f"{signed(100 * d.value)} points ({signed(100 * d.low)} to {signed(100 * d.high)})",
            effect.verdict,
        )


def _decisions(report: Report) -> Section:
    if not report.decisions:
        other = "other " if report.missed_decisions else ""
        return Section("Decisions", (f"No {other}decision is open.",))
    return Section("Decisions", (), (_decisions_table("Open, and done", report.decisions),))


def _decisions_table(name: str, found: Sequence[Decided]) -> Table:
    return Table(
        name,
        ("decision", "who", "by", "otherwise", "state"),
        tuple(
            (d.text, d.owner, day(d.due), d.consequence,
             "open" if d.done_at is None else f"done {day(d.done_at)}")
            for d in found
        ),
        words=("who", "by", "otherwise", "state"),
    )  # fmt: skip


def _asked(report: Report) -> Section:
    if not report.marks:
        return Section("How it goes", ("Nobody answered the questions of these weeks yet.",))
    weeks = sorted({mark.week for mark in report.marks})
    by = {(mark.week, mark.side): mark for mark in report.marks}
    rows = [
        (week, *(_mark(by[week, side].mean) if (week, side) in by else "–" for side in SIDES))
        for week in weeks
    ]
    tables = [Table("Mean mark, 1 (not at all) to 5 (fully)", ("week", *SIDES), tuple(rows))]
    said = [a for a in report.answers if a.comment]
    if said:
        told = tuple((a.side, f"{a.mark}", a.comment or "", a.by) for a in said)
        columns = ("side", "mark", "comment", "by")
        tables.append(Table("In their words", columns, told, words=("comment", "by")))
    asked = tuple(f"{side.capitalize()} was asked: {QUESTIONS[side]}" for side in SIDES)
    return Section("How it goes", asked, tuple(tables), marks_by_week(report, weeks))


def _mark(mean: float) -> str:
    return f"{mean:.1f}"
