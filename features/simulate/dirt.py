"""Dirt that hides nothing: stray spellings and placeholders, and broken rows for trials.

A careful reader can undo every spelling here. What is really unknown was forgotten before the
outcome was drawn (see `people`), so cleaning well is enough to reach the true probabilities.
"""

from collections.abc import Callable, Sequence

import numpy as np

from features.simulate.draw import Table
from features.simulate.settings import Settings

Spelling = Callable[[str], str]
Row = tuple[str, ...]

PLACEHOLDERS = ("", "Select", "N/A", "unknown", "-")
PLACEHOLDER_CHANCES = (0.5, 0.2, 0.12, 0.1, 0.08)
DROP_DOWNS = ("industry", "seniority", "products", "budget", "timeline")
CATEGORIES = ("industry", "source", "seniority", "timeline", "form_type", "device")
STRAYS: tuple[Spelling, ...] = (str.lower, str.upper, "{} ".format, " {}".format)
CAMPAIGN_STRAYS: tuple[Spelling, ...] = (
    str.lower,
    str.upper,
    lambda name: name.replace(" ", "_"),
    lambda name: name.replace(" ", "  ", 1),
    "{} ".format,
)


def spoil(settings: Settings, clean: Table) -> Table:
    """The table with stray spellings and, where a drop-down was left alone, placeholders."""
    rng, share = settings.stream("dirt"), settings.dirt
    spoilt = {name: _stray(rng, clean[name], share, STRAYS) for name in CATEGORIES}
    spoilt["campaign"] = _stray(rng, clean["campaign"], share, CAMPAIGN_STRAYS)
    for name in DROP_DOWNS if share else ():
        spoilt[name] = _placeholders(rng, spoilt.get(name, clean[name]))
    return clean | spoilt


def _stray(
    rng: np.random.Generator, cells: list[str], share: float, spellings: Sequence[Spelling]
) -> list[str]:
    """The cells, a share of the filled ones spelt in another way."""
    spelt = list(cells)
    hit = np.flatnonzero(rng.random(len(cells)) < share)
    for place, kind in zip(hit, rng.integers(0, len(spellings), len(hit)), strict=True):
        if cells[place]:
            spelt[place] = spellings[kind](cells[place])
    return spelt


def _placeholders(rng: np.random.Generator, cells: list[str]) -> list[str]:
    """The cells, half of the empty ones holding what a form puts there."""
    words = rng.choice(np.array(PLACEHOLDERS, dtype=object), len(cells), p=PLACEHOLDER_CHANCES)
    return [cell or word for cell, word in zip(cells, words.tolist(), strict=True)]


def _short(row: Row) -> Row:
    return row[:-3]


def _nameless(row: Row) -> Row:
    return ("", *row[1:])


def _undated(row: Row) -> Row:
    return (row[0], "31 February", *row[2:])


def _contradicting(row: Row) -> Row:
    status = "Closed Lost" if row[2] != "Closed Lost" else "Closed Won"
    return (row[0].removesuffix("-X"), row[1], status, *row[3:])


BREAKS: tuple[Callable[[Row], Row], ...] = (_short, _nameless, _undated, _contradicting)


def break_rows(settings: Settings, rows: list[Row]) -> list[Row]:
    """The rows with `bad_rows` broken ones among them: each kind in turn, places by chance.

    Rows begin with id, creation and status. A broken row is a copy of its neighbour with the
    id marked `-X`; it has too few fields, no id, an unreadable date, or the neighbour's own id
    with another status.
    """
    rng, broken = settings.stream("bad rows"), list(rows)
    places = np.sort(rng.integers(0, len(rows), settings.bad_rows))[::-1].tolist()
    for kind, place in enumerate(places):
        row = rows[place]
        broken.insert(place + 1, BREAKS[kind % len(BREAKS)]((f"{row[0]}-X", *row[1:])))
    return broken
