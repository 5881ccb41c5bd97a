from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from serving.charts import Dots, Line, Plot, Range, Ranges
from serving.document import Number, Section, Table, render

PLOT = Plot(
    "Gain",
    "What calling finds.",
    "leads called",
    "wins found",
    lines=(Line("by score", [0, 0.5, 1], [0, 0.8, 1], [0, 0.7, 1], [0, 0.9, 1]),),
    dots=(Dots("bands", [0.1], [0.2], [0.1], [0.3]),),
)
RANGES = Ranges(
    "Campaigns", "Expected and actual.", "won", "expected", "actual",
    (Range("Spring", 0.2, 0.1, 0.3), Range("Fair", 0.5, 0.1, 0.2, stands_out=True)),
)  # fmt: skip
SECTIONS = (
    Section("In short", ("It finds half of the wins.",), numbers=(Number("52 %", "of wins", "n"),)),
    Section("Gain", ("Calling pays.",), figures=(PLOT,)),
    Section(
        "Campaigns", ("One is off.",), figures=(RANGES,),
        tables=(Table("By campaign", ("campaign", "won"), (("Spring", "20"),), "A note."),),
    ),
)  # fmt: skip
EVIL = '<script>alert("1")</script>'


def page(*sections: Section) -> str:
    text = render("Lead quality", {"agreement": "1-abc"}, sections or SECTIONS)
    return text.replace("\u00a0", " ")


class Tags(HTMLParser):
    """Which tags are open, and whether each is closed in order."""

    EMPTY = frozenset({"meta", "line", "polyline", "polygon", "circle", "rect"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.add(tag)
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.EMPTY:
            assert self.open.pop() == tag


def test_a_page_holds_all_that_it_was_given() -> None:
    text = page()

    for told in ("Lead quality", "1-abc", "52 %", "Calling pays.", "Spring", "A note.", "Fair"):
        assert told in text


def test_a_page_is_well_formed() -> None:
    tags = Tags()
    tags.feed(page())

    assert tags.open == []


def test_a_page_needs_no_script_and_no_other_address() -> None:
    tags = Tags()
    tags.feed(page())

    assert not tags.seen & {"script", "link", "img", "iframe"}
    assert not re.search(r"https?:|//\w|url\(|@import", page())


@pytest.mark.parametrize(
    "section",
    [
        Section(EVIL, ()),
        Section("a", (EVIL,)),
        Section("a", (), numbers=(Number(EVIL, EVIL, EVIL),)),
        Section("a", (), tables=(Table(EVIL, (EVIL,), ((EVIL,),), EVIL),)),
        Section("a", (), figures=(Plot(EVIL, EVIL, EVIL, EVIL, (Line(EVIL, [0], [1]),)),)),
        Section("a", (), figures=(Ranges("a", EVIL, EVIL, EVIL, EVIL, (Range(EVIL, 1, 0, 1),)),)),
    ],
)
def test_what_stands_in_data_cannot_become_part_of_the_page(section: Section) -> None:
    text = render(EVIL, {EVIL: EVIL}, (section,))

    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_the_contents_lead_to_every_part_but_the_summary() -> None:
    text = page()

    links = re.findall(r'href="#(part-\d)"', text)
    assert links == ["part-2", "part-3"]
    assert all(f'id="{link}"' in text for link in links)


def test_every_chart_is_told_to_those_who_do_not_see_it() -> None:
    text = page()

    assert text.count('role="img"') == 2
    for name in re.findall(r'aria-labelledby="(\S+) (\S+)"', text):
        assert all(text.count(f'id="{part}"') == 1 for part in name)


def test_a_higher_value_is_drawn_higher() -> None:
    points = re.search(r'<polyline class="line s0" points="([^"]+)"/><line', page())
    assert points
    heights = [float(p.split(",")[1]) for p in points[1].split()]

    assert heights == sorted(heights, reverse=True)
    assert heights[0] - heights[1] == pytest.approx(0.8 * (heights[0] - heights[2]), abs=0.2)


def test_a_chart_of_nothing_but_zeros_can_be_drawn() -> None:
    text = page(Section("a", (), figures=(Plot("t", "s", "x", "y", (Line("l", [0], [0]),)),)))

    assert "<svg" in text


def test_rare_shares_are_told_apart_on_the_axis() -> None:
    rows = (Range("a", 0.004, 0.001, 0.006),)

    text = page(Section("a", (), figures=(Ranges("t", "s", "x", "i", "v", rows),)))

    assert ">0.2%<" in text


def test_what_stands_out_is_marked() -> None:
    assert page().count('class="dot odd"') == 1


def test_a_per_cent_sign_never_begins_a_line() -> None:
    assert "52\u00a0%" in render("a", {}, SECTIONS)


def test_a_pdf_takes_the_fonts_of_matplotlib_without_loading_it() -> None:
    code = (
        "import sys; from datetime import datetime; from serving.document_pdf import pdf; "
        "print(pdf('T', {}, (), datetime(2026, 1, 1))[:5], 'matplotlib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["b'%PDF-'", "False"]
