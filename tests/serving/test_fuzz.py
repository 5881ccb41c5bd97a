"""Whatever is read has an answer: each property of `tests/fuzzing.py`, for a moment."""

from __future__ import annotations

import pytest

from features.agreement import parse
from tests.fuzzing import AGREEMENT, PROPERTIES, run


def test_the_agreement_that_is_damaged_is_one() -> None:
    assert parse(AGREEMENT.decode()).name == "fuzz"


@pytest.mark.parametrize("reader", PROPERTIES)
def test_a_reader_answers_whatever_it_is_given(reader: str) -> None:
    run(reader, cases=100, seed=0)
