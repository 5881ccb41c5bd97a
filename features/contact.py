"""What an e-mail address says about a lead without saying who it is."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING

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
