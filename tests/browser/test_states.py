"""What a page looks like once something has happened on it, where there is little to show."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from features.store.database import Store, open_store
from serving.scorekeeper import score_listed
from tests.browser.looking import faults_of
from tests.browser.scene import NOW, hard_to_show, the_agreement, the_model, words_on
from tests.browser.serving import Watched, person, service, watched
from tests.serving.pages.signing import key_for

PAGES = ("/queue", "/leads/Acme", "/campaigns", "/recycled", "/alignment?week=2026-W47",
         "/alignment?month=2026-11", "/agreement", "/agreement/proposal", "/model")  # fmt: skip
_MANY = re.compile(
    r"(?<![\d.,])1 (leads|days|wins|calls|hours|weeks|words|notes|fields|decisions|answers) ?\b"
    r"|\b(nan|None|inf|undefined)\b|\d e[+-]\d"
)
"""One of what is said as many, and what a figure looks like where there is none."""


@pytest.fixture
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One lead that waits, one that comes back, one that was rejected."""
    opened = open_store(f"sqlite:///{tmp_path_factory.mktemp('small') / 'store.db'}")
    opened.write(lambda c: hard_to_show(c, the_agreement(), "Acme", 0, "Software"))
    while score_listed(opened, the_model(), NOW):
        pass
    yield opened
    opened.close()


@pytest.fixture
def window(
    store: Store, browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Watched]:
    """A window of somebody who may do all."""
    key = key_for(store, "Ada", "admin")
    folder = tmp_path_factory.mktemp("served")
    with service(store.address, folder, the_model(), the_agreement(), NOW) as address:
        context = person(browser, address, key)
        window = watched(context, address)
        yield window
        window.check()
        context.close()


def refused_key(page: Page) -> None:
    page.context.clear_cookies()
    page.goto("/sign-in")
    page.get_by_label("Key").fill("leadq_00000000_" + "x" * 43)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("not known")


def refused_decision(page: Page) -> None:
    page.goto("/alignment?week=2026-W47")
    page.get_by_label("We decided").fill("Ask for the budget")
    page.locator("[name=owner]").evaluate("one => { one.maxLength = 500; }")
    page.get_by_label("Who does it").fill("x" * 300)
    page.get_by_label("By", exact=True).fill("2026-12-01")
    page.get_by_label("Otherwise").fill("We meet again")
    page.get_by_role("button", name="Write it down").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("This cannot be taken")


def back_to_what_was_refused(page: Page) -> None:
    refused_decision(page)
    page.go_back()
    expect(page.get_by_label("We decided")).to_have_value("Ask for the budget")


def refused_proposal(page: Page) -> None:
    page.goto("/agreement/proposal?A=much")
    expect(page.get_by_role("alert")).to_contain_text("much")


def forms_open(page: Page) -> None:
    page.goto("/queue")
    for name in ("Not ready…", "In a contract…", "Won…", "Note…"):
        page.get_by_text(name).click()
    expect(page.get_by_role("button", name="Leave the note")).to_be_visible()


def note_left(page: Page) -> None:
    forms_open(page)
    page.get_by_label("What should marketing know of the campaign?").fill("They ask for prices")
    page.get_by_role("button", name="Leave the note").click()
    expect(page.get_by_role("status").filter(has_text="beside the campaign")).to_be_visible()


def step_taken(page: Page) -> None:
    page.goto("/queue")
    page.get_by_role("button", name="Contacted").click()
    expect(page.locator(".said")).to_contain_text("is written down")


def answered(page: Page) -> None:
    page.goto("/queue")
    page.get_by_role("button", name="Lost").click()
    expect(page.locator("article.done")).to_contain_text("Lost")


def all_answered(page: Page) -> None:
    answered(page)
    page.goto("/queue")
    expect(page.get_by_role("heading", name="Nothing waits here")).to_be_visible()


def overtaken(page: Page) -> None:
    page.goto("/queue")
    other = page.context.new_page()
    answered(other)
    other.close()
    page.get_by_role("button", name="Unqualified").click()
    expect(page.get_by_role("alert")).to_contain_text("Ada: lost")


def moved_money(page: Page) -> None:
    page.goto("/campaigns")
    page.get_by_role("slider").first.focus()
    page.keyboard.press("End")
    expect(page.locator("#what-if-answer")).to_contain_text("wins to expect")


def nobody(page: Page) -> None:
    page.goto("/leads/nobody")
    expect(page.get_by_role("heading", level=1)).to_have_text("Nothing here")


STATES = (
    *(refused_key, refused_decision, back_to_what_was_refused, refused_proposal, nobody),
    *(forms_open, note_left, step_taken, answered, all_answered, overtaken, moved_money),
)


@pytest.mark.parametrize("act", STATES, ids=lambda act: act.__name__)
def test_what_has_happened_keeps_nobody_out_and_moves_nothing(
    window: Watched, act: Callable[[Page], Any]
) -> None:
    act(window.page)
    assert window.shifted() < 0.1
    assert _MANY.findall(window.page.locator("main").inner_text()) == []
    assert faults_of(window.page, act.__name__) == []


def test_little_is_told_as_well_as_much(window: Watched, store: Store) -> None:
    for path in PAGES:
        window.page.goto(path)
        assert window.shifted() < 0.1
        said = window.page.locator("main").inner_text()
        assert [found.group() for found in _MANY.finditer(said)] == [], path
        assert faults_of(window.page, path) == []
    assert words_on(store, "Acme") == []
