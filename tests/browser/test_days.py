"""The day of a rep in a real browser, by mouse, by keyboard and by two at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from features.store.database import Store, open_store
from features.store.tables import Disposition, Lead
from tests.browser.serving import SHOTS, chromium, person, service
from tests.serving.pages.signing import key_for
from tests.serving.pages.test_queue import BAD, an_agreement, hand, recently
from tests.serving.small import small_model

WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("browser")
    opened = open_store(f"sqlite:///{folder / 'store.db'}")
    for i in range(40):
        kind = "Software" if i % 3 else "Trade"
        at = recently(1 + i)
        known = {"visits": str(i % 20), "industry": kind, "created": at.isoformat()}
        hand(opened, f"lead-{i:02}", at=at, owner="Kim", **known)
    hand(opened, "lead-03", at=recently(0.5), visits="19", industry="Trade")
    hand(opened, BAD, at=recently(2), visits="12", industry=BAD, campaign=BAD, owner="Lee")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def address(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    agreement = an_agreement(capacity={"leads_per_day": 30})
    folder = tmp_path_factory.mktemp("served")
    with service(store.address, folder, small_model(), agreement) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def keys(store: Store) -> dict[str, str]:
    found = {name: key_for(store, name, "sales") for name in ("Kim", "Lee")}
    return found | {"Ada": key_for(store, "Ada", "admin")}


@pytest.fixture
def page(browser: Browser, address: str, keys: dict[str, str]) -> Iterator[Page]:
    context = person(browser, address, keys["Kim"], viewport=WIDE)
    page = context.new_page()
    elsewhere, faults = [], []
    page.on("request", lambda sent: elsewhere.append(sent.url))
    page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    yield page
    assert [url for url in elsewhere if not url.startswith(address)] == []
    assert [text for text in faults if "409" not in text and "422" not in text] == []
    context.close()


def said(store: Store, id_: str) -> list[Any]:
    told = select(Disposition.code).join(Lead, Lead.key == Disposition.lead).where(Lead.id == id_)
    with store.reading() as connection:
        return list(connection.execute(told.order_by(Disposition.key)).scalars())


def card(page: Page, id_: str) -> Any:
    return page.locator("article.lead").filter(has=page.get_by_role("link", name=id_, exact=True))


def test_a_rep_works_through_the_day_by_mouse(page: Page, store: Store) -> None:
    page.goto("/queue")
    first = page.locator("article.lead").first
    expect(first.get_by_role("list")).to_contain_text("raises the odds")
    lead = card(page, "lead-39")
    lead.get_by_role("button", name="Contacted").click()
    expect(card(page, "lead-39").get_by_role("button", name="Accepted")).to_be_visible()
    card(page, "lead-39").get_by_role("button", name="Lost").click()
    done = card(page, "lead-39")
    expect(done).to_contain_text("Lost")
    done.get_by_role("button", name="Undo").click()
    expect(card(page, "lead-39").get_by_role("button", name="Lost")).to_be_visible()
    assert said(store, "lead-39") == ["contacted", "lost", "open"]

    lead = card(page, "lead-38")
    lead.get_by_text("Not ready…").click()
    lead.get_by_label("Ask again on").fill((recently() + timedelta(days=60)).date().isoformat())
    lead.get_by_role("button", name="Not ready", exact=True).click()
    expect(card(page, "lead-38")).to_contain_text("back on")

    lead = card(page, "lead-37")
    lead.get_by_text("Won…").click()
    lead.get_by_label("Worth").fill("1200")
    lead.get_by_role("button", name="Won", exact=True).click()
    expect(card(page, "lead-37")).to_contain_text("worth 1,200")

    lead = card(page, "lead-36")
    lead.get_by_text("Note…").click()
    lead.get_by_label("What should marketing know of the campaign?").fill(
        "They ask for a price list"
    )
    lead.get_by_role("button", name="Leave the note").click()
    expect(lead).to_contain_text("stands beside the campaign")
    lead.get_by_role("link", name="lead-36").click()
    expect(page.get_by_text("They ask for a price list")).to_be_visible()


def test_a_rep_works_by_keyboard_alone(page: Page, store: Store) -> None:
    page.goto("/queue?owner=Kim")
    page.keyboard.press("j")
    page.keyboard.press("j")
    name = page.locator("article.lead:focus h2").inner_text()
    assert name == page.locator("article.lead h2").nth(1).inner_text()
    page.keyboard.press("l")
    expect(page.locator("article.done")).to_contain_text(name)
    page.keyboard.press("z")
    expect(page.locator("article.done")).to_have_count(0)
    assert said(store, name) == ["lost", "open"]
    page.keyboard.press("k")
    page.keyboard.press("n")
    expect(page.locator("input[name=return_on]:focus")).to_have_count(1)
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    page.wait_for_url("**/leads/**")


def test_what_is_chosen_stands_in_the_address_and_in_the_history(page: Page) -> None:
    page.goto("/queue")
    page.get_by_label("Grade").select_option("A")
    page.wait_for_url("**/queue?*grade=A*")
    expect(page.locator("article.lead .grade:not(.A)")).to_have_count(0)
    page.get_by_label("Grade").select_option("")
    page.wait_for_url(lambda url: "grade=A" not in url)
    page.go_back()
    page.wait_for_url("**/queue?*grade=A*")
    expect(page.get_by_label("Grade")).to_have_value("A")


def test_the_second_of_two_reps_is_told_and_nothing_is_overwritten(
    page: Page, browser: Browser, address: str, keys: dict[str, str], store: Store
) -> None:
    other = person(browser, address, keys["Lee"])
    theirs = other.new_page()
    theirs.goto("/queue")
    page.goto("/queue")
    before = said(store, "lead-19")
    card(theirs, "lead-19").get_by_role("button", name="Unqualified").click()
    expect(card(theirs, "lead-19")).to_contain_text("Undo")
    card(page, "lead-19").get_by_role("button", name="Lost").click()
    expect(page.get_by_role("alert")).to_contain_text("Lee: unqualified today")
    assert said(store, "lead-19") == [*before, "unqualified"]
    other.close()


def test_markup_of_a_lead_runs_nowhere(page: Page) -> None:
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    page.goto("/queue?owner=Lee")
    expect(page.locator("article.lead h2")).to_contain_text("<script>alert(1)</script>")
    page.locator("article.lead h2 a").click()
    expect(page.locator("h1")).to_contain_text("<script>alert(1)</script>")


@pytest.mark.parametrize(("scheme", "size"), [("light", WIDE), ("dark", PHONE)])
def test_every_page_can_be_read_by_everybody(
    browser: Browser, address: str, keys: dict[str, str], scheme: Any, size: Any
) -> None:
    context = person(browser, address, keys["Ada"], viewport=size, color_scheme=scheme)
    page = context.new_page()
    for path in paths(page):
        page.goto(path)
        found = Axe().run(page).response["violations"]
        bad = [
            (fault["id"], [node["html"][:120] for node in fault["nodes"][:3]])
            for fault in found
            if fault["impact"] in ("serious", "critical")
        ]
        assert bad == [], path
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(wide) <= 0, f"{path} is wider than the window"
    context.close()


@pytest.mark.skipif(not SHOTS, reason="pictures are made where LEADQ_SHOTS names a folder")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_pictures_of_every_page(
    browser: Browser, address: str, keys: dict[str, str], scheme: Any, size: Any
) -> None:
    context = person(browser, address, keys["Ada"], viewport=size, color_scheme=scheme)
    page = context.new_page()
    for path in paths(page):
        page.goto(path)
        name = path.strip("/").replace("/", "-")
        page.screenshot(path=Path(SHOTS) / f"{name}-{scheme}-{size['width']}.png")
    context.close()


def paths(page: Page) -> list[str]:
    """The pages of the navigation, and those that nobody finds there."""
    page.goto("/queue")
    found = [str(link.get_attribute("href")) for link in page.locator(".top nav a").all()]
    return [*found, "/leads/lead-03", "/leads/nobody", "/sign-in"]
