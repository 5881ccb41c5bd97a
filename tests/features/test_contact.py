import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.contact import email_kind

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


@settings(max_examples=200, deadline=None)
@given(st.text() | st.text("+0123456789 ()-"), st.sampled_from(["", "x@", "+", "00"]))
def test_any_text_has_an_answer(text: str, before: str) -> None:
    assert email_kind(before + text) in KINDS
