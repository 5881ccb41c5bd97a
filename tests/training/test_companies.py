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


def test_of_nine_companies_nothing_is_said() -> None:
    assert again(told(9, apart=1.2)) is None


def test_where_hardly_any_company_comes_again_nothing_is_said() -> None:
    assert again(told(200_000, apart=1.2)) is None


def test_leads_without_a_company_stand_alone() -> None:
    judged = told(100, apart=1.2)

    assert companies_again(judged, "account", [None] * ROWS) is None


def test_the_report_says_how_much_companies_widen_intervals() -> None:
    evaluation = judge(told(100, apart=1.2))

    *_, how = sections(evaluation, "the last leads judge the rest")

    assert any("1,200 of the judged leads are of 100 companies" in s for s in how.sentences)
