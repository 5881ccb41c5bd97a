"""Where a phone number is from, as `phonenumbers` finds it, one by one and many at a time."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from features import plain
from features.packed import Packed
from features.phones import country_of, phone_region

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
SHARED = sorted(c for c, names in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items() if names[1:])
"""Country codes of several regions."""


@pytest.mark.parametrize(
    ("phone", "region"),
    [
        ("+49 151 23456789", "DE"),
        ("0049 (151) 234-567-89", "DE"),
        ("+44 (0)20 7946 0958", "GB"),
        ("+1 212 555 0100", "US"),
        ("+1 416 555 0100", "CA"),
        ("0151 23456789", "national"),
        (4915123456789.0, "national"),
        ("12345", "invalid"),
        ("+", "invalid"),
        ("+999 123", "invalid"),
        ("00", "invalid"),
        ("call me", "invalid"),
        (None, "invalid"),
    ],
)
def test_a_phone_number_has_a_region_where_it_says_so(
    phone: str | float | None, region: str
) -> None:
    assert phone_region(phone) == region


@settings(max_examples=200, deadline=None)
@given(st.text() | st.text("+0123456789 ()-"), st.sampled_from(["", "x@", "+", "00"]))
def test_any_text_has_a_region(text: str, before: str) -> None:
    assert phone_region(before + text)


@st.composite
def numbers(draw: st.DrawFn) -> str:
    """A number of a region, digits changed and gaps put in, perhaps with an extension."""
    shared = [r for c in SHARED for r in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[c]]
    found = phonenumbers.example_number(draw(st.sampled_from(shared) | st.sampled_from(REGIONS)))
    digits = list(phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164))
    for place in draw(st.lists(st.integers(2, len(digits) - 1), max_size=3)):
        digits[place] = draw(st.sampled_from("0123456789"))
    for place in draw(st.lists(st.integers(1, len(digits)), max_size=3)):
        digits.insert(place, draw(st.sampled_from([*" -./()", "(0)", "1", "8"])))
    marks = ["", "", "x", " x", "X", " ext. ", "xt", "ex", "/x", " x. ", "int", "#"]
    mark = draw(st.sampled_from(marks))
    return "".join(digits).strip() + mark + draw(st.text("0123456789", max_size=11) if mark else NO)


NO = st.just("")


def parsed_region(text: str) -> str:
    try:
        parsed = phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        return "invalid"
    return phonenumbers.region_code_for_number(parsed) or "invalid"


@settings(max_examples=60, deadline=None)
@given(st.lists(numbers(), max_size=30))
@example(["+1 1234567890", "+44 (0)20 7946 0958", "+7 (0)912 3456789", "+39 06 698 12345"])
@example(["+12125550100x12", "+12125550100 ext. 12", "+1212x5550100", "+12125550100ex1"])
@example(["+441800201234567", "+44 0180020 1234", "+61 1831 412 345 678", "+358 18 12345"])
def test_a_number_has_the_region_that_the_general_parser_finds(texts: list[str]) -> None:
    found, codes = plain.phones(Packed.of(texts), phone_region)

    assert codes is not None
    wanted = [*map(parsed_region, texts)]
    assert [found[code] for code in codes] == wanted
    assert [*map(phone_region, texts)] == wanted


def test_numbers_of_shared_codes_are_read_many_at_a_time() -> None:
    of_shared = [r for c in SHARED for r in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[c]]
    examples = [phonenumbers.example_number(region) for region in of_shared]
    known = [found for found in examples if found and len(str(found.national_number)) > 6]
    read: list[object] = []

    def reading(cell: object) -> str:
        read.append(cell)
        return "somewhere"

    texts = [f"+{n.country_code} {n.national_number} x1" for n in known]
    plain.phones(Packed.of(texts * 100), reading)

    assert len(read) <= len(texts)


@pytest.mark.parametrize("code", SHARED)
def test_no_shared_code_has_a_prefix_that_is_rewritten(code: int) -> None:
    # `Country.without_prefix` takes it away, and knows no rules by which others stand in its place.
    region = phonenumbers.region_code_for_country_code(code)
    facts = phonenumbers.PhoneMetadata.metadata_for_region(region)

    assert facts is not None
    assert not facts.national_prefix_transform_rule
    country = country_of(f"{code}99"[:3])
    assert country is not None
    assert country.code == code


@pytest.mark.parametrize("text", ["+1" + " " * 200_000 + "a", "+1" + " ext" * 50_000])
def test_a_cell_however_long_has_an_answer_at_once(text: str) -> None:
    assert phone_region(text) == "invalid"
