"""The compiled kernel, called by ctypes: it holds no lock while it works, so threads run beside.

A few rows cost little more than their sums: what does not change is laid out once.
"""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise, repeat
from struct import Struct
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from features.errors import ModelError
from serving.build_kernel import KERNEL

Matrix = npt.NDArray[np.float64]
Bounds = npt.NDArray[np.int64]
_INT32, _INT64, _DOUBLE = ctypes.c_int32, ctypes.c_int64, ctypes.c_double
_ARRAY = ctypes.c_void_p
_MOST_COLUMNS = 1 << 16
MOST = 50
"""Rows that are a few: each of so many takes a quarter of what one alone does."""


class _ForestStruct(ctypes.Structure):
    _fields_ = (
        *(
            (name, _INT32)
            for name in ("columns", "inputs", "trees", "splits", "most_slots", "decisions")
        ),
        ("base", _DOUBLE),
        *(
            (name, _ARRAY)
            for name in (
                *("column", "kind", "missing_left", "size", "cuts", "cut", "bits", "bit", "first"),
                *("tree", "split", "part", "leaf", "nodes", "quadrature", "weights", "factors"),
            )
        ),
    )


class _TablesStruct(ctypes.Structure):
    _fields_ = (
        ("tables", _INT32),
        ("intercept", _DOUBLE),
        ("base", _DOUBLE),
        *(
            (name, _ARRAY)
            for name in ("column", "by_code", "first", "knots", "values", "missing", "mean")
        ),
    )


class _BlendStruct(ctypes.Structure):
    _fields_ = (
        ("columns", _INT32),
        ("members", _INT32),
        ("fields", _INT32),
        ("offset", _DOUBLE),
        ("least", _DOUBLE),
        *((name, _ARRAY) for name in ("first", "is_forest", "member", "worth", "delay")),
    )


@cache
def _library() -> ctypes.CDLL:
    """Load the kernel.

    Raises:
        ModelError: when it is not there, or was compiled from another source.

    """
    try:
        library = KERNEL.load()
    except OSError as error:
        raise ModelError(str(error)) from error
    library.forest_sums.argtypes = (_ARRAY, _ARRAY, _INT64, _ARRAY, _ARRAY, _ARRAY)
    library.forest_sums.restype = None
    library.forest_scratch.argtypes = (_ARRAY,)
    library.forest_scratch.restype = _INT64
    library.tables_sums.argtypes = (_ARRAY, _ARRAY, _INT64, _INT64, _ARRAY, _ARRAY)
    library.tables_sums.restype = _INT64
    for name in ("sigmoids", "exps"):
        function = getattr(library, name)
        function.argtypes, function.restype = (_ARRAY, _INT64, _ARRAY), None
    library.field_effects.argtypes = (_ARRAY, _INT64, _ARRAY, _INT32, _ARRAY)
    library.field_effects.restype = None
    library.strongest.argtypes = (_ARRAY, _INT64, _INT32, _INT32, _ARRAY)
    library.strongest.restype = None
    library.blend_sums.argtypes = (
        *(_ARRAY, _ARRAY, _INT64, _ARRAY, _ARRAY, _ARRAY),
        *(_INT32, _ARRAY, _ARRAY),
    )
    library.blend_sums.restype = _INT64
    return library


def _filled(struct: ctypes.Structure, fields: dict[str, Any]) -> ctypes.Structure:
    for name, value in fields.items():
        setattr(struct, name, value.ctypes.data if isinstance(value, np.ndarray) else value)
    return struct


def _checked(matrix: Matrix, columns: int) -> Matrix:
    if matrix.ndim != 2 or matrix.shape[1] != columns:
        raise ValueError(f"a matrix of {columns} columns is expected, not shape {matrix.shape}")
    matrix = np.ascontiguousarray(matrix, dtype=np.float64)
    return matrix if matrix.flags.writeable else matrix.copy()


def _at(array: Matrix) -> Any:
    """Return where a writable array begins; None where it is empty.

    For one row `array.ctypes.data`, four times as dear, would be a tenth of the work.
    """
    return ctypes.byref(ctypes.c_char.from_buffer(array.data)) if array.size else None


def sigmoids(log_odds: Matrix) -> Matrix:
    """Return the probability of each log-odds, shape (rows,); by the same exp as Python's math."""
    return _of_each(_library().sigmoids, log_odds)


def exps(of: Matrix) -> Matrix:
    """Return exp of each number, shape (rows,): by Python's math, where numpy has its own."""
    return _of_each(_library().exps, of)


def _of_each(function: Any, of: Matrix) -> Matrix:
    of = np.ascontiguousarray(of, dtype=np.float64)
    found = np.empty_like(of)
    function(of.ctypes.data, of.size, found.ctypes.data)
    return found


class Forest:
    """Trees, laid out by `serving.forest.lay_out`; threads may share it."""

    def __init__(self, fields: dict[str, Any]) -> None:
        library = _library()
        self._fields = fields
        self._struct = _filled(_ForestStruct(), fields)
        self.at = ctypes.addressof(self._struct)
        self.columns: int = fields["columns"]
        """Of the matrices that it takes."""
        self.scratch: int = library.forest_scratch(self.at)
        """Doubles of memory that a call needs."""
        self._sums = library.forest_sums

    def __reduce__(self) -> tuple[Any, ...]:
        return Forest, (self._fields,)

    def log_odds(self, matrix: Matrix) -> Matrix:
        """Return the sum of the leaves, shape (rows,)."""
        return self._run(matrix, None)

    def explained(self, matrix: Matrix) -> tuple[Matrix, Matrix]:
        """Return the same, and each column's part, shape (rows, columns + 1), the base last."""
        parts = np.empty((len(matrix), self.columns + 1))
        return self._run(matrix, parts), parts

    def _run(self, matrix: Matrix, parts: Matrix | None) -> Matrix:
        matrix = _checked(matrix, self.columns)
        out = np.empty(len(matrix))
        scratch = np.empty(self.scratch)
        at = None if parts is None else _at(parts)
        self._sums(self.at, _at(matrix), len(matrix), _at(scratch), _at(out), at)
        return out


class Tables:
    """Tables over columns of a matrix; threads may share it.

    Args:
        fields: the arrays of `struct tables` in `kernel.c`.
        columns: the position of each table's column.

    Raises:
        ValueError: when a position is none.

    """

    def __init__(self, fields: dict[str, Any], columns: Sequence[int]) -> None:
        if any(not 0 <= column < _MOST_COLUMNS for column in columns):
            raise ValueError(f"no matrix has all of the columns {list(columns)}")
        library = _library()
        column = np.array(columns, dtype=np.int32)
        self._made = fields, columns
        self._kept = column
        self._struct = _filled(_TablesStruct(), {**fields, "column": column})
        self.at = ctypes.addressof(self._struct)
        self.tables = len(column)
        """How many there are."""
        self.widest = max(columns, default=-1) + 1
        """Columns that a matrix has at least."""
        self._sums = library.tables_sums

    def __reduce__(self) -> tuple[Any, ...]:
        return Tables, self._made

    def log_odds(self, matrix: Matrix) -> Matrix:
        """Return the sum of the tables, shape (rows,), always added in the same order."""
        return self._run(matrix, None)

    def explained(self, matrix: Matrix) -> tuple[Matrix, Matrix]:
        """Return the same, and each table's distance from its mean, the base last.

        The shapes are (rows,) and (rows, tables + 1).
        """
        parts = np.empty((len(matrix), self.tables + 1))
        return self._run(matrix, parts), parts

    def _run(self, matrix: Matrix, parts: Matrix | None) -> Matrix:
        matrix = _checked(matrix, max(self.widest, matrix.shape[1]))
        rows, columns = matrix.shape
        out = np.empty(rows)
        at = None if parts is None else _at(parts)
        place = self._sums(self.at, _at(matrix), rows, columns, _at(out), at)
        if place >= 0:
            row, table = divmod(place, self.tables)
            column = self._kept[table]
            raise ValueError(
                f"column {column} has no value for code {matrix[row, column]:g} (row {row})"
            )
        return out


def by_field(parts: Matrix, bounds: Bounds) -> Matrix:
    """Add parts of columns up by field, shape (rows, fields); the base, their last, is left out.

    Args:
        parts: shape (rows, columns + 1).
        bounds: where the columns of each field begin, and where the last end.

    """
    parts = _checked(parts, int(bounds[-1]) + 1)
    effects = np.empty((len(parts), len(bounds) - 1))
    at = parts.ctypes.data, len(parts), bounds.ctypes.data, len(bounds) - 1
    _library().field_effects(*at, effects.ctypes.data)
    return effects


def strongest(effects: Matrix, most: int) -> npt.NDArray[np.intp]:
    """Return the places of the strongest in each row, the first among equals first.

    Args:
        effects: shape (rows, fields), as `by_field` returns them.
        most: how many of each row; of fewer fields, all.

    """
    rows, fields = effects.shape
    order = np.empty((rows, min(most, fields)), dtype=np.int32)
    _library().strongest(effects.ctypes.data, rows, fields, order.shape[1], order.ctypes.data)
    return order.astype(np.intp)


class Sums(NamedTuple):
    """What a row comes to."""

    log_odds: float
    worth: float
    """The logarithm of its value given won, but for the factor; 0 without a model of it."""
    delay: float
    """Of its win; 0 without a model of it."""
    base: float
    """Where an average row starts; 0 where no effects were asked for."""
    order: list[int]
    """The places of the strongest fields, as many as were asked for, the first of equals first."""
    effects: list[float]
    """Their parts of the log-odds."""
    notable: list[int]
    """The places of all fields whose parts are notable; empty where none were asked for."""


class _Desk:
    """Memory of a call, kept from one to the next: to lay it out takes as long as the sums."""

    __slots__ = ("at", "effects", "effects_at", "out", "places", "room", "rows", "rows_at")

    def __init__(self, columns: int, fields: int, scratch: int) -> None:
        self.rows, self.out = array("d", bytes(8 * MOST * columns)), array("d", bytes(32 * MOST))
        self.effects = array("d", bytes(8 * MOST * max(fields, 1)))  # so that it is somewhere
        self.places = array("i", bytes(4 * MOST * (2 * fields + 1)))
        self.room = np.empty(scratch + 2 * MOST * (columns + 1))
        room = self.room.ctypes.data
        self.rows_at = self.rows.buffer_info()[0]
        self.at = room, room + 8 * scratch, self.out.buffer_info()[0]
        self.effects_at = self.effects.buffer_info()[0], self.places.buffer_info()[0]


class Few:
    """All that is asked of a few rows, in one call; threads may share it.

    A call takes longer than the sums of one row. Each has the bits that it gets among many.

    Args:
        bounds: where the columns of each field begin, and where the last end.
        offset: what is added to the members.
        members: what is added up to log-odds; tables have one for each column.
        worth: over the row.
        delay: over the row and its log-odds.
        least: of an effect that is notable.

    Raises:
        ValueError: when a part does not fit the columns.

    """

    def __init__(
        self,
        bounds: Bounds,
        offset: float,
        members: Sequence[Forest | Tables],
        worth: Tables | None,
        delay: Tables | None,
        least: float,
    ) -> None:
        self._made = bounds, offset, members, worth, delay, least
        columns = int(bounds[-1])
        wide = [m.columns if isinstance(m, Forest) else m.tables for m in members]
        read = [m.widest for m in members if isinstance(m, Tables)]
        read += [worth.widest] if worth else []
        read += [delay.widest - 1] if delay else []
        if any(w != columns for w in wide) or any(n > columns for n in (len(bounds) - 1, *read)):
            raise ValueError(f"a part of the model does not fit {columns} columns")
        count = len(members)
        self._columns, self._fields = columns, len(bounds) - 1
        self._scratch = max((m.scratch for m in members if isinstance(m, Forest)), default=0)
        is_forest = np.array([isinstance(m, Forest) for m in members], dtype=np.int32)
        member = np.array([m.at for m in members], dtype=np.uintp)
        self._kept = bounds, is_forest, member
        self._struct = _filled(
            _BlendStruct(),
            {
                "columns": columns,
                "members": count,
                "fields": self._fields,
                "offset": offset,
                "least": least,
                "first": bounds,
                "is_forest": is_forest,
                "member": member,
                "worth": worth.at if worth else None,
                "delay": delay.at if delay else None,
            },
        )
        self._at = ctypes.addressof(self._struct)
        self._desks: list[_Desk] = []
        self._put_row = Struct(f"{columns}d").pack_into
        self._sums = _library().blend_sums

    def __reduce__(self) -> tuple[Any, ...]:
        return Few, self._made

    def sums(self, rows: Sequence[Sequence[float]], most: int) -> list[Sums]:
        """Return what each of at most `MOST` rows comes to, and the `most` strongest effects on it.

        Raises:
            ValueError: when a table has no value for a code of a row.

        """
        try:
            desk = self._desks.pop()
        except IndexError:
            desk = _Desk(self._columns, self._fields, self._scratch)
        try:
            return self._sums_on(desk, rows, most)
        finally:
            self._desks.append(desk)

    def _sums_on(self, desk: _Desk, rows: Sequence[Sequence[float]], most: int) -> list[Sums]:
        count, size = len(rows), 8 * self._columns
        for place, row in enumerate(rows):
            self._put_row(desk.rows, place * size, *row)
        given, effects_at = min(most, self._fields), desk.effects_at if most else (None, None)
        place = self._sums(self._at, desk.rows_at, count, *desk.at, given, *effects_at)
        if place >= 0:
            at, column = divmod(place, self._columns + 1)
            code = rows[at][column] if column < self._columns else desk.out[at]
            raise ValueError(f"column {column} has no value for code {code:g}")
        numbers = [desk.out[i * count : (i + 1) * count] for i in range(4)]
        if not most:
            return list(map(Sums, *numbers, repeat([]), repeat([]), repeat([])))
        return list(map(Sums, *numbers, *self._of_fields(desk, count, given)))

    def _of_fields(self, desk: _Desk, count: int, given: int) -> Iterator[list[Any]]:
        """Yield order, effects and notable fields of all rows."""
        size, ends_at = count * given, count * (given + self._fields)
        order, effects = desk.places[:size].tolist(), desk.effects[:size].tolist()
        ends = desk.places[ends_at : ends_at + count].tolist()
        notable = desk.places[size : size + max(ends, default=0)].tolist()
        for each in (order, effects):
            yield [each[i * given : (i + 1) * given] for i in range(count)]
        yield [notable[start:end] for start, end in pairwise([0, *ends])]
