"""What a phone number says about a lead without saying who it is: the region that it is of.

`phonenumbers` defines it. What most numbers are is found by its metadata in a tenth of the time:
by regular expressions one by one, by an automaton many at a time.
"""

from __future__ import annotations

import re
from functools import cache, cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import phonenumbers

from features.cells import Cell, text_of
from features.digits import Net, States

Mask = npt.NDArray[np.bool_]
_GAPS = str.maketrans("", "", " -./()")
_LONGEST = 64
"""Letters of a number with its gaps; of very many `phonenumbers` reads none."""
_EXTENSION = re.compile(r" *(?:e?xt|x)\.? *\d{1,9}\Z", re.ASCII | re.IGNORECASE)


def phone_region(cell: Cell) -> str:
    """Return the two-letter region of an international number, `national` or `invalid`."""
    text = text_of(cell)
    text = f"+{text[2:]}" if text.startswith("00") else text
    if not text.startswith("+"):
        digits = text.replace(" ", "")
        if not digits.isdecimal():
            digits = "".join(filter(str.isdigit, text))
        return "national" if len(digits) >= 6 else "invalid"
    region = _plain_region(text)
    if region is not None:
        return region
    try:
        parsed = phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        return "invalid"
    return phonenumbers.region_code_for_number(parsed) or "invalid"


def _plain_region(text: str) -> str | None:
    """Return what `phonenumbers` finds in digits with the usual gaps; None for any other."""
    if len(text) > _LONGEST:
        return None
    digits = text[1:].translate(_GAPS)
    if not (digits.isascii() and digits.isdigit()):
        digits = _EXTENSION.sub("", text[1:]).translate(_GAPS)
    if not (digits.isascii() and digits.isdigit() and 8 <= len(digits) <= 15):
        return None
    country = country_of(digits[:3])
    if country is None:
        return None
    if len(country.names) == 1:
        return country.names[0]
    return country.region_of(country.without_prefix(digits[country.width :]))


class _Kind(NamedTuple):
    """Numbers of one kind within a region, such as mobile ones."""

    sizes: tuple[int, ...]
    """Digits that they have."""
    pattern: str
    """Which they match as well; only the empty number does where there are none."""

    @classmethod
    def of(cls, facts: phonenumbers.PhoneNumberDesc | None) -> _Kind:
        pattern = facts.national_number_pattern if facts else None
        return cls(tuple(facts.possible_length) if facts else (), pattern or "")

    @property
    def size_pattern(self) -> str:
        return "|".join(rf"\d{{{size}}}" for size in self.sizes) or r"\d{0,15}"


def _kinds_of(facts: phonenumbers.PhoneMetadata) -> list[_Kind]:
    kinds = (
        *(facts.fixed_line, facts.mobile, facts.toll_free, facts.premium_rate),
        *(facts.shared_cost, facts.voip, facts.personal_number, facts.pager),
        *(facts.uan, facts.voicemail),
    )
    return [*map(_Kind.of, kinds)]


def _facts_of(region: str) -> phonenumbers.PhoneMetadata:
    found = phonenumbers.PhoneMetadata.metadata_for_region(region)
    if found is None:
        raise KeyError(region)
    return found


class Automaton(NamedTuple):
    """What finds the regions of numbers with a country's code, and with nothing but digits."""

    steps: States
    """By state and digit the next state, shape (states, 10); it starts with state 0."""
    regions: list[int]
    """By state the place of the region, one more than there are for a number of none."""
    has_prefix: Mask
    """By state whether a number begins with what stands before it within the country."""


class Country:
    """What numbers of one country code have in common."""

    def __init__(self, code: int) -> None:
        self.code = code
        self.width = len(str(code))
        self.names: tuple[str, ...] = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code]
        """Of its regions, in the order of choice."""

    @cached_property
    def _facts(self) -> phonenumbers.PhoneMetadata:
        return _facts_of(self.names[0])

    @cached_property
    def _prefix(self) -> re.Pattern[str] | None:
        prefix = self._facts.national_prefix_for_parsing
        return re.compile(prefix) if prefix else None

    def without_prefix(self, number: str) -> str:
        """Return a number without what stands before it within the country.

        As in `phonenumbers.parse`: only where the rest may be a number of the country.
        """
        found = self._prefix.match(number) if self._prefix else None
        if not found:
            return number
        rest = number[found.end() :]
        sizes, pattern = _Kind.of(self._facts.general_desc)
        if re.fullmatch(pattern, number) and not re.fullmatch(pattern, rest):
            return number
        return rest if len(rest) in sizes or len(rest) > max(sizes) else number

    @cached_property
    def automaton(self) -> Automaton:
        """Return what finds the region of a number, the country's code before it.

        As in `phonenumbers.region_code_for_number`, it is the first one by whose leading digits the
        number begins, or else of one of whose kinds it is.
        """
        net = Net()

        @cache
        def place(pattern: str, is_begin: bool = False) -> int:
            return net.add(f"{self.code}(?:{pattern})", is_begin)

        def places(kind: _Kind) -> set[int]:
            return {place(kind.size_pattern), place(kind.pattern)}

        def ways_of(facts: phonenumbers.PhoneMetadata) -> list[set[int]]:
            if facts.leading_digits is not None:
                return [{place(facts.leading_digits, is_begin=True)}]
            any_ = places(_Kind.of(facts.general_desc))
            return [any_ | places(kind) for kind in _kinds_of(facts)]

        ways = [*map(ways_of, map(_facts_of, self.names))]
        prefix = place(self._prefix.pattern, is_begin=True) if self._prefix else None
        steps, states = net.states()
        regions = [
            next((i for i, way in enumerate(ways) if any(w <= found for w in way)), len(ways))
            for found in states
        ]
        return Automaton(steps, regions, np.array([prefix in found for found in states]))

    @cached_property
    def _steps(self) -> list[list[int]]:
        found: list[list[int]] = self.automaton.steps.tolist()
        return found

    def region_of(self, number: str) -> str:
        """Return the region of a number without code and prefix, or `invalid`."""
        state = 0
        for digit in f"{self.code}{number}":
            state = self._steps[state][int(digit)]
        return [*self.names, "invalid"][self.automaton.regions[state]]


@cache
def country_of(first: str) -> Country | None:
    """Return the country of a number by its first three digits; no code begins another one."""
    for width in (1, 2, 3):
        code = int(first[:width])
        if code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE and first[0] != "0":
            return _country(code)
    return None


_country = cache(Country)
