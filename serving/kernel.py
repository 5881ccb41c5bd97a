"""The compiled kernel, called by ctypes: it holds no lock while it works, so threads run beside.

A single row costs little more than its sums: what does not change is laid out once.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from features.errors import ModelError
from serving.build_kernel import LIBRARY, source_hash

Matrix = npt.NDArray[np.float64]
_CURE = "compile it with: make kernel, or python -m serving.build_kernel"
_INT32, _INT64, _DOUBLE = ctypes.c_int32, ctypes.c_int64, ctypes.c_double
_ARRAY = ctypes.c_void_p
_MOST_COLUMNS = 1 << 16


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


@cache
def _library() -> ctypes.CDLL:
    """Load the kernel.

    Raises:
        ModelError: when it is not there, or was compiled from another source.

    """
    try:
        library = ctypes.CDLL(str(LIBRARY))
    except OSError as error:
        raise ModelError(f"leadq's kernel cannot be loaded: {error}; {_CURE}") from error
    library.kernel_source.restype = ctypes.c_char_p
    if library.kernel_source().decode() != source_hash():
        raise ModelError(f"{LIBRARY} was compiled from another kernel.c than this; {_CURE}")
    library.forest_sums.argtypes = (_ARRAY, _ARRAY, _INT64, _ARRAY, _ARRAY, _ARRAY)
    library.forest_sums.restype = None
    library.forest_scratch.argtypes = (_ARRAY,)
    library.forest_scratch.restype = _INT64
    library.tables_sums.argtypes = (_ARRAY, _ARRAY, _INT64, _INT64, _ARRAY, _ARRAY)
    library.tables_sums.restype = _INT64
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


class Forest:
    """Trees, laid out by `serving.forest.lay_out`; threads may share it."""

    def __init__(self, fields: dict[str, Any]) -> None:
        library = _library()
        self._fields = fields
        self._struct = _filled(_ForestStruct(), fields)
        self._at = ctypes.addressof(self._struct)
        self._columns: int = fields["columns"]
        self._scratch: int = library.forest_scratch(self._at)
        self._sums = library.forest_sums

    def __reduce__(self) -> tuple[Any, ...]:
        return Forest, (self._fields,)

    def log_odds(self, matrix: Matrix) -> Matrix:
        """Return the sum of the leaves, shape (rows,)."""
        return self._run(matrix, None)

    def explained(self, matrix: Matrix) -> tuple[Matrix, Matrix]:
        """Return the same, and each column's part, shape (rows, columns + 1), the base last."""
        parts = np.empty((len(matrix), self._columns + 1))
        return self._run(matrix, parts), parts

    def _run(self, matrix: Matrix, parts: Matrix | None) -> Matrix:
        matrix = _checked(matrix, self._columns)
        out = np.empty(len(matrix))
        scratch = np.empty(self._scratch)
        at = None if parts is None else _at(parts)
        self._sums(self._at, _at(matrix), len(matrix), _at(scratch), _at(out), at)
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
        self._at = ctypes.addressof(self._struct)
        self._tables = len(column)
        self._widest = max(columns, default=-1) + 1
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
        parts = np.empty((len(matrix), self._tables + 1))
        return self._run(matrix, parts), parts

    def _run(self, matrix: Matrix, parts: Matrix | None) -> Matrix:
        matrix = _checked(matrix, max(self._widest, matrix.shape[1]))
        rows, columns = matrix.shape
        out = np.empty(rows)
        at = None if parts is None else _at(parts)
        place = self._sums(self._at, _at(matrix), rows, columns, _at(out), at)
        if place >= 0:
            row, table = divmod(place, self._tables)
            column = self._kept[table]
            raise ValueError(
                f"column {column} has no value for code {matrix[row, column]:g} (row {row})"
            )
        return out
