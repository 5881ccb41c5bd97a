"""What an e-mail address or a phone number says about a lead without saying who it is."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple

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

_ACADEMIC = frozenset(["edu", "ac"])
_GOVERNMENT = frozenset(["gov", "gob", "gouv", "mil"])
_NAME = "somename"
"""Stands for a name that tells nothing."""


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


def _domain_kind(domain: str) -> str:
    """Return the kind of a domain; names that tell nothing are of the kind of any such name."""
    name, dot, parent = domain.partition(".")
    plain = name.isascii() and name.replace("-", "").isalnum() and name not in telling_names()
    return _kind_of(f"{_NAME}{dot}{parent}" if plain and name[:3] not in ("uni", "xn-") else domain)


@cache
def telling_names() -> frozenset[str]:
    """Return the names on which a kind may hang, those that begin a public suffix among them."""
    suffixes = (suffix.partition(".")[0] for suffix in _suffixes().tlds)
    return frozenset([*suffixes, *_FREE, *_ACADEMIC, *_GOVERNMENT])


@lru_cache(maxsize=10_000)
def _kind_of(domain: str) -> str:
    found = _suffixes()(domain)
    if not (found.domain and found.suffix):
        return "invalid"
    if found.domain in _FREE:
        return "free"
    labels = {*found.suffix.split("."), *found.subdomain.split(".")}
    if labels & _ACADEMIC or found.domain.startswith("uni-"):
        return "academic"
    return "government" if labels & _GOVERNMENT else "company"


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


_GAPS = str.maketrans("", "", " -./()")
_LONGEST = 64
"""Letters of a number with its gaps; of very many `phonenumbers` reads none."""


def _plain_region(text: str) -> str | None:
    """Return what `phonenumbers` finds in digits with the usual gaps; None for any other.

    Nothing is left to parse where a country code is of one region alone, or the number follows it
    without a national prefix; nine numbers of ten are such, and are read so in a tenth of the time.
    """
    digits = text[1:].translate(_GAPS)
    if not (digits.isascii() and digits.isdigit() and 8 <= len(digits) <= 15):
        return None
    if len(text) > _LONGEST:
        return None
    country = _country(digits[:3])
    if country is None:
        return None
    if len(country.regions) == 1:
        return country.regions[0][0]
    number = digits[country.width :]
    if number[0] == "0" or (country.prefix and country.prefix.match(number)):
        return None
    for region, like in country.regions:
        if like.match(number):
            return region
    return "invalid"


class _Country(NamedTuple):
    """What numbers of one country code have in common."""

    width: int
    """Digits of the code."""
    prefix: re.Pattern[str] | None
    """What stands before a number within the country."""
    regions: tuple[tuple[str, re.Pattern[str]], ...]
    """In the order of choice, with what their numbers match."""


@cache
def _country(first: str) -> _Country | None:
    """Return the country of a number by its first three digits; no code begins another one."""
    for width in (1, 2, 3):
        code = int(first[:width])
        if code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE and first[0] != "0":
            return _Country(width, _national_prefix(code), _regions(code))
    return None


def _regions(code: int) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Return the regions of a country code, in the order of choice, and what their numbers match.

    As in `phonenumbers.region_code_for_number`: a number is of the first region by whose leading
    digits it begins or of which it is of some type; of a region alone it is in any case.
    """
    names = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code]
    if len(names) == 1:
        return ((names[0], re.compile("")),)
    facts = ((name, phonenumbers.PhoneMetadata.metadata_for_region(name)) for name in names)
    return tuple((name, re.compile(_like(known))) for name, known in facts if known is not None)


def _like(facts: phonenumbers.PhoneMetadata) -> str:
    if facts.leading_digits is not None:
        return str(facts.leading_digits)
    kinds = (
        *(facts.fixed_line, facts.mobile, facts.toll_free, facts.premium_rate),
        *(facts.shared_cost, facts.voip, facts.personal_number, facts.pager),
        *(facts.uan, facts.voicemail),
    )
    types = "|".join(map(_whole, kinds))
    return rf"(?={_whole(facts.general_desc)})(?:{types})"


def _whole(kind: phonenumbers.PhoneNumberDesc | None) -> str:
    """Return what a whole number of a kind matches."""
    if not (kind and kind.national_number_pattern):
        return r"(?!)"
    lengths = "|".join(rf"\d{{{length}}}" for length in kind.possible_length) or r"\d*"
    return rf"(?=(?:{lengths})\Z)(?:{kind.national_number_pattern})\Z"


def plain_country(first: str) -> int | None:
    """Return the code of a country by the first three digits of its numbers.

    None where its numbers must be looked at: they may be of several regions.
    """
    country = _country(first)
    if country is None or len(country.regions) > 1:
        return None
    return int(first[: country.width])


def _national_prefix(code: int) -> re.Pattern[str] | None:
    region = phonenumbers.region_code_for_country_code(code)
    facts = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(code, region)
    prefix = facts and facts.national_prefix_for_parsing
    return re.compile(prefix) if prefix else None
