"""The same days without a mouse: from signing in to the last download, by keyboard alone."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from features.agreement import parse
from features.store.database import Store
from tests.browser.scene import words_on
from tests.browser.serving import person, watched

_MOST = 400
"""Stops of the keyboard on the longest page."""


@pytest.fixture
def unknown(browser: Browser, address: str) -> Iterator[Page]:
    """A window of somebody who is not signed in yet."""
    context = browser.new_context(base_url=address)
    context.set_default_timeout(10_000)
    window = watched(context, address)
    yield window.page
    window.check()
    context.close()


def go(page: Page, target: Locator, key: str = "Tab") -> None:
    """Press Tab until something is in focus."""
    for _ in range(_MOST):
        if target.evaluate("one => one === document.activeElement"):
            return
        page.keyboard.press(key)
    pytest.fail(f"no Tab leads to {target}")


def press(page: Page, target: Locator, key: str = "Enter") -> None:
    """Go somewhere and press a key there."""
    go(page, target)
    page.keyboard.press(key)


def write(page: Page, label: str, text: str) -> None:
    """Go to a field, and type in place of what it holds."""
    go(page, page.get_by_label(label, exact=True))
    page.keyboard.press("Control+a")
    page.keyboard.type(text)


def sign_in(page: Page, key: str) -> None:
    page.goto("/")
    expect(page.get_by_label("Key")).to_be_focused()
    page.keyboard.type(key)
    page.keyboard.press("Enter")


def loaded(page: Page, act: Callable[[], None]) -> str:
    """Return the text of the file that something brings."""
    with page.expect_download() as loading:
        act()
    return Path(loading.value.path()).read_text(encoding="utf-8-sig")


def visit(page: Page, name: str) -> None:
    """Go to a page by the navigation."""
    press(page, page.get_by_role("navigation", name="Pages").get_by_role("link", name=name))
    expect(page.get_by_role("link", name=name, exact=True).first).to_have_attribute(
        "aria-current", "page"
    )


def test_a_marketer_needs_no_mouse_for_a_day(unknown: Page, keys: dict[str, str]) -> None:
    page = unknown
    sign_in(page, keys["Mia"])
    page.wait_for_url("**/campaigns")

    go(page, page.get_by_label("Leads of the last"))
    page.keyboard.type("365")
    press(page, page.get_by_role("button", name="Show"))
    page.wait_for_url("**days=365*")
    press(page, page.get_by_role("link", name="Cost", exact=True))
    page.wait_for_url("**order=cost*")
    first = page.locator("tbody tr").first
    press(page, first.locator("summary"))
    expect(first.locator("details")).to_contain_text("A lead cost")
    slider = page.get_by_role("slider").first
    press(page, slider, "ArrowLeft")
    expect(page.locator("#what-if-answer")).to_contain_text("wins to expect")
    assert slider.input_value() == "90"
    page.keyboard.press("End")
    expect(page.locator("#what-if-answer")).to_contain_text("Marginal is not average")
    assert slider.input_value() == "200"
    told = page.get_by_role("link", name="CSV file")
    assert loaded(page, lambda: backwards(page, told)).startswith("campaign,leads,")

    visit_by_top(page, "Recycled")
    nurture = page.get_by_role("link", name="With next week (CSV)")
    rows = list(csv.DictReader(io.StringIO(loaded(page, lambda: press(page, nurture)))))
    assert len({row["id"] for row in rows}) == len(rows) > 3
    assert {row["code"] for row in rows} <= {"not_ready", "in_contract", "unreachable"}

    visit_by_top(page, "Alignment")
    press(page, page.get_by_role("link", name="Nov 2026"))
    page.wait_for_url("**month=2026-11*")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Nov 2026")
    page.go_back()
    write(page, "We decided", "Call form leads first")
    write(page, "Who does it", "Kim")
    go(page, page.get_by_label("By", exact=True))
    page.keyboard.type("12012026")
    write(page, "Otherwise", "Marketing stops the form")
    page.keyboard.press("Enter")
    decided = page.get_by_role("row").filter(has_text="Call form leads first")
    expect(decided).to_contain_text("1 Dec 2026")
    mark = page.get_by_role("group", name="Did sales follow up").get_by_label("1", exact=True)
    press(page, mark, "ArrowRight")
    write(page, "Comment", "By keys")
    page.keyboard.press("Enter")
    expect(page.get_by_role("row").filter(has_text="By keys")).to_contain_text("Mia")
    report = page.get_by_role("link", name="HTML file")
    assert "Call form leads first" in loaded(page, lambda: press(page, report))

    visit_by_top(page, "Agreement")
    expect(page.locator("main")).to_contain_text("What changed between versions")
    press(page, page.get_by_role("link", name="Propose a change"))
    write(page, "A from, in %", "5")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("A")
    assert page.get_by_label("A from, in %").input_value() == "5", "what was typed is kept"
    write(page, "A from, in %", "40")
    page.keyboard.press("Enter")
    expect(page.locator("tr.moved").first).to_be_visible()
    file = page.get_by_role("link", name="Download the proposed agreement.toml")
    assert parse(loaded(page, lambda: press(page, file))).grades.A == 0.4

    visit_by_top(page, "Model")
    expect(page.get_by_role("heading", name="What it is worth")).to_be_visible()
    press(page, page.get_by_role("button", name="Sign out"))
    page.wait_for_url("**/sign-in")


def backwards(page: Page, target: Locator) -> None:
    """Go back to something and press Enter."""
    go(page, target, "Shift+Tab")
    page.keyboard.press("Enter")


def visit_by_top(page: Page, name: str) -> None:
    """Load the page anew, so that its first stop is the first again, and go to another."""
    page.reload()
    visit(page, name)


def test_a_rep_needs_no_mouse_for_a_day(
    unknown: Page, browser: Browser, address: str, keys: dict[str, str], store: Store
) -> None:
    page = unknown
    sign_in(page, keys["Kim"])
    page.wait_for_url("**/queue")
    go(page, page.get_by_label("Owner"))
    page.keyboard.type("Kim")
    page.wait_for_url("**owner=Kim*")
    expect(page.locator("#told")).to_contain_text("of")

    first = waiting(page, "Escape")
    page.keyboard.press("n")
    expect(page.locator("input[name=return_on]:focus")).to_have_count(1)
    page.keyboard.type("02012027")
    page.keyboard.press("Enter")
    expect(page.locator("article.done:focus")).to_contain_text("back on 1 Feb 2027")
    page.keyboard.press("z")
    expect(page.locator("article.done")).to_have_count(0)
    assert words_on(store, first)[-2:] == ["not_ready", "open"]

    page.keyboard.press("w")
    expect(page.locator("input[name=value]:focus")).to_have_count(1)
    page.keyboard.type("900")
    page.keyboard.press("Enter")
    expect(page.locator("article.done:focus")).to_contain_text("worth 900")

    noted = waiting(page, "j")
    page.keyboard.press("m")
    page.keyboard.type("They ask for references")
    page.keyboard.press("Enter")
    expect(page.locator("article.lead:focus, article.lead :focus")).to_have_count(1)
    expect(page.get_by_role("status").filter(has_text="note")).to_be_visible()

    theirs = person(browser, address, keys["Lee"])
    other = theirs.new_page()
    other.goto("/queue?owner=Kim")
    said = words_on(store, noted)
    card = other.locator("article.lead").filter(
        has=other.get_by_role("link", name=noted, exact=True)
    )
    card.get_by_role("button", name="Unqualified").click()
    expect(other.locator("article.done")).to_contain_text("Unqualified")
    theirs.close()
    page.keyboard.press("c")
    expect(page.get_by_role("alert")).to_contain_text("Lee: unqualified")
    assert words_on(store, noted) == [*said, "unqualified"]

    waiting(page, "j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/leads/**")
    expect(page.get_by_role("heading", name="What happened")).to_be_visible()


def waiting(page: Page, key: str) -> str:
    """Go to the next lead that waits, and return its name."""
    page.keyboard.press(key)
    lead = page.locator("article.lead:focus h2")
    expect(lead).to_be_visible()
    return lead.inner_text()


def test_two_heads_who_decide_at_once_both_stand_in_the_report(
    browser: Browser, address: str, keys: dict[str, str]
) -> None:
    both = [person(browser, address, keys[name]) for name in ("Kim", "Mia")]
    kims, mias = (context.new_page() for context in both)
    for page in (kims, mias):
        page.goto("/alignment?week=2026-W47")
    for page, text in ((kims, "Sales calls twice"), (mias, "Marketing asks for budget")):
        page.get_by_label("We decided").fill(text)
        page.get_by_label("Who does it").fill("Lee")
        page.get_by_label("By", exact=True).fill("2026-12-01")
        page.get_by_label("Otherwise").fill("We meet again")
    for page in (kims, mias):
        page.get_by_role("button", name="Write it down").click()
    for page in (kims, mias):
        page.goto("/alignment?week=2026-W47")
        for text in ("Sales calls twice", "Marketing asks for budget"):
            expect(page.get_by_role("row").filter(has_text=text)).to_have_count(1)

    for page in (kims, mias):
        page.get_by_role("button", name="Done: Sales calls twice").click()
        row = page.get_by_role("row").filter(has_text="Sales calls twice")
        expect(row).to_have_count(1)
        expect(row).to_contain_text("done 18 Nov 2026")
    for context in both:
        context.close()
