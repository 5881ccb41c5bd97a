"""How many there are of a thing, in words."""

from __future__ import annotations

from collections.abc import Sequence

_NAMED = 50


def counted(count: int, one: str) -> str:
    """Return a count with its noun: `1 lead`, `2,000 leads`, `3 words of sales`."""
    noun, of, rest = one.partition(" of ")
    return f"{count:,} {noun}{'' if count == 1 else 's'}{of}{rest}"


def named(names: Sequence[str]) -> str:
    """Return names in a row, the first ones of very many, each cut off where it is very long."""
    rest = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(name[:_NAMED] for name in names[:_NAMED]) + rest
