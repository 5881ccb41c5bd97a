"""The hand-off audit of the alignment report, in words and tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from features.store.alignment import Missed
from serving.alignment.promises import Hands
from serving.alignment.report import Report
from serving.document import Section, Table
from serving.shown import day, share


def audit(report: Report) -> Section:
    """Tell where leads wait, and which good ones nobody touched."""
    handed, never = by_handed(report)
    tables = [
        _hands("Teams, the last four weeks", "team", report.teams, report.as_of),
        _hands("Owners, the last four weeks", "owner", report.owners, report.as_of),
    ]
    tables = [table for table in tables if table.rows]
    for leads, what in ((handed, "handed over and not touched"), (never, "never handed over")):
        if leads:
            tables.append(_missed(leads, what))
    says = [
        "Slower or faster: touched in time less or more often than all others together, by more "
        "than chance explains. Else alike."
    ]
    if not report.missed:
        says.append("No lead graded A or B waits for longer than agreed.")
    return Section("Hand-off audit", tuple(says), tuple(tables))


def _hands(name: str, who: str, hands: Sequence[Hands], as_of: datetime) -> Table:
    return Table(
        name,
        (who, "due", "touched in time", "against the others", "waiting", "overdue",
         "longest wait"),
        tuple(
            (h.name, f"{h.handed:,}", share(h.touch), _differs(h), f"{h.waiting:,}",
             f"{h.overdue:,}", _wait(h.oldest, as_of))
            for h in hands
        ),
        words=("against the others",),
    )  # fmt: skip


def _differs(hands: Hands) -> str:
    return "–" if hands.touch is None else hands.differs or "alike"


def _wait(since: datetime | None, now: datetime) -> str:
    return "–" if since is None else f"{(now - since) / timedelta(days=1):,.1f} days"


def _missed(leads: Sequence[Missed], what: str) -> Table:
    count = leads[0].all
    shown = f"; the {len(leads)} best" if count > len(leads) else ""
    return Table(
        f"Good leads {what}: {count:,}{shown}",
        ("lead", "grade", "probability", "since", "owner", "campaign"),
        tuple(
            (m.id, m.grade, f"{m.probability:.0%}", day(m.since), m.owner or "–",
             m.campaign or "–")
            for m in leads
        ),
        words=("owner", "campaign"),
        of_leads=True,
    )  # fmt: skip


def by_handed(report: Report) -> tuple[list[Missed], list[Missed]]:
    """Return the good leads that nobody touched: those handed over, and those that never were."""
    handed, never = ([m for m in report.missed if m.handed is is_it] for is_it in (True, False))
    return handed, never
