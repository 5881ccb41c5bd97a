"""Quick ways to read packed texts: what is plain at once, what is not by the scalar definition.

Each gives what its scalar definition gives, to the last bit (`tests/features/test_plain.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import cache
from itertools import product
from threading import Lock

import numpy as np

from features import texts
from features.cells import Cell, placeholder_begins, text_of
from features.coded import Codes, Mask, Places, Readings, Times
from features.contact import telling_names
from features.packed import Packed
from features.phones import country_of


def numbers(cells: Packed, read: Callable[[Cell], float], decimal: str) -> Readings:
    """Return what `read` makes of texts as numbers with a decimal mark."""
    found, others = texts.numbers(cells, decimal)
    places = np.flatnonzero(others)
    found[places] = [read(cell) for cell in cells.take(places)]
    return Readings(found, None)


def whole(cells: Packed) -> Packed:
    """Return `text_of` of each text."""
    ends, others = texts.whole_ends(cells)
    for place in np.flatnonzero(others).tolist():
        ends[place] = cells.begins[place] + len(text_of(cells[place]).encode())
    return Packed(cells.letters, cells.begins, ends)


def times(cells: Packed, read: Callable[[Cell], datetime | None], day_first: bool) -> Times:
    """Return what `read` makes of texts as points in time, the day first where that is agreed."""
    found, others = texts.moments(cells, day_first)
    found[~cells.filled] = np.datetime64("NaT")
    places = np.flatnonzero(others)
    found[places] = np.array([*map(read, cells.take(places))], dtype=found.dtype)
    return found


def moments(cells: Packed, read: Callable[[Cell], datetime | None], day_first: bool) -> Readings:
    """Return the same as Python's points in time, None for none."""
    return Readings(times(cells, read, day_first).tolist(), None)


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
    kinds = texts.phone_kinds(cells, *known.tables)
    new = np.unique(texts.UNKNOWN_COUNTRY - kinds[kinds <= texts.UNKNOWN_COUNTRY])
    if len(new):
        for first in new.tolist():
            known.learn(f"{first:03}")
        kinds = texts.phone_kinds(cells, *known.tables)
    plain = np.flatnonzero(kinds >= 0)
    _, firsts, codes = np.unique(kinds[plain], return_index=True, return_inverse=True)
    return _alike(cells, read, plain, codes, firsts)


def _alike(
    cells: Packed, read: Callable[[Cell], str], plain: Places, kinds: Codes, firsts: Codes
) -> Readings:
    """Return what is read where many texts are read alike.

    Args:
        cells: the texts.
        read: the scalar definition.
        plain: which of the texts are of some kind; others are read one by one.
        kinds: of these, from 0 on.
        firsts: one of each kind, a place in `plain`.

    """
    mask = cells.filled
    mask[plain] = False
    others = np.flatnonzero(mask)
    # Behind those that are read stands the one for all that are missing.
    codes = np.full(len(cells), len(firsts) + len(others), dtype=np.intp)
    codes[plain] = kinds
    codes[others] = len(firsts) + np.arange(len(others))
    some = cells.take(np.concatenate([plain[firsts], others]))
    return Readings([*map(read, some), None], codes)


class _Countries:
    """What is known of the numbers of countries; to know all takes a quarter second."""

    def __init__(self) -> None:
        kinds, steps = np.full(1000, texts.UNKNOWN, np.int32), np.zeros((0, 10), np.int32)
        self.tables = kinds, steps, np.zeros(0, np.int32)
        """See `texts.phone_kinds`. A kind is the country's code times `_REGIONS`, and the place of
        the region."""
        self._lock = Lock()

    def learn(self, first: str) -> None:
        """Learn of the country whose numbers begin with three digits."""
        with self._lock:
            # Other threads may be reading the tables that stand there: they are exchanged.
            kinds, steps, ends = self.tables
            kinds, place, country = kinds.copy(), int(first), country_of(first)
            if country is None:
                kinds[place] = texts.NOT_PLAIN
            elif len(country.names) == 1:
                kinds[place] = country.code * _REGIONS
            elif kinds[place] == texts.UNKNOWN:
                own = 10 ** (3 - country.width)
                begin = place // own * own
                kinds[begin : begin + own] = texts.AUTOMATON + len(steps)
                found = country.automaton
                own_ends = country.code * _REGIONS + np.array(found.regions, np.int32)
                own_ends[found.has_prefix] = texts.NOT_PLAIN
                steps = np.concatenate([steps, len(steps) + found.steps])
                ends = np.concatenate([ends, own_ends])
            self.tables = kinds, steps, ends


_REGIONS = 100
"""More than a country code has."""


@cache
def _countries() -> _Countries:
    """Return what is known so far."""
    return _Countries()


@cache
def _telling() -> texts.Keys:
    return texts.Keys(Packed.of(sorted(telling_names())))


@cache
def suspects(words: tuple[str, ...]) -> Callable[[Packed], Mask]:
    """Return what tells which texts may be placeholders."""
    found = marked(placeholder_begins(words))
    return lambda cells: texts.begin_as(cells, found)


def marked(begins: Iterable[str]) -> Mask:
    """Return the first two letters of texts, in either case, for `texts.begin_as`."""
    found = np.zeros((128, 128), dtype=np.bool_)
    for begin in filter(str.isascii, (f"{begin}\0\0"[:2] for begin in begins)):
        ways = [{letter, letter.lower(), letter.upper()} for letter in begin]
        for first, second in product(*ways):
            found[ord(first), ord(second)] = True
    return found


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
