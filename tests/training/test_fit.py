from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.special import expit

from features.encoder import Column, Encoder
from features.leads import Leads
from serving.members import Additive, Trees
from tests.training.firms import agreed, use
from training.fit import (
    DEFAULT,
    RECIPES,
    Data,
    Effort,
    Fitted,
    Recipe,
    blend_weights,
    fit,
    recency_weights,
)
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
IN_ORDER = np.arange(float(ROWS))
LITTLE = Effort(shapes=("pairs",), folds=3)
BLIND = Effort(shapes=(), tuned=(("max_cat_to_onehot", 1), ("min_data_per_group", ROWS)))
"""Trees that cannot split by a category."""


def fitted(
    recipe: Recipe = "blend", labels: Labels = LABELS, seed: int = 0, **given: Any
) -> Fitted:
    """A fit on made-up leads, with little effort where none is given."""
    weight = given.pop("weight", np.ones(ROWS))
    given = {"effort": LITTLE, **given}
    return fit(LEADS, labels, weight, agreed(), FIELDS, recipe, seed, **given)


def said(result: Fitted) -> Any:
    """The probabilities of all leads."""
    return result.scorer.probabilities(LEADS)


def shares(result: Fitted) -> list[float]:
    """The weights of the kinds of members."""
    return [float(s) for name, s in result.parameters.items() if name.startswith("weight_")]


def data(labels: Labels = LABELS, place: Any = None) -> Data:
    """The made-up leads, as a fit sees them."""
    matrix = np.column_stack([SIZE, SOURCE == "Partner"]).astype(float)
    columns = (Column("size", "size", None), Column("source", "source", ("other", "Partner")))
    return Data(matrix, labels, np.ones(len(labels)), columns, place, seed=0)


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_learns_the_true_probabilities(recipe: Recipe) -> None:
    found = said(fitted(recipe, effort=DEFAULT))

    assert np.corrcoef(found, CHANCE)[0, 1] > 0.9
    assert found.mean() == pytest.approx(LABELS.mean(), abs=0.02)


@pytest.mark.parametrize(
    ("recipe", "members"),
    [("blend", [Additive, Trees]), ("trees", [Trees]), ("logistic", [Additive])],
)
def test_the_recipe_says_which_members(recipe: Recipe, members: list[type]) -> None:
    assert [type(member) for member in fitted(recipe).scorer.blend.members] == members


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_weights_of_the_members_sum_to_one(recipe: Recipe) -> None:
    found = shares(fitted(recipe, effort=DEFAULT))

    assert sum(found) == pytest.approx(1)
    assert min(found) >= 0


def test_a_member_that_says_noise_has_hardly_a_say_beside_one_that_knows() -> None:
    noise = 3 * np.random.default_rng(1).normal(size=ROWS)

    knowing, noisy = blend_weights([np.log(CHANCE / (1 - CHANCE)), noise], [1, 1], data())

    assert noisy < 0.1 < knowing


@pytest.mark.parametrize("usual", [[1, 1], [0.7, 0.3]])
def test_members_that_say_the_same_count_as_they_usually_do(usual: list[float]) -> None:
    share = np.array(usual) / sum(usual)

    assert blend_weights([SIZE, SIZE], usual, data()) == pytest.approx(share)


@pytest.mark.parametrize("recipe", RECIPES)
def test_random_labels_end_near_the_base_rate(recipe: Recipe) -> None:
    shuffled = [np.random.default_rng(seed).permutation(LABELS) for seed in range(4)]

    results = [fitted(recipe, labels, seed) for seed, labels in enumerate(shuffled)]

    assert min(result.calibration.slope for result in results) >= 0
    assert np.mean([np.abs(said(r) - LABELS.mean()).mean() for r in results]) < 0.04


def test_where_nothing_was_learned_everyone_has_the_base_rate() -> None:
    same = Leads(LEADS.ids, {"size": [1.0] * ROWS, "source": ["Google"] * ROWS}, [None] * ROWS)

    result = fit(same, LABELS, np.ones(ROWS), agreed(), FIELDS, effort=LITTLE)

    assert result.scorer.blend.members == ()
    assert result.scorer.probabilities(same) == pytest.approx(np.full(ROWS, LABELS.mean()))


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("place", [None, IN_ORDER])
def test_two_wins_are_enough_to_fit(recipe: Recipe, place: Any) -> None:
    labels = np.zeros(ROWS, dtype=np.int8)
    labels[[5, 400]] = 1

    assert np.isfinite(said(fitted(recipe, labels, place=place))).all()


def test_the_same_seed_gives_the_same_bits() -> None:
    first, second = (said(fitted(seed=4, effort=DEFAULT)) for _ in range(2))

    assert first.tolist() == second.tolist()


def test_another_seed_gives_another_model() -> None:
    assert said(fitted(seed=4)).tolist() != said(fitted(seed=5)).tolist()


def test_the_parameters_tell_what_the_fit_found() -> None:
    found = fitted().parameters

    assert found.keys() >= {"recipe", "seed", "folds", "trees", "leaves", "slope", "offset"}
    assert len(shares(fitted("trees"))) == 1


def test_the_members_are_grown_as_often_as_the_effort_says() -> None:
    once, thrice = (fitted("trees", effort=replace(LITTLE, seeds=n)) for n in (1, 3))

    # A round in which nothing is left to split leaves no tree.
    assert thrice.parameters["trees"] == pytest.approx(3 * int(once.parameters["trees"]), rel=0.1)


def test_what_a_search_found_is_one_more_kind_of_trees() -> None:
    effort = replace(LITTLE, tuned=(("num_leaves", 3), ("learning_rate", 0.1)))

    assert "weight_tuned" in fitted("trees", effort=effort).parameters


def test_without_an_order_all_leads_count_alike() -> None:
    assert recency_weights(None, 3).tolist() == [1, 1, 1]


def test_the_weight_halves_for_every_half_of_the_leads_that_are_newer() -> None:
    weight = recency_weights(np.arange(100.0), 100)

    assert weight[49] / weight[99] == pytest.approx(0.5)
    assert weight.mean() == pytest.approx(1)


def test_weights_go_by_the_order_and_not_by_the_row() -> None:
    place = RANDOM.permutation(50).astype(float)

    assert np.argsort(recency_weights(place, 50)).tolist() == np.argsort(place).tolist()


@pytest.mark.parametrize("place", [None, RANDOM.permutation(IN_ORDER)])
def test_every_lead_is_left_out_once_and_never_learned_from_then(place: Any) -> None:
    folds = data(place=place).folds(5)

    assert np.sort(np.concatenate([rest for _, rest in folds])).tolist() == list(range(ROWS))
    assert all(
        np.sort(np.concatenate([rows, rest])).tolist() == list(range(ROWS)) for rows, rest in folds
    )


def test_where_there_is_an_order_the_leads_left_out_are_blocks_in_time() -> None:
    place = RANDOM.permutation(IN_ORDER)

    spans = [(place[rest].min(), place[rest].max()) for _, rest in data(place=place).folds(5)]

    assert spans == [(0, 119), (120, 239), (240, 359), (360, 479), (480, 599)]


@pytest.mark.parametrize(("wins_in_the_first_block", "are_blocks"), [(4, False), (5, True)])
def test_blocks_that_would_lack_an_outcome_are_stratified_instead(
    wins_in_the_first_block: int, are_blocks: bool
) -> None:
    labels = LABELS.copy()
    labels[:120] = np.arange(120) < wins_in_the_first_block

    folds = data(labels, IN_ORDER).folds(5)

    won = [int(labels[rest].sum()) for _, rest in folds]
    assert bool(np.ptp(folds[0][1]) == 119) is are_blocks
    assert bool(np.ptp(won) <= 1) is not are_blocks


def test_without_an_order_each_fold_has_its_share_of_wins() -> None:
    won = [int(LABELS[rest].sum()) for _, rest in data().folds(5)]

    assert np.ptp(won) <= 1


def test_predictions_for_unseen_leads_are_given_beside_the_leads() -> None:
    unseen = fitted(place=IN_ORDER).unseen

    assert unseen.rows.tolist() == list(range(ROWS))
    chance = expit(unseen.log_odds)
    assert chance.mean() == pytest.approx(LABELS.mean(), abs=0.01)
    assert np.corrcoef(chance, CHANCE)[0, 1] > 0.8


def test_predictions_for_unseen_leads_do_not_know_their_labels() -> None:
    labels = np.random.default_rng(0).permutation(LABELS)
    number = Leads(LEADS.ids, {"size": RANDOM.normal(size=ROWS).tolist()}, [None] * ROWS)

    unseen = fit(
        number, labels, np.ones(ROWS), agreed(), {"size": use("number")}, "trees", effort=LITTLE
    ).unseen

    # Trees that had seen a lead's own outcome would know far more than chance does.
    assert np.corrcoef(unseen.log_odds + 1e-9 * SIZE, labels)[0, 1] < 0.15


def test_a_drift_that_lasts_lifts_the_newest_leads_to_what_became_of_them() -> None:
    chance = expit(SIZE + (SOURCE == "Partner") - 1 + 2 * (IN_ORDER >= 0.6 * ROWS))
    labels = (np.random.default_rng(1).random(ROWS) < chance).astype(np.int8)
    newest = IN_ORDER >= 0.8 * ROWS

    result = fitted(labels=labels, place=IN_ORDER)

    assert result.calibration.drift > 0
    unseen = expit(result.unseen.log_odds)[newest]
    assert unseen.sum() == pytest.approx(labels[newest].sum(), rel=0.1)


def test_without_an_order_no_drift_is_seen() -> None:
    labels = np.where(IN_ORDER >= 0.8 * ROWS, 1, LABELS).astype(np.int8)

    assert fitted("logistic", labels).calibration.drift == 0


def test_campaigns_that_the_members_missed_are_corrected_in_the_model() -> None:
    labels = (RANDOM.random(ROWS) < np.where(SOURCE == "Partner", 0.7, 0.2)).astype(np.int8)
    named = agreed({"campaign": "source"})

    result = fit(LEADS, labels, np.ones(ROWS), named, FIELDS, "trees", effort=BLIND)

    assert [correction.field for correction in result.calibration.corrections] == ["source"]
    partner = said(result)[SOURCE == "Partner"].mean()
    assert partner == pytest.approx(labels[SOURCE == "Partner"].mean(), abs=0.05)


def test_fields_that_marketing_does_not_add_up_over_are_not_corrected() -> None:
    labels = (RANDOM.random(ROWS) < np.where(SOURCE == "Partner", 0.7, 0.2)).astype(np.int8)

    assert fitted("trees", labels, effort=BLIND).calibration.corrections == ()


@pytest.mark.parametrize("place", [None, IN_ORDER])
def test_the_most_leads_that_are_learned_from_are_drawn(
    place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.fit.MOST_CHOSEN", 300)
    monkeypatch.setattr("training.fit.MOST_LEARNED", 400)

    result = fitted(place=place)

    assert len(result.unseen.rows) == len(result.unseen.log_odds) == 300
    assert result.parameters["learned_from"] == 400
    assert (np.diff(result.unseen.rows) > 0).all()
    assert np.ptp(result.unseen.rows) > 0.9 * ROWS
    assert np.corrcoef(said(result), CHANCE)[0, 1] > 0.85
    assert said(result).mean() == pytest.approx(LABELS.mean(), abs=0.05)


def test_of_more_leads_than_are_learned_from_only_those_are_encoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("training.fit.MOST_CHOSEN", 30)
    monkeypatch.setattr("training.fit.MOST_LEARNED", 40)
    encoded: list[int] = []
    encode = Encoder.encode

    def counted(self: Encoder, leads: Leads) -> Any:
        encoded.append(len(leads))
        return encode(self, leads)

    monkeypatch.setattr(Encoder, "encode", counted)

    fitted("logistic")

    assert max(encoded) <= 30 + 40


def test_a_fit_on_some_rows_is_that_of_these_leads_alone() -> None:
    rows = np.arange(1, ROWS, 2)
    weight = np.ones(len(rows))

    among = fit(LEADS, LABELS[rows], weight, agreed(), FIELDS, effort=LITTLE, rows=rows)
    alone = fit(LEADS.take(rows), LABELS[rows], weight, agreed(), FIELDS, effort=LITTLE)

    assert said(among).tolist() == said(alone).tolist()


@pytest.mark.parametrize("recipe", RECIPES)
def test_leads_of_no_weight_teach_nothing_in_any_step(recipe: Recipe) -> None:
    nothing = (IN_ORDER % 3 == 0) & (IN_ORDER < 0.8 * ROWS)
    weight = np.where(nothing, 0.0, 1.5)
    turned = np.where(nothing, 1 - LABELS, LABELS).astype(np.int8)

    first, second = (
        fitted(recipe, labels, weight=weight, place=IN_ORDER) for labels in (LABELS, turned)
    )

    assert said(first).tolist() == said(second).tolist()


def test_a_lead_that_counts_for_almost_nothing_teaches_almost_nothing() -> None:
    half = ROWS // 2 > IN_ORDER
    labels = np.where(half, LABELS, 1 - LABELS).astype(np.int8)

    result = fitted("logistic", labels, weight=np.where(half, 1.0, 1e-9))

    assert np.corrcoef(said(result), CHANCE)[0, 1] > 0.9


def test_rare_wins_among_very_many_leads_are_enough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("training.fit.MOST_CHOSEN", 50)
    monkeypatch.setattr("training.fit.MOST_LEARNED", 100)
    labels = np.zeros(ROWS, dtype=np.int8)
    labels[[5, 20, 400]] = 1
    assert np.isfinite(said(fitted("logistic", labels))).all()


def test_leads_of_one_moment_count_alike_in_whatever_order_they_stand() -> None:
    place = np.repeat([0.0, 1.0, 2.0], 20)

    weight = recency_weights(place, 60)

    assert len(set(weight[:20].tolist())) == 1
    assert weight[0] < weight[20] < weight[40]
