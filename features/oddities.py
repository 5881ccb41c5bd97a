"""What is unusual about an export: its columns and its form, against those known before."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from features.table import Form

_LETTERS = re.compile(r"[\W_]+")
_MOST_SHOWN = 10


@dataclass(frozen=True)
class Oddities:
    """How the columns and the form of an export differ from those known before."""

    vanished: tuple[str, ...]
    """Columns that were there, in their order."""
    appeared: tuple[str, ...]
    renamed: tuple[tuple[str, str], ...]
    """Pairs of a vanished and an appeared column: spelt alike, or one in the place of the other."""
    reordered: bool
    """Whether columns that are still there stand in another order; this does no harm."""
    form: tuple[tuple[str, str, str], ...]
    """(what, before, now) of format, delimiter and encoding, where they changed."""
    other_language: bool
    """Whether most columns have other names in the same places."""

    def __bool__(self) -> bool:
        return bool(self.vanished or self.appeared or self.form)

    def sentences(self) -> Iterator[str]:
        """Say it in words, the gravest first."""
        for what, before, now in self.form:
            yield f"the {what} was {before!r}, and now is {now!r}"
        if self.other_language:
            yield "most columns have other names in the same places: another language?"
        if self.vanished:
            yield f"columns that are gone: {_some(self.vanished)}"
        if self.appeared:
            yield f"columns that are new: {_some(self.appeared)}"
        if self.renamed:
            pairs = [f"{before} as {now}" for before, now in self.renamed]
            yield f"they may be the same under other names: {_some(pairs)}"


def oddities(
    columns: Sequence[str],
    form: Form,
    known_columns: Sequence[str],
    known_form: Form | None = None,
) -> Oddities:
    """Compare an export with what is known.

    Args:
        columns: of the export, in its order.
        form: of the export.
        known_columns: of an earlier export, in its order.
        known_form: of an earlier export; None: not known, and not compared.

    """
    now, before = set(columns), set(known_columns)
    renamed = tuple(_renamed(columns, known_columns))
    return Oddities(
        vanished=tuple(name for name in known_columns if name not in now),
        appeared=tuple(name for name in columns if name not in before),
        renamed=renamed,
        reordered=[n for n in columns if n in before] != [n for n in known_columns if n in now],
        form=tuple(_changed(known_form or form, form)),
        other_language=2 * len(renamed) > len(known_columns),
    )


def _renamed(columns: Sequence[str], known: Sequence[str]) -> Iterator[tuple[str, str]]:
    appeared = {_spelling(name): name for name in columns if name not in set(known)}
    taken: set[str] = set()
    for name in known:
        if name not in set(columns) and (found := appeared.get(_spelling(name))):
            taken |= {name, found}
            yield name, found
    steps = SequenceMatcher(None, known, columns, autojunk=False).get_opcodes()
    for step, begin, end, new_begin, new_end in steps:
        if step == "replace" and end - begin == new_end - new_begin:
            pairs = zip(known[begin:end], columns[new_begin:new_end], strict=True)
            yield from (pair for pair in pairs if not taken & {*pair})


def _spelling(name: str) -> str:
    return _LETTERS.sub("", name).casefold()


def _changed(before: Form, now: Form) -> Iterator[tuple[str, str, str]]:
    for what in ("format", "delimiter", "encoding"):
        was, is_ = getattr(before, what), getattr(now, what)
        if was and is_ and was != is_:
            yield what, was, is_


def _some(names: Sequence[str]) -> str:
    more = len(names) - _MOST_SHOWN
    return ", ".join(names[:_MOST_SHOWN]) + (f" and {more} more" if more > 0 else "")
