"""The tables of the store. What happened is only ever added; a correction is a new row.

Times are UTC without a zone mark, as everywhere in leadq.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import (
    BigInteger,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    and_,
    literal_column,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

Key = BigInteger().with_variant(Integer, "sqlite")
"""A number that the database counts up; SQLite counts only what it calls INTEGER."""


class Row(DeclarativeBase):
    """What all tables share."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Lead(Row):
    """A lead, once; what was known of it stands in its snapshots."""

    __tablename__ = "leads"
    __table_args__ = (Index(None, "campaign"),)

    key: Mapped[int] = mapped_column(Key, primary_key=True)
    id: Mapped[str] = mapped_column(Text, unique=True)
    """As the CRM calls it; after erasure a name that leads nowhere."""
    created: Mapped[datetime | None]
    campaign: Mapped[str | None] = mapped_column(Text)
    source: Mapped[str | None] = mapped_column(Text)
    added: Mapped[datetime]
    erased: Mapped[datetime | None]
    """When its data was erased; such a lead is counted and teaches nothing."""


class Snapshot(Row):
    """A lead as it was known at a moment; written once, never changed."""

    __tablename__ = "snapshots"
    __table_args__ = (Index(None, "lead", "at"),)

    key: Mapped[int] = mapped_column(Key, primary_key=True)
    lead: Mapped[int] = mapped_column(ForeignKey("leads.key"))
    at: Mapped[datetime]
    origin: Mapped[str] = mapped_column(String(16))
    """handoff, export or score."""
    digest: Mapped[str] = mapped_column(String(32))
    fields: Mapped[str] = mapped_column(Text)
    """JSON, fields in the order of their names; what is missing is not there."""


class Handoff(Row):
    """A lead passed from marketing to sales."""

    __tablename__ = "handoffs"
    __table_args__ = (UniqueConstraint("lead", "at"), Index(None, "at"))

    key: Mapped[int] = mapped_column(Key, primary_key=True)
    lead: Mapped[int] = mapped_column(ForeignKey("leads.key"))
    at: Mapped[datetime]
    owner: Mapped[str | None] = mapped_column(Text)
    team: Mapped[str | None] = mapped_column(Text)
    snapshot: Mapped[int] = mapped_column(ForeignKey("snapshots.key"))


class Disposition(Row):
    """What sales said of a lead, also the steps on the way."""

    __tablename__ = "dispositions"
    __table_args__ = (
        UniqueConstraint("lead", "digest"),
        Index(None, "lead", "at"),
        Index(None, "at"),
    )

    key: Mapped[int] = mapped_column(Key, primary_key=True)
    lead: Mapped[int] = mapped_column(ForeignKey("leads.key"))
    at: Mapped[datetime]
    code: Mapped[str] = mapped_column(String(16))
    told: Mapped[str | None] = mapped_column(Text)
    """The CRM's own word for it, as the agreement spells it, where it came by one."""
    by: Mapped[str | None] = mapped_column(Text)
    value: Mapped[float | None] = mapped_column(Float)
    reason: Mapped[str | None] = mapped_column(Text)
    return_on: Mapped[date | None]
    origin: Mapped[str] = mapped_column(String(16))
    """rest, file or page: sales said it; export: a CRM's export told it."""
    closed: Mapped[datetime | None]
    """Of an export: when it came about, where the export says so; `at` is when it was learned."""
    agreement: Mapped[str | None] = mapped_column(String(24))
    received: Mapped[datetime]
    digest: Mapped[str] = mapped_column(String(32))
    """Of all that was said, so that saying it again adds nothing."""


TAKES_BACK = and_(
    Disposition.code == literal_column("'open'"), Disposition.origin == literal_column("'page'")
)
"""Whether a disposition takes back the one before it; see `states`."""
Index(
    "ix_dispositions_taken_back",
    Disposition.lead,
    sqlite_where=TAKES_BACK,
    postgresql_where=TAKES_BACK,
)


class Waiting(Row):
    """Feedback on a lead that nobody has handed over yet; it is applied when the lead arrives."""

    __tablename__ = "waiting"
    __table_args__ = (UniqueConstraint("lead_id", "digest"),)

    key: Mapped[int] = mapped_column(Key, primary_key=True)
    lead_id: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(String(32))
    said: Mapped[str] = mapped_column(Text)
    """The feedback as JSON, checked."""
    origin: Mapped[str] = mapped_column(String(16))
    agreement: Mapped[str | None] = mapped_column(String(24))
    received: Mapped[datetime]


class Score(Row):
    """A score that was given, and in which lane of the queue the lead stood by it."""

    __tablename__ = "scores"
    __table_args__ = (
        UniqueConstraint("lead", "at", "model"),
        Index(None, "model", "at"),
        Index(None, "at"),
    )

    key: Mapped[int] = mapped_column(Key, primary_key=True)
    lead: Mapped[int] = mapped_column(ForeignKey("leads.key"))
    at: Mapped[datetime]
    model: Mapped[str] = mapped_column(String(16))
    """The registered version."""
    agreement: Mapped[str] = mapped_column(String(24))
    probability: Mapped[float] = mapped_column(Float)
    grade: Mapped[str] = mapped_column(String(1))
    lane: Mapped[str | None] = mapped_column(String(16))
    """model or exploration; None where no queue was drawn."""
    propensity: Mapped[float | None] = mapped_column(Float)
    """The probability with which the lane drew the lead."""
    snapshot: Mapped[int | None] = mapped_column(ForeignKey("snapshots.key"))
    expected_value: Mapped[float | None] = mapped_column(Float)
    """Probability times the value if won; None where the model knows no values."""


class Spend(Row):
    """What a campaign cost on a day."""

    __tablename__ = "spend"

    campaign: Mapped[str] = mapped_column(Text, primary_key=True)
    date: Mapped[date] = mapped_column(primary_key=True)
    amount: Mapped[float] = mapped_column(Float)
    visits: Mapped[int | None] = mapped_column(BigInteger)


class AgreementText(Row):
    """An agreement as it was used or signed, by its digest."""

    __tablename__ = "agreements"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    version: Mapped[int] = mapped_column(Integer)
    content: Mapped[str] = mapped_column(Text)
    """Everything agreed as JSON."""
    seen: Mapped[datetime]


class Signature(Row):
    """Who signed which text for which side."""

    __tablename__ = "signatures"
    __table_args__ = (UniqueConstraint("digest", "side", "by"),)

    key: Mapped[int] = mapped_column(Key, primary_key=True)
    digest: Mapped[str] = mapped_column(ForeignKey("agreements.digest"))
    side: Mapped[str] = mapped_column(String(16))
    by: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]


class Promotion(Row):
    """A model that became champion, and the one it followed."""

    __tablename__ = "promotions"

    key: Mapped[int] = mapped_column(Key, primary_key=True)
    at: Mapped[datetime]
    model: Mapped[str] = mapped_column(String(16))
    digest: Mapped[str] = mapped_column(String(64))
    """Of the artefact."""
    previous: Mapped[str | None] = mapped_column(String(16))
    act: Mapped[str] = mapped_column(String(16))
    """train, retrain, promote or rollback."""
    why: Mapped[str] = mapped_column(Text)


class PublishedModel(Row):
    """A registered model's files, from which every service loads it; no registry is asked."""

    __tablename__ = "published_models"

    model: Mapped[str] = mapped_column(String(16), primary_key=True)
    """The registered version."""
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    """Of the artefact."""
    content: Mapped[bytes] = mapped_column(LargeBinary)
    """The artefact's files in one archive."""
    at: Mapped[datetime]


class ApiKey(Row):
    """Who may use the service for what; of the key itself only a keyed hash is kept."""

    __tablename__ = "api_keys"

    key: Mapped[int] = mapped_column(Key, primary_key=True)
    prefix: Mapped[str] = mapped_column(String(16), unique=True)
    """The key's beginning, by which it is named and found."""
    hash: Mapped[str] = mapped_column(String(64))
    """HMAC-SHA-256 of the whole key, in hex."""
    name: Mapped[str] = mapped_column(Text)
    scopes: Mapped[str] = mapped_column(Text)
    """Of score, feedback, read, admin, sales, marketing; joined by commas, in this order."""
    created: Mapped[datetime]
    expires: Mapped[datetime | None]
    used: Mapped[datetime | None]
    """About when it was last used."""
    revoked: Mapped[datetime | None]


class Hook(Row):
    """An address that is told of events."""

    __tablename__ = "hooks"

    key: Mapped[int] = mapped_column(Key, primary_key=True)
    url: Mapped[str] = mapped_column(Text)
    events: Mapped[str] = mapped_column(Text)
    """Joined by commas."""
    grades: Mapped[str] = mapped_column(String(16))
    """The grades of which a score is told, such as AB."""
    created: Mapped[datetime]
    removed: Mapped[datetime | None]


class Delivery(Row):
    """An event on its way to a hook; what could not be delivered stays as a dead letter."""

    __tablename__ = "deliveries"
    __table_args__ = (UniqueConstraint("hook", "event"), Index(None, "due"), Index(None, "lead"))

    key: Mapped[int] = mapped_column(Key, primary_key=True)
    hook: Mapped[int] = mapped_column(ForeignKey("hooks.key"))
    event: Mapped[str] = mapped_column(String(64))
    """The event's name, the same each time it is sent."""
    lead: Mapped[int | None] = mapped_column(ForeignKey("leads.key"))
    """Whom it tells of, so that erasure finds it."""
    body: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]
    tries: Mapped[int] = mapped_column(Integer)
    due: Mapped[datetime | None]
    """When it is to be sent next; None: delivered, or given up."""
    delivered: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(Text)
    """Why the last try failed."""


class Job(Row):
    """Work that only one process may do at a time, held by a lease that must be renewed."""

    __tablename__ = "jobs"
    key: Mapped[int] = mapped_column(Key, primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    worker: Mapped[str] = mapped_column(Text)
    started: Mapped[datetime]
    heartbeat: Mapped[datetime]
    lease_until: Mapped[datetime]
    ended: Mapped[datetime | None]
    result: Mapped[str | None] = mapped_column(Text)


_RUNNING = Job.ended.is_(None)
Index("uq_jobs_running", Job.kind, unique=True, sqlite_where=_RUNNING, postgresql_where=_RUNNING)


class Audit(Row):
    """Who did what that others must be able to trace; no lead's data."""

    __tablename__ = "audit"

    key: Mapped[int] = mapped_column(Key, primary_key=True)
    at: Mapped[datetime]
    who: Mapped[str] = mapped_column(Text)
    act: Mapped[str] = mapped_column(String(32))
    what: Mapped[str] = mapped_column(Text)


class Reply(Row):
    """The answer to a request with an idempotency key, given again when the request comes again."""

    __tablename__ = "replies"
    __table_args__ = (Index(None, "at"),)

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    request: Mapped[str] = mapped_column(String(64))
    """SHA-256 of what was sent."""
    reply: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]


class Note(Row):
    """What somebody has to say of a campaign, or of a lead."""

    __tablename__ = "notes"
    __table_args__ = (Index(None, "campaign", "at"), Index(None, "lead"))

    key: Mapped[int] = mapped_column(Key, primary_key=True)
    campaign: Mapped[str | None] = mapped_column(Text)
    lead: Mapped[int | None] = mapped_column(ForeignKey("leads.key"))
    """Which gave the reason."""
    text: Mapped[str] = mapped_column(Text)
    by: Mapped[str | None] = mapped_column(Text)
    at: Mapped[datetime]


class Decision(Row):
    """What was decided at a meeting of both sides."""

    __tablename__ = "decisions"

    key: Mapped[int] = mapped_column(Key, primary_key=True)
    at: Mapped[datetime]
    text: Mapped[str] = mapped_column(Text)
    owner: Mapped[str] = mapped_column(Text)
    due: Mapped[date]
    consequence: Mapped[str] = mapped_column(Text)
    """What happens where it is not done."""
    done_at: Mapped[datetime | None]
    by: Mapped[str] = mapped_column(Text)


class SideAnswer(Row):
    """How one side says that it goes, once a week."""

    __tablename__ = "answers"
    __table_args__ = (Index(None, "week", "side", "by", unique=True),)

    key: Mapped[int] = mapped_column(Key, primary_key=True)
    week: Mapped[str] = mapped_column(String(8))
    """As 2026-W47."""
    side: Mapped[str] = mapped_column(String(16))
    """sales or marketing."""
    mark: Mapped[int] = mapped_column(Integer)
    """1 (badly) to 5 (well)."""
    comment: Mapped[str | None] = mapped_column(Text)
    by: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]
