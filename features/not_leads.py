"""Rows of an export that stand among its leads and are none: its header once more, and sums."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from features.cells import Cell, key_of
from features.sections import Columns as Names

_ADDED = "#"
"""The names of columns begin with it that no export has."""
_HEADER = "repeats the header, and is no lead"
_SUM = "is a sum of other rows, and no lead"
_SUMS = frozenset(
    [
        *("total", "totals", "subtotal", "sub-total", "sub total", "subtotals", "grand total"),
        *("grand totals", "overall total", "sum", "summe", "zwischensumme", "gesamt"),
        *("gesamtsumme", "gesamtergebnis", "teilergebnis", "total général", "sous-total"),
        *("somme", "totale", "subtotale", "total general", "suma", "totaal", "subtotaal"),
        *("razem", "suma końcowa", "итого", "合計", "小計", "总计", "小计"),
    ]
)
_BEGINS = frozenset(way for word in _SUMS for way in (word[0], word[0].upper()))
_BESIDE = re.compile(r"\s*(?:\([^()]*\)|:)\s*\Z")
"""Behind the word: `Grand Total (3 records)`, `Summe:`."""


def reasons_of_rows(
    ids: Sequence[str] | None, names: Names, columns: Mapping[str, Sequence[Cell]]
) -> Iterator[tuple[int, str]]:
    """Yield the rows that are no leads, each with the reason.

    Args:
        ids: of the rows; None where they have none. Then the first column says what a row is.
        names: of the agreed columns.
        columns: the cells.

    """
    own = [name for name in columns if not name.startswith(_ADDED)]
    first = names.id if ids is not None else next(iter(own), "")
    marks: Iterable[Cell] = columns.get(first, ()) if ids is None else ids
    for i, mark in enumerate(marks):
        if isinstance(mark, str) and (mark == first or (mark[:1] in _BEGINS and _is_sum(mark))):
            cells = {name: columns[name][i] for name in own}
            if reason := reason_of(first, names.created, cells):
                yield i, reason


def reason_of(id_name: str, created: str | None, cells: Mapping[str, Cell]) -> str | None:
    """Return why a row is no lead, or None.

    A header has names of columns alone, as where files were joined. A sum says so in place of the
    id, has no time of its own, and all else of it are numbers.
    """
    filled = {name: cell for name, cell in cells.items() if cell is not None}
    if len(filled) > 1 and all(cell == name for name, cell in filled.items()):
        return _HEADER
    mark = filled.pop(id_name, None)
    if not isinstance(mark, str) or not _is_sum(mark) or created in filled:
        return None
    return _SUM if all(_has_digits(cell) for cell in filled.values()) else None


def _is_sum(mark: str) -> bool:
    return key_of(_BESIDE.sub("", mark)) in _SUMS


def _has_digits(cell: Cell) -> bool:
    return not isinstance(cell, str) or any(map(str.isdigit, cell))
