"""What a rep sees of the leads that wait: the order, why, what is new, until when, what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import quote

from features.agreement import Agreement
from features.cells import Cell, text_of
from features.leads import Faults
from features.rules import persona_of
from features.store.database import Store
from features.store.listed import (
    Choice,
    Known,
    Line,
    Wanted,
    answered_on,
    choices,
    cut_after,
    known_of,
    lines,
    spelled,
)
from serving.artefact import LoadedModel, leads_of_records
from serving.scorer import Score

REASONS = 3
PAGE = 25
"""Leads on one page."""
_SOON = 0.25
"""Of the agreed time: what is left when a promise is soon to be broken."""
_STEPS = {
    None: "Call for the first time",
    "contacted": "Accept it, or send it back with a reason",
    "accepted": "Find out whether there is a need, a budget and a date",
    "qualified": "Make an offer",
    "opportunity": "Close it",
}


@dataclass(frozen=True)
class Clock:
    """How long a promise of sales still holds for a lead."""

    what: str
    due: datetime
    left: timedelta
    """Below zero: the promise is broken."""
    is_soon: bool

    @property
    def is_late(self) -> bool:
        """Whether the promise is broken."""
        return self.left < timedelta(0)


@dataclass(frozen=True)
class News:
    """What has become known of a lead since yesterday."""

    field: str
    before: Cell
    after: Cell


class Contact(NamedTuple):
    """A way to reach a lead."""

    kind: str
    """phone or email."""
    at: str
    address: str
    """For a link: tel: or mailto:."""


@dataclass(frozen=True)
class Item:
    """A lead that waits."""

    line: Line
    score: Score | None
    """By the model that scores now, with reasons; None where there is none."""
    known: Mapping[str, Cell]
    is_later: bool
    """Whether it lies beyond the calls of the day."""
    is_new: bool
    """Whether it was handed over since yesterday."""
    news: Sequence[News]
    chance_before: float | None
    """Yesterday's probability, where something became known since."""
    clock: Clock
    next_step: str
    material: str
    """What the agreement names for this kind of customer; empty: nothing."""
    persona: str
    called: str
    """What people call it, where the agreement names such a column."""
    contacts: Sequence[Contact]

    @property
    def probability(self) -> float | None:
        """As the model sees it now; without a model as it was scored."""
        return self.line.probability if self.score is None else self.score.probability

    @property
    def grade(self) -> str | None:
        """The same for the grade."""
        return self.line.grade if self.score is None else self.score.grade


@dataclass(frozen=True)
class Part:
    """A part of the worklist."""

    items: Sequence[Item]
    choice: Choice
    page: int
    """From 1."""
    pages: int
    calls: int
    """That the agreement leaves for today."""
    answered: int
    """Leads of which sales has said something today."""


def scores_of(
    model: LoadedModel, leads: Sequence[tuple[str, Mapping[str, Cell]]], reasons: int
) -> list[Score | None]:
    """Score leads by id and fields; None for one that cannot be scored."""
    scorer, faults = model.artefact.scorer, Faults()
    id_column = scorer.agreement.columns.id
    records = [{**fields, id_column: id_} for id_, fields in leads]
    batch = leads_of_records(records, scorer, faults)
    good = [i for i in range(len(leads)) if i not in faults]
    found: list[Score | None] = [None] * len(leads)
    for i, score in zip(good, scorer.score(batch.take(good), reasons), strict=True):
        found[i] = score
    return found


def part_of(
    store: Store,
    agreement: Agreement,
    model: LoadedModel | None,
    wanted: Wanted,
    page: int,
    now: datetime,
) -> Part:
    """Return a page of the worklist.

    Args:
        store: where the list is kept.
        agreement: its capacity, promises and personas.
        model: gives probability and reasons afresh; None: what was scored is shown.
        wanted: which leads.
        page: from 1; one beyond the last is the last.
        now: this moment.

    """
    with store.reading() as connection:
        answered = answered_on(connection, now)
        calls = max(0, agreement.capacity.leads_per_day - answered)
        wanted = spelled(connection, wanted)
        choice = choices(connection, wanted, now)
        pages = max(1, -(-choice.total // PAGE))
        page = min(max(page, 1), pages)
        listed = lines(connection, wanted, now, PAGE, PAGE * (page - 1))
        cut = cut_after(connection, calls, now)
        yesterday = now - timedelta(days=1)
        known = known_of(connection, [line.key for line in listed], yesterday)
    is_later = [not calls or (cut is not None and (line.worth, line.key) < cut) for line in listed]
    items = items_of(listed, known, is_later, agreement, model, now)
    return Part(items, choice, page, pages, calls, answered)


def items_of(
    listed: Sequence[Line],
    known: Mapping[int, Known],
    is_later: Sequence[bool],
    agreement: Agreement,
    model: LoadedModel | None,
    now: datetime,
) -> list[Item]:
    """Return all there is to say of lines; see `part_of`."""
    nothing = Known({}, None)
    told = [known.get(line.key, nothing) for line in listed]
    scores: list[Score | None] = [None] * len(listed)
    if model is not None:
        scores = scores_of(
            model, [(line.id, k.now) for line, k in zip(listed, told, strict=True)], REASONS
        )
    read = () if model is None else tuple(model.artefact.scorer.fields)
    news = [_news(k, read) for k in told]
    before = _chances_before(model, listed, told, news)
    return [
        _item(line, score, k, later, fresh, chance, agreement, now)
        for line, score, k, later, fresh, chance in zip(
            listed, scores, told, is_later, news, before, strict=True
        )
    ]


def _item(
    line: Line,
    score: Score | None,
    known: Known,
    is_later: bool,
    news: Sequence[News],
    chance_before: float | None,
    agreement: Agreement,
    now: datetime,
) -> Item:
    persona = persona_of(known.now, agreement)
    return Item(
        line,
        score,
        known.now,
        is_later,
        line.handed >= now - timedelta(days=1),
        news,
        chance_before,
        clock_of(line.handed, line.touched, agreement, now),
        _STEPS[line.step],
        persona.material if persona else "",
        persona.name if persona else "",
        called_of(known.now, agreement),
        contacts_of(known.now, agreement),
    )


def called_of(known: Mapping[str, Cell], agreement: Agreement) -> str:
    """Return what people call a lead; empty where the agreement names no column for it."""
    name = agreement.columns.called
    return text_of(known.get(name)) if name else ""


def contacts_of(known: Mapping[str, Cell], agreement: Agreement) -> list[Contact]:
    """Return how a lead can be reached: what its fields of these kinds hold, phones first."""
    told = [(use.kind, text_of(known.get(name))) for name, use in agreement.fields.items()]
    phones = [
        Contact("phone", at, f"tel:{re.sub(r'[^0-9+]', '', at)}")
        for kind, at in told
        if kind == "phone" and re.search(r"[0-9]", at)
    ]
    emails = [
        Contact("email", at, f"mailto:{quote(at, safe='@+')}")
        for kind, at in told
        if kind == "email" and "@" in at
    ]
    return [*phones, *emails]


def clock_of(
    handed: datetime, touched: datetime | None, agreement: Agreement, now: datetime
) -> Clock:
    """Return which promise of sales runs for a lead, and how long it still holds."""
    promise = agreement.sla.sales
    if touched is None:
        what, span = "first touch", timedelta(hours=promise.first_touch_hours)
    else:
        what, span = "answer", timedelta(days=promise.disposition_days)
    left = handed + span - now
    return Clock(what, handed + span, left, timedelta(0) <= left < _SOON * span)


def _news(known: Known, read: Sequence[str]) -> list[News]:
    """Return which of the fields that the model reads have changed since yesterday."""
    if known.before is None:
        return []
    before = known.before
    return [
        News(name, before.get(name), known.now.get(name))
        for name in read
        if before.get(name) != known.now.get(name)
    ]


def _chances_before(
    model: LoadedModel | None,
    listed: Sequence[Line],
    known: Sequence[Known],
    news: Sequence[Sequence[News]],
) -> list[float | None]:
    """Return what the model would have said yesterday of the leads of which there is news."""
    changed = [i for i, fresh in enumerate(news) if fresh]
    found: list[float | None] = [None] * len(listed)
    if model is not None and changed:
        old = [(listed[i].id, known[i].before or {}) for i in changed]
        for i, score in zip(changed, scores_of(model, old, reasons=0), strict=True):
            found[i] = score.probability if score else None
    return found
