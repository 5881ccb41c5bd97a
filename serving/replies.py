"""What the API says: scores, errors in their place, warnings, and facts of the model."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, NamedTuple

import orjson
from pydantic import BaseModel, Field, PlainSerializer

from features.cells import Cell, text_of
from features.leads import NESTED_ID, Fault, Faults, Lead
from serving.artefact import LoadedModel, lead_of_cells
from serving.kernel import MOST
from serving.problems import Problem, problem
from serving.scorer import Pause, Scorer, Told, go_on
from serving.segments import Scored


def _in_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)


Moment = Annotated[datetime, PlainSerializer(_in_utc, return_type=datetime)]
"""A moment of the store, which keeps UTC; a reply says so by its Z."""


class ReasonReply(BaseModel):
    """What one field does to the odds of this lead, against the average lead."""

    field: str
    value: str | None
    direction: Literal["up", "down"]
    log_odds: float
    text: str


class ResultReply(BaseModel):
    """The score of one lead, or the error in its place."""

    id: str | None
    probability: float | None = Field(None, ge=0, le=1)
    probability_low: float | None = Field(
        None,
        description="Lower end of the 90 % interval of the share won among leads with this score.",
    )
    probability_high: float | None = Field(None, description="Upper end of that interval.")
    grade: Literal["A", "B", "C", "D"] | None = None
    reasons: list[ReasonReply] = []
    base_log_odds: float | None = Field(None, description="Where an average lead starts.")
    rest_log_odds: float | None = Field(None, description="The sum of all other fields.")
    expected_value: float | None = Field(
        None,
        description="Probability × value given won; null where no value column is agreed.",
    )
    expected_days: float | None = Field(
        None,
        description="If it is won, half of such leads are within so many days of creation.",
    )
    warnings: list[str] = []
    error: Problem | None = None


class ScoreReply(BaseModel):
    """The results, in the order of the input."""

    model_version: str
    agreement_version: str
    results: list[ResultReply]


class Status(BaseModel):
    """How the service is."""

    status: Literal["alive", "ready"]
    model_version: str | None = Field(None, description="The version that scores.")
    detail: str | None = Field(None, description="Why the newest champion does not score.")


class ModelReply(BaseModel):
    """The model that scores."""

    model_version: str
    digest: str
    agreement_version: str
    agreement_standing: str | None = Field(
        description="Who signed the agreement; null where no store can tell."
    )
    horizon_days: int
    fields: list[str]
    facts: dict[str, Any]

    @classmethod
    def of(cls, model: LoadedModel, standing: str | None) -> ModelReply:
        """Describe a loaded model, and who signed what it was trained under."""
        scorer = model.artefact.scorer
        return cls(
            model_version=model.version,
            digest=model.digest,
            agreement_version=scorer.agreement.label,
            agreement_standing=standing,
            horizon_days=scorer.agreement.horizon_days,
            fields=[field.field for field in scorer.encoder.fields],
            facts=model.artefact.facts,
        )


def openapi_example(model: LoadedModel) -> dict[str, Any]:
    """Return a synthetic lead that the model scores without an error."""
    return {k: v for k, v in model.artefact.golden[0].items() if v is not None}


class Replied(NamedTuple):
    """What is said of some records."""

    results: list[bytes]
    """Of each as JSON, in their order."""
    scored: list[Scored]
    """Those that are leads, as they were read."""
    refused: Collection[int]
    """The positions of the others."""


def score_records(model: LoadedModel, records: list[Any], reasons: int) -> dict[str, Any]:
    """Return what is said of raw records as JSON values; see `replied`."""
    results = [json.loads(result) for result in replied(model, records, reasons).results]
    agreed = model.artefact.scorer.agreed
    return {"model_version": model.version, "agreement_version": agreed, "results": results}


def replied(model: LoadedModel, records: list[Any], reasons: int, pause: Pause = go_on) -> Replied:
    """Score raw records; what cannot be scored gets an error in its place.

    Args:
        model: what scores.
        records: objects as they were sent.
        reasons: how many for each lead.
        pause: is called between the steps.

    """
    scorer = model.artefact.scorer
    caution = [said] if (said := model.artefact.facts.get("caution")) else []
    faults: Faults = {}
    usable = [_usable(scorer, i, record, faults) for i, record in enumerate(records)]
    leads = _leads(scorer, usable, faults)
    pause()
    results: list[bytes] = []
    scored: list[Scored] = []
    for start in range(0, len(leads), MOST):
        some = leads[start : start + MOST]
        told = scorer.score_few(some, reasons, pause)
        pause()
        results += [
            dumped(_result(lead, [*_unknown(lead.lead.cells, scorer), *lead.warnings(), *caution]))
            for lead in told
        ]
        scored += [
            Scored(
                *(lead.lead.id, lead.lead.created, lead.probability, lead.grade),
                *(lead.expected_value, lead.lead.cells),
            )
            for lead in told
        ]
    if faults:
        found = iter(results)
        results = [
            _error(cells, faults[i], scorer) if i in faults else next(found)
            for i, cells in enumerate(usable)
        ]
    return Replied(results, scored, faults)


def _leads(scorer: Scorer, usable: Sequence[dict[str, Cell]], faults: Faults) -> list[Lead]:
    """Return the leads among cells of records; what is none is added to the faults."""
    leads = []
    for i, cells in enumerate(usable):
        if i in faults:
            continue
        lead = lead_of_cells(cells, scorer, i + 1)
        if isinstance(lead, Fault):
            faults[i] = lead
        else:
            leads.append(lead)
    return leads


def _usable(scorer: Scorer, position: int, record: Any, faults: Faults) -> dict[str, Cell]:
    """Return the record's cells if it is an object of single values, else note the fault."""
    if not isinstance(record, dict):
        faults[position] = Fault("", None, "a lead must be an object: its fields by name")
        return {}
    name = scorer.agreement.columns.id
    if isinstance(record.get(name), list) and record[name]:
        faults[position] = Fault(name, None, NESTED_ID)
        return {}
    try:
        if "".join(record).isascii():  # so are the names of most, and no value is at fault
            return scorer.cells(record)
    except (ValueError, OverflowError):
        pass
    cell, clean = scorer.cell, {}
    for name, value in record.items():
        try:
            clean[name if name.isascii() else _readable(name)] = cell(value)
        except (ValueError, OverflowError) as error:
            if name in scorer.read_names:
                reason = "half a character" if isinstance(error, UnicodeError) else str(error)
                faults[position] = Fault(name, None, reason)
    return clean


def _readable(name: str) -> str:
    """Return a field's name as a reply can repeat it."""
    return name.encode("utf-8", "replace").decode()


def _error(record: dict[str, Cell], fault: Fault, scorer: Scorer) -> bytes:
    # The reason is our own sentence; the value itself stays out of the reply.
    return refused(_id(record, scorer), 422, _without_value(fault), fault.field)


def refused(id_: str | None, status: int, reason: str, field: str) -> bytes:
    """Return the result of a lead that cannot be scored."""
    found = problem(status, reason, field or None).model_dump(exclude_none=True)
    return dumped({"id": id_, "error": found, "warnings": []})


def _without_value(fault: Fault) -> str:
    if fault.value is None:
        return fault.reason
    return f"{fault.field}: the value cannot be read; send ISO 8601 for times"


def _id(record: dict[str, Cell], scorer: Scorer) -> str | None:
    found = record.get(scorer.agreement.columns.id)
    return text_of(found) or None


def _unknown(record: Mapping[str, Cell], scorer: Scorer) -> list[str]:
    """Return warnings of names that the agreement does not know."""
    if scorer.known_names.issuperset(record):
        return []
    unknown = [name for name in record if name not in scorer.known_names]
    return [f"{name}: is not in the agreement and was ignored" for name in unknown]


def _result(told: Told, warnings: list[str]) -> dict[str, Any]:
    """Return what is said of a lead."""
    why = told.why
    return {
        "id": told.lead.id,
        "probability": told.probability,
        "probability_low": told.probability_low,
        "probability_high": told.probability_high,
        "grade": told.grade,
        "reasons": [
            {
                "field": field,
                "value": value,
                "direction": direction,
                "log_odds": log_odds,
                "text": text,
            }
            for (field, value, direction, text), log_odds in zip(
                why.kinds, why.effects, strict=True
            )
        ],
        "base_log_odds": why.base,
        "rest_log_odds": why.rest,
        "expected_value": told.expected_value,
        "expected_days": told.expected_days,
        "warnings": warnings,
    }


def dumped(value: object) -> bytes:
    """Return JSON, also of what orjson refuses."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value).encode()
