"""A document as PDF: the same sections as its HTML file, for a meeting without a screen.

fpdf2, because it is Python alone: whatever prints HTML needs a browser or libraries of the system.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

from fpdf import FPDF, FontFace
from fpdf.enums import Align, TableBordersLayout, XPos, YPos

from serving.charts import Chart, svg
from serving.document import Number, Section, Table

_FONT = "DejaVu"
_INK, _SOFT, _MAIN, _RULE = (28, 35, 39), (90, 101, 108), (11, 110, 110), (226, 228, 225)
_STYLES = {
    "grid": 'stroke="#e2e4e1"',
    "line s0": 'fill="none" stroke="#0b6e6e" stroke-width="2.5"',
    "line s1": 'fill="none" stroke="#b3591c" stroke-width="2.5"',
    "line s2": 'fill="none" stroke="#5b5ea6" stroke-width="2.5"',
    "ref": 'fill="none" stroke="#5a656c" stroke-dasharray="5 4"',
    "band s0": 'fill="#d8e9e9"',
    "band s1": 'fill="#f4e6dc"',
    "dot": 'fill="#0b6e6e"',
    "dot odd": 'fill="#a8321e"',
    "bar": 'fill="#c9dedd"',
    "whisker": 'stroke="#0b6e6e" stroke-width="2" stroke-opacity=".55"',
}
"""The colours of a light page, by the class of what is drawn."""
_TEXT = 'fill="#5a656c" font-family="DejaVu" font-size="12"'
_BOX = re.compile(r'viewBox="0 0 ([0-9.]+) ([0-9.]+)"')
_PADDING = 1.4
"""Millimetres beside the text of a cell."""
_WIDEST = 42.0
"""Millimetres from which on the text of a cell is broken."""
_CLASS = re.compile(r'class="([^"]*)"')


def pdf(title: str, facts: Mapping[str, str], sections: Sequence[Section], made: datetime) -> bytes:
    """Return the document as PDF on A4; letters of Europe's scripts and Arabic are shown.

    Args:
        title: what it is about.
        facts: name to value, small print under the title.
        sections: in the order of reading.
        made: the moment written into the file, so that equal figures give equal bytes.

    """
    page = _Page(made)
    page.heading(title, 20)
    page.small("   ".join(f"{name}: {value}" for name, value in facts.items()))
    for section in sections:
        page.section(section)
    return bytes(page.output())


@cache
def _fonts() -> Path:
    """Return the folder of the fonts that come with matplotlib, without loading it."""
    found = find_spec("matplotlib")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("a PDF needs the fonts of matplotlib; install leadq whole")
    return Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"


class _Page(FPDF):
    """A4 pages that are written from top to bottom."""

    def __init__(self, made: datetime) -> None:
        super().__init__(format="A4")
        self.set_creation_date(made)
        self.set_lang("en")
        self.set_auto_page_break(True, margin=16)
        self.set_margins(16, 16, 16)
        self.add_font(_FONT, "", _fonts() / "DejaVuSans.ttf")
        self.add_font(_FONT, "B", _fonts() / "DejaVuSans-Bold.ttf")
        self.add_page()

    def footer(self) -> None:
        """Number the page."""
        self.set_y(-12)
        self.set_font(_FONT, size=8)
        self.set_text_color(*_SOFT)
        self.cell(0, 6, f"{self.page_no()}", align=Align.R)

    def heading(self, text: str, size: float) -> None:
        """Write a heading, never as the last thing of a page."""
        if self.will_page_break(size * 2.2):
            self.add_page()
        self.set_font(_FONT, "B", size)
        self.set_text_color(*_INK)
        self._words(text, size * 0.48)
        self.ln(1)

    def small(self, text: str) -> None:
        """Write small print."""
        self.set_font(_FONT, size=8)
        self.set_text_color(*_SOFT)
        self._words(text, 4)
        self.ln(2)

    def _words(self, text: str, height: float) -> None:
        self.multi_cell(0, height, text, align=Align.L, new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def section(self, section: Section) -> None:
        """Write a section: what it says, then what it rests on."""
        self.ln(3)
        self.heading(section.title, 13)
        if section.numbers:
            self._numbers(section.numbers)
        for sentence in section.sentences:
            self.set_font(_FONT, size=9.5)
            self.set_text_color(*_INK)
            self._words(sentence, 5)
            self.ln(1)
        for n, figure in enumerate(section.figures):
            self._figure(figure, f"figure-{n}")
        for table in section.tables:
            self._table(table)

    def _numbers(self, numbers: Sequence[Number]) -> None:
        width, top = self.epw / len(numbers), self.get_y()
        for n, number in enumerate(numbers):
            self.set_xy(self.l_margin + n * width, top)
            for text, style, size, colour in (
                (number.value, "B", 15, _MAIN),
                (_first_large(number.label), "", 9, _INK),
                (number.note, "", 7.5, _SOFT),
            ):
                self.set_font(_FONT, style, size)
                self.set_text_color(*colour)
                self.cell(width, size * 0.5, text, new_x=XPos.LEFT, new_y=YPos.NEXT)
        self.set_xy(self.l_margin, self.get_y() + 3)

    def _figure(self, figure: Chart, name: str) -> None:
        drawn = re.sub(r"<(title|desc)[^>]*>.*?</\1>", "", str(svg(figure, name)))
        drawn = drawn.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
        found = _CLASS.sub(lambda match: _STYLES.get(match[1], _TEXT), drawn)
        width = self.epw * 0.72
        box = _BOX.search(drawn)
        if box and self.will_page_break(10 + width * float(box[2]) / float(box[1])):
            self.add_page()
        self.set_font(_FONT, "B", 9.5)
        self.set_text_color(*_INK)
        self._words(figure.title, 5)
        self.image(BytesIO(found.encode()), w=width, alt_text=figure.says)
        self.ln(2)

    def _table(self, table: Table) -> None:
        if self.will_page_break(26):
            self.add_page()
        self.ln(1)
        self.set_font(_FONT, "B", 9.5)
        self.set_text_color(*_INK)
        self._words(table.title, 5)
        self.set_font(_FONT, size=7.5)
        self.set_draw_color(*_RULE)
        left = [n == 0 or name in table.words for n, name in enumerate(table.columns)]
        with self.table(
            [_headings(table), *table.rows],
            borders_layout=TableBordersLayout.HORIZONTAL_LINES,
            col_widths=self._widths(table),
            headings_style=FontFace(emphasis="B", color=_SOFT),
            line_height=4,
            padding=(0.6, _PADDING),
            text_align=tuple(Align.L if is_left else Align.R for is_left in left),
        ):
            pass
        if table.note:
            self.ln(1)
            self.small(table.note)
        self.ln(2)

    def _widths(self, table: Table) -> tuple[float, ...]:
        """Return the widths of columns by their longest words, so that few lines are broken."""
        self.set_font(_FONT, "B")
        heads = [max(map(self.get_string_width, name.split())) if name else 0.0
                 for name in _headings(table)]  # fmt: skip
        self.set_font(_FONT, "")
        longest = [max([0.0, *(self.get_string_width(row[n]) for row in table.rows)])
                   for n in range(len(table.columns))]  # fmt: skip
        word = [
            max([0.0, *(self.get_string_width(w) for row in table.rows for w in row[n].split())])
            for n in range(len(table.columns))
        ]
        return tuple(
            max(head, min(long, _WIDEST), short) + 2 * _PADDING + 0.6
            for head, long, short in zip(heads, longest, word, strict=True)
        )


def _headings(table: Table) -> tuple[str, ...]:
    return tuple(map(_first_large, table.columns))


def _first_large(text: str) -> str:
    return text[:1].upper() + text[1:]
