"""How figures are shown to people: shares, sums, days and moments, alike on pages and in files."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from serving.rates import Interval


def percent(share: float | None, digits: int = 0) -> str:
    """Show a share, such as 12%; what rounds to nothing is shown as less than the smallest."""
    if share is None:
        return "–"
    smallest = 10.0**-digits
    if 0 < 100 * share < smallest / 2:
        return f"< {smallest:.{digits}f}%"
    return f"{100 * share:.{digits}f}%"


def share(found: Interval | None) -> str:
    """Write a share with its interval."""
    if found is None:
        return "not known yet"
    return f"{found.value:.0%} ({found.low:.0%} to {found.high:.0%})"


def money(sum_: float | None) -> str:
    """Show a sum or a count with its thousands apart, such as 12,500."""
    if sum_ is None:
        return "–"
    digits = 0 if abs(sum_) >= 10 or sum_ == int(sum_) else 2
    return f"{sum_:,.{digits}f}"


def signed(change: float, digits: int = 0) -> str:
    """Show a change with its sign, such as +3 or −0.4; what rounds to nothing has a plus."""
    text = f"{change:+,.{digits}f}".replace("-", "−")
    return text if any(digit in text for digit in "123456789") else text.replace("−", "+")


def span(time: timedelta) -> str:
    """Show a length of time by its largest unit, such as 3 h."""
    minutes = int(time.total_seconds() // 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} days"


def day(when: date | None) -> str:
    """Show a day, such as 3 Mar 2026."""
    return "–" if when is None else f"{when.day} {when:%b %Y}"


def short_day(when: date) -> str:
    """Show a day within a year, such as 3 Mar."""
    return f"{when.day} {when:%b}"


def moment(when: datetime | None) -> str:
    """Show a moment (UTC), such as 3 Mar 2026, 14:05."""
    return "–" if when is None else f"{when.day} {when:%b %Y, %H:%M}"


def ago(when: datetime, now: datetime) -> str:
    """Show a moment beside now: today 14:05, yesterday 14:05, 3 Mar, or 3 Mar 2025."""
    days = (now.date() - when.date()).days
    if days in (0, 1):
        return f"{'yesterday' if days else 'today'} {when:%H:%M}"
    return short_day(when) if when.year == now.year else day(when)


def plain(name: str) -> str:
    """Show the name of a field as words: form_type is form type."""
    return " ".join(name.replace("_", " ").split()) or name
