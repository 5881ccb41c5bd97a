"""The agreement in words, and what a change would have meant for past leads."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, quote

import pytest
from fastapi.testclient import TestClient

from features.agreement import Agreement, parse
from features.leads import History, admit
from features.store.agreements import sign
from features.store.database import Store
from features.store.exports import keep_export
from features.store.hindsight import Hindsight, keep_hindsight
from features.store.proposed import Became
from serving.agreed import (
    as_toml,
    differences,
    in_words,
    past_scores,
    proposed,
    read_anew,
    signed,
    would,
)
from serving.rates import wilson
from serving.shown import day
from tests.features.making import an_agreement
from tests.features.store.past import START, drawn
from tests.serving.pages.signing import clock, key_for, pages, sign_in
from tests.serving.raw_rows import Raw

NOW = START + timedelta(days=215)
LONG_AGO = datetime(2026, 1, 1)


def agreed(**sections: object) -> Agreement:
    return an_agreement(horizon_days=30, **sections)


@pytest.mark.parametrize("bound", [0.1, 0.25, 0.5])
def test_what_a_bar_would_have_meant_is_what_the_raw_rows_say(store: Store, bound: float) -> None:
    past = drawn(0)
    past.keep(store)
    raw, until = Raw(past, NOW), NOW - timedelta(days=30)
    since = until - timedelta(days=91)
    firsts = {key: rows[0] for key, rows in raw.scores.items()}
    above = [key for key, row in firsts.items()
             if since <= row["at"] < until and row["probability"] >= bound]  # fmt: skip
    words = [raw.last_word(key) for key in above]
    codes = [word["code"] for word in words if word and word["at"] >= since]
    decided = [code for code in codes if code in ("won", "lost", "unqualified")]

    found = would(agreed(bar={"mql_probability": bound}), past_scores(store, agreed(), NOW).leads)

    assert found.mqls == len(above) > 0
    assert found.mql_won is not None
    assert found.mql_won.value == pytest.approx(decided.count("won") / len(decided))
    assert sum(band.leads for band in found.grades) == found.leads


def became(code: str, told: str | None, leads: int = 1) -> Became:
    return Became(0.5, code, told, leads)


def test_past_leads_get_the_meaning_that_is_proposed_for_the_words_of_the_crm() -> None:
    meanings = {"won": ["Won"], "lost": ["Lost", "No budget"]}
    now = agreed(outcomes=meanings)
    then = proposed(now, {"outcomes": meanings | {"lost": ["Lost"], "not_ready": ["No budget"]}})
    found = [
        became("won", "Won", 3),
        became("lost", "Lost", 4),
        became("lost", "No budget", 5),
        became("lost", None, 2),
    ]
    read, unknown = read_anew(found, now, then)
    assert [one.code for one in read] == ["won", "lost", "not_ready", "lost"]
    assert unknown == 2
    assert would(now, found).mql_won == wilson(3, 14)
    assert would(then, read).mql_won == wilson(3, 9)


def test_a_meaning_that_moves_whole_needs_no_word_of_the_crm() -> None:
    now = agreed(outcomes={"won": ["Won"], "lost": ["Lost"], "unreachable": ["No answer"]})
    then = proposed(now, {"outcomes": {"won": ["Won"], "lost": ["Lost", "No answer"],
                                       "unreachable": []}})  # fmt: skip
    read, unknown = read_anew([became("unreachable", None)], now, then)
    assert ([one.code for one in read], unknown) == (["lost"], 0)


def test_words_that_nobody_moves_keep_their_meaning() -> None:
    now = agreed(outcomes={"won": ["Won", "Signed"], "lost": ["Lost"]})
    found = [became("won", None), became("won", "Won"), became("not_ready", None)]
    assert read_anew(found, now, proposed(now, {"grades": {"A": 0.6}})) == (found, 0)


def test_a_proposal_is_the_next_version_and_reads_back_as_itself() -> None:
    now = agreed()
    then = proposed(now, {"grades": {"A": 0.6}, "bar": {"mql_probability": 0.2}})
    assert parse(as_toml(then)) == then
    assert then.version == now.version + 1
    assert list(differences(now.as_dict(), then.as_dict())) == [
        ("bar.mql_probability", "0.1", "0.2"),
        ("grades.A", "0.5", "0.6"),
        ("version", "1", "2"),
    ]


@pytest.mark.parametrize(
    ("value", "said"),
    [(2_500_000.0, "2500000"), (1234568.0, "1234568"), (0.1234567, "0.1234567"), (1e300, "1e+300")],
)
def test_numbers_are_told_in_full(value: float, said: str) -> None:
    assert list(differences({"at_least": 1234567.0}, {"at_least": value})) == [
        ("at_least", "1234567", said)
    ]


def test_who_signed_what_is_told_with_the_differences(store: Store) -> None:
    first, second = agreed(), agreed(version=2, capacity={"leads_per_day": 20})
    for agreement in (first, second):
        for side, name in (("sales", "Kim"), ("marketing", "Lee")):
            days = timedelta(days=agreement.version)
            store.write(
                lambda c, a=agreement, s=side, n=name, d=days: sign(c, a, s, n, LONG_AGO + d)
            )
    sections = {section.title: section for section in in_words(second, signed(store))}
    assert "signed by both sides" in sections["Who signed it"].sentences[0]
    assert len(sections["Who signed it"].tables[0].rows) == 4
    (table,) = sections["What changed between versions"].tables
    assert ("capacity › leads per day", "50", "20") in table.rows


def test_the_page_shows_effects_and_gives_a_file(
    store: Store, store_url: str, tmp_path: Path
) -> None:
    drawn(0).keep(store)
    with pages(store_url, tmp_path, agreement=agreed()) as client:
        sign_in(client, key_for(store, "Head", "read"))
        assert "Propose a change" in client.get("/agreement").text
        asked = f"A=60&mql=20&{quote('means Lost')}=unqualified"
        page = client.get(f"/agreement/proposal?{asked}")
        assert page.status_code == 200
        assert re.search(r'name="A"[^>]*value="60"', page.text)
        then = parse(_file(client, asked))
        assert (then.grades.A, then.bar.mql_probability) == (0.6, 0.2)
        assert then.outcomes.unqualified == ["Lost"]


def test_the_page_says_how_many_leads_were_scored_in_hindsight(
    store: Store, store_url: str, tmp_path: Path
) -> None:
    came = NOW - timedelta(days=60)
    leads = admit({"id": ["a", "b"], "created": [f"{came}"] * 2}, agreed(), {}, need_created=False)
    history = History(leads, ["won", "lost"], [NOW, NOW], [0, 0])
    keep_export(store, history, agreed(), NOW)
    with pages(store_url, tmp_path, agreement=agreed(), now=clock(NOW)) as client:
        sign_in(client, key_for(store, "Head", "read"))
        assert "--as-of DAY" in client.get("/agreement/proposal").text
        found = Hindsight(START.date(), ["a", "b"], [came] * 2, [0.1, 0.6])
        keep_hindsight(store, found, "1")
        page = client.get("/agreement/proposal").text
    assert f"2 of 2 were scored in hindsight, by a model of {day(START)}; nobody was told" in page


def _file(client: TestClient, asked: str) -> str:
    return client.get(f"/agreement/proposal/file?{asked}").text


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ("A=5", "A must begin above B, and B above C; here A 5%, B "),
        ("mql=much", "is no number of per cent"),
        ("mql=101", "is no number of per cent from 0 to 100"),
        ("B=nan", "is no number of per cent"),
        ("capacity=-1", "whole"),
        ("capacity=0", "no whole number from 1 on"),
    ],
)
def test_a_proposal_that_does_not_hold_together_is_refused_in_words(
    store: Store, store_url: str, tmp_path: Path, asked: str, why: str
) -> None:
    with pages(store_url, tmp_path, agreement=agreed()) as client:
        sign_in(client, key_for(store, "Head", "read"))
        page = client.get(f"/agreement/proposal?{asked}")
        assert page.status_code == 422
        assert why in page.text
        assert all(f'value="{typed}"' in page.text for _, typed in parse_qsl(asked) if typed)
        assert client.get(f"/agreement/proposal/file?{asked}").status_code == 422
