"""The record of a lead that both sides see: facts, score and its reasons, one line of time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from itertools import groupby
from operator import attrgetter

from features.agreement import Agreement
from features.cells import Cell, text_of
from features.store.answering import newest
from features.store.beside import Cost, cost_of, notes_on
from features.store.database import Store
from features.store.history import LeadHistory, PastScore, PastWord, history_of
from features.store.listed import Known, known_of, line_of
from features.store.recycle import due_of
from serving.artefact import LoadedModel
from serving.learnable import Learnable, learnable
from serving.scorer import Score
from serving.why import Change, changes
from serving.worklist import Contact, Item, called_of, contacts_of, items_of, scores_of

_REASONS = 6
_CHANGES = 5
"""Changes of the score that are explained, the newest."""
_INSTANT = timedelta(microseconds=1)
Load = Callable[[Store, str], LoadedModel]
"""Gives a published version, or raises a `ModelError`."""


@dataclass(frozen=True)
class Event:
    """Something that happened to a lead."""

    at: datetime
    kind: str
    """handoff, word, note or score."""
    what: str
    by: str | None = None
    text: str | None = None
    value: float | None = None
    return_on: date | None = None
    stands: bool = True
    """Whether a word was not taken back."""


@dataclass(frozen=True)
class Fact:
    """A field of a lead, as it was known at the hand-off and as it is known now."""

    field: str
    then: str
    now: str

    @property
    def is_changed(self) -> bool:
        """Whether it has changed since."""
        return self.then != self.now


@dataclass(frozen=True)
class Record:
    """All there is to say of a lead."""

    history: LeadHistory
    item: Item | None
    """Its line of the worklist; None where sales does not have it, or has answered."""
    score: Score | None
    """By the model that scores now; None without one."""
    facts: Sequence[Fact]
    is_of_handoff: bool
    """Whether the facts tell what was known at the hand-off; else what is known now alone."""
    learnable: Sequence[Learnable]
    cost: Cost | None
    """What its campaign has cost; None where it has no campaign."""
    events: Sequence[Event]
    """The newest first."""
    scores: Sequence[PastScore]
    """Those that differ from the one before."""
    changes: Sequence[Change]
    """Why the last of them did, the newest first."""
    due: date | None
    """When it comes back, where it was recycled."""
    nurture: str
    """The nurture it is in, where the agreement names such a field."""
    product: str
    """What it asked about, likewise."""
    called: str
    """What people call it, likewise."""
    contacts: Sequence[Contact]
    seen: str
    """The newest hand-off and word, so that taking back tells what it takes back."""

    @property
    def last_word(self) -> PastWord | None:
        """What came last of what was said and not taken back."""
        word = self.history.last
        return None if word is None or word.code == "open" else word


def record_of(
    store: Store,
    id_: str,
    agreement: Agreement,
    model: LoadedModel | None,
    load: Load,
    now: datetime,
) -> Record | None:
    """Return the record of a lead, or None where the store does not know it."""
    with store.reading() as connection:
        history = history_of(connection, id_)
        if history is None:
            return None
        handed = history.handoffs[-1].at if history.handoffs else None
        line = line_of(connection, history.key)
        seen = known_of(connection, [history.key], (handed or now) + _INSTANT)
        cost = cost_of(connection, history.campaign) if history.campaign else None
        notes = notes_on(connection, history.key)
        seen_now = newest(connection, history.key)
        due = due_of(connection, agreement, history.key, now)
    known = seen.get(history.key, Known({}, None))
    is_of_handoff = handed is not None and known.before is not None
    (score,) = (None,) if model is None else scores_of(model, [(id_, known.now)], _REASONS)
    item = None
    if line is not None:
        (item,) = items_of([line], {line.key: known}, [False], agreement, model, now)
    distinct = _distinct(history.scores)
    found = changes(distinct[-_CHANGES - 1 :], partial(load, store))
    events = [Event(note.at, "note", "note", note.by, note.text) for note in notes]
    return Record(
        history,
        item,
        score,
        _facts(known, is_of_handoff),
        is_of_handoff,
        [] if model is None else learnable(model, id_, known.now),
        cost,
        sorted([*events, *_events(history, distinct)], key=attrgetter("at"), reverse=True),
        distinct,
        found[::-1],
        due,
        _named(known.now, agreement.columns.nurture),
        _named(known.now, agreement.columns.product),
        called_of(known.now, agreement),
        contacts_of(known.now, agreement),
        seen_now,
    )


def _named(known: Mapping[str, Cell], column: str | None) -> str:
    return text_of(known.get(column)) if column else ""


def _facts(known: Known, is_of_handoff: bool) -> list[Fact]:
    then = known.before if is_of_handoff and known.before is not None else known.now
    names = sorted({*then, *known.now})
    return [Fact(name, text_of(then.get(name)), text_of(known.now.get(name))) for name in names]


def _distinct(scores: Sequence[PastScore]) -> list[PastScore]:
    """Return the scores without those that say the same as the one before."""
    groups = groupby(scores, key=lambda score: (score.model, score.probability, score.grade))
    return [next(same) for _, same in groups]


def _events(history: LeadHistory, scores: Sequence[PastScore]) -> list[Event]:
    passed = [
        Event(handoff.at, "handoff", "handed over", handoff.owner, handoff.team)
        for handoff in history.handoffs
    ]
    said = [
        Event(w.at, "word", w.code, w.by, w.reason, w.value, w.return_on, w.stands)
        for w in history.words
    ]
    scored = [
        Event(score.at, "score", score.grade, None, f"version {score.model}", score.probability)
        for score in scores
    ]
    return [*passed, *said, *scored]
