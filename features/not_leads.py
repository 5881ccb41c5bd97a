"""Rows of an export that stand among its leads and are none: its header once more, and sums."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from features.agreement import Agreement
from features.cells import Cell, key_of, number
from features.coded import CodedCells
from features.packed import Packed
from features.plain import marked
from features.texts import begin_as

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
_BESIDE = re.compile(r"\([^()]*\)\s*\Z|:\s*\Z")
"""Behind the word: `Grand Total (3 records)`, `Summe:`."""
_LONGEST = 80
"""Letters of a mark that may be a sum's."""


def reasons_of_rows(
    ids: Sequence[str], agreement: Agreement, columns: Mapping[str, Sequence[Cell]]
) -> Iterator[tuple[int, str]]:
    """Yield the rows that are no leads, each with the reason.

    Args:
        ids: of the rows.
        agreement: names the columns.
        columns: the cells.

    """
    first = _first(agreement, columns)
    marks: Sequence[Cell] = ids if first == agreement.columns.id else columns.get(first, ())
    for i in _suspects(columns.get(first, ()), first, len(marks)):
        if _is_odd(marks[i], first):
            reason = _reason(
                agreement, first, {name: column[i] for name, column in columns.items()}
            )
            if reason:
                yield i, reason


def _suspects(marks: Sequence[Cell], first: str, rows: int) -> Iterable[int]:
    """Return the rows that may be none by how their marks begin."""
    if not (isinstance(marks, CodedCells) and isinstance(marks.values, Packed)):
        return range(rows)
    found = np.flatnonzero(begin_as(marks.values, marked([*_SUMS, first]))[marks.codes])
    places: list[int] = found.tolist()
    return places


def reason_of(agreement: Agreement, cells: Mapping[str, Cell]) -> str | None:
    """Return why a row is no lead, or None.

    A header has names of columns alone, as where files were joined. A sum says so in place of the
    id, or in the first column where there are no ids; it has no time of its own, and all else of
    it are numbers.
    """
    first = _first(agreement, cells)
    return _reason(agreement, first, cells) if _is_odd(cells.get(first), first) else None


def _is_odd(mark: Cell, first: str) -> bool:
    return isinstance(mark, str) and (mark == first or (mark[:1] in _BEGINS and _is_sum(mark)))


def _reason(agreement: Agreement, first: str, cells: Mapping[str, Cell]) -> str | None:
    filled = {n: c for n, c in cells.items() if c is not None and not n.startswith(_ADDED)}
    if filled.pop(first) == first:
        return _HEADER if filled and all(cell == name for name, cell in filled.items()) else None
    if agreement.columns.created in filled:
        return None
    decimal = agreement.export.decimal
    return _SUM if all(_is_number(cell, decimal) for cell in filled.values()) else None


def _first(agreement: Agreement, names: Iterable[str]) -> str:
    """Return the column that says what a row is."""
    id_name = agreement.columns.id
    if not id_name.startswith(_ADDED):
        return id_name
    return next((name for name in names if not name.startswith(_ADDED)), "")


def _is_sum(mark: str) -> bool:
    return len(mark) <= _LONGEST and key_of(_BESIDE.sub("", mark)) in _SUMS


def _is_number(cell: Cell, decimal: str) -> bool:
    try:
        number(cell, decimal)
    except ValueError:
        return False
    return True
