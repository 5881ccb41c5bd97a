"""The compiled loops over texts of a column (`texts.c`), called by ctypes without Python's lock.

Each gives what a scalar definition gives, for plain texts; which are not plain it tells, so that
these go through the definition itself. `texts.c` says what is plain.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from features.cells import CURRENCY_CODES, CURRENCY_SIGNS
from features.compiled import TEXTS
from features.errors import UsageError

if TYPE_CHECKING:
    from features.packed import Packed

Places = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]
Matrix = npt.NDArray[np.float64]
Codes = npt.NDArray[np.integer[Any]]
UNKNOWN, NOT_PLAIN, UNKNOWN_COUNTRY = -1, -2, -3
AUTOMATON = 1 << 20
_INT64, _ARRAY = ctypes.c_int64, ctypes.c_void_p
_MOST_CODED, _MOST_SLOTS = 1024, 4096
"""As `split.c` has them."""
_COUNTING = ("split", "distinct", "numbered", "spread")
_MOST_COLUMNS = 256
"""Of which values are noted while lines are split."""


class _Texts(ctypes.Structure):
    _fields_ = (
        *((name, _ARRAY) for name in ("letters", "begins", "ends")),
        ("count", _INT64),
    )


class _CodedValues(ctypes.Structure):
    _fields_ = (
        *((name, _ARRAY) for name in ("values", "codes")),
        *((name, _INT64) for name in ("size", "count", "columns")),
    )


class _Coding(ctypes.Structure):
    _fields_ = tuple((name, _ARRAY) for name in ("slots", "firsts", "known", "codes"))


class _Keys(ctypes.Structure):
    _fields_ = (("keys", _Texts), ("slots", _ARRAY), ("mask", _INT64))


@cache
def _library() -> ctypes.CDLL:
    """Load the loops.

    Raises:
        UsageError: when they are not there, or were compiled from another source.

    """
    try:
        library = TEXTS.load()
    except OSError as error:
        raise UsageError(str(error)) from error
    letter = ctypes.c_uint8
    takes = {
        "gather": [_ARRAY] * 2,
        "hashes": [_ARRAY] * 2,
        "split": [_ARRAY, _INT64, letter, *[_INT64] * 3, *[_ARRAY] * 8],
        "distinct": [_ARRAY, _INT64, _INT64, *[_ARRAY] * 3],
        "find": [_ARRAY] * 3,
        "words": [_ARRAY] * 5,
        "mail_kinds": [_ARRAY] * 5,
        "phone_kinds": [_ARRAY] * 5,
        "begin_as": [_ARRAY] * 3,
        "numbers": [_ARRAY, letter, ctypes.c_char_p, ctypes.c_char_p, _ARRAY, _ARRAY],
        "moments": [_ARRAY, ctypes.c_int, _ARRAY, _ARRAY],
        "numbered": [_ARRAY, _INT64, _INT64, *[_ARRAY] * 3],
        "whole_ends": [_ARRAY] * 3,
        "spread": [_ARRAY, *[_INT64] * 3, _ARRAY],
    }
    for name, kinds in takes.items():
        function = getattr(library, name)
        function.argtypes = kinds
        function.restype = _INT64 if name in _COUNTING else None
    return library


def _at(array: npt.NDArray[Any]) -> int:
    found: int = array.ctypes.data
    return found


def _struct(texts: Packed) -> _Texts:
    return _Texts(_at(texts.letters), _at(texts.begins), _at(texts.ends), len(texts))


def gather(texts: Packed, letters: npt.NDArray[np.uint8]) -> None:
    """Write the letters of texts one behind the other."""
    _library().gather(ctypes.byref(_struct(texts)), _at(letters))


def hashes(texts: Packed) -> npt.NDArray[np.uint64]:
    """Return a number for each text that tells it from others, shape (texts,)."""
    found = np.empty(len(texts), dtype=np.uint64)
    _library().hashes(ctypes.byref(_struct(texts)), _at(found))
    return found


Distinct = tuple[Codes, Codes]
"""The code of each text, and the first place of each that occurs."""


class Split(NamedTuple):
    """Delimited lines as cells, none of which has white space at its ends."""

    letters: npt.NDArray[np.uint8]
    begins: npt.NDArray[np.int64]
    """Where each begins, shape (columns, records)."""
    ends: npt.NDArray[np.int64]
    lines: npt.NDArray[np.int64]
    """The line of each record, counted from 0, shape (records,)."""
    contents: npt.NDArray[np.uint64]
    """A sum over the cells of each record that tells it from others; see `content_of`."""
    coding: list[Distinct | None]
    """Of each column what `distinct` tells; None where its values are many."""


def well_formed(raw: bytes, delimiter: str, width: int, longest: int) -> int:
    """Return how many records well-formed delimited lines are; UNKNOWN where not all are such.

    Args:
        raw: the lines, in UTF-8.
        delimiter: of ASCII.
        width: fields of a record.
        longest: bytes of a record at most.

    """
    size = len(raw), ord(delimiter), width, longest, 0
    found: int = _library().split(raw, *size, *[None] * 8)
    return found


def split(raw: bytes, records: int, delimiter: str, names: tuple[str, ...]) -> Split:
    """Split well-formed delimited lines, with a field for each name, into cells."""
    begins = np.empty((len(names), records), dtype=np.int64)
    ends = np.empty_like(begins)
    lines, contents = np.empty(records, dtype=np.int64), np.empty(records, dtype=np.uint64)
    more, used = np.empty(len(raw), dtype=np.uint8), np.zeros(1, dtype=np.int64)
    room = _Room(len(names), records)
    arrays = [_at(a) for a in (content_keys(names), begins, ends, lines, contents, more, used)]
    size = len(raw), ord(delimiter), len(names), len(raw), records
    if _library().split(raw, *size, *arrays, ctypes.byref(room.struct)) != records:
        raise ValueError("the lines are not so many records")
    letters = np.frombuffer(raw, dtype=np.uint8)
    if used[0]:
        letters = np.concatenate([letters, more[: used[0]]])
    return Split(letters, begins, ends, lines, contents, room.distinct())


class _Room:
    """Memory in which `split` notes the distinct values of columns, of which there may be few."""

    def __init__(self, columns: int, records: int) -> None:
        coded = columns if columns <= _MOST_COLUMNS else 0
        self._slots = np.zeros((coded, _MOST_SLOTS), dtype=np.uint16)
        self._firsts = np.empty((coded, _MOST_CODED), dtype=np.int32)
        self._known = np.full(columns, UNKNOWN, dtype=np.int32)
        self._known[:coded] = 0
        self._codes = np.empty((coded, records), dtype=np.uint16)
        arrays = self._slots, self._firsts, self._known, self._codes
        self.struct = _Coding(*(_at(array) for array in arrays))

    def distinct(self) -> list[Distinct | None]:
        """Return what was noted of each column."""
        return [
            None if count < 0 else (self._codes[column], self._firsts[column, :count])
            for column, count in enumerate(self._known.tolist())
        ]


_MIX, _HALF = np.uint64(0xD6E8FEB86659FD93), np.uint64(32)


def content_of(hashed: npt.NDArray[np.uint64], key: np.uint64) -> npt.NDArray[np.uint64]:
    """Return what cells of one column add to what tells their records from others.

    It does not hang on the order of the columns: files of a folder may differ in it.

    Args:
        hashed: of each cell.
        key: of the column.

    """
    mixed = hashed ^ key
    mixed ^= mixed >> _HALF
    mixed *= _MIX
    mixed ^= mixed >> _HALF
    return mixed


@cache
def content_keys(names: tuple[str, ...]) -> npt.NDArray[np.uint64]:
    """Return a number for each name of a column."""
    return np.array([hash(name) & (2**64 - 1) for name in names], dtype=np.uint64)


def distinct(texts: Packed, most: int) -> Distinct | None:
    """Return the code of each text, and the first place of each that occurs.

    Returns None where more than `most` occur.
    """
    slots = _slots(most)
    codes = np.empty(len(texts), dtype=np.int32)
    firsts = np.empty(most, dtype=np.int64)
    found: int = _library().distinct(
        ctypes.byref(_struct(texts)), most, len(slots) - 1, _at(slots), _at(codes), _at(firsts)
    )
    return None if found < 0 else (codes, firsts[:found])


def numbered(keys: npt.NDArray[np.integer[Any]]) -> Distinct:
    """Return the same of numbers, shape (keys,)."""
    keys, slots = np.ascontiguousarray(keys, dtype=np.int64), _slots(len(keys))
    codes = np.empty(len(keys), dtype=np.int32)
    firsts = np.empty(len(keys), dtype=np.int64)
    size = len(keys), len(slots) - 1
    found: int = _library().numbered(_at(keys), *size, _at(slots), _at(codes), _at(firsts))
    return codes, firsts[:found]


def _slots(count: int) -> Places:
    """Return the empty slots of a hash table, twice as many as what it holds or more."""
    return np.full(1 << (2 * count).bit_length(), UNKNOWN, dtype=np.int32)


class Keys:
    """Texts by which others are found."""

    def __init__(self, keys: Packed) -> None:
        """Take distinct texts."""
        self._keys = keys
        self._slots = _slots(len(keys))
        places = np.empty(len(keys), dtype=np.int32)
        firsts = np.empty(len(keys), dtype=np.int64)
        struct = _struct(keys)
        found = _library().distinct(
            ctypes.byref(struct),
            len(keys),
            len(self._slots) - 1,
            _at(self._slots),
            _at(places),
            _at(firsts),
        )
        if found != len(keys):
            raise ValueError("keys must be distinct")
        self._struct = _Keys(struct, _at(self._slots), len(self._slots) - 1)

    def __reduce__(self) -> tuple[Any, ...]:
        return Keys, (self._keys,)

    def find(self, texts: Packed) -> Places:
        """Return the place of each text's key (`features.cells.key_of`), UNKNOWN or NOT_PLAIN."""
        found = np.empty(len(texts), dtype=np.int32)
        struct = ctypes.byref(_struct(texts))
        _library().find(struct, ctypes.byref(self._struct), _at(found))
        return found

    def words(self, texts: Packed, folds: Packed) -> tuple[npt.NDArray[np.float64], Mask]:
        """Tell which keys are words of each text and how many it has, and which are not plain.

        Args:
            texts: in which words are looked for.
            folds: by character what a letter is folded to, missing for what is no letter.

        Returns:
            Shapes (texts, keys + 1) and (texts,); NaN for missing texts.

        """
        found = np.zeros((len(texts), len(self._keys) + 1))
        others = np.empty(len(texts), dtype=np.bool_)
        arrays = _at(found), _at(others)
        structs = map(ctypes.byref, (_struct(texts), self._struct, _struct(folds)))
        _library().words(*structs, *arrays)
        return found, others

    def mail_kinds(self, texts: Packed) -> tuple[Packed, Mask]:
        """Return what tells the kind of e-mail addresses, and which are not plain.

        Addresses with the same text are of the same kind; the keys are the first labels of
        domains that tell something.
        """
        begins, ends = np.empty_like(texts.begins), np.empty_like(texts.ends)
        others = np.empty(len(texts), dtype=np.bool_)
        arrays = _at(begins), _at(ends), _at(others)
        _library().mail_kinds(ctypes.byref(_struct(texts)), ctypes.byref(self._struct), *arrays)
        return type(texts)(texts.letters, begins, ends), others


def phone_kinds(texts: Packed, kinds: Places, steps: Places, ends: Places) -> Places:
    """Return 0 for national numbers, the kind of others, or NOT_PLAIN.

    Args:
        texts: the numbers.
        kinds: by the first three digits of an international number its kind, NOT_PLAIN where it
            must be looked at, AUTOMATON and a state that reads its digits from the first one on,
            or UNKNOWN where that is not known yet, shape (1000,).
        steps: by state and digit the next state, shape (states, 10).
        ends: by state the kind of numbers that end there, shape (states,).

    Returns:
        Shape (texts,); for unknown countries UNKNOWN_COUNTRY less the three digits.

    """
    found = np.empty(len(texts), dtype=np.int32)
    arrays = map(_at, (kinds, steps, ends, found))
    _library().phone_kinds(ctypes.byref(_struct(texts)), *arrays)
    return found


def begin_as(texts: Packed, marked: npt.NDArray[np.bool_]) -> Mask:
    """Tell which texts begin with two letters that are marked, or with others than of ASCII.

    Args:
        texts: a text of one letter begins with it and a NUL.
        marked: by first and second letter, shape (128, 128).

    """
    found = np.empty(len(texts), dtype=np.bool_)
    arrays = _at(marked), _at(found)
    _library().begin_as(ctypes.byref(_struct(texts)), *arrays)
    return found


def numbers(texts: Packed, decimal: str) -> tuple[npt.NDArray[np.float64], Mask]:
    """Return the number of each text, NaN for missing, and which are not plain."""
    found = np.empty(len(texts))
    others = np.empty(len(texts), dtype=np.bool_)
    arrays = _at(found), _at(others)
    how = ord(decimal), *_beside_numbers()
    _library().numbers(ctypes.byref(_struct(texts)), *how, *arrays)
    return found, others


@cache
def _beside_numbers() -> tuple[bytes, bytes]:
    """Return the signs and the codes of currencies as C reads them."""
    signs = b"".join(bytes([len(sign)]) + sign for sign in map(str.encode, CURRENCY_SIGNS))
    return signs, "".join(CURRENCY_CODES).encode()


def whole_ends(texts: Packed) -> tuple[npt.NDArray[np.int64], Mask]:
    """Return where `features.cells.text_of` of each text ends, and which are not plain."""
    found = np.empty(len(texts), dtype=np.int64)
    others = np.empty(len(texts), dtype=np.bool_)
    arrays = _at(found), _at(others)
    _library().whole_ends(ctypes.byref(_struct(texts)), *arrays)
    return found, others


def moments(texts: Packed, day_first: bool) -> tuple[npt.NDArray[np.datetime64], Mask]:
    """Return the moment of each text in UTC, some moment for missing, and which are not plain."""
    found = np.empty(len(texts), dtype="datetime64[us]")
    others = np.empty(len(texts), dtype=np.bool_)
    arrays = _at(found), _at(others)
    _library().moments(ctypes.byref(_struct(texts)), day_first, *arrays)
    return found, others


def spread(fields: Sequence[tuple[Matrix, Codes | None]], rows: int) -> Matrix:
    """Return a matrix of rows from what the values of their fields come to.

    Args:
        fields: of each what its values come to, shape (values, columns), and the place of each
            row's value among them, shape (rows,); None: each row has its own.
        rows: how many.

    Raises:
        IndexError: when a place is none of a value.

    """
    in_row = np.ascontiguousarray
    own = [(in_row(values), None if codes is None else in_row(codes)) for values, codes in fields]
    structs = (_CodedValues * len(own))()
    for struct, (values, codes) in zip(structs, own, strict=True):
        struct.values, (struct.count, struct.columns) = _at(values), values.shape
        if codes is not None:
            struct.codes, struct.size = _at(codes), codes.itemsize
    matrix = np.empty((rows, sum(values.shape[1] for values, _ in own)))
    if _library().spread(structs, len(own), rows, matrix.shape[1], _at(matrix)) != rows:
        raise IndexError("a code is none of a value")
    return matrix
