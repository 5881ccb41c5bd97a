"""Spellings of one campaign stand together, and no two campaigns do."""

from __future__ import annotations

import pytest

from features.campaign import campaign_key
from features.cells import Cell


@pytest.mark.parametrize(
    "spelling",
    [
        "Paid Search  Spring Fair 2026-Q4",
        "paid_search_spring_fair_2026_q4",
        "Paid_Search Spring-Fair_2026-Q4",
        "paid-search-spring-fair-2026-q4",
        " PAID SEARCH \u2013 SPRING\u2011FAIR 2026 Q4\n",
        "Paid_Search_-_Spring_Fair__2026--Q4",
    ],
)
def test_words_are_one_campaign_however_they_are_parted(spelling: str) -> None:
    assert campaign_key(spelling) == campaign_key("Paid Search Spring Fair 2026-Q4")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("q1-2026", "q12026"),
        ("Fair 1", "Fair 11"),
        ("Fair 1-1", "Fair 11"),
        ("v1.2", "v1 2"),
        ("A/B", "A B"),
        ("A+B", "A B"),
        ("Price -10 %", "Price 10 %"),
        ("Plan B-", "Plan B"),
        ("Ü", "U"),
        ("-", "_"),
        ("_", ""),
        ("#1", "1"),
    ],
)
def test_what_may_be_two_campaigns_is_never_joined(one: str, other: str) -> None:
    assert campaign_key(one) != campaign_key(other)


@pytest.mark.parametrize("missing", [None, "", " \t"])
def test_a_missing_name_is_no_campaign(missing: Cell) -> None:
    assert campaign_key(missing) == ""
