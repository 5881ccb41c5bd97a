"""Charts as inline SVG: no script, no outside address, colours by the page's own style.

Every text is escaped (`Markup.format`), every chart has a title and a description for readers
who do not see it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

_WIDTH, _HEIGHT = 600, 340
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 26, 34, 46
_ROW = 26
_BAR = 120.0
"""Width of a bar within a table."""
_LABELS = 210
_NAME = 30
"""Characters of a row's name that fit beside the chart."""
_MOST_NAMES = 7
"""Names that have room below the chart."""


@dataclass(frozen=True)
class Line:
    """A line through points, with a band around it where `low` and `high` are given."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    is_reference: bool = False
    """Drawn thin and dashed: what the others are measured against."""


@dataclass(frozen=True)
class Dots:
    """Points with their intervals."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


@dataclass(frozen=True)
class Plot:
    """A chart of lines and dots over two axes that begin at 0."""

    title: str
    says: str
    """What the chart shows, in a sentence."""
    x_label: str
    y_label: str
    lines: tuple[Line, ...] = ()
    dots: tuple[Dots, ...] = ()
    x_percent: bool = True
    y_percent: bool = True
    """Whether the axis shows shares; else plain numbers."""
    x_names: tuple[str, ...] = ()
    """What stands at 1, 2, 3, ... on the axis in place of numbers; as many as have room."""


@dataclass(frozen=True)
class Range:
    """One row of `Ranges`: what was, and the interval of what was expected of it."""

    label: str
    value: float
    low: float
    high: float
    stands_out: bool = False


@dataclass(frozen=True)
class Ranges:
    """Rows, each with an interval as a bar and a value as a dot on one axis from 0."""

    title: str
    says: str
    x_label: str
    interval: str
    """What the bars are, for the legend."""
    value: str
    """What the dots are, for the legend."""
    rows: tuple[Range, ...]
    x_percent: bool = True


Chart = Plot | Ranges


def svg(chart: Chart, name: str) -> Markup:
    """Draw a chart; `name` is an id that is unique in the page."""
    body = _plot(chart) if isinstance(chart, Plot) else _ranges(chart)
    height = _HEIGHT if isinstance(chart, Plot) else _ranges_height(chart)
    head = Markup(
        '<svg viewBox="0 0 {w} {h}" role="img" aria-labelledby="{n}-t {n}-d">'
        '<title id="{n}-t">{t}</title><desc id="{n}-d">{d}</desc>'
    ).format(w=_WIDTH, h=height, n=name, t=chart.title, d=chart.says)
    return head + Markup("").join(body) + Markup("</svg>")


def bar(low: float, value: float, high: float, most: float, says: str) -> Markup:
    """Draw a figure with its interval as one bar for a row of a table.

    Args:
        low: the lower end of the interval,
        value: the figure,
        high: and the upper end; none may be below 0.
        most: what the whole width stands for, so that bars can be compared.
        says: the text in its place.

    """
    scale = _BAR / most if most > 0 else 0.0
    start, at, end = (min(_BAR, max(0.0, part * scale)) for part in (low, value, high))
    return Markup(
        '<svg class="chart" viewBox="0 0 {w:g} 12" role="img" aria-label="{says}">'
        '<rect class="track" x="0" y="5" width="{w:g}" height="2" rx="1"/>'
        '<rect class="band" x="{start:.1f}" y="2" width="{width:.1f}" height="8" rx="3"/>'
        '<rect class="fill" x="{at:.1f}" y="0" width="3" height="12" rx="1"/></svg>'
    ).format(
        w=_BAR,
        says=says,
        start=start,
        width=max(end - start, 1.0),
        at=min(max(at - 1.5, 0.0), _BAR - 3),
    )


@dataclass(frozen=True)
class _Axis:
    """From values to pixels."""

    top: float
    start: float
    end: float
    percent: bool

    def at(self, value: float) -> float:
        share = min(max(value / self.top, 0.0), 1.0)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self) -> Iterator[tuple[float, str]]:
        step = _step(self.top)
        for i in range(int(self.top / step + 1e-9) + 1):
            yield self.at(i * step), self.text(i * step, step)

    def text(self, value: float, step: float) -> str:
        if not self.percent:
            return f"{value:,.{0 if step >= 1 else 1 if step >= 0.1 else 2}f}"
        return f"{value * 100:.{0 if step >= 0.01 else 1 if step >= 0.001 else 2}f}%"


def _step(top: float) -> float:
    """Return a round step that gives three to six ticks."""
    size = 10.0 ** math.floor(math.log10(top / 3))
    return next(size * by for by in (1, 2, 5, 10) if top / (size * by) <= 6)


def _highest(values: Sequence[float], percent: bool) -> float:
    found = max([v for v in values if math.isfinite(v)], default=0.0)
    if found <= 0:
        return 1.0
    return min(found * 1.05, 1.0) if percent and found <= 1 else found * 1.05


def _plot(plot: Plot) -> Iterator[Markup]:
    lines, dots = plot.lines, plot.dots
    series: tuple[Line | Dots, ...] = (*lines, *dots)
    every_x = [v for s in series for v in s.x]
    every_y = [v for s in series for v in (*s.y, *s.high)]
    x = _Axis(_highest(every_x, plot.x_percent), _LEFT, _WIDTH - _RIGHT, plot.x_percent)
    y = _Axis(_highest(every_y, plot.y_percent), _HEIGHT - _BOTTOM, _TOP, plot.y_percent)
    yield from _grid(x, y, plot)
    for i, line in enumerate(lines):
        yield from _line(line, x, y, i)
    for i, dot in enumerate(dots):
        yield from _dots(dot, x, y, i)
    names = [(s.label, _kind(s, i)) for i, s in enumerate(lines)]
    names += [(s.label, _dot(i)) for i, s in enumerate(dots)]
    yield from _legend(names, _LEFT)


def _kind(line: Line, place: int) -> str:
    return "ref" if line.is_reference else f"line s{place}"


def _grid(x: _Axis, y: _Axis, plot: Plot) -> Iterator[Markup]:
    for at, text in y.ticks():
        yield Markup('<line class="grid" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(
            x.start, at, x.end, at
        )
        yield _text(x.start - 8, at + 4, text, "end")
    for at, text in _named(x, plot.x_names) if plot.x_names else x.ticks():
        yield _text(at, y.start + 18, text, "middle")
    yield _text((x.start + x.end) / 2, y.start + 38, plot.x_label, "middle", "label")
    yield Markup(
        '<text class="label" transform="translate(14 {}) rotate(-90)" text-anchor="middle">'
        "{}</text>"
    ).format((y.start + y.end) / 2, plot.y_label)


def _named(x: _Axis, names: Sequence[str]) -> Iterator[tuple[float, str]]:
    """Name places of the axis, the last one always."""
    apart = math.ceil(len(names) / _MOST_NAMES)
    for place in range(len(names), 0, -apart):
        yield x.at(place), names[place - 1]


def _line(line: Line, x: _Axis, y: _Axis, place: int) -> Iterator[Markup]:
    if line.low:
        there = _points(line.x, line.high, x, y)
        back = _points(list(line.x)[::-1], list(line.low)[::-1], x, y)
        yield Markup('<polygon class="band s{}" points="{} {}"/>').format(place, there, back)
    kind = _kind(line, place)
    yield Markup('<polyline class="{}" points="{}"/>').format(kind, _points(line.x, line.y, x, y))


def _points(xs: Sequence[float], ys: Sequence[float], x: _Axis, y: _Axis) -> str:
    return " ".join(f"{x.at(a)},{y.at(b)}" for a, b in zip(xs, ys, strict=True))


def _dot(place: int) -> str:
    return f"dot s{place}" if place else "dot"


def _dots(dots: Dots, x: _Axis, y: _Axis, place: int) -> Iterator[Markup]:
    for a, b, low, high in zip(dots.x, dots.y, dots.low, dots.high, strict=True):
        at = x.at(a)
        yield Markup('<line class="whisker s{}" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(
            place, at, y.at(low), at, y.at(high)
        )
        yield Markup('<circle class="{}" cx="{}" cy="{}" r="4"/>').format(_dot(place), at, y.at(b))


def _ranges_height(chart: Ranges) -> int:
    return _TOP + _ROW * len(chart.rows) + _BOTTOM


def _ranges(chart: Ranges) -> Iterator[Markup]:
    values = [v for row in chart.rows for v in (row.value, row.high)]
    top = _highest(values, chart.x_percent)
    x = _Axis(top, _LABELS, _WIDTH - _RIGHT, chart.x_percent)
    bottom = _TOP + _ROW * len(chart.rows)
    for at, text in x.ticks():
        yield Markup('<line class="grid" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(
            at, _TOP, at, bottom
        )
        yield _text(at, bottom + 18, text, "middle")
    yield _text((x.start + x.end) / 2, bottom + 38, chart.x_label, "middle", "label")
    for i, row in enumerate(chart.rows):
        yield from _range(row, x, _TOP + _ROW * i + _ROW / 2)
    yield from _legend([(chart.interval, "bar"), (chart.value, "dot")], _LABELS)


def _range(row: Range, x: _Axis, middle: float) -> Iterator[Markup]:
    name = row.label if len(row.label) <= _NAME else row.label[: _NAME - 1] + "…"
    yield _text(_LABELS - 10, middle + 4, name, "end", "name odd" if row.stands_out else "name")
    width = max(x.at(row.high) - x.at(row.low), 2.0)
    yield Markup('<rect class="bar" x="{}" y="{}" width="{}" height="10" rx="5"/>').format(
        x.at(row.low), middle - 5, round(width, 1)
    )
    yield Markup('<circle class="dot{}" cx="{}" cy="{}" r="4"/>').format(
        " odd" if row.stands_out else "", x.at(row.value), middle
    )


def _legend(names: Sequence[tuple[str, str]], left: float) -> Iterator[Markup]:
    at = left
    for label, kind in names:
        if kind.startswith("dot"):
            yield Markup('<circle class="{}" cx="{}" cy="14" r="4"/>').format(kind, at + 10)
        elif kind == "bar":
            yield Markup('<rect class="bar" x="{}" y="9" width="20" height="10" rx="5"/>').format(
                at
            )
        else:
            yield Markup('<polyline class="{}" points="{},14 {},14"/>').format(kind, at, at + 20)
        yield _text(at + 26, 18, label, "start")
        at += 44 + 7.6 * len(label)


def _text(x: float, y: float, text: str, anchor: str, kind: str = "tick") -> Markup:
    return Markup('<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>').format(
        kind, round(x, 1), round(y, 1), anchor, text
    )
