"""A document as one HTML file that needs nothing beside it: the report of a training, of a week.

Whoever has something to tell hands in a `Section`; `render` sets sections under one another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from serving.charts import Chart, svg

_TEMPLATE = "document.html.jinja"


@dataclass(frozen=True)
class Table:
    """A table of words: numbers come already written out, with their units.

    The first column holds names and is set to the left; the others are set to the right, but for
    those named in `words`.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    words: tuple[str, ...] = ()
    """Columns that hold sentences."""
    of_leads: bool = False
    """Whether the first column holds ids of leads, which pages make links of."""


@dataclass(frozen=True)
class Number:
    """One figure that a reader shall remember."""

    value: str
    label: str
    note: str = ""


@dataclass(frozen=True)
class Section:
    """A part of the report: what it says in sentences, then what it rests on."""

    title: str
    sentences: tuple[str, ...]
    tables: tuple[Table, ...] = ()
    figures: tuple[Chart, ...] = ()
    numbers: tuple[Number, ...] = ()


def render(title: str, facts: Mapping[str, str], sections: Sequence[Section]) -> str:
    """Return the report as one self-contained HTML page; all text is escaped.

    Per cent signs stand after a no-break space, which a search in it must know.

    Args:
        title: what the page is about.
        facts: name to value: what was judged, by which agreement; small print under the title.
        sections: in the order of reading; the first is the summary and stands above the contents.

    """
    # Here, since a worker of the service scores before it writes a document.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_unbroken,
    )
    environment.globals["svg"] = svg
    return environment.get_template(_TEMPLATE).render(title=title, facts=facts, sections=sections)


def _unbroken(value: object) -> object:
    """Keep a number and its per cent sign on one line, by a no-break space."""
    return value.replace(" %", "\u00a0%") if isinstance(value, str) else value
