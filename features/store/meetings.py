"""What both sides decide when they meet, and how each says that it goes."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, insert, or_, select, update

from features.errors import UsageError
from features.store.agreements import Side
from features.store.audit import audit
from features.store.tables import Decision, SideAnswer
from features.store.texts import MAX_NAME, storable

MAX_TEXT = 2000
"""Characters of a decision, a consequence or a comment."""
ERASED = "[erased]"
"""In place of a person's name."""
_WRITTEN: dict[type[Decision] | type[SideAnswer], tuple[str, ...]] = {
    Decision: ("text", "owner", "consequence"),
    SideAnswer: ("comment",),
}
"""What people write in words of their own."""
MARKS = (1, 2, 3, 4, 5)
"""From badly to well."""


@dataclass(frozen=True)
class Decided:
    """What was decided: who does it, by when, and what happens where it is not done."""

    key: int
    at: datetime
    text: str
    owner: str
    due: date
    consequence: str
    done_at: datetime | None
    by: str

    def is_missed(self, today: date) -> bool:
        """Whether its day has passed and it is not done."""
        return self.done_at is None and self.due < today


@dataclass(frozen=True)
class Answer:
    """How one side said that a week went."""

    week: str
    side: Side
    mark: int
    comment: str | None
    by: str
    at: datetime


def decide(
    connection: Connection,
    text: str,
    owner: str,
    due: date,
    consequence: str,
    by: str,
    who: str,
    now: datetime,
) -> int:
    """Write a decision down and return its key.

    Args:
        connection: of a write.
        text: what was decided.
        owner: who does it.
        due: by when.
        consequence: what happens where it is not done.
        by: who writes it down, as colleagues call them,
        who: and as the audit log does.
        now: this moment.

    Raises:
        UsageError: when a text is empty or too long, or the day has passed.

    """
    if due < now.date():
        raise UsageError(f"the day {due} has passed; say by when it will be done")
    row = {
        "text": _said("the decision", text, MAX_TEXT),
        "owner": _said("who does it", owner, MAX_NAME),
        "consequence": _said("what happens otherwise", consequence, MAX_TEXT),
        "by": by,
        "due": due,
        "at": now,
    }
    added = insert(Decision).values(**row).returning(Decision.key)
    key = int(connection.execute(added).scalar_one())
    audit(connection, "decide", f"decision {key}", who, now)
    return key


def mark_done(connection: Connection, key: int, who: str, now: datetime) -> None:
    """Write down that a decision is carried out; said again it changes nothing.

    Raises:
        UsageError: when there is no such decision.

    """
    open_ = update(Decision).where(Decision.key == key, Decision.done_at.is_(None))
    if connection.execute(open_.values(done_at=now)).rowcount:
        audit(connection, "done", f"decision {key}", who, now)
    elif connection.execute(select(Decision.key).where(Decision.key == key)).first() is None:
        raise UsageError(f"there is no decision {key}")


def decisions(connection: Connection, since: datetime, until: datetime) -> list[Decided]:
    """Return the decisions made before `until` that were open at some time since, by due day."""
    rows = (
        select(Decision.key, Decision.at, Decision.text, Decision.owner, Decision.due)
        .add_columns(Decision.consequence, Decision.done_at, Decision.by)
        .where(or_(Decision.done_at.is_(None), Decision.done_at >= since), Decision.at < until)
        .order_by(Decision.due, Decision.key)
    )
    return [Decided(*row) for row in connection.execute(rows)]


def answer(
    connection: Connection,
    week: str,
    side: Side,
    mark: int,
    comment: str,
    by: str,
    who: str,
    now: datetime,
) -> None:
    """Write down how a side says that a week went; who answers again changes the own answer.

    `by` is the name that colleagues know, `who` the one in the audit log.

    Raises:
        UsageError: when the mark is none, or the comment too long.

    """
    if mark not in MARKS:
        raise UsageError(f"{mark} is no mark; say {MARKS[0]} (badly) to {MARKS[-1]} (well)")
    said = storable(comment).strip()
    if len(said) > MAX_TEXT:
        raise UsageError(f"a comment has {MAX_TEXT:,} characters at most ({len(said):,})")
    row = {"week": week, "side": side, "by": by}
    told = {"mark": mark, "comment": said or None, "at": now}
    if not connection.execute(update(SideAnswer).filter_by(**row).values(**told)).rowcount:
        connection.execute(insert(SideAnswer).values(**row, **told))
    audit(connection, "answer", f"{side} for {week}", who, now)


def answers(connection: Connection, weeks: Sequence[str]) -> list[Answer]:
    """Return what the sides answered for some weeks, in their order."""
    rows = (
        select(SideAnswer.week, SideAnswer.side, SideAnswer.mark, SideAnswer.comment)
        .add_columns(SideAnswer.by, SideAnswer.at)
        .where(SideAnswer.week.in_(weeks))
        .order_by(SideAnswer.week, SideAnswer.side, SideAnswer.at, SideAnswer.key)
    )
    return [Answer(*row) for row in connection.execute(rows)]


def forget_names(
    connection: Connection, names: Collection[str], stays: Callable[[str], bool]
) -> None:
    """Take names of a person out of what meetings have written down.

    A number of up to four digits may be any number and stays.

    Args:
        connection: of a write.
        names: ids and addresses, each found as a word of its own.
        stays: tells of one that was found, as it was written, whether it stays.

    """
    long = [name for name in names if name and not re.fullmatch(r"\d{1,4}", name)]
    if not long:
        return
    pattern = re.compile("|".join(rf"(?<!\w){re.escape(n)}(?!\w)" for n in long), re.IGNORECASE)

    def left_of(found: re.Match[str]) -> str:
        return found[0] if stays(found[0]) else ERASED

    for table, fields in _WRITTEN.items():
        texts = [getattr(table, field) for field in fields]
        named = or_(*(text.icontains(n, autoescape=True) for text in texts for n in long))
        for key, *told in connection.execute(select(table.key, *texts).where(named)).all():
            left = [text and pattern.sub(left_of, text) for text in told]
            changed = dict(zip(fields, left, strict=True))
            connection.execute(update(table).where(table.key == key).values(**changed))


def _said(what: str, text: str, most: int) -> str:
    said = storable(text).strip()
    if not said or len(said) > most:
        raise UsageError(f"{what}: say it in 1 to {most:,} characters (found {len(said):,})")
    return said
