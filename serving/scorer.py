"""From leads to probabilities, grades and reasons: the one definition of a score.

REST, the nightly batch, MLflow's pyfunc and the evaluation in training all call `Scorer`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from typing import NamedTuple

import numpy as np

from features.agreement import Agreement, Grade
from features.cells import Cell, cell_reader, record_reader
from features.encoder import Encoder, FieldEncoder, Matrix
from features.leads import Lead, Leads
from serving.columns import ScoredColumns, reasons_of, warnings_of
from serving.interval import Interval
from serving.kernel import Few, Sums, sigmoids
from serving.members import Member, Vector
from serving.reasons import MATTERS, MISSED, NOTHING, Explained, Reason, Words, explain
from serving.spread import Spread
from serving.timing import Timing
from serving.value import ValueModel

Pause = Callable[[], object]
"""What is called between two steps of scoring many leads, none of which takes a millisecond."""


def go_on() -> None:
    """Go on without a pause."""


@dataclass(frozen=True)
class Blend:
    """Members added on the log-odds scale.

    Weights and calibration are affine and are folded into the members when they are fitted, so
    the sum is the calibrated log-odds and the members' contributions are exact for it.
    """

    members: tuple[Member, ...]
    offset: float = 0.0

    def log_odds(self, matrix: Matrix) -> Vector:
        """Return the calibrated log-odds, shape (rows,)."""
        total = np.full(len(matrix), self.offset)
        for member in self.members:
            total += member.log_odds(matrix)
        return total

    def explained(self, matrix: Matrix) -> tuple[Vector, Matrix]:
        """Return the same, and each column's part of it, the base last.

        The shapes are (rows,) and (rows, columns + 1).
        """
        total = np.full(len(matrix), self.offset)
        parts = np.zeros((len(matrix), matrix.shape[1] + 1))
        for member in self.members:
            log_odds, own = member.explained(matrix)
            total += log_odds
            parts += own
        parts[:, -1] += self.offset
        return total, parts


class Score(NamedTuple):
    """What leadq says of one lead."""

    id: str
    probability: float
    grade: Grade
    reasons: tuple[Reason, ...]
    base_log_odds: float | None
    """Where an average lead starts; None when no reasons were asked for."""
    rest_log_odds: float | None
    """What the fields beyond the reasons add up to."""
    missed: tuple[str, ...]
    """Fields that are missing and would have mattered; none when no reasons were asked for."""
    probability_low: float | None = None
    """Lower end of the 90 % interval of the share won among leads with this score."""
    probability_high: float | None = None
    expected_value: float | None = None
    """Probability × value given won, in the column's currency; None without a value model."""
    expected_days: float | None = None
    """Days from creation by which half of such leads, if won, are won; None without a model."""


class Told(NamedTuple):
    """What leadq says of a lead that was read alone; see `Score`."""

    lead: Lead
    probability: float
    probability_low: float | None
    probability_high: float | None
    grade: Grade
    why: Explained
    expected_value: float | None
    expected_days: float | None
    odd: Mapping[str, str]
    """Remarks about its cells, by field."""

    def warnings(self) -> list[str]:
        """Return what is odd about it: remarks about its cells, then fields that are missed."""
        odd = [f"{name}: {remark}" for name, remark in self.odd.items()]
        return odd + [f"{name}: {MISSED}" for name in self.why.missed]

    def score(self) -> Score:
        """Return it as a score."""
        why = self.why
        return Score(
            self.lead.id,
            self.probability,
            self.grade,
            tuple(why.reasons()),
            why.base,
            why.rest,
            tuple(why.missed),
            self.probability_low,
            self.probability_high,
            self.expected_value,
            self.expected_days,
        )


@dataclass(frozen=True)
class Scorer:
    """A fitted encoder and blend under the agreement they were trained with."""

    agreement: Agreement
    encoder: Encoder
    blend: Blend
    value: ValueModel | None = None
    timing: Timing | None = None
    interval: Interval | None = None
    spread: Spread | None = None
    """How far sums over campaigns may be off; None without an agreed campaign."""

    @cached_property
    def cell(self) -> Callable[[object], Cell]:
        """What returns a raw value as a cell, None for the agreed placeholders.

        It raises a ValueError for a nested value.
        """
        return cell_reader(self.agreement.export.missing)

    @cached_property
    def cells(self) -> Callable[[Mapping[str, object]], dict[str, Cell]]:
        """What does so with each value of a record."""
        return record_reader(self.agreement.export.missing, self.encoder.common)

    @cached_property
    def agreed(self) -> str:
        """The label of the agreement, which costs a digest."""
        return self.agreement.label

    @cached_property
    def fields(self) -> dict[str, FieldEncoder]:
        """The fields it reads, by name."""
        return {field.field: field for field in self.encoder.fields}

    @cached_property
    def read_names(self) -> tuple[str, ...]:
        """The names of all that is read of a lead: its id, its fields, when it was created."""
        names = self.agreement.columns
        return tuple(dict.fromkeys(n for n in (names.id, *self.fields, names.created) if n))

    @cached_property
    def known_names(self) -> frozenset[str]:
        """The names that the agreement knows, those of its columns among them."""
        roles = self.agreement.columns.model_dump().values()
        return frozenset([*self.agreement.fields, *(name for name in roles if name)])

    def probabilities(self, leads: Leads) -> Vector:
        """Return the probability of each lead to be won within the horizon, shape (leads,)."""
        return sigmoids(self.blend.log_odds(self.encoder.encode(leads)))

    def score(self, leads: Leads, reasons: int = 5) -> list[Score]:
        """Score leads, in their order, each with its `reasons` strongest reasons."""
        if len(leads) == 1:  # in columns a lead alone takes ten times as long
            cells = {name: leads.column(name)[0] for name in self.fields}
            lead = Lead(leads.ids[0], cells, leads.created[0])
            return [self.score_few([lead], reasons)[0].score()]
        return list(scores_of(self.score_columns(leads, reasons)))

    def score_columns(self, leads: Leads, reasons: int = 5) -> ScoredColumns:
        """Return the same in columns; threads may score at once."""
        encoded = self.encoder.encoded(leads)
        matrix = encoded.matrix
        why = None
        if reasons and len(leads):
            log_odds, parts = self.blend.explained(matrix)
            why = reasons_of(self.encoder, encoded, parts, log_odds, reasons)
        else:
            log_odds = self.blend.log_odds(matrix)
        probability = sigmoids(log_odds)
        low, high = None, None
        if self.interval is not None:
            low, high = map(sigmoids, self.interval.ends(log_odds))
        value = days = None
        if self.value is not None:
            value = probability * self.value.expected(matrix)
        if self.timing is not None:
            days = np.array(self.timing.expected_days(matrix, log_odds))
        return ScoredColumns(
            ids=leads.ids,
            probability=probability,
            grade=self.agreement.grades.places(probability),
            probability_low=low,
            probability_high=high,
            expected_value=value,
            expected_days=days,
            reasons=why,
            warnings=warnings_of(self.encoder, encoded, why),
        )

    @cached_property
    def _few(self) -> Few:
        """All sums of a few leads."""
        return Few(
            self.encoder.bounds,
            self.blend.offset,
            [member.kernel for member in self.blend.members],
            None if self.value is None else self.value.log_value.kernel,
            None if self.timing is None else self.timing.delay.kernel,
            MATTERS,
        )

    @cached_property
    def _words(self) -> Words:
        """What puts the values of fields into words."""
        return Words(self.encoder)

    def score_few(self, leads: Sequence[Lead], reasons: int, pause: Pause = go_on) -> list[Told]:
        """Return what is said of each of at most `MOST` leads; `pause` is called in between."""
        encode = self.encoder.alone
        read = [encode(lead.cells, lead.created) for lead in leads]
        pause()
        sums = self._few.sums([row for row, _ in read], reasons)
        pause()
        return [
            self._told(lead, odd, own, reasons)
            for lead, (_, odd), own in zip(leads, read, sums, strict=True)
        ]

    def _told(self, lead: Lead, odd: Mapping[str, str], sums: Sums, reasons: int) -> Told:
        probability = sigmoid(sums.log_odds)
        low = high = None
        if self.interval is not None:
            low, high = map(sigmoid, self.interval.at(sums.log_odds))
        return Told(
            lead,
            probability,
            low,
            high,
            self.agreement.grades.of(probability),
            explain(self._words, lead, odd, sums) if reasons else NOTHING,
            None if self.value is None else probability * self.value.of(sums.worth),
            None if self.timing is None else self.timing.median(sums.delay),
            odd,
        )


def scores_of(scored: ScoredColumns) -> Iterator[Score]:
    """Yield the score of each lead."""
    why = scored.reasons
    return map(
        Score,
        scored.ids,
        scored.probability.tolist(),
        scored.grades(),
        repeat(()) if why is None else why.whole(),
        repeat(None if why is None else why.base),
        repeat(None) if why is None else why.rest,
        repeat(()) if why is None else why.missed.by_lead(),
        _listed(scored.probability_low),
        _listed(scored.probability_high),
        _listed(scored.expected_value),
        _listed(scored.expected_days),
    )


def _listed(column: Vector | None) -> Iterable[float | None]:
    return repeat(None) if column is None else column.tolist()


def sigmoid(log_odds: float) -> float:
    """Return the probability of a log-odds; `sigmoids` does the same with many."""
    if log_odds >= 0:
        return 1.0 / (1.0 + math.exp(-log_odds))
    odds = math.exp(log_odds)
    return odds / (1.0 + odds)
