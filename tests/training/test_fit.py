from __future__ import annotations

import numpy as np
import pytest

from features.leads import Leads
from serving.scorer import Scorer
from tests.training.firms import agreed, use
from training.fit import RECIPES, Fitted, Recipe, fit, recency_weights
from training.labels import Labels

ROWS = 600
RANDOM = np.random.default_rng(8)
SIZE = RANDOM.normal(size=ROWS)
SOURCE = RANDOM.choice(["Google", "Partner"], ROWS)
LEADS = Leads(
    [str(i) for i in range(ROWS)],
    {"size": SIZE.tolist(), "source": SOURCE.tolist()},
    [None] * ROWS,
)
CHANCE = 1 / (1 + np.exp(-(SIZE + (SOURCE == "Partner") - 1)))
LABELS: Labels = (RANDOM.random(ROWS) < CHANCE).astype(np.int8)
FIELDS = {"size": use("number"), "source": use()}


def fitted(recipe: Recipe = "blend", labels: Labels = LABELS, seed: int = 0) -> Fitted:
    """A fit on made-up leads."""
    return fit(LEADS, labels, np.ones(ROWS), agreed(), FIELDS, recipe, seed)


def slope_and_weights(scorer: Scorer) -> tuple[float, list[float]]:
    return scorer.blend.slope, [weight for _, weight, _ in scorer.blend.members]


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_learns_the_true_probabilities(recipe: Recipe) -> None:
    found = fitted(recipe).scorer.probabilities(LEADS)

    assert np.corrcoef(found, CHANCE)[0, 1] > 0.9
    assert found.mean() == pytest.approx(LABELS.mean(), abs=0.02)


@pytest.mark.parametrize(
    ("recipe", "members"),
    [("blend", ["additive", "trees"]), ("trees", ["trees"]), ("logistic", ["additive"])],
)
def test_the_recipe_names_the_members(recipe: Recipe, members: list[str]) -> None:
    assert [name for name, _, _ in fitted(recipe).scorer.blend.members] == members


def test_the_weights_of_the_members_sum_to_one() -> None:
    _, weights = slope_and_weights(fitted().scorer)

    assert sum(weights) == pytest.approx(1)
    assert min(weights) >= 0


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("seed", range(3))
def test_random_labels_never_turn_the_ranking_round(recipe: Recipe, seed: int) -> None:
    labels = np.random.default_rng(seed).permutation(LABELS)

    result = fitted(recipe, labels, seed)

    assert slope_and_weights(result.scorer)[0] >= 0
    assert np.abs(result.scorer.probabilities(LEADS) - labels.mean()).max() < 0.3


@pytest.mark.parametrize("recipe", RECIPES)
def test_two_wins_are_enough_to_fit(recipe: Recipe) -> None:
    labels = np.zeros(ROWS, dtype=np.int8)
    labels[[5, 400]] = 1

    assert np.isfinite(fitted(recipe, labels).scorer.probabilities(LEADS)).all()


def test_the_same_seed_gives_the_same_bits() -> None:
    first, second = (fitted(seed=4).scorer.probabilities(LEADS) for _ in range(2))

    assert first.tolist() == second.tolist()


def test_the_parameters_tell_what_the_fit_found() -> None:
    assert fitted().parameters.keys() == {
        "recipe", "seed", "folds", "logistic_C", "trees", "leaves", "weight_additive",
        "weight_trees", "slope", "offset",
    }  # fmt: skip


def test_without_an_order_all_leads_count_alike() -> None:
    assert recency_weights(None, 3).tolist() == [1, 1, 1]


def test_the_weight_halves_for_every_half_of_the_leads_that_are_newer() -> None:
    weight = recency_weights(np.arange(100.0), 100)

    assert weight[49] / weight[99] == pytest.approx(0.5)
    assert weight.mean() == pytest.approx(1)


def test_weights_go_by_the_order_and_not_by_the_row() -> None:
    place = RANDOM.permutation(50).astype(float)

    assert np.argsort(recency_weights(place, 50)).tolist() == np.argsort(place).tolist()


def test_a_lead_that_counts_for_nothing_teaches_nothing() -> None:
    half = np.arange(ROWS) < ROWS // 2
    labels = np.where(half, LABELS, 1 - LABELS).astype(np.int8)

    result = fit(LEADS, labels, np.where(half, 1.0, 1e-9), agreed(), FIELDS, "logistic")

    assert np.corrcoef(result.scorer.probabilities(LEADS), CHANCE)[0, 1] > 0.9
