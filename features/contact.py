"""What an e-mail address or a phone number says about a lead without saying who it is."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import phonenumbers

if TYPE_CHECKING:
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


_NO_GAPS = str.maketrans("", "", " -")


@cache
def _suffixes() -> tldextract.TLDExtract:
    # Here, because it imports what fetches pages, and not every model reads an e-mail.
    import tldextract

    # The bundled list of public suffixes: no look-up on the network, no cache on disk.
    return tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)


def email_kind(cell: Cell) -> str:
    """Return `free`, `academic`, `government`, `company` or `invalid` for an e-mail address."""
    user, at, domain = text_of(cell).casefold().strip().rpartition("@")
    return _domain_kind(domain) if user and at else "invalid"


@lru_cache(maxsize=10_000)
def _domain_kind(domain: str) -> str:
    found = _suffixes()(domain)
    if not (found.domain and found.suffix):
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
        parsed = _plain_number(text) or phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        return "invalid"
    return phonenumbers.region_code_for_number(parsed) or "invalid"


def _plain_number(text: str) -> phonenumbers.PhoneNumber | None:
    """Return what `phonenumbers.parse` would, but for a number of digits alone, or None.

    Nothing is left to parse where country code and number follow each other without a national
    prefix; nine numbers of ten are such, and are read so in a tenth of the time.
    """
    digits = text[1:].translate(_NO_GAPS)
    if not (digits.isascii() and digits.isdigit() and 8 <= len(digits) <= 15):
        return None
    for width in (1, 2, 3):
        code, number = int(digits[:width]), digits[width:]
        if code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE and digits[0] != "0":
            prefix = _national_prefix(code)
            if number[0] == "0" or (prefix and prefix.match(number)):
                return None
            return phonenumbers.PhoneNumber(country_code=code, national_number=int(number))
    return None


@cache
def _national_prefix(code: int) -> re.Pattern[str] | None:
    region = phonenumbers.region_code_for_country_code(code)
    facts = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(code, region)
    prefix = facts and facts.national_prefix_for_parsing
    return re.compile(prefix) if prefix else None
