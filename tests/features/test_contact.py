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
