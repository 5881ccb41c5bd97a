from __future__ import annotations

from html.parser import HTMLParser

from tests.training.firms import agreed, labelled, use
from training.leak_report import findings_html
from training.leaks import Finding, find_leaks

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
        assert self.open.pop() == tag


def tags(page: str) -> Tags:
    parser = Tags()
    parser.feed(page)
    return parser


def test_the_names_of_fields_are_escaped() -> None:
    page = findings_html(findings())

    assert "script" not in tags(page).seen
    assert "&lt;script&gt;" in page


def test_every_field_has_a_row_and_every_tag_is_closed() -> None:
    parsed = tags(findings_html(findings()))

    assert parsed.seen.count("tr") == 1 + len(findings())
    assert parsed.open == []


def test_the_worst_comes_first() -> None:
    page = findings_html(findings())

    assert page.index('class="blocked"') < page.index('class="fine"')


def test_the_report_says_what_one_export_cannot_show() -> None:
    assert "Only a snapshot taken at the hand-off proves" in findings_html(findings())


def test_what_was_not_measured_is_said() -> None:
    assert "not measured" in findings_html(findings())
    assert "not known" in findings_html(findings())
