"""Patterns of digits become one automaton that finds the same as Python's `re`."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.digits import Net

_PARTS = st.sampled_from([r"\d", "1", "0", "[13-5]", "[02]", r"\d{2}", "1{1,3}", "[1-9]{2}", "0?"])
_PATTERNS = st.recursive(
    st.lists(_PARTS, max_size=4).map("".join),
    lambda inner: (
        st.tuples(inner, inner, st.sampled_from(["", "?", "{2}", "{0,2}"])).map(
            lambda parts: "(?:{}|{}){}".format(*parts)
        )
        | st.tuples(inner, inner).map("".join)
    ),
    max_leaves=6,
)


def ends(net: Net, number: str) -> frozenset[int]:
    steps, states = net.states()
    state = 0
    for digit in number:
        state = steps[state, int(digit)]
    return states[state]


@settings(max_examples=150, deadline=None)
@given(_PATTERNS, _PATTERNS, st.text("012345", max_size=7))
def test_a_number_comes_to_the_patterns_that_it_matches(one: str, other: str, number: str) -> None:
    net = Net()
    whole, begin = net.add(one), net.add(other, is_begin=True)

    found = ends(net, number)

    assert (whole in found) == bool(re.fullmatch(one, number))
    assert (begin in found) == bool(re.match(other, number))


@pytest.mark.parametrize("pattern", ["a", "1*", "[^1]", "(1", "1)", r"1\b"])
def test_other_patterns_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="is no pattern of digits"):
        Net().add(pattern)
