from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from tests.training.firms import agreed, labelled, use
from training.leak_report import reason_of, verdict_of
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


@pytest.mark.parametrize(
    ("agreed_use", "why", "words"),
    [
        ("decide", "", "suspect: please decide"),
        ("no", "", "suspect: left out, as agreed"),
        ("yes", "", "suspect: left out, for want of a why"),
        ("yes", "set by the form", "suspect: used on your word"),
    ],
)
def test_only_a_field_that_waits_asks_for_a_decision(agreed_use: str, why: str, words: str) -> None:
    suspect = replace(findings()["size"], verdict="suspect")
    field = {"use": agreed_use, "kind": "category", "why": why}

    assert verdict_of("size", suspect, agreed(fields={"size": field})) == words


def test_a_reason_quotes_how_open_leads_are_filled_where_that_tells() -> None:
    size = findings()["size"]
    tells = replace(size.evidence, filled_open=0.1, open_low=1.2)
    doubted = replace(size, verdict="blocked", reason="its name says so", evidence=tells)

    assert reason_of(doubted) == ("its name says so; of the open leads it is filled for 10%")
    assert reason_of(replace(doubted, evidence=size.evidence)) == "its name says so"
    assert reason_of(replace(doubted, verdict="fine")) == "its name says so"
