"""A period, and what was known at its end of leads and hand-offs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from features.agreement import Agreement
from tests.serving.recount.rates import Interval, wilson
from tests.serving.recount.rows import ACCEPTED, DAY, STEPS, Row, Rows

Json = dict[str, Any]


@dataclass(frozen=True)
class Span:
    """A week or a month, half open."""

    name: str
    start: datetime
    end: datetime

    @classmethod
    def of(cls, name: str) -> Span:
        """Read a name as 2026-W47 or 2026-11."""
        if "W" in name:
            start = datetime.strptime(name + "-1", "%G-W%V-%u")
            return cls(name, start, start + 7 * DAY)
        start = datetime.strptime(name, "%Y-%m")
        return cls(name, start, (start + 32 * DAY).replace(day=1))

    @classmethod
    def week(cls, at: datetime) -> Span:
        """The week of a moment."""
        return cls.of(f"{at:%G-W%V}")

    def before(self) -> Span:
        """The one before."""
        last = self.start - DAY
        return Span.of(f"{last:%G-W%V}" if "W" in self.name else f"{last:%Y-%m}")

    def months(self) -> list[Span]:
        """The months that it touches."""
        days = (self.end - self.start).days
        names = {f"{self.start + n * DAY:%Y-%m}" for n in range(days)}
        return [Span.of(name) for name in sorted(names)]


class Past:
    """What was known at the end of a period, or now where it still runs."""

    def __init__(self, rows: Rows, agreement: Agreement, span: Span, now: datetime) -> None:
        """Sort the rows by lead, and leave out what came later."""
        self.rows, self.agreed, self.span, self.now = rows, agreement, span, now
        self.as_of = as_of = min(span.end, now)
        self.leads = {row["key"]: row for row in rows["leads"]}
        self.scores, self.handoffs = (
            defaultdict(
                list,
                {
                    key: [row for row in some if row["at"] < as_of]
                    for key, some in rows.of_leads(name).items()
                },
            )
            for name in ("scores", "handoffs")
        )
        self.said = rows.words(as_of)
        first = min((row["at"] for row in rows["scores"]), default=as_of)
        self.scored_since = first if first < as_of else None
        self.touch = timedelta(hours=agreement.sla.sales.first_touch_hours)
        self.answer = timedelta(days=agreement.sla.sales.disposition_days)
        self.chances = [chance for key in self.handoffs for chance in self._chances(key)]

    def _chances(self, lead: int) -> Iterable[Row]:
        """Each hand-off of a lead with what was said of it before the next one."""
        handed = [row["at"] for row in self.handoffs[lead]]
        for n, row in enumerate(self.handoffs[lead]):
            ends = handed[n + 1] if n + 1 < len(handed) else None
            told = [
                {**word, "at": max(word["at"], row["at"])}
                for word in self.said[lead]
                if _answers(word["at"], row["at"], n == 0)
                and not (ends and _answers(word["at"], ends, False))
            ]
            score = self.score_at(lead, row["at"])
            yield {**row, "again": ends is not None, "score": score, **_firsts(told)}

    def score_at(self, lead: int, at: datetime) -> Row | None:
        """The newest score of a lead up to a moment; of two of one moment the one kept last."""
        known = [row for row in self.scores[lead] if row["at"] <= at]
        return max(known, key=lambda row: (row["at"], row["key"]), default=None)

    def lately(self, days: int) -> list[Row]:
        """The hand-offs of the last days."""
        first = (self.as_of - days * DAY).date()
        return [chance for chance in self.chances if chance["at"].date() >= first]

    def weeks_back(self) -> list[Row]:
        """The hand-offs of ten weeks, from the Monday on."""
        first = (self.as_of - 70 * DAY).date()
        monday = first - first.weekday() * DAY
        return [chance for chance in self.chances if chance["at"].date() >= monday]

    def is_over(self, day: date, limit: timedelta) -> bool:
        """Whether the time of all hand-offs of a day is over."""
        return day < (self.as_of - limit).date()


def _answers(word: datetime, handed: datetime, is_first: bool) -> bool:
    by_day = (word.hour, word.minute, word.second, word.microsecond) == (0, 0, 0, 0)
    is_of_day = by_day and word.date() == handed.date()
    return word >= handed or is_of_day or (is_first and word >= handed - DAY)


def _firsts(said: Sequence[Row]) -> Row:
    def first(is_it: Callable[[str], bool]) -> datetime | None:
        return min((word["at"] for word in said if is_it(word["code"])), default=None)

    return {
        "touched": first(lambda code: True),
        "answered": first(lambda code: code not in (*STEPS, "open")),
        "accepted": first(lambda code: code in ACCEPTED),
        "rejected": first(lambda code: code == "unqualified"),
        "won": first(lambda code: code == "won"),
    }


def in_time(chance: Row, what: str, limit: timedelta) -> bool:
    """Whether something came within so long."""
    return chance[what] is not None and chance[what] - chance["at"] <= limit


def share_of(part: int, whole: int, level: float = 0.95) -> Interval | None:
    """A share with its interval; None of nothing."""
    return wilson(part, whole, level) if whole else None


def lies_in(at: datetime | None, span: Span, as_of: datetime) -> bool:
    """Whether a moment lies in a period, as far as that has come."""
    return at is not None and span.start <= at < min(span.end, as_of)
