"""The days of a rep and of a marketer in a real browser: by mouse, by keyboard, by two at once."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from features.agreement import parse
from features.store.database import Store
from leadq import app
from serving.agreed import as_toml
from tests.browser.scene import NOW, the_agreement, words_on
from tests.browser.serving import person, watched

SPRING = "Spring fair"


@pytest.fixture
def page(browser: Browser, address: str, keys: dict[str, str]) -> Iterator[Page]:
    """A window of Kim, who is in sales."""
    yield from window_of(browser, address, keys["Kim"])


@pytest.fixture
def mias(browser: Browser, address: str, keys: dict[str, str]) -> Iterator[Page]:
    """A window of Mia, who is in marketing."""
    yield from window_of(browser, address, keys["Mia"])


def window_of(browser: Browser, address: str, key: str) -> Iterator[Page]:
    """Open a window for a key, and see at its end that nothing went wrong in it."""
    context = person(browser, address, key)
    window = watched(context, address)
    yield window.page
    window.check()
    context.close()


def card(page: Page, id_: str) -> Any:
    return page.locator("article.lead").filter(has=page.get_by_role("link", name=id_, exact=True))


def test_a_rep_works_through_the_day_by_mouse(page: Page, store: Store) -> None:
    page.goto("/queue")
    page.get_by_role("link", name="Mine").click()
    page.wait_for_url("**/queue?owner=Kim")
    known = card(page, "lead-03")
    expect(known.get_by_role("list")).to_contain_text(re.compile(r"visits: 19\s*\+[\d.]+ points"))
    known.get_by_text("How it adds up").click()
    expect(known.get_by_role("table")).to_contain_text("An average lead")
    expect(known).to_contain_text("Since yesterday: visits 3 → 19")
    expect(known).to_contain_text("first touch due in 23 h")
    material = card(page, "lead-38").get_by_role("link", name="the material for Makers")
    expect(material).to_have_attribute("href", "https://example.com/makers")
    expect(card(page, "lead-38").get_by_role("link", name="+4530000038")).to_be_visible()

    card(page, "lead-39").get_by_role("button", name="Contacted").click()
    expect(card(page, "lead-39").get_by_role("status")).to_contain_text("Contacted is written down")
    card(page, "lead-39").get_by_role("button", name="Undo").click()
    expect(card(page, "lead-39").get_by_role("button", name="Contacted")).to_be_visible()
    expect(card(page, "lead-39").get_by_role("button", name="Undo")).to_have_count(0)
    card(page, "lead-39").get_by_role("button", name="Lost").click()
    expect(card(page, "lead-39")).to_contain_text("Lost")
    card(page, "lead-39").get_by_role("button", name="Undo").click()
    expect(card(page, "lead-39").get_by_role("button", name="Lost")).to_be_visible()
    assert words_on(store, "lead-39") == ["contacted", "open", "lost", "open"]

    lead = card(page, "lead-38")
    lead.get_by_text("Not ready…").click()
    lead.get_by_label("Ask again on").fill((NOW + timedelta(days=60)).date().isoformat())
    lead.get_by_role("button", name="Not ready", exact=True).click()
    expect(card(page, "lead-38")).to_contain_text("back on 17 Jan 2027")

    lead = card(page, "lead-37")
    lead.get_by_text("In a contract…").click()
    lead.get_by_role("button", name="In a contract", exact=True).click()
    assert lead.locator("input:invalid").count() > 0, "a contract needs its end"
    lead.get_by_label("It ends on").fill("2027-06-30")
    lead.get_by_role("button", name="In a contract", exact=True).click()
    expect(card(page, "lead-37")).to_contain_text("In a contract")

    lead = card(page, "lead-36")
    lead.get_by_text("Won…").click()
    lead.get_by_label("Worth").fill("1200")
    lead.get_by_role("button", name="Won", exact=True).click()
    expect(card(page, "lead-36")).to_contain_text("worth 1,200")


def test_a_lead_that_was_drawn_by_lot_is_marked_once_it_is_answered(page: Page) -> None:
    page.goto("/queue?owner=Kim")
    while not card(page, "by-lot").count():
        page.get_by_role("link", name="Next", exact=True).click()
    drawn = card(page, "by-lot")
    assert "lot," not in drawn.inner_text()
    drawn.get_by_role("button", name="Unqualified").click()
    expect(card(page, "by-lot")).to_contain_text("drawn by lot, to learn from")


def test_a_note_reaches_the_campaign_and_a_step_is_taken_back_on_the_page_of_the_lead(
    page: Page, mias: Page, store: Store
) -> None:
    page.goto("/leads/lead-35")
    page.get_by_text("Note…").click()
    page.get_by_label("What should marketing know of the campaign?").fill("They ask for prices")
    page.get_by_role("button", name="Leave the note").click()
    expect(page.locator(".time")).to_contain_text("Note by Kim: They ask for prices")
    page.get_by_role("button", name="Contacted").click()
    expect(page.locator(".said")).to_contain_text("Contacted by Kim")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".time")).to_contain_text("Taken back by Kim")
    page.get_by_role("button", name="Unqualified").click()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("button", name="Contacted")).to_be_visible()
    assert words_on(store, "lead-35") == ["contacted", "open", "unqualified", "open"]

    mias.goto("/campaigns?order=leads")
    row = mias.locator("tr").filter(has_text=SPRING)
    row.locator("summary").click()
    expect(row).to_contain_text("They ask for prices Kim, 18 Nov 2026")


def test_a_rep_works_by_keyboard_alone(page: Page, store: Store) -> None:
    page.goto("/queue?owner=Kim")
    page.keyboard.press("j")
    page.keyboard.press("j")
    name = page.locator("article.lead:focus h2").inner_text()
    assert name == page.locator("article.lead h2").nth(1).inner_text()
    before = words_on(store, name)
    page.keyboard.press("c")
    expect(page.locator("article.lead:focus .said")).to_contain_text("Contacted")
    page.keyboard.press("z")
    expect(page.locator("article.lead:focus")).not_to_contain_text("Contacted is written down")
    page.keyboard.press("l")
    expect(page.locator("article.done")).to_contain_text(name)
    page.keyboard.press("z")
    expect(page.locator("article.done")).to_have_count(0)
    assert words_on(store, name) == [*before, "contacted", "open", "lost", "open"]
    page.keyboard.press("k")
    page.keyboard.press("n")
    expect(page.locator("input[name=return_on]:focus")).to_have_count(1)
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    page.wait_for_url("**/leads/**")


def test_what_is_chosen_is_counted_told_and_kept_in_focus(page: Page) -> None:
    page.goto("/queue")
    owner = page.get_by_label("Owner")
    owner.focus()
    owner.select_option("Kim")
    page.wait_for_url("**/queue?owner=Kim*")
    told = re.compile(r"^[\d,]+ of [\d,]+ leads wait")
    expect(page.locator("#count")).to_contain_text(told)
    expect(page.locator("#told[role=status]")).to_have_text(told)
    expect(owner).to_be_focused()
    expect(owner).to_have_value("Kim")
    expect(page.get_by_role("link", name="All leads")).to_be_visible()


def test_an_answer_is_counted_at_once(page: Page) -> None:
    page.goto("/queue?owner=Kim")
    before = page.locator("#count").inner_text()
    card(page, "lead-34").get_by_role("button", name="Lost").click()
    expect(page.locator("#count")).not_to_have_text(before)


def test_what_is_chosen_stands_in_the_address_and_in_the_history(page: Page) -> None:
    page.goto("/queue?owner=Kim")
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
    theirs.goto("/queue?owner=Kim")
    page.goto("/queue?owner=Kim")
    before = words_on(store, "lead-19")
    card(theirs, "lead-19").get_by_role("button", name="Unqualified").click()
    expect(card(theirs, "lead-19")).to_contain_text("Undo")
    card(page, "lead-19").get_by_role("button", name="Lost").click()
    expect(page.get_by_role("alert")).to_contain_text("Lee: unqualified today")
    assert words_on(store, "lead-19") == [*before, "unqualified"]
    other.close()


def test_a_marketer_sees_what_campaigns_bring_and_tries_what_if(
    mias: Page, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spend = tmp_path / "spend.csv"
    spend.write_text(f"campaign,date,amount\n{SPRING},2026-11-17,1234\n", encoding="utf-8")
    (tmp_path / "agreement.toml").write_text(as_toml(the_agreement()), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEADQ_STORE__URL", store.address)
    monkeypatch.setenv("LEADQ_HOME", str(tmp_path))
    app(["spend", str(spend)], standalone_mode=False)
    mias.goto("/")
    mias.wait_for_url("**/campaigns")
    assert mias.get_by_role("link", name="Queue").count() == 0, "the queue is for sales"
    row = mias.locator("tr").filter(has_text=SPRING)
    expect(row).to_contain_text("1,234")

    mias.get_by_role("link", name="Wins to expect").click()
    mias.wait_for_url("**order=wins*")
    wins = mias.locator("td[data-name='Wins to expect'] .measure").all_inner_texts()
    first = [float(text.split()[0].replace(",", "")) for text in wins]
    assert first == sorted(first, reverse=True)
    mias.get_by_label("Leads of the last").select_option("90")
    mias.get_by_role("button", name="Show").click()
    mias.wait_for_url(lambda url: "days=90" in url and "order=wins" in url)

    slider = mias.get_by_role("slider").first
    slider.focus()
    for _ in range(3):
        mias.keyboard.press("ArrowRight")
    answer = mias.locator("#what-if-answer")
    expect(answer).to_contain_text(re.compile(r"[+−]\d+\.\d wins to expect \([+−].* to .*\)"))
    expect(answer).to_contain_text("Marginal is not average")
    assert slider.input_value() == "130"
    expect(mias.locator("output.moved")).to_have_count(1)


def test_a_marketer_takes_the_nurture_list_and_no_cell_of_it_acts(mias: Page) -> None:
    mias.goto("/recycled")
    expect(mias.locator(".head p")).to_contain_text("come back this week")
    for link in ("Nurture list up to this week (CSV)", "With next week (CSV)"):
        with mias.expect_download() as loading:
            mias.get_by_role("link", name=link).click()
        text = Path(loading.value.path()).read_text(encoding="utf-8-sig")
        rows = list(csv.reader(io.StringIO(text)))
        assert len(rows) > 3
        cells = [cell for row in rows for cell in row]
        assert [cell for cell in cells if re.match(r"[=+@\t\r]|-(?!\d)", cell)] == []


def test_a_marketer_reads_the_report_decides_and_says_how_it_goes(mias: Page) -> None:
    mias.goto("/alignment?week=2026-W47")
    expect(mias.get_by_role("heading", level=1)).to_contain_text("week 47 of 2026")
    short = mias.locator("section.part").first
    expect(short).to_contain_text("missed the day that was agreed")
    mias.get_by_label("We decided").fill("Ask for the company size on the form")
    mias.get_by_label("Who does it").fill("Mia")
    mias.get_by_label("By", exact=True).fill("2026-12-01")
    mias.get_by_label("Otherwise").fill("Sales asks in the first call")
    mias.get_by_role("button", name="Write it down").click()
    decided = mias.get_by_role("row").filter(has_text="Ask for the company size")
    expect(decided).to_contain_text("1 Dec 2026")
    mias.get_by_role("button", name="Done: Ask for the company size").click()
    expect(decided).to_contain_text("done 18 Nov 2026")

    assert mias.get_by_role("group", name="Were the leads of this week worth").count() == 0
    question = mias.get_by_role("group", name="Did sales follow up our leads of this week")
    question.get_by_label("4", exact=True).check()
    mias.get_by_label("Comment").fill("Faster than last week")
    mias.get_by_role("button", name="Answer").click()
    expect(mias.get_by_role("row").filter(has_text="Faster than last week")).to_contain_text("Mia")
    with mias.expect_download() as loading:
        mias.get_by_role("link", name="PDF").click()
    assert Path(loading.value.path()).read_bytes().startswith(b"%PDF-")
    mias.get_by_role("link", name="Week 46").click()
    mias.wait_for_url("**week=2026-W46")


def test_a_marketer_reads_the_agreement_proposes_and_signs_out(mias: Page) -> None:
    mias.goto("/agreement")
    expect(mias.get_by_role("heading", name="Who signed it")).to_be_visible()
    expect(mias.locator("main")).to_contain_text("capacity › leads per day")
    mias.get_by_role("link", name="Propose a change").click()
    won = mias.get_by_role("row").filter(has_text="Share of them won").locator("td")
    before = won.last.inner_text()
    mias.get_by_label("MQL from, in %").fill("20")
    mias.get_by_label("No answer").select_option("lost")
    mias.get_by_role("button", name="See what it would have meant").click()
    mias.wait_for_url("**mql=20*")
    moved = mias.locator("tr.moved")
    expect(moved.filter(has_text="MQLs")).to_have_count(1)
    assert won.first.inner_text() == before
    assert won.last.inner_text() != before
    with mias.expect_download() as loading:
        mias.get_by_role("link", name="Download the proposed agreement.toml").click()
    proposed = parse(Path(loading.value.path()).read_text(encoding="utf-8"))
    assert (proposed.bar.mql_probability, proposed.outcomes.unreachable) == (0.2, [])
    mias.get_by_role("button", name="Sign out").click()
    mias.wait_for_url("**/sign-in")
    mias.goto("/campaigns")
    mias.wait_for_url("**/sign-in?next=*")
