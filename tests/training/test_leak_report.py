from __future__ import annotations

from html.parser import HTMLParser

from tests.training.firms import agreed, labelled, use
from training.leaks import Finding, find_leaks
from training.page import leak_page

WON = [1, 0] * 60


def findings() -> dict[str, Finding]:
    """One blocked field with a name that no page should run, and a fine one."""
    known = labelled(
        WON, **{"<script>alert(1)</script>": ["ab"[w] for w in WON], "size": ["s"] * 120}
    )
    fields = {name: use() for name in known.history.leads.columns}
    return find_leaks(known, known.history, agreed(), fields)


class Tags(HTMLParser):
    """Collects the opening tags of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self.open.pop() != tag:
            pass


def tags(page: str) -> Tags:
    parser = Tags()
    parser.feed(page)
    return parser


def test_the_names_of_fields_are_escaped() -> None:
    page = leak_page(findings(), agreed())

    assert "script" not in tags(page).seen
    assert "&lt;script&gt;" in page


def test_every_field_has_a_row_and_every_tag_is_closed() -> None:
    parsed = tags(leak_page(findings(), agreed()))

    assert parsed.seen.count("tr") >= 1 + len(findings())
    assert parsed.open == []


def test_the_worst_comes_first() -> None:
    page = leak_page(findings(), agreed())

    assert page.index("alert(1)") < page.index(">size<")


def test_the_report_says_what_one_export_cannot_show() -> None:
    assert "Only a snapshot taken at the hand-off proves" in leak_page(findings(), agreed())


def test_what_was_not_measured_is_said() -> None:
    assert "not measured" in leak_page(findings(), agreed())
    assert "not known" in leak_page(findings(), agreed())
