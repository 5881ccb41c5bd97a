"""How a score adds up in percentage points."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.store.history import PastScore
from serving.adding import adding, mean_slope, moved_by
from serving.reasons import Reason
from serving.scorer import Score, sigmoid
from serving.why import Change

log_odds = st.floats(-6, 6)


def a_score(base: float | None, reasons: list[float], rest: float) -> Score:
    whole = (base or 0.0) + sum(reasons) + rest
    told = tuple(Reason(f"f{n}", "x", _direction(by), by, "") for n, by in enumerate(reasons))
    return Score("a", sigmoid(whole), "A", told, base, None if base is None else rest, ())


def _direction(by: float) -> Literal["up", "down"]:
    return "up" if by > 0 else "down"


@given(log_odds, st.lists(log_odds, max_size=5), log_odds)
def test_what_is_shown_adds_up_to_the_decimal(
    base: float, reasons: list[float], rest: float
) -> None:
    found = adding(a_score(base, reasons, rest))
    assert found is not None
    assert round(found.average + sum(found.reasons) + found.rest, 1) == found.whole


@given(log_odds, st.lists(log_odds, min_size=2, max_size=5), log_odds)
def test_a_stronger_reason_never_counts_for_less(
    base: float, reasons: list[float], rest: float
) -> None:
    found = adding(a_score(base, sorted(reasons), rest))
    assert found is not None
    assert list(found.reasons) == sorted(found.reasons)


@given(log_odds, st.lists(st.floats(-0.5, 0.5), max_size=8), st.floats(-0.01, 0.01))
def test_each_part_is_shown_within_a_decimal_and_with_its_own_sign(
    base: float, reasons: list[float], rest: float
) -> None:
    found = adding(a_score(base, reasons, rest))
    assert found is not None
    way = sum(reasons) + rest
    slope = mean_slope(sigmoid(base), sigmoid(base + way), way)
    for shown, own in zip((*found.reasons, found.rest), (*reasons, rest), strict=True):
        assert abs(shown - 100 * own * slope) <= 0.1 + 1e-9
        assert shown * own >= 0


def test_what_rounding_loses_does_not_turn_the_rest_around() -> None:
    found = adding(a_score(-2.0, [-0.82] * 5, 0.01))
    assert found is not None
    assert found.rest in (0.0, 0.1)  # it is .03, and was shown as -.2


def test_reasons_that_cancel_each_other_keep_their_size() -> None:
    found = adding(a_score(0.0, [1.0, -1.0], 0.0))
    assert found is not None
    assert found.reasons == (25.0, -25.0)


def test_a_score_without_reasons_adds_nothing_up() -> None:
    assert adding(a_score(None, [], 0.0)) is None


def test_parts_of_a_change_make_up_the_change() -> None:
    before, after = (
        PastScore(datetime(2026, 1, day), "1", "1-0", sigmoid(at), "B", None)
        for day, at in ((1, -2.0), (2, 0.5))
    )
    change = Change(before, after, 2.5, [], 0.0, [], "", "")
    moved = moved_by(change, 3.0) + moved_by(change, -0.5)
    assert moved == pytest.approx(100 * (sigmoid(0.5) - sigmoid(-2.0)))
