"""The charts of the alignment report."""

from __future__ import annotations

from collections.abc import Sequence

from features.store.agreements import SIDES
from serving.alignment.promises import Week
from serving.alignment.report import Report
from serving.charts import Line, Plot, Range, Ranges
from serving.shown import day, short_day


def touched_in_time(weeks: Sequence[Week]) -> tuple[Plot, ...]:
    """Draw the share touched within the promise; nothing of fewer than two weeks."""
    told = [(week.start, week.touch) for week in weeks if week.touch is not None]
    if len(told) < 2:
        return ()
    places = [float(n) for n in range(1, len(told) + 1)]
    y, low, high = zip(*((touch.value, touch.low, touch.high) for _, touch in told), strict=True)
    says = f"Share touched within the promise, of hand-offs from {day(told[0][0])} on, by week."
    line = Line("touched in time", places, y, low, high)
    names = tuple(short_day(start) for start, _ in told)
    return (
        Plot("First touch in time", says, "hand-offs of the week from", "touched in time",
             (line,), x_percent=False, x_names=names),
    )  # fmt: skip


def won_by_touch(report: Report) -> Ranges:
    """Draw the share won by the time to the first touch."""
    return Ranges(
        "Share won by time to first touch",
        "The dot is the share won; the bar is its 95% interval.",
        "won",
        "95% interval",
        "share won",
        tuple(Range(b.name, b.won.value, b.won.low, b.won.high) for b in report.speed),
    )


def marks_by_week(report: Report, weeks: Sequence[str]) -> tuple[Plot, ...]:
    """Draw the mean marks of both sides; nothing where neither has two weeks."""
    place = {week: float(n) for n, week in enumerate(weeks, 1)}
    lines = tuple(
        Line(side, [place[m.week] for m in own], [m.mean for m in own])
        for side in SIDES
        if len(own := [m for m in report.marks if m.side == side]) > 1
    )
    if not lines:
        return ()
    says = f"Mean marks of both sides from {weeks[0]} on, by week."
    return (
        Plot("How it goes, week by week", says, "week", "mark", lines, x_percent=False,
             y_percent=False, x_names=tuple(week[-3:] for week in weeks)),
    )  # fmt: skip
