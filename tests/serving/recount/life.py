"""The life of a store drawn by lot, taken in by the product's own doors; it is hard to count.

Moments lie near midnight, the ends of weeks and months and the hours of summer time, and are told
with the offsets of several zones. Leads are handed over again, words are corrected and taken back,
leads are erased, campaigns are spelled differently, and spend is changed.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from features.agreement import Agreement
from features.store.agreements import sign
from features.store.answering import add_note
from features.store.database import Store
from features.store.erasure import erase
from features.store.exports import keep_export
from features.store.feedback import keep
from features.store.intake import take_feedback_items, take_handoff_items, take_spend_items
from features.store.meetings import answer, decide, mark_done
from features.store.promotions import Champion, write_down
from features.store.said import Said
from features.store.scores import GivenScore, add_given_scores
from tests.features.making import an_agreement, history_of

MIDNIGHT, DAY = timedelta(0), timedelta(days=1)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Kiritimati")
CAMPAIGNS = ("Spring fair", "spring  FAIR", "Webinar", "Straße", "STRASSE", "Late one", None)
SOURCES = ("web", "Web", "phone", None)
INDUSTRIES = ("Software", "software ", "Trade", 'a "quoted" one', "Zürich", None)
OWNERS = (("kim", "north"), ("lee", "north"), ("ann", "south"), (None, None))
REASONS = ("Too small", "too  small", "student", "wrong country", "", None)
CODES = (
    *("contacted", "contacted", "accepted", "qualified", "opportunity", "won", "won", "lost"),
    *("unqualified", "unqualified", "not_ready", "in_contract", "unreachable", "open"),
)
Item = dict[str, Any]


def agreed() -> Agreement:
    """An agreement with short promises, a campaign, a source and a field of few values."""
    columns = {"id": "id", "outcome": "status", "created": "created", "closed": "closed"}
    sla = {
        "marketing": {"leads_graded_a_or_b_per_month": 12},
        "sales": {"first_touch_hours": 6.0, "disposition_days": 3},
    }
    outcomes = {"won": ["Won"], "lost": ["Lost"], "unqualified": ["Junk"], "open": ["Open"]}
    return an_agreement(
        columns=columns | {"campaign": "campaign", "source": "source", "value": "value"},
        outcomes=outcomes,
        fields={"industry": {"use": "yes", "kind": "category"}},
        horizon_days=45,
        sla=sla,
    )


@dataclass
class Life:
    """What happens, by the moment at which the store hears of it."""

    lot: random.Random
    now: datetime
    """The last moment."""
    folder: Path
    """For exports."""
    handed: list[tuple[str, datetime]] = field(default_factory=list)
    """What was told of hand-offs, each with its true moment."""

    def keep(self, store: Store, leads: int, times: int = 5) -> None:
        """Let a store live through it: what happens is heard of at some times, the last one now."""
        ids = [f"lead-{n:03}" for n in range(leads)]
        births = {id_: min(self._moment(), self.now) for id_ in ids}
        span = timedelta(days=200) / times
        for n in range(times):
            heard = self.now - span * (times - 1 - n)
            known = [id_ for id_ in ids if births[id_] <= heard + DAY]
            self._hear(store, known, births, heard)
        gone = self.lot.sample(ids, leads // 20)
        erase(store, gone, "kim", self.now)

    def _moment(self, after: datetime | None = None, most: float = 190) -> datetime:
        """Draw a moment, often at an edge of days, weeks or months."""
        start = self.now - 190 * DAY if after is None else after
        at = start + timedelta(minutes=self.lot.randrange(int(most * 24 * 60)))
        if self.lot.random() < 0.3:
            edge = at.replace(hour=0, minute=0, second=0, microsecond=0)
            if self.lot.random() < 0.5:
                edge -= edge.weekday() * DAY
            elif self.lot.random() < 0.3:
                edge = edge.replace(day=1)
            edge += timedelta(microseconds=self.lot.choice((0, 0, 1, -1, 1_000_000, -1_000)))
            at = max(edge, start) if after else edge
        return at

    def _told(self, at: datetime) -> str:
        """A moment as somebody in another zone writes it down."""
        zone = ZoneInfo(self.lot.choice(ZONES))
        return at.replace(tzinfo=UTC).astimezone(zone).isoformat()

    def _hear(
        self, store: Store, ids: Sequence[str], births: dict[str, datetime], heard: datetime
    ) -> None:
        agreement, doors = agreed(), list[Callable[[Any], Any]]()
        if ids:
            scores, handed, said = (
                [make(id_, births[id_], heard) for id_ in self._some(ids)]
                for make in (self._score, self._handoff, self._word)
            )
            said += [self._word(id_, births[id_], heard) for id_ in self._some(ids)]
            # Another model scores some leads at the same moment.
            scores += [self._again(score) for score in scores[::5]]
            doors = [
                lambda c: add_given_scores(c, _once(scores), heard),
                lambda c: take_handoff_items(c, handed, agreement, heard),
                lambda c: take_feedback_items(c, said, agreement, heard),
                lambda c: self._write_notes(c, ids, heard),
            ]
        doors += [
            lambda c: take_spend_items(c, self._spend(heard), agreement, "kim", heard),
            lambda c: self._meet(c, heard),
        ]
        self.lot.shuffle(doors)
        for door in doors:
            store.write(door)
        if ids:
            self._export(store, self._some(ids), births, heard)
            for n in range(2):
                store.write(lambda c, n=n: self._answer(c, ids, heard + timedelta(seconds=n)))

    def _some(self, ids: Sequence[str]) -> list[str]:
        return self.lot.sample(ids, len(ids) // 3)

    def _fields(self, id_: str, born: datetime) -> Item:
        lot = random.Random(id_)
        has_birth = lot.random() < 0.9
        return {
            "created": born.isoformat() if has_birth else None,
            "campaign": lot.choice(CAMPAIGNS),
            "source": lot.choice(SOURCES),
            "industry": lot.choice(INDUSTRIES),
        }

    def _score(self, id_: str, born: datetime, heard: datetime) -> GivenScore:
        fields = self._fields(id_, born)
        created = fields["created"] and datetime.fromisoformat(fields["created"])
        chance = round(self.lot.betavariate(1, 3), 4)
        grades = agreed().grades
        known = {name: fields[name] for name in ("campaign", "industry", "source") if fields[name]}
        at = min(self._moment(born, 30), heard)
        model, label = self.lot.choice(("1", "2")), agreed().label
        worth = self.lot.choice((None, chance * self.lot.randrange(2000)))
        return GivenScore(
            id_, created, fields["campaign"], fields["source"], json.dumps(known), at, model,
            label, chance, grades.of(chance), worth,
        )  # fmt: skip

    def _again(self, score: GivenScore) -> GivenScore:
        chance = round(self.lot.random(), 4)
        return score._replace(model="3", probability=chance, grade=agreed().grades.of(chance))

    def _handoff(self, id_: str, born: datetime, heard: datetime) -> Item:
        at = min(self._moment(born, 40), heard)
        owner, team = self.lot.choice(OWNERS)
        self.handed.append((id_, at))
        fields = self._fields(id_, born)
        return {"id": id_, "at": self._told(at), "owner": owner, "team": team, "fields": fields}

    def _word(self, id_: str, born: datetime, heard: datetime) -> Item:
        at = self._moment(born, 60)
        if self.lot.random() < 0.3:
            at = at.replace(hour=0, minute=0, second=0, microsecond=0)
        # Who tells a day alone may be ahead of the clock.
        at = min(at, heard + self.lot.choice((-1, -1, 0, 1)) * timedelta(hours=9))
        code = self.lot.choice(CODES)
        why = self.lot.choice(REASONS) if code in ("unqualified", "lost", "not_ready") else None
        value = self.lot.choice((None, float(self.lot.randrange(5000)))) if code == "won" else None
        told: Item = {"id": id_, "at": self._told(at), "code": code, "by": "kim"}
        return told | {"reason": why, "value": value}

    def _answer(self, connection: Any, ids: Sequence[str], at: datetime) -> None:
        """Say something on a page, or take back what came before it."""
        codes = ("open", "open", "open", "contacted", "lost", "won")
        said = [Said(id_, self.lot.choice(codes), at, "lee") for id_ in self._some(ids)]
        keep(connection, said, agreed(), "page", at)

    def _export(
        self, store: Store, ids: Sequence[str], births: dict[str, datetime], heard: datetime
    ) -> None:
        rows = [_HEADER, *(self._line(id_, births[id_], heard) for id_ in ids)]
        file = self.folder / f"{heard:%Y%m%d%H%M%S%f}.csv"
        file.write_text("\n".join(rows), encoding="utf-8")
        history, _ = history_of(file, agreed())
        keep_export(store, history, agreed(), heard)

    def _line(self, id_: str, born: datetime, heard: datetime) -> str:
        fields = self._fields(id_, born)
        status = self.lot.choice(("Won", "Won", "Lost", "Junk", "Open"))
        closed = self._told(min(self._moment(born, 80), heard)) if status != "Open" else ""
        value = self.lot.choice(("", str(self.lot.randrange(9000)))) if status == "Won" else ""
        industry = (fields["industry"] or "").replace('"', "'")
        created, campaign, source = (fields[n] or "" for n in ("created", "campaign", "source"))
        return ",".join([id_, created, campaign, source, industry, status, closed, value])

    def _spend(self, heard: datetime) -> list[Item]:
        days = self.lot.sample(range(1, 60), 12)
        return [
            {
                "campaign": self.lot.choice(("Spring Fair", "Webinar", "Strasse", "Only spend")),
                "date": (heard.date() - timedelta(days=days.pop() - 1)).isoformat(),
                "amount": self.lot.choice((0, 250.5, 99.99, "1,200.10")),
                "visits": self.lot.choice((None, self.lot.randrange(400))),
            }
            for _ in range(12)
        ]

    def _write_notes(self, connection: Any, ids: Sequence[str], heard: datetime) -> None:
        for n, id_ in enumerate(self._some(ids)[:4]):
            at = heard - timedelta(hours=self.lot.randrange(9), microseconds=n)
            add_note(connection, id_, f"note {n}", "lee", "key", at)

    def _meet(self, connection: Any, heard: datetime) -> None:
        due = (heard + self.lot.randrange(20) * DAY).date()
        key = decide(connection, "Call sooner", "kim", due, "fewer leads", "lee", "key", heard)
        if self.lot.random() < 0.6:
            done = heard + timedelta(hours=self.lot.randrange(400))
            mark_done(connection, key, "kim", min(done, self.now))
        for week in self._weeks(heard.date()):
            side, mark = self.lot.choice(("sales", "marketing")), self.lot.randrange(1, 6)
            who = self.lot.choice(("kim", "lee"))
            answer(connection, week, side, mark, "so so", who, "key", heard)
        champion = Champion(self.lot.choice(("1", "2")), "0" * 64)
        act = self.lot.choice(("promote", "rollback"))
        write_down(connection, champion, act, "it is better", "kim", heard)
        sign(connection, agreed(), self.lot.choice(("sales", "marketing")), "kim", heard)

    def _weeks(self, day: date) -> list[str]:
        return [f"{day - n * 7 * DAY:%G-W%V}" for n in range(2)]


_HEADER = "id,created,campaign,source,industry,status,closed,value"


def _once(scores: Sequence[GivenScore]) -> list[GivenScore]:
    """Leave one score of each model for a moment."""
    return list({(one.lead, one.at, one.model): one for one in scores}.values())
