"""A week or a month, by its name: `2026-W47` or `2026-11`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from features.errors import UsageError
from serving.shown import day

WEEK, MONTH = r"^[0-9]{4}-W[0-9]{2}$", r"^[0-9]{4}-[0-9]{2}$"
"""How their names look."""
_FIRST = "1900"
"""Beyond any company's leads, and far enough from where dates begin to look back."""
_NAME = re.compile(r"(\d{4})-(?:W(\d\d)|(\d\d))", re.ASCII)


@dataclass(frozen=True)
class Period:
    """A whole week (ISO 8601: Monday to Sunday) or month, half open, in UTC."""

    name: str
    start: datetime
    end: datetime

    @classmethod
    def named(cls, name: str) -> Period:
        """Return the period of a name.

        Raises:
            UsageError: when it names none.

        """
        parts = _NAME.fullmatch(name)
        try:
            if parts is None or name < _FIRST:
                raise ValueError(name)
            year, week, month = parts.groups()
            if week:
                first = date.fromisocalendar(int(year), int(week), 1)
                return cls(name, _midnight(first), _midnight(first + timedelta(days=7)))
            first = date(int(year), int(month), 1)
            return cls(name, _midnight(first), _midnight(_next_month(first)))
        except (ValueError, OverflowError):
            raise UsageError(
                f"{name[:40]!r} is no week and no month from {_FIRST} on; write it as 2026-W47 or "
                "2026-11"
            ) from None

    @classmethod
    def week_of(cls, moment: datetime) -> Period:
        """Return the week in which a moment lies."""
        year, week, _ = moment.isocalendar()
        return cls.named(f"{year:04}-W{week:02}")

    @property
    def is_week(self) -> bool:
        """Whether it is a week and not a month."""
        return "W" in self.name

    @property
    def before(self) -> Period:
        """The period before this one."""
        return self._at(self.start - timedelta(days=1))

    @property
    def after(self) -> Period:
        """The period after this one."""
        return self._at(self.end)

    def _at(self, moment: datetime) -> Period:
        return Period.week_of(moment) if self.is_week else Period.named(f"{moment:%Y-%m}")

    @property
    def months(self) -> tuple[Period, ...]:
        """The months that it touches."""
        last = self.end - timedelta(days=1)
        return tuple(Period.named(n) for n in sorted({f"{self.start:%Y-%m}", f"{last:%Y-%m}"}))

    @property
    def words(self) -> str:
        """Say when it is, by day."""
        return f"{day(self.start)} to {day(self.end - timedelta(days=1))}"

    @property
    def title(self) -> str:
        """Say which it is: `week 47`, or `Nov 2026`."""
        return f"week {int(self.name[-2:])}" if self.is_week else f"{self.start:%b %Y}"


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min)


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def asked_for(week: str | None, month: str | None, now: datetime) -> Period:
    """Return the week or the month that is asked for; neither: the last whole week.

    Raises:
        UsageError: when the name is none, or names the other kind, or both are asked for.

    """
    if week is not None and month is not None:
        raise UsageError("say a week or a month, not both")
    if week is None and month is None:
        return Period.week_of(now).before
    found = Period.named(week or month or "")
    if found.is_week != (week is not None):
        raise UsageError(f"{found.name} is no {'week' if week else 'month'}")
    return found
