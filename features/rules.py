"""When a rule of the agreement holds of a cell, and whom its routes give a lead to.

A rule holds of a cell when all that it says holds. `is` names categories whatever their case and
spacing, the options of a multi-select field, or what is read of a contact: the kind of an e-mail's
domain, the region of a phone number. `at_least` and `at_most` include their bound.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from features.agreement import Agreement, Kind, Rule
from features.cells import Cell, key_of, number, text_of
from features.fields import DERIVE
from features.sections import Persona, Route
from features.tokens import split_tokens


@dataclass(frozen=True)
class RuleReader:
    """How the cells of one field are read when rules are held against them."""

    kind: Kind = "category"
    separator: str = ";"
    decimal: str = "."

    def holds(self, rule: Rule, cell: Cell) -> bool:
        """Whether all that a rule says holds of a cell."""
        if rule.filled is not None and rule.filled != (cell is not None):
            return False
        if rule.is_ is not None and not self.keys(cell) & {key_of(value) for value in rule.is_}:
            return False
        if rule.at_least is None and rule.at_most is None:
            return True
        # What is no number compares as NaN does: it is on neither side of a bound.
        value = self.number(cell)
        low = -math.inf if rule.at_least is None else rule.at_least
        return low <= value <= (math.inf if rule.at_most is None else rule.at_most)

    def keys(self, cell: Cell) -> frozenset[str]:
        """Return the categories that a cell holds, without case and spacing."""
        if cell is None:
            return frozenset()
        if self.kind == "options":
            return split_tokens(cell, self.separator)
        return frozenset({key_of(self.text(cell))})

    def text(self, cell: Cell) -> str:
        """Return the category of a cell; of a contact, no more than what is read of it."""
        if self.kind == "email" or self.kind == "phone":
            return DERIVE[self.kind](cell)
        return text_of(cell)

    def number(self, cell: Cell) -> float:
        """Return the number of a cell; NaN where it is none."""
        try:
            return number(cell, self.decimal)
        except ValueError:
            return math.nan


def route_of(lead: Mapping[str, Cell], agreement: Agreement) -> Route | None:
    """Return the first agreed route whose rules all hold of a lead, or None.

    Args:
        lead: cells by field; a field that is not there is missing.
        agreement: names the routes, and how each field is read.

    """
    return next(
        (
            route
            for route in agreement.routes
            if all(_holds(rule, lead.get(rule.field), agreement) for rule in route.all)
        ),
        None,
    )


def persona_of(lead: Mapping[str, Cell], agreement: Agreement) -> Persona | None:
    """Return the first agreed persona whose rules all hold of a lead, or None. See `route_of`."""
    return next(
        (
            persona
            for persona in agreement.personas
            if all(_holds(rule, lead.get(rule.field), agreement) for rule in persona.all)
        ),
        None,
    )


def _holds(rule: Rule, cell: Cell, agreement: Agreement) -> bool:
    use = agreement.fields.get(rule.field)
    decimal = agreement.export.decimal
    reader = RuleReader(use.kind, use.separator, decimal) if use else RuleReader(decimal=decimal)
    return reader.holds(rule, cell)
