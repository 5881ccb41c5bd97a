"""What holds on every page: for everybody's eyes and hands, and whatever a lead's fields say."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser

from features.store.database import open_store
from tests.browser.looking import SIZES, faults_of
from tests.browser.scene import EVIL, FORMULA, LONG, NOW, the_agreement
from tests.browser.serving import SHOTS, Watched, person, service, watched
from tests.serving.pages.signing import key_for

NAVIGATION = ("/queue", "/campaigns", "/recycled", "/alignment", "/agreement", "/model")
BESIDE = (
    "/queue?owner=Kim",
    "/leads/lead-03",
    f"/leads/{quote(EVIL, safe='')}",
    f"/leads/{quote('back ' + EVIL, safe='')}",
    f"/leads/{quote(LONG.strip()[:190], safe='')}",
    "/alignment?week=2026-W47",
    "/agreement/proposal",
    "/agreement/proposal?A=1",
    "/leads/nobody",
    "/sign-in",
)
_MARK = """() => {
  const kinds =
    "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']";
  const seen = [...document.querySelectorAll(kinds)].filter((one) => one.checkVisibility());
  const groups = new Set();
  let count = 0;
  for (const one of seen) {
    if (one.type === "radio") {
      if (groups.has(one.form)) continue;
      groups.add(one.form);
    }
    one.dataset.mark = count++;
  }
  return count;
}"""
_FOCUSED = """() => {
  const on = document.activeElement;
  const style = getComputedStyle(on);
  const rings = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  return [on.dataset.mark ?? null, rings, on.outerHTML.slice(0, 90)];
}"""
_TURNED = """() => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const loose = [];
  while (texts.nextNode()) {
    const text = texts.currentNode;
    if (/\\u202e/.test(text.data) && !text.parentElement.closest("bdi, option, text"))
      loose.push(text.parentElement.outerHTML.slice(0, 120));
  }
  return loose;
}"""


@pytest.fixture(scope="module")
def window(browser: Browser, address: str, keys: dict[str, str]) -> Iterator[Watched]:
    """A window of somebody who may see everything."""
    context = person(browser, address, keys["Ada"], viewport=SIZES["wide"])
    window = watched(context, address)
    yield window
    window.check()
    context.close()


@pytest.fixture(scope="module")
def empty(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """The same on a service that knows no lead and has no model yet."""
    folder = tmp_path_factory.mktemp("empty")
    opened = open_store(f"sqlite:///{folder / 'store.db'}")
    key = key_for(opened, "Ada", "admin")
    with service(opened.address, folder, None, the_agreement(), NOW) as address:
        context = person(browser, address, key)
        window = watched(context, address)
        yield window
        window.check()
        context.close()
    opened.close()


@pytest.mark.parametrize("path", [*NAVIGATION, *BESIDE[1:]])
def test_a_page_keeps_nobody_out_and_nothing_moves_by_itself(window: Watched, path: str) -> None:
    window.page.goto(path)
    assert window.shifted() < 0.01
    assert faults_of(window.page, path) == []


@pytest.mark.parametrize("path", NAVIGATION)
def test_a_page_without_anything_to_show_says_so_to_everybody(empty: Watched, path: str) -> None:
    empty.page.goto(path)
    assert empty.page.locator("h1").count() == 1
    assert faults_of(empty.page, path) == []


@pytest.mark.parametrize("path", [*NAVIGATION[1:], *BESIDE[:2], "/agreement/proposal"])
def test_all_of_a_page_is_reached_by_the_keyboard_and_shows_where_one_is(
    window: Watched, path: str
) -> None:
    page = window.page
    page.goto(path)
    page.evaluate("document.activeElement.blur()")
    count = page.evaluate(_MARK)
    reached, hidden, order = set(), [], []
    # The parts of a date are stops of their own.
    for _ in range(count + 4 * page.locator("input[type=date]:visible").count()):
        page.keyboard.press("Tab")
        mark, has_ring, html = page.evaluate(_FOCUSED)
        if mark is not None:
            reached.add(int(mark))
            order.append(int(mark))
            if not has_ring:
                hidden.append(html)
        if len(reached) == count:
            break
    assert hidden == []
    missing = [n for n in range(count) if n not in reached]
    assert [page.locator(f"[data-mark='{n}']").evaluate("n => n.outerHTML.slice(0, 90)")
            for n in missing] == []  # fmt: skip
    assert order == sorted(order)


def test_the_first_stop_of_the_keyboard_leads_past_the_navigation(window: Watched) -> None:
    page = window.page
    page.goto("/campaigns")
    page.keyboard.press("Tab")
    link = page.locator(".skip:focus")
    assert link.bounding_box()["x"] >= 0  # type: ignore[index]
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_an_answer_and_a_slider_stay_where_they_are(window: Watched) -> None:
    page = window.page
    page.goto("/campaigns")
    slider = page.get_by_role("slider").first
    slider.focus()
    place = slider.bounding_box()
    page.keyboard.press("ArrowRight")
    page.locator(".answer").wait_for()
    assert slider.bounding_box() == place
    page.goto("/queue?owner=Kim")
    card = page.locator("article.lead").first
    button = card.locator("button[data-key=c]")
    button.scroll_into_view_if_needed()
    top = card.bounding_box()
    button.click()
    card.locator(".said").wait_for()
    after = card.bounding_box()
    assert top is not None
    assert after is not None
    assert (after["x"], after["y"]) == (top["x"], top["y"])


@pytest.mark.parametrize("path", [*NAVIGATION, *BESIDE])
def test_markup_is_shown_as_text_and_turned_texts_turn_nothing_else(
    window: Watched, path: str
) -> None:
    page = window.page
    page.goto(path)
    assert page.locator("script:not([src]), img, [onerror]").count() == 0
    assert page.evaluate(_TURNED) == []


@pytest.mark.parametrize("path", ["/campaigns?days=3000", f"/leads/{quote(EVIL, safe='')}"])
def test_markup_of_leads_can_be_read(window: Watched, path: str) -> None:
    window.page.goto(path)
    assert "<script>alert(1)</script>" in window.page.locator("main").inner_text()


@pytest.mark.parametrize("path", ["/campaigns/file?days=3000", "/recycled/file?week=both"])
def test_no_cell_of_a_file_acts_in_a_spreadsheet(window: Watched, path: str) -> None:
    text = window.page.request.get(path).text()
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    assert any(FORMULA[:20] in cell for cell in cells)
    assert [cell for cell in cells if re.match(r"[=+@\t\r]|-(?!\d)", cell)] == []


def test_the_report_as_a_file_shows_markup_as_text_and_asks_for_nothing(
    window: Watched, browser: Browser, tmp_path: Path
) -> None:
    told = window.page.request.get("/alignment/file?week=2026-W47&kind=html")
    file = tmp_path / "report.html"
    file.write_bytes(told.body())
    asked: list[str] = []
    page = browser.new_page()
    page.on("request", lambda sent: asked.append(sent.url))
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    page.goto(file.as_uri())
    assert asked == [file.as_uri()]
    assert page.locator("script, img").count() == 0
    assert "<script>alert(1)</script>" in page.locator("main").inner_text()
    page.close()
    pdf = window.page.request.get("/alignment/file?week=2026-W47&kind=pdf").body()
    assert pdf.startswith(b"%PDF-")
    assert b"/JavaScript" not in pdf


@pytest.mark.parametrize("path", [*NAVIGATION, "/leads/lead-03"])
def test_on_paper_stands_what_is_said_and_nothing_to_press(window: Watched, path: str) -> None:
    page = window.page
    page.goto(path)
    page.emulate_media(media="print", color_scheme="light")
    pressed = page.locator("button:visible, nav:visible, input:visible, .button:visible")
    assert [one.evaluate("n => n.outerHTML.slice(0, 90)") for one in pressed.all()[:3]] == []
    page.emulate_media(media="screen")


@pytest.mark.skipif(not SHOTS, reason="pictures are made where LEADQ_SHOTS names a folder")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["wide", "phone"])
def test_pictures_of_every_page(window: Watched, empty: Watched, scheme: Any, size: str) -> None:
    for name, one, paths in (
        ("full", window, (*NAVIGATION, *BESIDE)),
        ("empty", empty, NAVIGATION),
    ):
        one.page.set_viewport_size(SIZES[size])
        one.page.emulate_media(color_scheme=scheme)
        for path in paths:
            one.page.goto(path)
            of = re.sub(r"[^a-zA-Z0-9=]+", "-", path)[:40].strip("-")
            one.page.screenshot(
                path=Path(SHOTS) / f"{name}-{of}-{scheme}-{size}.png", full_page=True
            )
