"""What later rows say of a model: outcomes, probabilities, and what the rows have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from features.errors import UsageError
from features.leads import Leads
from serving.members import Vector
from training.labels import Labels

Names = Sequence[str | None]
"""A category for each row; None where it is missing."""
MISSING = "not given"


@dataclass(frozen=True)
class Judged:
    """Later rows with known outcomes, every part of shape (rows,).

    Raises:
        UsageError: when the parts differ in length, a weight is not above 0, or only one outcome
            occurs.

    """

    y: Labels
    """1 won within the horizon, 0 not."""
    probability: Vector
    weight: Vector | None = None
    """How many rows each stands for (censoring, propensity); None: one each."""
    clusters: Names | None = None
    """Rows that hang together, by account or day; None: rows are independent."""
    place: Vector | None = None
    """Place in time, in days where leads have a creation time, NaN where it is missing."""
    campaign: Names | None = None
    segments: Mapping[str, Names] = field(default_factory=dict)
    """Name of a field to its category for each row: source, country, grade."""
    grades: Names | None = None
    company: tuple[str, Names] | None = None
    """The column that names companies, and the company of each row; None: not known."""
    value: Vector | None = None
    """Value of each won row, NaN where it is not known."""
    spread: Vector | None = None
    """Standard error of each row's log-odds as the model states it; None: none stated."""

    def __post_init__(self) -> None:
        parts = {**vars(self), **self.segments}
        del parts["segments"]
        parts["company"] = None if self.company is None else self.company[1]
        for name, part in parts.items():
            if part is not None and len(part) != len(self.y):
                raise UsageError(
                    f"{name} has {len(part):,} rows and the outcomes have {len(self.y):,}; "
                    "hand in one for each later row"
                )
        if self.weight is not None and not (self.weight > 0).all():
            raise UsageError(
                f"{int((~(self.weight > 0)).sum()):,} of {len(self.y):,} weights are not above 0; "
                "leave rows that count for nothing out of what is judged"
            )
        won = int(self.y.sum())
        if won in (0, len(self.y)):
            raise UsageError(
                f"{won:,} of {len(self.y):,} later rows won: with one outcome alone nothing can "
                "be judged; bring a longer history"
            )

    @property
    def weights(self) -> Vector:
        """How many rows each stands for."""
        return np.ones(len(self.y)) if self.weight is None else self.weight

    @property
    def value_won(self) -> Vector:
        """What each row brought in: its value where it was won and the value is known, else 0."""
        value = np.zeros(len(self.y)) if self.value is None else np.nan_to_num(self.value)
        return value * self.y


def days_of(leads: Leads) -> list[str] | None:
    """Return the day on which each lead came in; None where leads have no creation time."""
    days = [moment.date().isoformat() for moment in leads.created if moment is not None]
    return days if len(days) == len(leads) else None


def groups(names: Names) -> dict[str, npt.NDArray[np.intp]]:
    """Return the positions of each category, in the order of the names."""
    told = np.array([name if name else MISSING for name in names], dtype=object)
    found, codes = np.unique(told.astype(str), return_inverse=True)
    order = np.argsort(codes, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(codes, minlength=len(found))))[:-1]
    return {str(name): rows for name, rows in zip(found, parts, strict=True)}
