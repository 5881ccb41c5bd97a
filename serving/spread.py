"""How far the sum of a campaign's probabilities may be off; `sums` makes intervals of it.

Apart from `sums`, because every model carries it and only sums need the quantiles of scipy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from features.cells import Cell
from features.encoder import CategoryEncoder, Encoder


@dataclass(frozen=True)
class Spread:
    """Standard deviation of how far a campaign is off, in log-odds."""

    known: float
    """Of campaigns that the model learned."""
    new: float
    """Of those that it had not seen, or in fewer than ten leads."""

    def of(self, known: float) -> float:
        """Return that of a campaign of which the model learned a share of the leads, 0 to 1.

        What the model learned under one spelling it has not under another. The campaign is one, so
        both parts are off together: their standard deviations add up.
        """
        return self.known * known + self.new * (1 - known)

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> Spread:
        """Read back what `as_dict` wrote."""
        return cls(**state)


def learned(encoder: Encoder, campaign: str) -> Callable[[Cell], bool]:
    """Return what tells whether a model learned a campaign; none, where it does not read them.

    Args:
        encoder: of the model.
        campaign: the column that names the campaign.

    """
    for field in encoder.fields:
        if field.field == campaign and isinstance(field, CategoryEncoder):
            return lambda cell: field.encode(cell, None)[0] != 0.0
    return lambda _: False
