"""Leaks planted into a table, and what the search makes of them: the short form."""

from __future__ import annotations

import pytest

from benchmarks.leaks import Judged, judged
from benchmarks.shared_sets import simulated_set
from features.simulate import Settings


@pytest.fixture(scope="module")
def found() -> list[Judged]:
    return list(judged(simulated_set("crm", Settings(seed=3, leads=2500)), seed=2))


def test_most_planted_leaks_are_accused_and_few_honest_fields(found: list[Judged]) -> None:
    accused = [f for f in found if f.verdict in ("blocked", "suspect")]

    assert sum(f.is_leak for f in found) == 6
    assert sum(f.is_leak for f in accused) >= 4
    assert sum(not f.is_leak for f in accused) <= 2


def test_fields_that_the_table_had_count_as_honest(found: list[Judged]) -> None:
    assert not next(f for f in found if f.name == "industry").is_leak
