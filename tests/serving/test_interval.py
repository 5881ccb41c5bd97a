from __future__ import annotations

import json

import pytest

from serving.interval import Interval

SIMPLE = Interval((-1.0, 1.0), (-0.4, -0.2), (0.6, 0.2))


@pytest.mark.parametrize(
    ("score", "low", "high"),
    [
        (-1.0, -1.4, -0.4),
        (0.0, -0.3, 0.4),
        (1.0, 0.8, 1.2),
        (-5.0, -5.4, -4.4),
        (5.0, 4.8, 5.2),
    ],
)
def test_the_ends_lie_on_straight_lines_between_knots(
    score: float, low: float, high: float
) -> None:
    assert SIMPLE.at(score) == pytest.approx((low, high))


def test_one_knot_serves_every_score() -> None:
    assert Interval((0.0,), (-1.0,), (2.0,)).at(3.0) == (2.0, 5.0)


def test_the_score_always_lies_inside() -> None:
    ends = [(SIMPLE.at(z / 7), z / 7) for z in range(-30, 30)]

    assert all(low <= z <= high for (low, high), z in ends)


def test_it_reads_back_from_json_the_same() -> None:
    assert Interval.from_dict(json.loads(json.dumps(SIMPLE.as_dict()))) == SIMPLE
