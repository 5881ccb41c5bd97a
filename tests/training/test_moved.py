from __future__ import annotations

import numpy as np
import pytest

from features.cells import Cell
from training.moved import Drift, drift, psi

RANDOM = np.random.default_rng(3)
Y = np.array([1, 0] * 500, dtype=np.int8)


def between(earlier: list[Cell], later: list[Cell]) -> Drift:
    return drift(
        {"field": earlier}, {"field": later}, np.resize(Y, len(earlier)), np.resize(Y, len(later))
    )


def numbers(middle: float, rows: int = 1000) -> list[Cell]:
    return [str(round(x, 3)) for x in RANDOM.normal(middle, 1, rows).tolist()]


def test_the_index_is_what_its_formula_gives() -> None:
    found = psi(np.array([49.5, 49.5]), np.array([24.5, 74.5]))

    a, b = 25 / 100, 50 / 100
    assert found == pytest.approx((a - b) * np.log(a / b) + (0.75 - 0.5) * np.log(1.5))


def test_numbers_of_the_same_leads_are_steady() -> None:
    found = between(numbers(0), numbers(0)).fields[0]

    assert not found.has_moved
    assert found.psi == pytest.approx(found.psi_by_chance, abs=0.03)


def test_numbers_that_went_up_have_moved_much() -> None:
    found = between(numbers(0), numbers(1)).fields[0]

    assert found.verdict == "moved much"
    assert found.moved_share == pytest.approx(0.38, abs=0.06)  # 2 Phi(1/2) - 1


def test_a_category_that_was_not_there_before_is_seen() -> None:
    found = between(["a"] * 1000, ["a"] * 700 + ["b"] * 300).fields[0]

    assert found.verdict == "moved much"
    assert found.moved_share == pytest.approx(0.3)


def test_a_field_that_is_no_longer_filled_has_moved() -> None:
    found = between(["a", "b"] * 500, ["a", "b", None, None] * 250).fields[0]

    assert (found.missing_before, found.missing_after) == (0.0, 0.5)
    assert found.verdict == "moved much"


def test_a_few_leads_that_look_different_show_nothing() -> None:
    found = between(["a", "b"] * 10, ["a"] * 14 + ["b"] * 6).fields[0]

    assert found.psi > 0.1
    assert found.verdict == "not shown"


def test_free_text_moves_nowhere() -> None:
    found = between([f"text {i}" for i in range(500)], [f"other {i}" for i in range(500)]).fields[0]

    assert (found.psi, found.verdict) == (0.0, "little")


def test_a_field_that_is_always_empty_moves_little() -> None:
    assert between([None] * 50, [None] * 50).fields[0].verdict == "little"


def test_the_most_moved_field_stands_first() -> None:
    earlier: dict[str, list[Cell]] = {"still": numbers(0), "moving": numbers(0)}
    later: dict[str, list[Cell]] = {"still": numbers(0), "moving": numbers(2)}

    assert [f.field for f in drift(earlier, later, Y, Y).fields] == ["moving", "still"]


def test_among_many_steady_fields_hardly_ever_one_is_called_moved() -> None:
    before: dict[str, list[Cell]] = {str(i): numbers(0, 100) for i in range(200)}
    after: dict[str, list[Cell]] = {str(i): numbers(0, 100) for i in range(200)}

    found = drift(before, after, Y[:100], Y[:100]).fields

    assert sum(f.has_moved for f in found) <= 1


def test_the_change_of_the_win_rate_has_an_interval() -> None:
    later = np.array([1] * 300 + [0] * 700, dtype=np.int8)

    found = drift({}, {}, Y, later)

    assert found.rate_change.value == pytest.approx(-0.2)
    assert found.rate_change.high < 0
    assert found.fields == ()


def test_text_is_read_by_the_mark_of_the_export() -> None:
    earlier = [f"{i},5" for i in range(100)]
    later = [f"{i},5" for i in range(100, 200)]

    found = drift({"x": earlier}, {"x": later}, Y[:100], Y[:100], decimal=",")

    assert found.fields[0].moved_share == pytest.approx(0.9)
