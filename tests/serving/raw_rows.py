"""The figures of the alignment report from the raw rows, in plain Python: another route."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from features.agreement import Agreement
from features.store.database import Store
from serving.alignment.period import Period
from serving.alignment.report import Report, report_of
from tests.features.making import an_agreement
from tests.features.store.past import START, Past, Row
from tests.serving.recount.rows import campaign_of

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WEEK = Period.named("2026-W20")
LATER = START + timedelta(days=400)
ACCEPTED = ("accepted", "qualified", "opportunity", "won")
STEPS = ("contacted", "accepted", "qualified", "opportunity")


def agreed() -> Agreement:
    """An agreement with short promises, and a horizon that is over within the past."""
    sla = {
        "marketing": {"leads_graded_a_or_b_per_month": 30},
        "sales": {"first_touch_hours": 6.0, "disposition_days": 3},
    }
    return an_agreement(horizon_days=30, sla=sla)


def reported(store: Store, period: Period = WEEK, now: datetime = LATER) -> Report:
    """The report of a period."""
    return report_of(store, agreed(), period, now)


class Raw:
    """The same figures from the raw rows, in plain Python."""

    def __init__(self, past: Past, as_of: datetime) -> None:
        self.leads = {lead["key"]: lead for lead in past.leads}
        self.spend = past.spend
        self.as_of = as_of
        self.scores, self.handoffs = (
            _by_lead([row for row in rows if row["at"] < as_of])
            for rows in (past.scores, past.handoffs)
        )
        stands = standing(past.words)
        self.said = _by_lead([row for row in stands if row["at"] < as_of])

    def campaign(self, key: int) -> str:
        """The name of a lead's campaign, whatever its spelling."""
        return campaign_of(self.leads[key]["campaign"] or "not given")

    def firsts(self, step: str) -> dict[int, datetime]:
        """When each lead first got to a step."""
        if step == "leads":
            return {k: v["created"] or v["added"] for k, v in self.leads.items()}
        rows = {"mql": self.scores, "handed": self.handoffs}.get(step, self.said)
        codes = ACCEPTED[{"sal": 0, "sql": 1, "opportunity": 2}.get(step, 3) :]
        reaches = {
            "mql": lambda row: row["probability"] >= 0.1,
            "handed": lambda row: True,
        }.get(step, lambda row: row["code"] in codes)
        found = {k: [r["at"] for r in rows if reaches(r)] for k, rows in rows.items()}
        return {k: min(times) for k, times in found.items() if times}

    def last_word(self, key: int) -> Row | None:
        """The word on a lead that counts."""
        rank = ("open", "unreachable", "not_ready", "in_contract", "unqualified", "lost", "won")
        said = [row for row in self.said[key] if row["code"] not in STEPS]
        return max(
            said,
            key=lambda r: (r["at"], rank.index(r["code"]), r["origin"] != "export", r["digest"]),
            default=None,
        )

    def chances(self) -> list[Row]:
        """Each hand-off with what was said of it before the next one."""
        found = []
        for key, rows in self.handoffs.items():
            ends = [*(row["at"] for row in rows[1:]), None]
            for n, (row, end) in enumerate(zip(rows, ends, strict=True)):
                said = [w for w in self.said[key] if _answers(w["at"], row["at"], n == 0)]
                said = [w for w in said if end is None or not _answers(w["at"], end, False)]
                found.append({**row, "again": end is not None, **_chance(row["at"], said)})
        return found

    def score_at(self, key: int, at: datetime) -> Row | None:
        """The newest score of a lead up to a moment."""
        known = [row for row in self.scores[key] if row["at"] <= at]
        return max(known, key=lambda row: row["at"], default=None)


def standing(words: list[Row]) -> list[Row]:
    """What was said and not taken back: `open` on a page takes back what came before it."""
    found = []
    for said in _by_lead(words).values():
        stack: list[Row] = []
        for row in sorted(said, key=lambda row: row["received"]):
            if row["origin"] == "page" and row["code"] == "open":
                stack[-1:] = []
            else:
                stack.append(row)
        found += stack
    return found


def _by_lead(rows: list[Row]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row["at"]):
        found[row["lead"]].append(row)
    return found


def _answers(word: datetime, handed: datetime, is_first: bool) -> bool:
    of_the_day = (word.hour, word.minute) == (0, 0) and word.date() == handed.date()
    return word >= handed or of_the_day or (is_first and word >= handed - DAY)


def _chance(handed: datetime, said: list[Row]) -> dict[str, datetime | None]:
    def first(codes: Any) -> datetime | None:
        return min((max(w["at"], handed) for w in said if codes(w["code"])), default=None)

    return {
        "touched": first(lambda code: True),
        "answered": first(lambda code: code not in STEPS and code != "open"),
        "accepted": first(lambda code: code in ACCEPTED),
        "rejected": first(lambda code: code == "unqualified"),
        "won": first(lambda code: code == "won"),
    }


def lies_in(at: datetime, period: Period) -> bool:
    return period.start <= at < period.end
