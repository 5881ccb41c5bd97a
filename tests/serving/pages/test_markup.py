"""Whatever a field holds is text: on each page, in the report's files, and in each CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from features.agreement import Agreement, parse
from features.spreadsheet import csv_text
from features.store.agreements import sign
from features.store.database import open_store
from features.store.meetings import answer, decide
from serving import today
from serving.scorekeeper import score_listed
from tests.browser.scene import NOW, hard_to_show, the_agreement, the_model
from tests.serving.pages.signing import clock, key_for, pages, sign_in

HARMFUL = {
    "script": "<script>alert(1)</script>",
    "image": '"><img src=x onerror=alert(2)>',
    "handler": "' onmouseover='alert(3)",
    "address": "javascript:alert(4)",
    "template": "{{ 7 * 7 }}{% raw %}",
    "hyperlink": '=HYPERLINK("http://evil.example","A")',
    "command": "+cmd|' /C calc'!A0",
    "minus": "-1+1",
    "function": "@SUM(1+1)",
    "tab": "\t=1+1 tab",
    "return": "\r=1+1 return",
    "line": "\n=1+1 line",
    "wide": "＝1+1",
    "semicolon": "x;=1+1",
    "turned": "\u202e=1+1\u2066 turned",
}
PAGES = (
    "/queue",
    "/queue?page=2",
    "/campaigns?days=3000",
    "/recycled",
    "/alignment?week=2026-W47",
    "/agreement",
    "/agreement/proposal",
    "/model",
    "/alignment/file?week=2026-W47&kind=html",
    *(f"/leads/{quote(text.strip(), safe='')}" for text in HARMFUL.values()),
)
SHOWN = {
    "/queue": "lead",
    "/campaigns?days=3000": "campaign and note",
    "/recycled": "lead that comes back",
    "/alignment?week=2026-W47": "decision",
    "/alignment/file?week=2026-W47&kind=html": "decision",
    "/agreement": "persona and owner",
    "/agreement/proposal": "word of the CRM",
}
"""The pages on which each text must be read, and in which field it came there."""
FILES = ("/campaigns/file?days=3000", "/recycled/file?week=this", "/recycled/file?week=both")


class Shown(HTMLParser):
    """What a page shows, and what in it would act."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text, self.acting = "", list[str]()
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        acts = tag in ("img", "iframe", "object", "embed", "base")
        acts |= tag == "script" and not (told.get("src") or "").startswith("/static/")
        acts |= any(name.startswith("on") or name == "style" for name in told)
        acts |= any((told.get(a) or "").strip().lower().startswith("javascript:") for a in LEADING)
        if acts:
            self.acting.append(self.get_starttag_text() or tag)


LEADING = ("href", "src", "action", "formaction", "hx-get", "hx-post")


def spoken(text: str) -> str:
    """Return a text as it is read: spaces and line ends are alike."""
    return " ".join(text.split())


def acts(cell: str) -> bool:
    """Whether a spreadsheet may calculate a cell, also one that splits it at semicolons."""
    parts = [part for part in cell.split(";") if re.match(r'[" ]*[=+\-@\t\r\n＝＋－＠]', part)]
    return any(not re.fullmatch(r"[+-][\d.]+(e[+-]?\d+)?", part) for part in parts)


def an_agreement() -> Agreement:
    texts = [text.strip() for text in HARMFUL.values()]
    rule = [{"field": "industry", "is": texts}]
    personas = [{"name": text, "all": rule, "material": text} for text in texts]
    words = {"won": ["Won"], "lost": ["Lost", *texts], "unreachable": ["No answer"]}
    routes = [{"owner": text, "team": text, "all": rule} for text in texts]
    return the_agreement(personas=personas, outcomes=words, routes=routes)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, sqlite_store: Path) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("markup")
    (folder / "store.db").write_bytes(sqlite_store.read_bytes())
    url, agreement, model = f"sqlite:///{folder / 'store.db'}", an_agreement(), the_model()
    store = open_store(url)

    def fill(connection: object) -> None:
        c, soon = connection, NOW.date()
        for n, text in enumerate(HARMFUL.values()):
            hard_to_show(c, agreement, text.strip(), n, known=text)  # type: ignore[arg-type]
            decide(c, text, text, soon, text, text, "key", NOW)  # type: ignore[arg-type]
            answer(c, "2026-W47", "sales", 3, text, text, f"key {n}", NOW)  # type: ignore[arg-type]
        sign(c, agreement, "sales", HARMFUL["script"], NOW)  # type: ignore[arg-type]

    store.write(fill)
    while score_listed(store, model, NOW):
        pass
    key = key_for(store, HARMFUL["image"], "admin")
    store.close()
    with pages(url, folder, model, agreement, now=clock(NOW)) as client:
        sign_in(client, key)
        yield client


@pytest.fixture(scope="module")
def seen(client: TestClient) -> dict[str, Shown]:
    return {path: Shown(client.get(path).text) for path in PAGES}


@pytest.mark.parametrize("path", PAGES)
def test_nothing_that_a_field_holds_acts_on_a_page(seen: dict[str, Shown], path: str) -> None:
    assert seen[path].acting == []


@pytest.mark.parametrize("path", SHOWN)
@pytest.mark.parametrize("text", HARMFUL.values(), ids=HARMFUL)
def test_what_a_field_holds_is_read_on_the_page(
    seen: dict[str, Shown], path: str, text: str
) -> None:
    found = seen[path].text + (seen["/queue?page=2"].text if path == "/queue" else "")
    assert spoken(text) in spoken(found)


@pytest.mark.parametrize("text", HARMFUL.values(), ids=HARMFUL)
def test_what_a_field_holds_is_read_on_the_page_of_the_lead(
    seen: dict[str, Shown], text: str
) -> None:
    page = seen[f"/leads/{quote(text.strip(), safe='')}"]
    # Name, campaign, source, owner, nurture, product, note and what was known.
    assert spoken(page.text).count(spoken(text)) >= 8


@pytest.mark.parametrize("path", FILES)
def test_no_cell_of_a_file_acts_and_none_is_lost(client: TestClient, path: str) -> None:
    told = client.get(path).text
    cells = [cell for row in csv.reader(io.StringIO(told, newline="")) for cell in row]
    assert [cell for cell in cells if acts(cell)] == []
    missing = [name for name, text in HARMFUL.items() if not any(text.strip() in c for c in cells)]
    # A part behind a semicolon bears a mark of its own.
    assert missing == ["semicolon"]


def test_no_cell_or_heading_of_the_calls_of_today_acts() -> None:
    texts = list(HARMFUL.values())
    told = csv_text((*today.COLUMNS, *texts), [[*texts, "-3.5"]])
    rows = list(csv.reader(io.StringIO(told, newline="")))
    assert [cell for row in rows for cell in row if acts(cell)] == []
    assert rows[1][-1] == "-3.5"


def test_the_report_as_pdf_holds_no_action(client: TestClient) -> None:
    told = client.get("/alignment/file?week=2026-W47&kind=pdf").content
    assert told.startswith(b"%PDF-")
    assert [word for word in (b"/JavaScript", b"/JS", b"/URI", b"/Launch") if word in told] == []


def test_a_proposed_agreement_is_the_same_agreement(client: TestClient) -> None:
    told = client.get("/agreement/proposal/file").text
    assert parse(told).outcomes == an_agreement().outcomes


def test_a_refusal_shows_what_was_asked_as_text(client: TestClient) -> None:
    for text in HARMFUL.values():
        for path in (f"/leads/{quote('no ' + text, safe='')}", f"/campaigns?by={quote(text)}"):
            page = client.get(path)
            assert page.status_code == 404
            assert Shown(page.text).acting == []
        fault = client.get("/agreement/proposal", params={"A": text})
        assert fault.status_code == 422
        assert Shown(fault.text).acting == []
