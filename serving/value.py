"""What a lead is worth once it is won, in the currency of the agreed value column."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from features.encoder import Matrix
from serving.effects import Effects
from serving.kernel import exps
from serving.members import Vector


@dataclass(frozen=True)
class ValueModel:
    """Expected value given won: factor × exp(sum of tables).

    The factor turns the typical value of a log scale into the mean (Duan 1983, smearing), so that
    expected values may be added up.
    """

    log_value: Effects
    factor: float

    def expected(self, matrix: Matrix) -> Vector:
        """Return the expected value given won, shape (rows,)."""
        return self.factor * exps(self.log_value.at(matrix))

    def of(self, worth: float) -> float:
        """Return the same for a sum of the tables, to the last bit."""
        return self.factor * math.exp(worth)

    def as_dict(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return {"factor": self.factor, "log_value": self.log_value.as_dict()}

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> ValueModel:
        """Read back what `as_dict` wrote.

        Raises:
            ValueError: when the factor is no positive number.

        """
        factor = float(state["factor"])
        if not 0 < factor < math.inf:
            raise ValueError(f"the factor of the value model is {factor!r}")
        return cls(Effects.from_dict(state["log_value"]), factor)
