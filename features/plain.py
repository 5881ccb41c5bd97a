"""Quick ways to read packed texts: what is plain at once, what is not by the scalar definition.

Each gives what its scalar definition gives, to the last bit (`tests/features/test_plain.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import product

import numpy as np
import numpy.typing as npt

from features import texts
from features.cells import Cell, placeholder_begins
from features.coded import Codes, Mask, Places, Readings
from features.contact import plain_country, telling_names
from features.packed import Packed


def numbers(cells: Packed, read: Callable[[Cell], float], decimal: str) -> Readings:
    """Return what `read` makes of texts as numbers with a decimal mark."""
    found, others = texts.numbers(cells, decimal)
    places = np.flatnonzero(others)
    found[places] = [read(cell) for cell in cells.take(places)]
    return Readings(found, None)


def moments(cells: Packed, read: Callable[[Cell], datetime | None], day_first: bool) -> Readings:
    """Return what `read` makes of texts as points in time, the day first where that is agreed."""
    when, others = texts.moments(cells, day_first)
    found: list[datetime | None] = when.tolist()
    places = np.flatnonzero(others | ~cells.filled)
    for place, cell in zip(places.tolist(), cells.take(places), strict=True):
        found[place] = None if cell is None else read(cell)
    return Readings(found, None)


def mails(cells: Packed, read: Callable[[Cell], str]) -> Readings:
    """Return what `read` makes of e-mail addresses: one of each kind is read."""
    kinds, others = _telling().mail_kinds(cells)
    plain = np.flatnonzero(~others)
    found = texts.distinct(kinds.take(plain), len(plain))
    codes, firsts = found if found is not None else (np.arange(len(plain)), np.arange(len(plain)))
    return _alike(cells, read, plain, codes, firsts)


def phones(cells: Packed, read: Callable[[Cell], str]) -> Readings:
    """Return what `read` makes of phone numbers: one of each kind is read."""
    known = _countries()
    kinds = texts.phone_kinds(cells, known.kinds)
    new = np.unique(texts.UNKNOWN_COUNTRY - kinds[kinds <= texts.UNKNOWN_COUNTRY])
    if len(new):
        # Other threads may be reading the table that stands there: it is exchanged, not changed.
        countries = known.kinds.copy()
        for first in new.tolist():
            countries[first] = plain_country(f"{first:03}") or texts.NOT_PLAIN
        known.kinds = countries
        kinds = texts.phone_kinds(cells, countries)
    plain = np.flatnonzero(kinds >= 0)
    _, firsts, codes = np.unique(kinds[plain], return_index=True, return_inverse=True)
    return _alike(cells, read, plain, codes, firsts)


def _alike(
    cells: Packed, read: Callable[[Cell], str], plain: Places, kinds: Codes, firsts: Places
) -> Readings:
    """Return what is read where many texts are read alike.

    Args:
        cells: the texts.
        read: the scalar definition.
        plain: which of the texts are of some kind; others are read one by one.
        kinds: of these, from 0 on.
        firsts: one of each kind, a place in `plain`.

    """
    mask = np.ones(len(cells), dtype=np.bool_)
    mask[plain] = False
    others = np.flatnonzero(mask)
    codes = np.empty(len(cells), dtype=np.intp)
    codes[plain] = kinds
    codes[others] = len(firsts) + np.arange(len(others))
    some = cells.take(np.concatenate([plain[firsts], others]))
    return Readings([None if cell is None else read(cell) for cell in some], codes)


@dataclass
class _Countries:
    """What is known of countries by the first three digits; to know all takes a quarter second."""

    kinds: npt.NDArray[np.int32]
    """The country's code, shape (1000,)."""


@cache
def _countries() -> _Countries:
    """Return what is known so far."""
    return _Countries(np.full(1000, texts.UNKNOWN, dtype=np.int32))


@cache
def _telling() -> texts.Keys:
    return texts.Keys(Packed.of(sorted(telling_names())))


@cache
def suspects(words: tuple[str, ...]) -> Callable[[Packed], Mask]:
    """Return what tells which texts may be placeholders."""
    marked = np.zeros((128, 128), dtype=np.bool_)
    for begin in filter(str.isascii, placeholder_begins(words)):
        ways = [{letter, letter.upper()} for letter in f"{begin}\0"[:2]]
        for first, second in product(*ways):
            marked[ord(first), ord(second)] = True
    return lambda cells: texts.begin_as(cells, marked)


@cache
def folds() -> Packed:
    """Return what each letter is folded to in words, missing for any other character.

    Up to where emoji end, which are no letters: 20 ms and half a megabyte.
    """
    characters = map(chr, range(0x20000))
    return Packed.of([c.casefold() if c.isalpha() else None for c in characters])


@cache
def known(keys: tuple[str, ...]) -> texts.Keys:
    """Return texts by which others are found, for a column of texts."""
    return texts.Keys(Packed.of(keys))
