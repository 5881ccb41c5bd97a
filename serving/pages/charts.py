"""Charts as SVG, written by ourselves: no library, no script, and the same figures as text.

Colours and fonts come from the style of the page by class. Each chart has a text that says what it
shows; the figures themselves belong into a table beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import NamedTuple

_WIDTH, _HEIGHT = 640.0, 220.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 48.0, 12.0, 12.0, 28.0
Show = Callable[[float], str]


class Interval(NamedTuple):
    """A figure with the interval in which it may lie."""

    low: float
    at: float
    high: float


class Svg(str):
    """Markup that is safe to show as it is."""

    def __html__(self) -> str:
        """Tell templates so."""
        return self


def bar(value: Interval, most: float, says: str) -> Svg:
    """Draw a figure with its interval as one bar for a row of a table.

    Args:
        value: the figure; none may be below 0.
        most: what the whole width stands for, so that bars can be compared.
        says: the text in its place.

    """
    scale = 120 / most if most > 0 else 0.0
    low, at, high = (min(120.0, max(0.0, part * scale)) for part in value)
    return _svg(
        120,
        18,
        says,
        f'<rect class="band" x="{low:.1f}" y="4" width="{max(high - low, 1):.1f}" height="10" '
        f'rx="3"/><rect class="fill" x="{max(at - 1.5, 0):.1f}" y="1" width="3" height="16"/>',
    )


def line(
    values: Sequence[float | None],
    labels: Sequence[str],
    says: str,
    band: Sequence[tuple[float, float]] = (),
    show: Show = "{:g}".format,
) -> Svg:
    """Draw figures over time; None leaves a gap.

    Args:
        values: in the order of time, at even steps.
        labels: one for each; the first and the last are written.
        says: the text in its place.
        band: the interval of each figure, if there are any.
        show: writes a figure at the axis.

    """
    known = [v for v in values if v is not None]
    top = max([*known, *(high for _, high in band)], default=0.0) or 1.0
    x, y = _across(len(values)), _up(top)
    parts = [_axes(top, show)]
    if band:
        upper = [f"{x(i):.1f},{y(high):.1f}" for i, (_, high) in enumerate(band)]
        lower = [f"{x(i):.1f},{y(low):.1f}" for i, (low, _) in enumerate(band)]
        parts.append(f'<polygon class="band" points="{" ".join(upper + lower[::-1])}"/>')
    for run in _runs(values):
        points = " ".join(f"{x(i):.1f},{y(v):.1f}" for i, v in run)
        parts.append(f'<polyline class="mark" points="{points}"/>')
        parts += [f'<circle class="fill" cx="{x(i):.1f}" cy="{y(v):.1f}" r="3"/>' for i, v in run]
    if labels:
        parts.append(_under(labels[0], labels[-1] if len(labels) > 1 else ""))
    return _svg(_WIDTH, _HEIGHT, says, "".join(parts))


def gain(shares: Sequence[float], says: str) -> Svg:
    """Draw a gain curve: the share of wins among the best leads, against calling at random.

    Args:
        shares: of the wins (0 to 1) among the best 0 %, ..., 100 % of the leads, at even steps.
        says: the text in its place.

    """
    x, y = _across(len(shares)), _up(1.0)
    points = " ".join(f"{x(i):.1f},{y(v):.1f}" for i, v in enumerate(shares))
    last = len(shares) - 1
    diagonal = f'x1="{x(0):.1f}" y1="{y(0):.1f}" x2="{x(last):.1f}" y2="{y(1):.1f}"'
    return _svg(
        _WIDTH,
        _HEIGHT,
        says,
        _axes(1.0, "{:.0%}".format)
        + f'<line class="other" {diagonal}/><polyline class="mark" points="{points}"/>'
        + _under("no lead called", "all leads called"),
    )


def _svg(width: float, height: float, says: str, inside: str) -> Svg:
    return Svg(
        f'<svg class="chart" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="{escape(says)}">{inside}</svg>'
    )


def _across(steps: int) -> Callable[[float], float]:
    width = (_WIDTH - _LEFT - _RIGHT) / max(steps - 1, 1)
    return lambda i: _LEFT + i * width


def _up(top: float) -> Callable[[float], float]:
    return lambda v: _HEIGHT - _BOTTOM - v / top * (_HEIGHT - _TOP - _BOTTOM)


def _axes(top: float, show: Show) -> str:
    y = _up(top)
    lines = (
        f'<line class="axis" x1="{_LEFT:g}" y1="{y(v):.1f}" x2="{_WIDTH - _RIGHT:g}" '
        f'y2="{y(v):.1f}"/><text x="{_LEFT - 6:g}" y="{y(v) + 4:.1f}" text-anchor="end">'
        f"{escape(show(v))}</text>"
        for v in (0.0, top / 2, top)
    )
    return "".join(lines)


def _under(first: str, last: str) -> str:
    y = f"{_HEIGHT - 8:g}"
    return (
        f'<text x="{_LEFT:g}" y="{y}">{escape(first)}</text>'
        f'<text x="{_WIDTH - _RIGHT:g}" y="{y}" text-anchor="end">{escape(last)}</text>'
    )


def _runs(values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    """Return the stretches without a gap, with the place of each figure."""
    runs: list[list[tuple[int, float]]] = [[]]
    for i, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append((i, value))
    return [run for run in runs if run]
