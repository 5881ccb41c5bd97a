"""What rows of a kind consist of, under which headings, and how their cells are read.

Feedback and spend come in as files and as requests; both are read in this one way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from features.agreement import Agreement
from features.cells import Cell, cell
from features.errors import UsageError
from features.leads import NESTED, Fault
from features.store.texts import MAX_NAME, storable

T = TypeVar("T")


class UnreadableError(Exception):
    """A cell that does not say what its part must say."""

    def __init__(self, field: str, value: Cell, reason: str) -> None:
        """Tell of the part, the value and what is wrong with it."""
        super().__init__(reason)
        self.fault = Fault(field, value, reason)


def read_part(field: str, value: Cell, read: Callable[[Cell], T]) -> T:
    """Read a cell.

    Raises:
        UnreadableError: when it cannot be read, without the words of the value.

    """
    try:
        return read(value)
    except ValueError as error:
        plain = Fault(field, value, str(error)).plain_reason
        raise UnreadableError(field, value, plain) from None


@dataclass(frozen=True)
class Layout:
    """What rows of a kind consist of.

    Attributes:
        kind: what they are called, as in "no part of spend".
        parts: the names of their parts.
        needed: those that must be there.
        others: further headings of parts; case and marks do not matter.
        agreed: gives the column of the agreement for parts that have one.
        free: parts of free text, of which half a character is dropped and not refused.

    """

    kind: str
    parts: tuple[str, ...]
    needed: tuple[str, ...]
    others: Mapping[str, tuple[str, ...]]
    agreed: Callable[[Agreement], Mapping[str, str | None]]
    free: tuple[str, ...] = ()

    def headings(self, agreement: Agreement) -> dict[str, str]:
        """Return which part a heading names, by the heading as `plain` writes it."""
        found = {plain(other): part for part, others in self.others.items() for other in others}
        found |= {plain(name): part for part, name in self.agreed(agreement).items() if name}
        return found | {plain(part): part for part in self.parts}

    def columns_of(self, names: Iterable[str], agreement: Agreement) -> dict[str, str]:
        """Return the column of a file for each part that it has.

        Raises:
            UsageError: when a part that is needed is not there, or two columns stand for one part.

        """
        known, found = self.headings(agreement), dict[str, str]()
        for name in names:
            part = known.get(plain(name))
            if part is None or plain(found.get(part, "")) == plain(part):
                continue
            if part in found and plain(name) != plain(part):
                raise UsageError(
                    f"the columns {found[part]!r} and {name!r} both stand for {part}; rename one"
                )
            found[part] = name
        if absent := [part for part in self.needed if part not in found]:
            raise UsageError(
                f"no column for {', '.join(absent)} among {', '.join(names)}; "
                f"{self.kind} has the columns {', '.join(self.parts)}"
            )
        return found

    def cells_of(self, item: object, headings: Mapping[str, str]) -> dict[str, Cell] | Fault:
        """Read one item of a request, an object of raw values, into cells by part.

        Args:
            item: as it came.
            headings: of this layout, by the agreement.

        """
        if not isinstance(item, dict):
            return Fault("", None, f"must be an object of {', '.join(self.parts)}")
        cells: dict[str, Cell] = {}
        for name, raw in item.items():
            part = headings.get(plain(name))
            if part is None or part in cells:
                known = ", ".join(self.parts)
                why = "is given twice" if part else f"is no part of {self.kind}, which has {known}"
                return Fault(storable(name)[:MAX_NAME], None, why)
            if isinstance(raw, list) and raw and part not in self.free:
                return Fault(part, None, NESTED)
            try:
                free = isinstance(raw, str) and part in self.free
                cells[part] = cell(storable(raw) if free else raw)
            except UnicodeError:
                return Fault(part, None, "holds half a character")
            except (ValueError, OverflowError) as error:
                return Fault(part, None, str(error))
        return cells


def plain(heading: str) -> str:
    """Return a heading without case and marks, by which it is found."""
    return re.sub(r"[\W_]+", "", heading).casefold()
