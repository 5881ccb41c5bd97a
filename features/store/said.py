"""What sales says of a lead: read from the cells of a file or a request, and checked.

One reading for every door. What has one meaning is read; what has none, or two, is told.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple, TypeVar

from features.agreement import Agreement
from features.cells import Cell, Memo, key_of, missing_as_none, number, text_of
from features.leads import Fault
from features.sections import DISPOSITIONS, STEPS
from features.spreadsheet import saved_day, saved_moment
from features.store.layout import Layout, UnreadableError, plain, read_part
from features.store.texts import MAX_NAME, digest_of, fault_of_id, storable

T = TypeVar("T")

MAX_REASON = 2000
"""Characters of a reason; more is a pasted mail, not a reason."""
GRACE = timedelta(days=1)
"""A date without its hour may lie up to a day before the hand-off, or ahead of the clock."""
FEEDBACK = Layout(
    "feedback",
    ("id", "at", "code", "by", "value", "reason", "return_on"),
    needed=("id", "at", "code"),
    others={
        "id": ("lead", "lead_id"),
        "at": ("date", "time", "timestamp", "when"),
        "code": ("disposition", "status", "outcome", "result"),
        "by": ("owner", "rep", "user"),
        "value": ("amount", "deal_value"),
        "reason": ("comment", "note", "notes"),
        "return_on": ("until", "return", "return_date", "follow_up"),
    },
    agreed=lambda agreement: {
        "id": agreement.columns.id,
        "code": agreement.columns.outcome,
        "value": agreement.columns.value,
    },
    free=("by", "reason"),
)
"""What feedback consists of."""
_WITH_VALUE = ("won", "opportunity")
_WITH_RETURN = ("not_ready", "in_contract", "unreachable")


@dataclass(frozen=True, slots=True)
class Said:
    """What sales says of a lead: what became of it, or how far it is."""

    id: str
    code: str
    at: datetime
    by: str | None = None
    value: float | None = None
    reason: str | None = None
    return_on: date | None = None
    told: str | None = None
    """The CRM's own word for the code, as the agreement spells it; None where it was the code."""

    def as_dict(self) -> dict[str, str | float | None]:
        """Return it as JSON values."""
        return {
            "id": self.id,
            "code": self.code,
            "at": self.at.isoformat(),
            "by": self.by,
            "value": self.value,
            "reason": self.reason,
            "return_on": self.return_on.isoformat() if self.return_on else None,
            "told": self.told,
        }

    @classmethod
    def of(cls, content: Mapping[str, str | float | None]) -> Said:
        """Read back what `as_dict` returned."""
        returns = content["return_on"]
        days = {
            "at": datetime.fromisoformat(str(content["at"])),
            "return_on": date.fromisoformat(str(returns)) if returns else None,
        }
        return cls(**{**content, **days})  # type: ignore[arg-type]  # the fields as they were

    @property
    def digest(self) -> str:
        """The same for the same words, so that a replay is known as one."""
        content = [part for name, part in self.as_dict().items() if name != "told"]
        return digest_of(json.dumps(content))


class Reader:
    """Reads feedback by an agreement: its words, its dates, its decimal mark."""

    def __init__(self, agreement: Agreement, both_orders: bool = False) -> None:
        """Read by an agreement.

        Args:
            agreement: what words and dates mean.
            both_orders: whether the dates are written in both orders; see
                `features.spreadsheet.saved_moment`.

        """
        self._headings = FEEDBACK.headings(agreement)
        self._codes = Memo(_code_reader(agreement))
        self._clean = missing_as_none(agreement.export.missing)
        self._decimal = agreement.export.decimal
        self._day_first = agreement.export.day_first
        self._both_orders = both_orders

    def item(self, item: object) -> Said | Fault:
        """Read one item of a request: an object of raw values."""
        cells = FEEDBACK.cells_of(item, self._headings)
        return cells if isinstance(cells, Fault) else self.said(cells)

    def said(self, cells: Mapping[str, Cell]) -> Said | Fault:
        """Read one row of cells by the parts of `FEEDBACK`; those not there are missing."""
        clean = {name: self._clean(value) for name, value in cells.items()}
        try:
            id_, (code, told) = _id(clean.get("id")), self._codes[clean.get("code")]
            return Said(
                id_,
                code,
                self._at(clean.get("at")),
                storable(text_of(clean.get("by"))) or None,
                self._value(clean.get("value")),
                storable(text_of(clean.get("reason"))) or None,
                self._return_on(clean.get("return_on")),
                told,
            )
        except UnreadableError as error:
            return error.fault

    def _at(self, value: Cell) -> datetime:
        if value is None:
            raise UnreadableError("at", None, "the time is missing")
        first = self._day_first
        return read_part("at", value, lambda v: saved_moment(v, first, self._both_orders))

    def _return_on(self, value: Cell) -> date | None:
        if value is None:
            return None
        first = self._day_first
        return read_part("return_on", value, lambda v: saved_day(v, first, self._both_orders))

    def _value(self, value: Cell) -> float | None:
        if value is None:
            return None
        return read_part("value", value, lambda v: number(v, self._decimal))


def _id(value: Cell) -> str:
    text = text_of(value)
    if reason := fault_of_id(text):
        raise UnreadableError("id", value, reason)
    return text


def _code_reader(agreement: Agreement) -> Callable[[Cell], tuple[str, str | None]]:
    """Return what reads a disposition or a step: its own name, or the CRM's word and which."""
    meanings: dict[str, tuple[str, str | None]] = {
        key_of(raw): (code, raw) for raw, code in agreement.raw_outcomes()
    }
    meanings |= {name: (name, None) for name in (*DISPOSITIONS, *STEPS)}

    def code(value: Cell) -> tuple[str, str | None]:
        if value is None:
            raise UnreadableError("code", None, "the disposition is missing")
        key = key_of(value)
        found = meanings.get(key) or meanings.get(re.sub(r"[\s-]+", "_", key))
        if found is None:
            names = ", ".join((*DISPOSITIONS, *STEPS))
            reason = f"is no disposition and no step; say {names}, or a word of [outcomes]"
            raise UnreadableError("code", value, reason)
        return found

    return code


def is_of_feedback(name: str) -> bool:
    """Whether a column of this name tells what became of a lead, whatever the agreement says."""
    return plain(name) in ("code", "disposition")


def fault_of(said: Said, now: datetime) -> Fault | None:
    """Return what is wrong with feedback by itself, or None."""
    if said.at > now + GRACE:
        return Fault("at", said.at.isoformat(), f"lies after now ({now:%Y-%m-%d %H:%M} UTC)")
    if said.value is not None:
        if not math.isfinite(said.value) or said.value < 0:
            return Fault("value", said.value, "a value is a sum of money, 0 or more")
        if said.code not in _WITH_VALUE:
            what = " or ".join(_WITH_VALUE)
            reason = f"a lead that is {said.code} has no value; leave it empty, or say {what}"
            return Fault("value", said.value, reason)
    if said.return_on is not None:
        if said.code not in _WITH_RETURN:
            what = ", ".join(_WITH_RETURN)
            reason = f"only {what} come back; leave it empty for {said.code}"
            return Fault("return_on", said.return_on.isoformat(), reason)
        if said.return_on < said.at.date():
            reason = f"lies before the feedback itself ({said.at:%Y-%m-%d})"
            return Fault("return_on", said.return_on.isoformat(), reason)
    for name, text, most in (("by", said.by, MAX_NAME), ("reason", said.reason, MAX_REASON)):
        if text and len(text) > most:
            # Without the text: it may tell of a person, and erasure could not find it again.
            return Fault(name, None, f"is over {most:,} characters ({len(text):,})")
    return None


class Early(NamedTuple):
    """Feedback from before its lead was handed over or anything else was known of it; it waits."""

    since: datetime
    """When the lead was known first."""

    @property
    def reason(self) -> str:
        """Say why it waits, and the cure."""
        return (
            f"lies before the lead was first handed over or scored ({self.since:%Y-%m-%d %H:%M}); "
            "it waits for an earlier hand-off, or send it again with the right time"
        )


def early(said: Said, since: datetime | None) -> Early | None:
    """Return why feedback must wait though its lead was handed over, or None.

    Args:
        said: the feedback.
        since: when the lead was known first, by hand-off, export or score; None where it was
            never handed over: what sales says of such a lead is as good as the lead is known.

    """
    return None if since is None or said.at >= since - GRACE else Early(since)
