"""Points by rule: the scorecard that both sides agree on, as one column for each field."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

import numpy as np

from features.agreement import Agreement, FieldUse, Kind, PointsRule
from features.cells import Cell, key_of
from features.coded import CodedCells
from features.fields import CellReader, Codes, Column, Mask, Matrix
from features.rules import RuleReader

_BOUNDED: tuple[Kind, ...] = ("number", "category")
_NAMED: tuple[Kind, ...] = ("number", "category", "options", "email", "phone")


@dataclass(frozen=True)
class PointsEncoder(CellReader):
    """The sum of the points that the rules over one field give a cell; never missing."""

    kind: ClassVar[str] = "points"
    verb: ClassVar[str] = "is"
    oddity: ClassVar[str] = "is not a number, so no bound of a rule holds"
    field: str
    rules: tuple[PointsRule, ...]
    read_as: Kind
    separator: str = ";"
    decimal: str = "."

    @property
    def columns(self) -> tuple[Column, ...]:
        """One column of points."""
        return (Column(self.field, f"{self.field} (points)", None),)

    @property
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest sum that the rules could give."""
        points = [rule.points for rule in self.rules]
        return float(sum(p for p in points if p < 0)), float(sum(p for p in points if p > 0))

    @property
    def examples(self) -> list[str | float]:
        """What the rules themselves name: categories and bounds."""
        named = [value for rule in self.rules for value in rule.is_ or ()]
        bounds = [b for r in self.rules for b in (r.at_least, r.at_most) if b is not None]
        return [*named, *bounds]

    @property
    def reader(self) -> Callable[[Cell], Cell]:
        """Reads nothing: each rule reads the cell in its own way."""
        return _as_it_is

    def code(self, read: Cell, created: datetime | None) -> Codes:
        """Return the points of all rules that hold, added up; a missing cell may have some."""
        reading = self._reading
        return (float(sum(rule.points for rule in self.rules if reading.holds(rule, read))),)

    @property
    def _reading(self) -> RuleReader:
        return RuleReader(self.read_as, self.separator, self.decimal)

    def remark(self, cell: Cell, codes: Codes) -> str | None:
        """Name text that is no number where a rule asks for one."""
        return self.oddity if self._is_odd(cell) else None

    def _is_odd(self, cell: Cell) -> bool:
        bounded = any(r.at_least is not None or r.at_most is not None for r in self.rules)
        return bounded and cell is not None and math.isnan(self._reading.number(cell))

    def odd(self, cells: CodedCells, codes: Matrix) -> Mask:
        """Tell which values have a remark."""
        return np.array([self._is_odd(cell) for cell in cells.values], dtype=np.bool_)

    def shows(self, cell: Cell, read: Cell) -> str | None:
        """Return the value, or of a text, a date or a contact no more than the rules can see."""
        if self.read_as in ("text", "date"):
            return "filled"
        if self.read_as == "options":
            named = [key_of(value) for rule in self.rules for value in rule.is_ or ()]
            found = self._reading.keys(cell)
            return ", ".join(dict.fromkeys(n for n in named if n in found)) or "(none known)"
        return self._reading.text(cell)

    def state(self) -> dict[str, Any]:
        """Return the rules and how the field is read."""
        rules = [rule.model_dump(by_alias=True, exclude_none=True) for rule in self.rules]
        return {
            "rules": rules,
            "read_as": self.read_as,
            "separator": self.separator,
            "decimal": self.decimal,
        }


def _as_it_is(cell: Cell) -> Cell:
    return cell


def points_of_state(
    field: str, rules: tuple[dict[str, Any], ...], read_as: Kind, separator: str, decimal: str
) -> PointsEncoder:
    """Read back what `PointsEncoder.state` wrote."""
    checked = tuple(PointsRule.model_validate(rule) for rule in rules)
    return PointsEncoder(field, checked, read_as, separator, decimal)


def points_encoders(agreement: Agreement, fields: dict[str, FieldUse]) -> tuple[PointsEncoder, ...]:
    """Return an encoder for each of `fields` that has rules, in their order."""
    return tuple(
        PointsEncoder(name, rules, use.kind, use.separator, agreement.export.decimal)
        for name, use in fields.items()
        if (rules := tuple(rule for rule in agreement.points if rule.field == name))
    )


def points_faults(agreement: Agreement) -> Iterator[str]:
    """Yield what is wrong with the agreed points: rules that can never count, with the cure."""
    for rule in agreement.points:
        use = agreement.fields.get(rule.field)
        begins = f"points: the rule over {rule.field!r} ({rule.points:+d}) never counts: "
        if use is None:
            yield f"{begins}[fields] has no such field; mend its name or remove the rule"
        elif use.use != "yes":
            yield f'{begins}the field has use = "{use.use}"; remove the rule or use the field'
        elif rule.is_ is not None and use.kind not in _NAMED:
            yield f"{begins}values of kind {use.kind} have no names to match; say `filled`"
        elif (rule.at_least is not None or rule.at_most is not None) and use.kind not in _BOUNDED:
            yield f"{begins}values of kind {use.kind} have no number; say `is` or `filled`"
