import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.contact import email_kind, phone_region

KINDS = {"free", "academic", "government", "company", "invalid"}


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("kim@gmail.com", "free"),
        ("Kim@GMAIL.com ", "free"),
        ("kim@yahoo.co.uk", "free"),
        ("kim@gmail.com.", "free"),
        ("kim@t-online.de", "free"),
        ("kim@mit.edu", "academic"),
        ("kim@cs.ox.ac.uk", "academic"),
        ("kim@mail.uni-koeln.de", "academic"),
        ("kim@nasa.gov", "government"),
        ("kim@service.gov.uk", "government"),
        ("kim@acme.de", "company"),
        ("kim@mail.acme.co.jp", "company"),
        ("kim@münchen.de", "company"),
        ("kim", "invalid"),
        ("@acme.de", "invalid"),
        ("kim@", "invalid"),
        ("kim@localhost", "invalid"),
        ("kim@127.0.0.1", "invalid"),
        ("kim@acme..de", "invalid"),
        ("kim@acme.co.uk", "company"),
        ("kim@a-firm.com", "company"),
        ("kim@co.uk", "invalid"),
        ("kim@gov.acme.de", "government"),
        ("kim@uni-koeln.de", "academic"),
        ("kim@unicorn.de", "company"),
        ("kim@xn--mnchen-3ya.de", "company"),
        (4915.0, "invalid"),
        (None, "invalid"),
    ],
)
def test_an_address_is_of_the_kind_of_its_domain(address: str | float | None, kind: str) -> None:
    assert email_kind(address) == kind


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
def test_any_text_has_an_answer(text: str, before: str) -> None:
    assert email_kind(before + text) in KINDS
    assert phone_region(before + text)


REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)


@st.composite
def plain_numbers(draw: st.DrawFn) -> str:
    """A number of a region with digits changed and gaps put in, its country code before it."""
    example = phonenumbers.example_number(draw(st.sampled_from(REGIONS)))
    digits = list(phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164))
    for place in draw(st.lists(st.integers(2, len(digits) - 1), max_size=3)):
        digits[place] = draw(st.sampled_from("0123456789"))
    for place in draw(st.lists(st.integers(1, len(digits)), max_size=3)):
        digits.insert(place, draw(st.sampled_from([*" -./()", "(0)"])))
    return "".join(digits)


def parsed_region(text: str) -> str:
    try:
        parsed = phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        return "invalid"
    return phonenumbers.region_code_for_number(parsed) or "invalid"


@settings(max_examples=150, deadline=None)
@given(plain_numbers())
def test_a_number_of_digits_alone_has_the_region_that_the_general_parser_finds(text: str) -> None:
    assert phone_region(text) == parsed_region(text)
