"""What is drawn from what happened, and kept so that pages are quick.

Whatever is written of a lead, its lines here are drawn anew within the same write; drawn from the
events again they are the same.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Float, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from features.store.tables import Key, Row


class Worklist(Row):
    """The leads that sales has and has not answered: drawn from what happened, kept to be quick."""

    __tablename__ = "worklist"
    __table_args__ = (Index(None, "worth", "lead"),)

    lead: Mapped[int] = mapped_column(
        Key, ForeignKey("leads.key"), primary_key=True, autoincrement=False
    )
    handed: Mapped[datetime]
    """The last hand-off."""
    owner: Mapped[str | None] = mapped_column(Text)
    team: Mapped[str | None] = mapped_column(Text)
    campaign: Mapped[str | None] = mapped_column(Text)
    touched: Mapped[datetime | None]
    """The newest step of sales since the hand-off."""
    step: Mapped[str | None] = mapped_column(String(16))
    scored: Mapped[datetime | None]
    model: Mapped[str | None] = mapped_column(String(16))
    """Which gave the newest score."""
    probability: Mapped[float | None] = mapped_column(Float)
    expected_value: Mapped[float | None] = mapped_column(Float)
    grade: Mapped[str | None] = mapped_column(String(1))
    lane: Mapped[str | None] = mapped_column(String(16))
    """Of the hand-off; not shown before the lead is answered."""
    worth: Mapped[float] = mapped_column(Float)
    """By which the list is ordered."""


class LeadState(Row):
    """Each lead as it stands now: drawn from what happened, kept to be quick; see `lead_states`."""

    __tablename__ = "lead_states"
    __table_args__ = tuple(
        Index(None, name) for name in ("created", "scored", "code", "sal", "sql", "opportunity")
    )

    lead: Mapped[int] = mapped_column(
        Key, ForeignKey("leads.key"), primary_key=True, autoincrement=False
    )
    created: Mapped[datetime]
    """Without a creation time: when it was first heard of."""
    campaign: Mapped[str | None] = mapped_column(Text)
    source: Mapped[str | None] = mapped_column(Text)
    scored: Mapped[datetime | None]
    """When the first score was given: what was promised before anything became of it."""
    model: Mapped[str | None] = mapped_column(String(16))
    probability: Mapped[float | None] = mapped_column(Float)
    expected_value: Mapped[float | None] = mapped_column(Float)
    grade: Mapped[str | None] = mapped_column(String(1))
    snapshot: Mapped[int | None] = mapped_column(Key)
    """As the lead was known at that score."""
    word: Mapped[int | None] = mapped_column(Key)
    """The disposition that counts; None: nobody said anything, or steps alone."""
    code: Mapped[str | None] = mapped_column(String(16))
    told: Mapped[str | None] = mapped_column(Text)
    """By which word of the CRM, where that is known."""
    said: Mapped[datetime | None]
    ended: Mapped[datetime | None]
    """When that came about; an export may say it later."""
    value: Mapped[float | None] = mapped_column(Float)
    """Of a win, also where sales says that it was won and the export what it is worth."""
    return_on: Mapped[date | None]
    reason: Mapped[str | None] = mapped_column(Text)
    stepped: Mapped[datetime | None]
    """The newest step."""
    accepted: Mapped[int] = mapped_column(Integer)
    """Whether sales has accepted it, 1 or 0; a win aside."""
    sal: Mapped[datetime | None]
    """When sales first accepted it, or more."""
    sql: Mapped[datetime | None]
    """When sales first confirmed a possibility, or more."""
    opportunity: Mapped[datetime | None]
    """When sales first said that it was an opportunity, or won."""
    handed: Mapped[datetime | None]
    """The newest hand-off."""
    erased: Mapped[int] = mapped_column(Integer)
    """1 where its data was erased, else 0."""


class HandoffState(Row):
    """Each hand-off with what sales did with it before the next one; see `handoff_states`."""

    __tablename__ = "handoff_states"
    __table_args__ = (Index(None, "lead"), Index(None, "at"))

    handoff: Mapped[int] = mapped_column(
        Key, ForeignKey("handoffs.key"), primary_key=True, autoincrement=False
    )
    lead: Mapped[int] = mapped_column(ForeignKey("leads.key"))
    at: Mapped[datetime]
    owner: Mapped[str | None] = mapped_column(Text)
    team: Mapped[str | None] = mapped_column(Text)
    first: Mapped[int] = mapped_column(Integer)
    """1 for the lead's first hand-off, else 0."""
    following: Mapped[datetime | None]
    """When the lead was handed over again."""
    touched: Mapped[datetime | None]
    """When sales first said anything of it."""
    answered: Mapped[datetime | None]
    """When it first got a disposition."""
    accepted: Mapped[datetime | None]
    """When sales first accepted it, or more."""
    rejected: Mapped[datetime | None]
    """When sales first said that it was unqualified."""
    won: Mapped[datetime | None]
    score: Mapped[int | None] = mapped_column(Key)
    """The newest score at the hand-off."""
    probability: Mapped[float | None] = mapped_column(Float)
    grade: Mapped[str | None] = mapped_column(String(1))
