"""What some columns of the matrix add up to on a log scale: one table for each of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from features.encoder import Matrix
from serving.kernel import Tables
from serving.members import Additive, Vector


@dataclass(frozen=True)
class Effects:
    """Tables for a few columns; without any, the same number for every lead."""

    columns: tuple[int, ...]
    """Positions in the matrix, one for each table."""
    tables: Additive

    def at(self, matrix: Matrix) -> Vector:
        """Return the sum of the tables, shape (rows,)."""
        return self.kernel.log_odds(matrix)

    @cached_property
    def kernel(self) -> Tables:
        """What adds them up."""
        return self.tables.over(self.columns)

    def as_dict(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return {"columns": list(self.columns), **self.tables.as_dict()}

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> Effects:
        """Read back what `as_dict` wrote.

        Raises:
            ValueError: when columns and tables do not match.

        """
        tables = Additive.from_dict(state)
        columns = tuple(int(column) for column in state["columns"])
        if len(columns) != len(tables.tables):
            raise ValueError(f"{len(columns)} columns for {len(tables.tables)} tables")
        return cls(columns, tables)
