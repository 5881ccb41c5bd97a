"""What an agreement holds: its sections, each checked by itself, and the whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Annotated, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from features.cells import key_of

DISPOSITIONS = ("won", "lost", "unqualified", "not_ready", "in_contract", "unreachable", "open")

STEPS = ("contacted", "accepted", "qualified", "opportunity")
"""How far sales has come with a lead that is not decided yet: SAL is accepted, SQL qualified."""

Disposition = Literal[
    "won", "lost", "unqualified", "not_ready", "in_contract", "unreachable", "open"
]
Learning = Literal["positive", "negative", "censored"]
Kind = Literal["number", "category", "date", "options", "text", "email", "phone"]
Grade = Literal["A", "B", "C", "D"]
GRADES: tuple[Grade, ...] = ("A", "B", "C", "D")
"""From the best on."""
Numbers = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]
Name = Annotated[str, Field(min_length=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Days = Annotated[int, Field(ge=1, le=3650)]
Hours = Annotated[float, Field(gt=0, le=8760)]


class Section(BaseModel):
    """What all sections share: unknown keys are faults, and nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Export(Section):
    """How the export writes its values. What is not said is found out for each file."""

    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    encoding: Name | None = None
    decimal: Literal[".", ","] = "."
    day_first: bool = False
    missing: list[str] = []

    @field_validator("delimiter")
    @classmethod
    def _delimits(cls, value: str | None) -> str | None:
        if value and value in '"\r\n':
            raise ValueError('a quote or a line end cannot delimit; say ",", ";", "\\t" or "|"')
        return value

    @field_validator("encoding")
    @classmethod
    def _encodes(cls, value: str | None) -> str | None:
        try:
            "".encode(value or "utf-8")
        except (LookupError, ValueError):
            raise ValueError(
                "is no text encoding; say one such as utf-8, utf-16 or cp1252"
            ) from None
        return value


class Columns(Section):
    """Which column is what. `serial` stands in for a creation time: later leads have more."""

    id: Name
    outcome: Name
    created: Name | None = None
    serial: Name | None = None
    closed: Name | None = None
    campaign: Name | None = None
    source: Name | None = None
    value: Name | None = None
    propensity: Name | None = None
    """The chance with which a lead was chosen to be worked, above 0 and at most 1."""
    nurture: Name | None = None
    """The nurture of marketing that a lead is in."""
    product: Name | None = None
    """What a lead asked about."""
    called: Name | None = None
    """What people call a lead: a company or a person."""

    @model_validator(mode="after")
    def _one_order(self) -> Self:
        if self.created and self.serial:
            raise ValueError("give created or serial, not both: leads have one order in time")
        for role in ("id", "created", "serial", "closed", "propensity"):
            if getattr(self, role) == self.outcome:
                raise ValueError(f"{self.outcome!r} is named as outcome and as {role}: keep one")
        if self.closed and self.closed == self.created:
            raise ValueError(f"{self.closed!r} is named as created and as closed: keep one")
        return self


class Outcomes(Section):
    """Which raw outcome values mean which disposition. An empty outcome is always open."""

    won: Annotated[list[str], Field(min_length=1)]
    lost: list[str] = []
    unqualified: list[str] = []
    not_ready: list[str] = []
    in_contract: list[str] = []
    unreachable: list[str] = []
    open: list[str] = []

    @model_validator(mode="after")
    def _one_meaning(self) -> Self:
        seen: dict[str, str] = {}
        for disposition in DISPOSITIONS:
            for value in getattr(self, disposition):
                key = key_of(value.strip())
                if not key:
                    raise ValueError(
                        f"{value!r} stands under {disposition}, but an empty outcome is always "
                        "open; remove it"
                    )
                if key in seen:
                    raise ValueError(
                        f"{value!r} stands under {seen[key]} and {disposition}: keep one"
                    )
                seen[key] = disposition
        return self


class LearningRules(Section):
    """What each disposition teaches. `censored` means not yet: neither won nor lost.

    `open = "negative"` counts a lead that is still open after its horizon as not won within it;
    right where sales works every lead, wrong where leads lie untouched.
    """

    won: Literal["positive"] = "positive"
    lost: Learning = "negative"
    unqualified: Learning = "negative"
    not_ready: Learning = "censored"
    in_contract: Learning = "censored"
    unreachable: Learning = "censored"
    open: Literal["negative", "censored"] = "censored"


class Recycle(Section):
    """When a lead that is not ready yet comes back."""

    not_ready_after_days: Days = 90
    in_contract_ahead_days: Days = 60
    unreachable_after_days: Days = 30


class Retention(Section):
    """How long a lead's data is kept after the last thing that happened to it."""

    lead_days: Days | None = None


class FieldUse(Section):
    """Whether a field may be used to predict, how it is read, and why.

    `decide` waits for a human and is left out until then. `why` is the human's word: with it a
    field that looks like a leak is used all the same.
    """

    use: Literal["yes", "no", "decide"]
    kind: Kind = "category"
    separator: str = ";"
    because: str = ""
    why: str = ""


class Rule(Section):
    """One condition on one field: `is`, `at_least`, `at_most` or `filled`."""

    field: Name
    is_: Annotated[list[str] | None, Field(alias="is")] = None
    at_least: float | None = None
    at_most: float | None = None
    filled: bool | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if all(v is None for v in (self.is_, self.at_least, self.at_most, self.filled)):
            raise ValueError("a rule needs one of: is, at_least, at_most, filled")
        return self


class PointsRule(Rule):
    """Points for the leads of which a rule holds: 10 points double the odds, -10 halve them.

    The points of all rules that hold add up. Rules score where no model is shown to be better.
    """

    points: Annotated[int, Field(ge=-100, le=100)]
    why: str = ""


class Persona(Section):
    """A kind of customer that both sides want, by rules over fields, with its material."""

    name: Name
    all: list[Rule]
    material: str = ""


class Route(Section):
    """Who gets a lead: the first route whose rules all hold. No rules: everybody else's."""

    owner: Name
    team: str = ""
    all: list[Rule] = []


class Bar(Section):
    """What counts as an MQL, and from which grade on a lead is handed to sales."""

    mql_probability: Share = 0.1
    handoff_grade: Grade = "C"


class Grades(Section):
    """The lowest probability of each grade; below C is D."""

    A: Share
    B: Share
    C: Share

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.A > self.B > self.C:
            raise ValueError(f"grades must fall: A {self.A} > B {self.B} > C {self.C}")
        return self

    def of(self, probability: float) -> Grade:
        """Return the grade of a probability; a bound belongs to the better grade."""
        if probability >= self.A:
            return "A"
        if probability >= self.B:
            return "B"
        return "C" if probability >= self.C else "D"

    def places(self, probabilities: Numbers) -> Places:
        """Return the same of many, as places in `GRADES`."""
        return 3 - np.searchsorted([self.C, self.B, self.A], probabilities, side="right")


class Capacity(Section):
    """How many leads sales can work."""

    leads_per_day: Annotated[int, Field(ge=1)] = 50


class Gate(Section):
    """What a retrained challenger must show on later leads to take over from the champion.

    Every bound is broken only by what is shown, `sure` of it (one-sided), never by a point alone.
    """

    decide_by: Literal["wins_at_capacity", "log_loss"] = "wins_at_capacity"
    sure: Annotated[float, Field(ge=0.5, lt=1)] = 0.95
    predicted_to_actual_at_least: Annotated[float, Field(gt=0, le=1)] = 0.8
    predicted_to_actual_at_most: Annotated[float, Field(ge=1, le=100)] = 1.25
    large_campaign_wins: Annotated[int, Field(ge=1)] = 20
    most_grade_shift: Share = 0.3
    most_a_leads_lost: Share = 0.25
    too_good: Annotated[float, Field(gt=0, le=1)] = 0.33
    outcomes_agree_at_least: Share = 0.9
    order_kept_at_least: Share = 0.85
    renew_after_days: Days = 90


class Exploration(Section):
    """The share of the calls that goes to leads drawn by lot from below the cut.

    A share of 5 % cost about 2 % of the wins in the closed loop (docs/science.md).
    """

    share: Annotated[float, Field(ge=0, le=0.5)] = 0.02


class Retrain(Section):
    """When `leadq retrain --if-due` acts; one of these is enough, with any new outcome."""

    min_new_outcomes: Annotated[int, Field(ge=1)] = 200
    max_age_days: Days = 90
    drift: Annotated[float, Field(gt=0)] = 0.25
    calibration_off: Annotated[float, Field(gt=0)] = 0.25


class MarketingPromise(Section):
    """What marketing promises sales."""

    leads_graded_a_or_b_per_month: Annotated[int, Field(ge=0)] = 100


class SalesPromise(Section):
    """What sales promises marketing."""

    first_touch_hours: Hours = 24
    disposition_days: Days = 14


class Promises(Section):
    """The service levels (SLAs) of both sides."""

    marketing: MarketingPromise = MarketingPromise()
    sales: SalesPromise = SalesPromise()


class Agreement(Section):
    """The whole of `agreement.toml`, checked."""

    format: Literal[1]
    version: Annotated[int, Field(ge=1)]
    name: Name
    horizon_days: Days = 90
    columns: Columns
    export: Export = Export()
    outcomes: Outcomes
    learning: LearningRules = LearningRules()
    recycle: Recycle = Recycle()
    retention: Retention = Retention()
    grades: Grades
    bar: Bar = Bar()
    capacity: Capacity = Capacity()
    gate: Gate = Gate()
    exploration: Exploration = Exploration()
    retrain: Retrain = Retrain()
    sla: Promises = Promises()
    personas: list[Persona] = []
    routes: list[Route] = []
    fields: dict[str, FieldUse] = {}
    points: list[PointsRule] = []

    @model_validator(mode="after")
    def _open_needs_a_horizon(self) -> Self:
        if self.learning.open == "negative" and not self.columns.created:
            raise ValueError(
                "learning.open: negative needs columns.created: without it no horizon "
                "tells an old open lead from a young one"
            )
        return self

    @model_validator(mode="after")
    def _roles_are_no_features(self) -> Self:
        known_later = (self.columns.outcome, self.columns.closed, self.columns.id)
        for name in known_later:
            if name in self.fields and self.fields[name].use == "yes":
                raise ValueError(
                    f"fields.{name!r}: the id, the outcome and the closing time tell "
                    "the answer and cannot be used to predict; remove the line"
                )
        chosen = self.columns.propensity
        if chosen in self.fields and self.fields[chosen].use == "yes":
            raise ValueError(
                f"fields.{chosen!r}: the propensity tells how leads were chosen, and new leads "
                "have none yet; it cannot be used to predict; remove the line"
            )
        return self

    @property
    def label(self) -> str:
        """The version with the beginning of the text's digest: `1-3f9a2c1b`."""
        return f"{self.version}-{self.digest[:8]}"

    @property
    def digest(self) -> str:
        """SHA-256 of everything agreed, in hex; signatures and layout do not change it.

        Defaults are left out, so that a newer leadq with more sections does not unsign a text.
        """
        agreed = self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        text = json.dumps(agreed, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def order_column(self) -> str | None:
        """The column that puts leads in time: creation time, a serial, or none."""
        return self.columns.created or self.columns.serial

    def as_dict(self) -> dict[str, object]:
        """Everything agreed as plain JSON values."""
        return self.model_dump(mode="json", by_alias=True)

    def used_fields(self) -> dict[str, FieldUse]:
        """The fields that may be used to predict, in the order of the file."""
        return {name: field for name, field in self.fields.items() if field.use == "yes"}

    def raw_outcomes(self) -> Iterator[tuple[str, Disposition]]:
        """Every raw outcome value with its disposition."""
        for disposition in Outcomes.model_fields:
            for value in getattr(self.outcomes, disposition):
                yield value, disposition  # type: ignore[misc]  # the fields are the dispositions
