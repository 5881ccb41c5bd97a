from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.cells import Cell
from serving.sums import Sums, campaign_sums
from training.spread import Held, fit_spread, held
from training.train import Training


def shifted(
    spread: float, campaigns: int = 60, leads: int = 300, seed: int = 3, common: float = 0.0
) -> Held:
    """Campaigns whose log-odds are off by so much, and by what is common to all."""
    random = np.random.default_rng(seed)
    said = random.normal(-1, 1, (campaigns, leads))
    off = common + random.normal(0, spread, (campaigns, 1))
    labels = random.random((campaigns, leads)) < 1 / (1 + np.exp(-said - off))
    names: list[Cell] = [f"campaign {i}" for i in range(campaigns) for _ in range(leads)]
    chance = 1 / (1 + np.exp(-said))
    return Held(labels.ravel().astype(np.int8), chance.ravel(), names, lambda _: True)


@pytest.mark.parametrize("spread", [0.2, 0.5, 1.0])
def test_the_spread_of_many_campaigns_is_found(spread: float) -> None:
    assert fit_spread([shifted(spread)]).known == pytest.approx(spread, rel=0.2)


def test_campaigns_that_are_off_by_luck_alone_have_next_to_no_spread() -> None:
    assert fit_spread([shifted(0.0)]).known < 0.1


def test_what_all_campaigns_have_in_common_counts() -> None:
    assert fit_spread([shifted(0.0, common=-0.6)]).known == pytest.approx(0.6, rel=0.2)


def test_a_few_campaigns_leave_the_spread_near_the_prior() -> None:
    few, nothing = fit_spread([shifted(0.0, campaigns=2, leads=15)]), fit_spread([])

    assert 0.3 < few.known < 0.5
    assert (nothing.known, nothing.new) == (
        pytest.approx(0.5, abs=0.02),
        pytest.approx(0.7, abs=0.02),
    )


def test_new_campaigns_get_a_spread_of_their_own_where_they_show_one() -> None:
    known = shifted(0.1)
    steady = shifted(0.1, seed=4)._replace(known=lambda _: False)
    restless = shifted(1.0, seed=4)._replace(known=lambda _: False)

    calm, wild = fit_spread([known, steady]), fit_spread([known, restless])

    assert calm.known < 0.15 > abs(calm.new - calm.known)
    assert wild.known < 0.15
    assert wild.new == pytest.approx(1.0, rel=0.25)


def test_campaigns_of_less_than_ten_leads_say_nothing() -> None:
    assert fit_spread([shifted(1.0, campaigns=200, leads=9)]) == fit_spread([])


def test_parts_of_several_fits_are_counted_together() -> None:
    halves = [shifted(0.5, campaigns=20, seed=seed) for seed in (1, 2)]

    found = fit_spread(halves)

    assert found != fit_spread(halves[:1])
    assert found.known == pytest.approx(0.5, rel=0.25)


def test_the_next_campaigns_wins_lie_inside_as_often_as_promised() -> None:
    # The spread comes from eight campaigns, as a small firm has them.
    inside: list[bool] = []
    for seed in range(40):
        spread = fit_spread([shifted(0.4, 8, 60, seed)])
        later = shifted(0.4, 8, 60, 1000 + seed)
        sums = Sums(lambda _: True)
        sums.add(later.campaigns, later.probability)
        won = later.labels.reshape(8, 60).sum(axis=1)
        inside += [
            found.low <= won[int(found.name.split()[1])] <= found.high
            for found in campaign_sums(sums.groups(), spread)
        ]

    assert 0.86 <= np.mean(inside) <= 0.95


def test_a_scorer_is_held_against_leads_by_the_agreed_campaign(
    trained: tuple[object, Training],
) -> None:
    result = trained[1]
    rows = result.split.later
    leads = result.labelled.history.leads.take(rows.tolist())

    part = held(result.scorer, leads, result.labelled.labels[rows])

    assert part is not None
    assert list(part.campaigns) == list(leads.column("campaign"))
    assert (part.probability == result.scorer.probabilities(leads)).all()
    assert part.known(None)
    assert not part.known("a campaign that nobody has heard of")


def test_without_an_agreed_campaign_there_is_nothing_to_hold(
    trained: tuple[object, Training],
) -> None:
    scorer = trained[1].scorer
    columns = scorer.agreement.columns.model_copy(update={"campaign": None})
    bare = replace(scorer, agreement=scorer.agreement.model_copy(update={"columns": columns}))

    assert held(bare, trained[1].labelled.history.leads, trained[1].labelled.labels) is None
