from __future__ import annotations

import html
import json

import numpy as np
import pytest

from serving.document import render
from tests.training.firms import IN_TIME, agreed
from training.evaluate import Evaluation, judge
from training.figures import figures, lift, tables
from training.judged import Judged
from training.moved import Drift, drift
from training.report_sections import sections, summary

SALES = agreed(columns=IN_TIME, capacity={"leads_per_day": 3})
SPLIT = "leads from 2026-01-01 on judge those at least 90 days older"
EVIL = "<script>alert(1)</script>"


def judged(signal: bool) -> Judged:
    random = np.random.default_rng(2)
    said = random.beta(2, 5, 1500)
    y = (random.random(1500) < (said if signal else 0.3)).astype(np.int8)
    return Judged(
        y,
        said,
        place=np.arange(1500) / 15,
        campaign=[EVIL if i % 3 else f"campaign {i % 15}" for i in range(1500)],
        segments={"country": ["DE" if i % 2 else EVIL for i in range(1500)]},
        grades=["A" if p > 0.4 else "B" if p > 0.2 else "C" for p in said],
    )


@pytest.fixture(scope="module")
def found() -> Evaluation:
    return judge(judged(signal=True), SALES)


@pytest.fixture(scope="module")
def moved() -> Drift:
    y = judged(signal=True).y
    return drift({"source": ["a"] * 1500}, {"source": ["b"] * 1500}, y, y)


@pytest.fixture(scope="module")
def page(found: Evaluation, moved: Drift) -> str:
    parts = (summary(found), *sections(found, SPLIT, moved, ("A note.",)))
    return render("Leads", {}, parts).replace("\u00a0", " ")


def test_the_page_holds_the_figures_that_it_speaks_of(found: Evaluation, page: str) -> None:
    won, capacity = found.figures["won_in_top_tenth"], found.capacity
    assert capacity is not None

    for number in (
        f"{won.value * 100:.0f} %",
        f"{capacity.won.value * 100:.0f} %",
        f"{found.mean_predicted * 100:.0f} %",
        f"{found.mean_actual * 100:.0f} %",
        f"{found.roc_auc:.3f}",
        f"{found.reliability.brier.resolution:.4f}",
        f"{found.campaigns[0].expected:,.1f}",
        f"{found.won:,}",
        SPLIT,
        "A note.",
    ):
        assert number in page, number


def test_every_band_campaign_category_and_grade_has_its_row(found: Evaluation, page: str) -> None:
    text = html.unescape(page)
    assert found.grades is not None

    names = [c.name for c in found.campaigns] + [s.name for s in found.segments["country"]]
    for name in (*names, *(g.name for g in found.grades.rows), *map(str, range(1, 11))):
        assert f"<td><bdi>{name}</bdi></td>" in text, name


def test_names_from_an_export_stay_text(page: str) -> None:
    assert EVIL not in page
    assert html.escape(EVIL) in page


def test_the_sections_come_in_the_order_of_a_readers_questions(
    found: Evaluation, moved: Drift
) -> None:
    assert [section.title for section in sections(found, SPLIT, moved)] == [
        "Whom to call first",
        "Do the probabilities come true?",
        "Campaigns",
        "Field by field",
        "Grades",
        "What has changed",
        "How it was judged",
    ]


def test_what_was_not_handed_in_has_no_section() -> None:
    bare = judge(Judged(judged(signal=True).y, judged(signal=True).probability))

    assert len(sections(bare, SPLIT)) == 3


def test_a_report_on_random_labels_shows_no_figure_to_remember_but_the_base_rate() -> None:
    result = judge(judged(signal=False), SALES)

    top = summary(result)

    assert [number.label for number in top.numbers] == ["predicted → won"]
    assert "not shown to be better than chance" in top.sentences[0]


def test_it_is_said_whether_leads_or_groups_of_them_were_drawn(found: Evaluation) -> None:
    rows = judged(signal=True)
    grouped = judge(Judged(rows.y, rows.probability, clusters=[str(i // 10) for i in range(1500)]))

    alone, together = (" ".join(sections(e, SPLIT)[-1].sentences) for e in (found, grouped))

    assert "one by one" in alone
    assert "in 150 days, each as a whole" in together
    assert "Leads of one company count as independent: where" in alone
    assert "Leads of one company count as independent, unless they came in on one day" in together


def test_the_figures_say_what_their_axes_are(found: Evaluation) -> None:
    labels = {
        name: (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel())
        for name, figure in figures(found).items()
    }

    assert labels == {
        "gain.png": ("leads called, best first", "wins found"),
        "lift.png": ("leads called, best first", "times as many wins as at random"),
        "calibration.png": ("mean predicted", "actually won"),
        "roc.png": ("share of lost leads above", "share of won leads above"),
        "precision_recall.png": ("wins found (recall)", "wins among those called (precision)"),
    }


def test_lift_is_gain_by_the_share_called(found: Evaluation) -> None:
    curve = lift(found)

    assert curve.y[9] == pytest.approx(found.gain.y[10] / 0.1)
    assert curve.y[-1] == 1.0


def test_the_tables_are_plain_json(found: Evaluation) -> None:
    read = json.loads(json.dumps(tables(found), allow_nan=False))

    assert read["campaigns.json"][0]["won"] == found.campaigns[0].won
    assert len(read["calibration.json"]["bins"]) == 10
    assert read["grades.json"]["rows"][0]["name"] == "A"
