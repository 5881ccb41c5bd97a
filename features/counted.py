"""How many there are of a thing, in words."""

from __future__ import annotations


def counted(count: int, one: str) -> str:
    """Return a count with its noun: `1 lead`, `2,000 leads`, `3 words of sales`."""
    noun, of, rest = one.partition(" of ")
    return f"{count:,} {noun}{'' if count == 1 else 's'}{of}{rest}"
