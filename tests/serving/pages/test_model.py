"""The model's page: promise beside truth, and a clear word where something is not known."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sklearn.metrics import roc_auc_score

from features.agreement import Agreement
from features.home import Home
from features.store.database import Store, open_store
from features.store.promotions import Champion, write_down
from features.store.proposed import STEP, Scored
from serving.artefact import LoadedModel
from serving.charts import Plot
from serving.known import NOT_KNOWN, told
from serving.matured import Matured, matured
from serving.pages.model import REGISTERED, _link
from serving.shown import plain
from serving.watch import FieldSeen
from tests.features.store.past import START, drawn
from tests.serving.pages.signing import key_for, pages, sign_in
from training.promotion import catch_up
from training.registry import MODEL, load_champion
from training.train import Training

NOW = START + timedelta(days=400)


@pytest.fixture(scope="module")
def model(trained: tuple[Home, Training]) -> LoadedModel:
    return load_champion(trained[0])


@pytest.fixture
def url(tmp_path: Path, sqlite_store: Path) -> str:
    (tmp_path / "store.db").write_bytes(sqlite_store.read_bytes())
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def store(url: str, trained: tuple[Home, Training]) -> Iterator[Store]:
    opened = open_store(url)
    catch_up(trained[0], opened, START)
    yield opened
    opened.close()


@pytest.fixture
def client(
    url: str, store: Store, tmp_path: Path, model: LoadedModel, agreement: Agreement
) -> Iterator[TestClient]:
    with pages(url, tmp_path, model, agreement) as client:
        sign_in(client, key_for(store, "Head", "read"))
        yield client


def test_the_page_shows_what_training_kept(client: TestClient, model: LoadedModel) -> None:
    page = client.get("/model")
    facts = model.artefact.facts
    assert page.status_code == 200
    assert f"{facts['evaluation']['roc_auc']:.3f}" in page.text
    assert f"<b>{facts['leads']:,}</b>" in page.text
    assert all(plain(name) in page.text for name in list(facts["shown"]["drivers"])[:5])
    assert page.text.count("<svg") == 2
    assert NOT_KNOWN not in page.text


def test_an_older_model_says_what_it_did_not_keep(store: Store, model: LoadedModel) -> None:
    facts = {name: fact for name, fact in model.artefact.facts.items() if name != "shown"}
    older = replace(model, artefact=replace(model.artefact, facts=facts))
    sections = {s.title: s for s in told(older, *matured(store, older, NOW), [])}
    for title in ("On later leads", "What drives it", "Leaks"):
        assert sections[title].sentences == (NOT_KNOWN,)


def test_what_training_kept_names_fields_and_nothing_else(model: LoadedModel) -> None:
    shown = model.artefact.facts["shown"]
    fields = model.artefact.scorer.agreement.fields
    assert set(shown) == {"drivers", "leaks", "gain", "calibration"}
    assert {*shown["drivers"], *shown["leaks"]} <= {*fields}
    assert {*shown["leaks"].values()} <= {"blocked", "suspect", "cannot tell"}


def test_matured_scores_are_those_of_this_version_alone(store: Store, model: LoadedModel) -> None:
    past = drawn(0)
    for n, row in enumerate(past.scores):
        row["model"] = model.version if n % 2 else "other"
    past.keep(store)
    days = model.artefact.scorer.agreement.horizon_days
    now = START + timedelta(days=100 + days)
    found, history = matured(store, model, now)
    firsts = {r["lead"]: r["at"] for r in sorted(past.scores, key=lambda r: r["at"], reverse=True)
              if r["model"] == model.version}  # fmt: skip
    assert found.leads == sum(at < START + timedelta(days=100) for at in firsts.values()) > 0
    assert [p.model for p in history] == [model.version]


def test_a_champion_before_is_shown_beside_the_one_that_scores(
    client: TestClient, store: Store, model: LoadedModel
) -> None:
    newer = Champion("99", "e" * 64)
    store.write(lambda c: write_down(c, newer, "promote", "by hand", "kim", NOW))
    assert 'href="/model?version=99"' in client.get("/model").text
    gone = client.get("/model?version=99")
    assert gone.status_code == 404
    assert "no such version was champion, or its files are gone" in gone.text
    assert client.get("/model?version=%00").status_code == 404


def test_of_a_model_that_scores_no_more_no_drift_is_told(store: Store, model: LoadedModel) -> None:
    titles = [s.title for s in told(model, *matured(store, model, NOW), None)]
    assert "Drift" not in titles
    assert "What it is worth" in titles


def test_a_version_that_was_champion_has_a_page_of_its_own(
    url: str, store: Store, tmp_path: Path, model: LoadedModel, agreement: Agreement
) -> None:
    other = replace(model, version="2")
    with pages(url, tmp_path, other, agreement) as client:
        sign_in(client, key_for(store, "Head", "read"))
        page = client.get(f"/model?version={model.version}").text
    assert "it scores no more, version 2 does" in page
    assert '<a class="button" href="/model">Version 2</a>' in page


def grown(leads: int, seed: int = 0) -> tuple[list[float], list[bool], Matured]:
    """Scores to thousandths, whether their leads were won, and both as they are counted."""
    lot = random.Random(seed)
    chances = [round(lot.random() ** 2, 3) for _ in range(leads)]
    won = [lot.random() < p for p in chances]
    decided, wins = Counter(chances), Counter(p for p, w in zip(chances, won, strict=True) if w)
    # One more of each score has no end yet.
    scored = tuple(Scored(p, n + 1, n, wins[p]) for p, n in sorted(decided.items()))
    return chances, won, Matured(scored)


def test_the_area_under_the_curve_is_that_of_the_scores() -> None:
    chances, won, matured = grown(400)
    found = matured.roc_auc()
    assert found is not None
    assert found[0] == pytest.approx(roc_auc_score(won, chances))
    assert found[1] < found[0] < found[2]
    assert matured.expected == pytest.approx(sum(chances) + 400 * STEP / 2)


def test_the_gain_is_the_share_of_wins_among_the_best() -> None:
    chances, won, matured = grown(4000)
    steps, held = matured.gain()
    order = sorted(range(4000), key=lambda i: -chances[i])
    for step, share in zip(steps, held, strict=True):
        best = sum(won[i] for i in order[: round(4000 * step)]) / sum(won)
        assert share.value == pytest.approx(best, abs=0.005)  # leads of one score in any order
        assert share.low <= share.value <= share.high
    assert matured.lift() == pytest.approx(held[steps.index(0.1)].value * 10)


def test_leads_of_like_scores_stand_together_in_the_calibration() -> None:
    chances, won, matured = grown(4000)
    said, shares = matured.calibration()
    assert (len(said), said) == (10, sorted(said))
    order = sorted(range(4000), key=lambda i: chances[i])
    for n, (mean, share) in enumerate(zip(said, shares, strict=True)):
        some = order[400 * n : 400 * (n + 1)]
        assert mean == pytest.approx(sum(chances[i] for i in some) / 400 + STEP / 2, abs=0.005)
        assert share.value == pytest.approx(sum(won[i] for i in some) / 400, abs=0.03)


def test_one_score_for_all_is_one_point_and_finds_wins_at_random() -> None:
    matured = Matured((Scored(0.1, 500, 400, 50),))
    said, (share,) = matured.calibration()
    assert (said, share.value, matured.lift()) == ([pytest.approx(0.1 + STEP / 2)], 0.125, 1.0)
    assert [held.value for held in matured.gain()[1]] == pytest.approx([n / 20 for n in range(21)])


def test_curves_of_matured_scores_stand_beside_the_backtest(model: LoadedModel) -> None:
    sections = {s.title: s for s in told(model, grown(400)[2], [], [])}
    gain, calibration = sections["On later leads"].figures
    assert isinstance(gain, Plot)
    assert isinstance(calibration, Plot)
    assert [line.label for line in gain.lines] == ["backtest", "matured scores", "at random"]
    assert [dots.label for dots in calibration.dots] == ["backtest", "matured scores"]
    assert sections["On later leads"].sentences == ()


def test_few_matured_scores_are_not_drawn_and_the_page_says_so(model: LoadedModel) -> None:
    sections = {s.title: s for s in told(model, Matured((Scored(0.1, 90, 90, 19),)), [], [])}
    section = sections["On later leads"]
    assert [len(plot.dots) for plot in section.figures if isinstance(plot, Plot)] == [0, 1]
    assert "once 20 of their leads are won" in section.sentences[0]


def test_fields_that_moved_come_first(store: Store, model: LoadedModel) -> None:
    fields = [FieldSeen("calm", 0.0, 0.0, 0.01), FieldSeen("moved", 0.1, 0.2, 0.6)]
    sections = {s.title: s for s in told(model, *matured(store, model, NOW), fields)}
    rows = sections["Drift"].tables[0].rows
    assert rows[0] == ("moved", "10%", "20%", "0.60", "moved")


def test_links_lead_into_mlflow_where_there_is_an_address() -> None:
    assert _link("https://ml.example/", "3") == "https://ml.example/#/models/leadq/versions/3"
    assert REGISTERED == MODEL
    assert (_link("", "3"), _link("javascript:alert(1)", "3")) == ("", "")
