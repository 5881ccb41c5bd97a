"""Kinds of arrays and the few draws that every part of the simulated world shares."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]
Times = NDArray[np.datetime64]
Texts = NDArray[np.object_]
Table = dict[str, list[str]]

UNRECORDED = -1


def pick(rng: np.random.Generator, chances: ArrayLike, size: int) -> Codes:
    """Draw one code a lead; `chances` is (k,) for all leads alike or (size, k), any scale."""
    cumulative = np.atleast_2d(np.cumsum(chances, axis=-1, dtype=np.float64))
    mark = rng.random(size) * cumulative[:, -1]
    codes: Codes = (mark[:, None] >= cumulative).sum(axis=1)
    return codes


def label(words: Sequence[str], codes: Codes) -> Texts:
    """The words behind the codes; an unrecorded code (-1) becomes empty text."""
    texts: Texts = np.array([*words, ""], dtype=object)[codes]
    return texts


def whole(numbers: NDArray[Any], mark: str = "") -> list[str]:
    """Whole numbers as text, `mark` between thousands, empty text for NaN."""
    form = f"{{:{mark}.0f}}".format
    return ["" if number != number else form(number) for number in numbers.tolist()]


def minutes(days: Floats) -> NDArray[np.timedelta64]:
    """Lengths in days as whole minutes, rounded down so that a bound stays a bound."""
    return np.floor(days * 1440).astype("timedelta64[m]")


def stamp(times: Times) -> list[str]:
    """ISO text at the unit of the array (day or minute), empty for not-a-time."""
    texts = np.datetime_as_string(times).tolist()
    return ["" if text == "NaT" else text for text in texts]
