"""Patterns of digits as one automaton, which reads a number digit by digit (`texts.c`).

Patterns are regular expressions of digits, classes, groups, `|`, `?` and `{n}`, `{n,m}`: what the
metadata of `phonenumbers` is written in. By Thompson (1968) they become a net of places, by Rabin
and Scott (1959) sets of places become states.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

States = npt.NDArray[np.int32]
_DIGITS = "0123456789"
_PART = re.compile(r"\\d|\[[-\d]+\]|\d|\(\?:|\(|\)|\||\{\d+(?:,\d+)?\}|\?", re.ASCII)
_BETWEEN = re.compile(r"(\d)-(\d)")


class Net:
    """Places, each with the digits by which others are come to, and those it stands for as well."""

    def __init__(self) -> None:
        self._steps: list[list[list[int]]] = []
        self._besides: list[list[int]] = []
        self.start = self._place()

    def _place(self) -> int:
        self._steps.append([[] for _ in _DIGITS])
        self._besides.append([])
        return len(self._steps) - 1

    def add(self, pattern: str, is_begin: bool = False) -> int:
        """Add a pattern; return the place that is come to where a number is such.

        Args:
            pattern: see the top of the file.
            is_begin: whether any digits may follow.

        Raises:
            ValueError: for what no such pattern has.

        """
        parts = _PART.findall(pattern)
        if "".join(parts) != pattern or parts.count(")") != sum(p[0] == "(" for p in parts):
            raise ValueError(f"{pattern!r} is no pattern of digits")
        end = self._either([*parts, ")"])(self.start)
        if is_begin:
            self._step(end, _DIGITS, end)
        return end

    def _step(self, at: int, digits: str, to: int) -> None:
        for digit in digits:
            self._steps[at][int(digit)].append(to)

    def _either(self, rest: list[str]) -> Callable[[int], int]:
        """Take the parts up to a bracket that closes; return what goes on from a place by them."""
        ways = [self._row(rest)]
        while rest.pop(0) == "|":
            ways.append(self._row(rest))

        def go(at: int) -> int:
            end = self._place()
            for way in ways:
                self._besides[way(at)].append(end)
            return end

        return go

    def _row(self, rest: list[str]) -> Callable[[int], int]:
        parts: list[Callable[[int], int]] = []
        while rest[0] not in ("|", ")"):
            part = rest.pop(0)
            if part[0] in "?{":
                parts.append(self._repeated(parts.pop(), part))
            else:
                parts.append(self._either(rest) if part[0] == "(" else self._one_of(part))

        def go(at: int) -> int:
            for part in parts:
                at = part(at)
            return at

        return go

    def _one_of(self, part: str) -> Callable[[int], int]:
        some = _DIGITS if part == r"\d" else _BETWEEN.sub(_all_between, part.strip("[]"))

        def go(at: int) -> int:
            end = self._place()
            self._step(at, some, end)
            return end

        return go

    def _repeated(self, part: Callable[[int], int], times: str) -> Callable[[int], int]:
        few, _, many = ("0,1" if times == "?" else times.strip("{}")).partition(",")

        def go(at: int) -> int:
            for _ in range(int(few)):
                at = part(at)
            end = self._place()
            self._besides[at].append(end)
            for _ in range(int(few), int(many or few)):
                at = part(at)
                self._besides[at].append(end)
            return end

        return go

    def states(self) -> tuple[States, list[frozenset[int]]]:
        """Return the automaton; it starts with state 0.

        Returns:
            By state and digit the next state, shape (states, 10), and the places that each state
            stands for.

        """
        besides = [self._with_besides(place) for place in range(len(self._steps))]
        first = besides[self.start]
        numbers, states = {first: 0}, [first]
        steps: list[list[int]] = []
        for places in states:  # which grow meanwhile
            lead_on = [self._steps[place] for place in places if any(self._steps[place])]
            row = []
            for digit in range(10):
                found = {besides[to] for each in lead_on for to in each[digit]}
                reached = frozenset().union(*found)
                if reached not in numbers:
                    numbers[reached] = len(states)
                    states.append(reached)
                row.append(numbers[reached])
            steps.append(row)
        return np.array(steps, dtype=np.int32), states

    def _with_besides(self, place: int) -> frozenset[int]:
        found: set[int] = set()
        waiting = [place]
        while waiting:
            place = waiting.pop()
            if place not in found:
                found.add(place)
                waiting += self._besides[place]
        return frozenset(found)


def _all_between(found: re.Match[str]) -> str:
    return "".join(map(str, range(int(found[1]), int(found[2]) + 1)))
