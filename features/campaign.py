"""When two names are one campaign: tools between an advertisement and a CRM spell them anew."""

from __future__ import annotations

import re
from collections.abc import Mapping

from features.cells import Cell, key_of, text_of

_HYPHENS = re.compile(r"(?<=\w)[-\u2010-\u2015]+(?=\w)|(?<=\s)[-\u2010-\u2015]+(?=\s)")
"""Between words; elsewhere one may be a sign, as in `-10 %` or `Plan B-`."""


def campaign_key(name: Cell) -> str:
    """Return what decides whether two names are one campaign.

    Case and spacing do not, nor whether words are parted by a space, `_` or a hyphen, as addresses
    part them. A mark that is left out, or any other one, makes another campaign.

    Example:
        >>> campaign_key("Spring_Fair-2026") == campaign_key(" spring fair 2026")
        True
        >>> campaign_key("q1-2026") == campaign_key("q12026")
        False

    """
    # A name of such marks alone is one.
    return key_of(_HYPHENS.sub(" ", text_of(name).replace("_", " "))) or key_of(name)


def usual(spellings: Mapping[str, int]) -> str:
    """Return the spelling of most leads, of two alike the first by the alphabet."""
    return min(spellings, key=lambda name: (-spellings[name], name))
