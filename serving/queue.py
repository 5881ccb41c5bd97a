"""Today's queue: whom sales calls, most of them by score and a few by lot.

A model that is trained on the leads it chose itself never hears of those it left out: if a kind
of lead turns good, nobody finds out. So a small share of the calls goes to leads drawn by lot from
below the cut. How likely each lead was to be called is kept, because that is what training weighs
by and what the measured lift of the model rests on (Horvitz and Thompson 1952).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from serving.members import Vector

Lane = Literal["model", "exploration"]
Places = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Queue:
    """Whom to call of n leads that wait."""

    calls: Places
    """Positions of the leads to call: by score, then those drawn by lot."""
    lanes: tuple[Lane, ...]
    """The lane of each call."""
    propensity: Vector
    """How likely each of the n leads was to be called, called or not; shape (n,)."""


def draw_lane(score: Vector, capacity: int, share: float, seed: int | Sequence[int]) -> Queue:
    """Fill the day's calls by score, and a share of them by lot from below the cut.

    Where `share` of the capacity is no whole number, the lot decides between the two next to it,
    so that the share holds in the long run: 5 % of 10 calls are one call every other day. Where
    all leads can be called, all are, and nothing is drawn.

    Example: of 100 leads 10 can be called, one of them by lot. The nine best are sure to be
    called; each of the 91 others has a chance of 1 in 91.

    Args:
        score: of the leads that wait, shape (n,); more is better. Equal ones keep their order.
        capacity: how many can be called.
        share: of the calls that go to the lot, 0 to 1.
        seed: decides the lot; the same seed and scores give the same calls.

    Raises:
        ValueError: when the share is not between 0 and 1, or the capacity is below 0.

    """
    if not 0 <= share <= 1 or capacity < 0:
        raise ValueError(f"share {share} must be from 0 to 1, and capacity {capacity} at least 0")
    best = np.argsort(-score, kind="stable")
    if len(best) <= capacity:
        return Queue(best, _lanes(len(best), 0), np.ones(len(best)))
    lot = np.random.default_rng(seed)
    fewer, part = int(share * capacity), share * capacity % 1
    drawn = fewer + int(lot.random() < part)
    by_score, below = np.split(best, [capacity - drawn])
    by_lot = lot.choice(below, drawn, replace=False)
    propensity = np.empty(len(best))
    propensity[best] = (1 - part) * _chances(len(best), capacity, fewer)
    if part:
        propensity[best] += part * _chances(len(best), capacity, fewer + 1)
    lanes = _lanes(len(by_score), drawn)
    return Queue(np.concatenate([by_score, by_lot]), lanes, propensity)


def _lanes(by_score: int, drawn: int) -> tuple[Lane, ...]:
    lanes: list[Lane] = ["model"] * by_score
    lanes += ["exploration"] * drawn
    return tuple(lanes)


def _chances(waiting: int, capacity: int, drawn: int) -> Vector:
    """Return the chance of each lead by rank to be called, when so many calls are drawn."""
    chances = np.full(waiting, drawn / (waiting - capacity + drawn))
    chances[: capacity - drawn] = 1.0
    return chances
