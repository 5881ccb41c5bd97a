"""What an e-mail address or a phone number says about a lead without saying who it is."""

from __future__ import annotations

from functools import cache

import phonenumbers
import tldextract

from features.cells import Cell, text_of

# The providers that hand a mailbox to anyone; their country branches share the name.
_FREE = frozenset(
    [
        "aol",
        "btinternet",
        "comcast",
        "daum",
        "fastmail",
        "freenet",
        "gmail",
        "gmx",
        "googlemail",
        "hotmail",
        "icloud",
        "inbox",
        "interia",
        "laposte",
        "libero",
        "live",
        "mac",
        "mail",
        "me",
        "mailinator",
        "msn",
        "naver",
        "o2",
        "online",
        "orange",
        "outlook",
        "proton",
        "protonmail",
        "qq",
        "rediff",
        "rediffmail",
        "rocketmail",
        "sbcglobal",
        "seznam",
        "sina",
        "skynet",
        "t-online",
        "tiscali",
        "tutanota",
        "verizon",
        "virgilio",
        "wanadoo",
        "web",
        "wp",
        "yahoo",
        "yandex",
        "ymail",
        "zoho",
        "126",
        "163",
    ]
)


@cache
def _suffixes() -> tldextract.TLDExtract:
    # The bundled list of public suffixes: no look-up on the network, no cache on disk.
    return tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)


def email_kind(cell: Cell) -> str:
    """Return `free`, `academic`, `government`, `company` or `invalid` for an e-mail address."""
    user, at, domain = text_of(cell).casefold().strip().rpartition("@")
    found = _suffixes()(domain)
    if not (user and at and found.domain and found.suffix):
        return "invalid"
    if found.domain in _FREE:
        return "free"
    labels = {*found.suffix.split("."), *found.subdomain.split(".")}
    if labels & {"edu", "ac"} or found.domain.startswith("uni-"):
        return "academic"
    return "government" if labels & {"gov", "gob", "gouv", "mil"} else "company"


def phone_region(cell: Cell) -> str:
    """Return the two-letter region of an international number, `national` or `invalid`."""
    text = text_of(cell)
    text = f"+{text[2:]}" if text.startswith("00") else text
    if not text.startswith("+"):
        return "national" if sum(c.isdigit() for c in text) >= 6 else "invalid"
    try:
        parsed = phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        return "invalid"
    return phonenumbers.region_code_for_number(parsed) or "invalid"
