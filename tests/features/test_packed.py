"""Texts held as bytes are the same texts."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from features.cells import Cell
from features.coded import CodedCells, joined
from features.packed import Packed, below, kept, packed

TEXTS: list[Cell] = ["a@b.example", None, "Überweg", None, "漢字", "a@b.example"]


def test_packed_texts_are_the_texts() -> None:
    found = packed(TEXTS)

    assert isinstance(found, Packed)
    assert list(found) == TEXTS
    assert [found[i] for i in range(-2, 4)] == [*TEXTS[-2:], *TEXTS[:4]]
    assert found[1:4] == TEXTS[1:4]
    assert found[9:] == []
    assert found[::-2] == TEXTS[::-2]


@pytest.mark.parametrize("odd", [3.5, "half a letter \ud800"])
def test_what_is_no_whole_text_leaves_all_as_they_are(odd: Cell) -> None:
    cells = ["a", odd]

    assert packed(cells) is cells


def test_parts_stand_one_below_the_other_whatever_holds_them() -> None:
    assert list(below([packed(TEXTS), ["x", None]])) == [*TEXTS, "x", None]
    assert list(below([packed(TEXTS), [1.5]])) == [*TEXTS, 1.5]
    assert below([["x"], ["y"]]) == ["x", "y"]


def test_a_mask_keeps_texts_packed() -> None:
    mask = np.array([True, True, False, True, False, False])

    found = kept(packed(TEXTS), mask)

    assert isinstance(found, Packed)
    assert list(found) == list(kept(TEXTS, mask)) == ["a@b.example", None, None]


def test_packed_texts_are_sent_and_held_without_the_letters_of_others() -> None:
    some = Packed.of([*TEXTS, "of others" * 1000]).take(np.array([4, 0]))

    for own in (pickle.loads(pickle.dumps(some)), some.compact()):
        assert list(own) == ["漢字", "a@b.example"]
        assert len(own.letters) == len("漢字a@b.example".encode())
    assert own.compact() is own


def test_a_column_of_packed_texts_reads_and_takes_as_any_other() -> None:
    plain = CodedCells([f"lead {i}" for i in range(40)], np.arange(40))
    column = joined([plain.take(np.arange(25)).packed(), plain.take(np.arange(25, 40)).packed()])

    assert isinstance(column.values, Packed)
    assert column == list(plain)
    assert column[7] == "lead 7"
    assert column.take(np.array([3, 3, 39])) == ["lead 3", "lead 3", "lead 39"]
    assert column.read(str.upper)[:2] == ["LEAD 0", "LEAD 1"]


def test_a_column_that_repeats_itself_stays_as_it_is() -> None:
    column = CodedCells(["web", "fair"], np.array([0, 1, 0, 1]))

    assert column.packed() is column
