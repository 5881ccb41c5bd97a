"""Companies that come again: what they do to intervals that take their leads as independent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from training.companies import Companies, companies_again
from training.evaluate import judge
from training.judged import Judged
from training.report_sections import sections

ROWS = 1200


def told(companies: int, apart: float) -> Judged:
    """Leads of so many companies, whose log-odds lie apart by what no probability tells."""
    random = np.random.default_rng(3)
    company = random.integers(0, companies, ROWS)
    off = random.normal(0, apart, companies)[company]
    y = (random.random(ROWS) < expit(off - 1)).astype(np.int8)
    said = expit(random.normal(-1, 0.3, ROWS))
    return Judged(y, said, company=("account", [f"Firm {i}" for i in company]))


def again(judged: Judged) -> Companies | None:
    """What its companies do."""
    assert judged.company is not None
    return companies_again(judged, *judged.company)


def test_companies_whose_leads_win_alike_widen_the_interval() -> None:
    judged = told(100, apart=1.2)
    assert judged.company is not None
    whole = replace(judged, clusters=judged.company[1])
    won = [judge(drawn).figures["mean_actual"] for drawn in (judged, whole)]
    alone, together = (interval.high - interval.low for interval in won)

    found = again(judged)

    assert found is not None
    assert (found.leads, found.companies) == (ROWS, 100)
    assert found.wider == pytest.approx(together / alone, rel=0.2)
    assert f"about {found.wider:.1f} times as wide" in found.sentence


def test_companies_whose_leads_have_nothing_in_common_hardly_widen_it() -> None:
    found = again(told(100, apart=0.0))

    assert found is not None
    assert found.wider < 1.15


def test_what_the_model_knows_of_companies_widens_it_all_the_same() -> None:
    random = np.random.default_rng(4)
    company = random.integers(0, 100, ROWS)
    said = expit(random.normal(-1, 1.2, 100)[company])
    names = [f"Firm {i}" for i in company]
    judged = Judged((random.random(ROWS) < said).astype(np.int8), said, company=("account", names))
    won = [
        judge(drawn).figures["mean_actual"] for drawn in (judged, replace(judged, clusters=names))
    ]
    alone, together = (interval.high - interval.low for interval in won)

    found = again(judged)

    assert found is not None
    assert found.wider > 1.2
    assert found.wider == pytest.approx(together / alone, rel=0.2)


def of_sizes(*sizes: int) -> Judged:
    """Leads of companies of these sizes, which hold as one to what no probability tells."""
    random = np.random.default_rng(5)
    company = np.repeat(np.arange(len(sizes)), sizes)
    chance = expit(random.normal(-1, 1, len(sizes)))[company]
    y = (random.random(len(company)) < chance).astype(np.int8)
    names = [f"Firm {i}" for i in company]
    return Judged(y, np.full(len(y), 0.3), company=("account", names))


@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param([20] * 14, id="fourteen companies"),
        pytest.param([300] + [1] * 100, id="one of three quarters, the rest alone"),
        pytest.param([100, 100] + [1] * 200, id="two of a quarter each, the rest alone"),
        pytest.param([20] * 9 + [1] * 220, id="nine, and many alone"),
        pytest.param([100] + [4] * 100, id="one large among many small"),
    ],
)
def test_where_few_companies_hold_most_no_figure_is_given(sizes: list[int]) -> None:
    judged = of_sizes(*sizes)

    assert again(judged) is None
    *_, how = sections(judge(judged), "the last leads judge the rest")
    assert any("where companies come again often, all intervals are too short" in s
               for s in how.sentences)  # fmt: skip


def test_the_figure_is_near_the_truth_where_sizes_differ() -> None:
    sizes = [20] * 10 + [10] * 20 + [1] * 200
    random = np.random.default_rng(6)
    company = np.repeat(np.arange(len(sizes)), sizes)
    names = [f"Firm {i}" for i in company]
    won, said = [], []
    for _ in range(150):
        chance = expit(random.normal(-1, 1, len(sizes)))[company]
        y = (random.random(len(company)) < chance).astype(np.int8)
        found = again(Judged(y, chance, company=("account", names)))
        assert found is not None
        said.append(found.wider)
        won.append(y.sum())
    rate = np.mean(won) / len(company)
    truth = np.std(won) / np.sqrt(len(company) * rate * (1 - rate))

    assert truth > 1.3
    assert np.median(said) == pytest.approx(truth, rel=0.12)


def test_what_is_not_shown_to_widen_is_not_said_to_be_harmless() -> None:
    found = Companies("account", 1200, 100, wider=1.0)

    assert "are not shown to make the interval of what was won wider" in found.sentence


def test_where_hardly_any_company_comes_again_nothing_is_said() -> None:
    assert again(told(200_000, apart=1.2)) is None


def test_leads_without_a_company_stand_alone() -> None:
    judged = told(100, apart=1.2)

    assert companies_again(judged, "account", [None] * ROWS) is None


def test_the_report_says_how_much_companies_widen_intervals() -> None:
    evaluation = judge(told(100, apart=1.2))

    *_, how = sections(evaluation, "the last leads judge the rest")

    assert any("1,200 of the judged leads are of 100 companies" in s for s in how.sentences)
