"""Small charts within tables, as SVG; large ones are those of `serving/charts.py`.

Colours come from the style of the page by class. Each has a text that says what it shows.
"""

from __future__ import annotations

from html import escape
from typing import NamedTuple


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


def _svg(width: float, height: float, says: str, inside: str) -> Svg:
    return Svg(
        f'<svg class="chart" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="{escape(says)}">{inside}</svg>'
    )
