"""Counts with their nouns."""

from __future__ import annotations

import pytest

from features.counted import counted


@pytest.mark.parametrize(
    ("count", "one", "said"),
    [
        (0, "row", "0 rows"),
        (1, "lead", "1 lead"),
        (2000, "lead", "2,000 leads"),
        (1, "word of sales", "1 word of sales"),
        (2, "word of sales", "2 words of sales"),
    ],
)
def test_one_stands_alone_and_others_in_the_plural(count: int, one: str, said: str) -> None:
    assert counted(count, one) == said
