from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.utils.estimator_checks import estimator_checks_generator

from features.encoder import Column
from serving.members import Additive, Trees
from training.estimators import SHAPES, LogisticEstimator, Shape, TreesEstimator

ESTIMATORS = [
    LogisticEstimator(),
    *(TreesEstimator(shape=shape, trees=10) for shape in SHAPES),
]
NO_ARRAY_API = {
    "check_array_api_input": "needs SCIPY_ARRAY_API; the members read numpy arrays only",
}
SKIPPED: dict[str, dict[str, str]] = {
    "LogisticEstimator": {
        **NO_ARRAY_API,
        "check_sample_weight_equivalence_on_dense_data": (
            "its knots lie at the quantiles of the rows, whatever the rows weigh"
        ),
    },
    "TreesEstimator": NO_ARRAY_API,
}
NUMBERS = Column("size", "size", None)
CODES = Column("source", "source", ("other", "Google", "Partner"))


def named(estimator: Any) -> str:
    """What a test of it is called."""
    given = estimator.get_params()
    return f"{type(estimator).__name__}-{given.get('shape', 'tables')}"


def conformance() -> list[Any]:
    """scikit-learn's own checks of every estimator but the skipped ones."""
    return [
        pytest.param(estimator, check, id=f"{named(estimator)}-{name}")
        for given in ESTIMATORS
        for estimator, check in estimator_checks_generator(given, legacy=True, mark=None)
        if (name := check.func.__name__) not in SKIPPED[type(given).__name__]
    ]


@pytest.mark.parametrize(("estimator", "check"), conformance())
def test_it_keeps_the_contract_of_scikit_learn(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=named)
def test_every_skipped_check_still_exists(estimator: Any) -> None:
    checks = estimator_checks_generator(estimator, legacy=True, mark=None)

    assert SKIPPED[type(estimator).__name__].keys() <= {c.func.__name__ for _, c in checks}


def mixed(rows: int = 600) -> tuple[Any, Any]:
    """Numbers and codes with gaps, and labels that both carry signal for."""
    random = np.random.default_rng(0)
    size = random.normal(size=rows)
    code = random.integers(0, 3, rows).astype(float)
    y = (size + (code == 2) + random.normal(size=rows) > 0.5).astype(int)
    X = np.column_stack([size, code])
    X[random.random(X.shape) < 0.1] = np.nan
    return X, y


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=named)
def test_plain_numbers_need_no_columns(estimator: Any) -> None:
    X, y = mixed()

    assert estimator.fit(X, y).score(X, y) > 0.65


@pytest.mark.parametrize("kind", [LogisticEstimator, TreesEstimator])
def test_it_predicts_by_the_member_that_will_be_served(kind: type) -> None:
    X, y = mixed()

    fitted = kind((NUMBERS, CODES)).fit(X, y)

    assert fitted.decision_function(X).tolist() == fitted.member_.log_odds(X).tolist()


@pytest.mark.parametrize("kind", [LogisticEstimator, TreesEstimator])
def test_contributions_add_up_to_the_log_odds(kind: type) -> None:
    X, y = mixed()

    member = kind((NUMBERS, CODES)).fit(X, y).member_

    assert member.explained(X)[1].sum(axis=1) == pytest.approx(member.log_odds(X))


def test_the_logistic_member_reads_back_the_same() -> None:
    X, y = mixed()
    member = LogisticEstimator((NUMBERS, CODES)).fit(X, y).member_
    assert isinstance(member, Additive)

    again = Additive.from_dict(member.as_dict())

    assert again.log_odds(X).tolist() == member.log_odds(X).tolist()


def test_fields_that_tell_nothing_have_next_to_no_say() -> None:
    X, y = mixed(3000)
    idle = np.random.default_rng(2).normal(size=(len(y), 4))
    columns = (NUMBERS, CODES, *(Column(f"idle {i}", f"idle {i}", None) for i in range(4)))

    member = LogisticEstimator(columns).fit(np.column_stack([X, idle]), y).member_

    said = member.explained(np.column_stack([X, idle]))[1].std(axis=0)
    assert said[2:6].max() < 0.2 * said[:2].min()


def test_many_codes_that_tell_nothing_do_not_dim_one_that_does() -> None:
    random = np.random.default_rng(3)
    source, company = random.integers(0, 3, 3000), random.integers(0, 100, 3000)
    y = (random.random(3000) < np.where(source == 2, 0.8, 0.2)).astype(int)
    many = Column("company", "company", tuple(str(i) for i in range(100)))

    member = LogisticEstimator((CODES, many)).fit(np.column_stack([source, company]) + 0.0, y)

    strong, idle = (table.values for table in member.member_.tables)
    assert strong[2] - strong[1] == pytest.approx(2 * np.log(4), rel=0.1)
    assert np.std(idle) < 0.05


def test_the_same_leads_give_the_same_tables() -> None:
    X, y = mixed()

    first, second = (LogisticEstimator((NUMBERS, CODES)).fit(X, y).member_ for _ in range(2))

    assert first.as_dict() == second.as_dict()


def test_a_code_that_was_never_seen_has_no_weight_in_the_logistic_member() -> None:
    X, y = mixed()
    X[X[:, 1] == 1] = np.nan

    member = LogisticEstimator((NUMBERS, CODES)).fit(X, y).member_

    assert isinstance(member, Additive)
    assert member.tables[1].values[1] == 0.0


def test_a_column_without_any_value_does_no_harm() -> None:
    X, y = mixed()
    X[:, 0] = np.nan

    assert np.isfinite(LogisticEstimator((NUMBERS, CODES)).fit(X, y).decision_function(X)).all()


def market(moves: float, rows: int = 6000) -> tuple[Any, Any, Any]:
    """Leads in time: what a partner brings falls by `moves` log-odds, size counts alike."""
    random = np.random.default_rng(7)
    place = np.arange(1, rows + 1) / rows
    size, code = random.normal(size=rows), random.integers(0, 3, rows).astype(float)
    log_odds = size + (1.0 - moves * (place - 0.5)) * (code == 2) - 1
    y = (random.random(rows) < 1 / (1 + np.exp(-log_odds))).astype(int)
    return np.column_stack([size, code]), y, place


def partner(log_odds: Any) -> float:
    """What is told for a lead of a partner beyond one of Google, at the mean size."""
    return float(log_odds[1] - log_odds[0])


BOTH = np.array([[0.0, 1.0], [0.0, 2.0]])


def test_where_the_market_moves_the_state_at_the_end_is_served() -> None:
    X, y, place = market(2.0)
    still = LogisticEstimator((NUMBERS, CODES)).fit(X, y)

    moving = LogisticEstimator((NUMBERS, CODES)).fit(X, y, place=place)

    assert partner(still.decision_function(BOTH)) == pytest.approx(1, abs=0.3)
    assert abs(partner(moving.decision_function(BOTH))) < 0.5


def test_what_was_so_earlier_is_told_for_earlier_leads() -> None:
    X, y, place = market(2.0)

    model = LogisticEstimator((NUMBERS, CODES)).fit(X, y, place=place)

    first, last = (partner(model.log_odds_at(BOTH, np.full(2, at))) for at in (0.0, 1.0))
    assert first > 1.3 > 0.5 > last == partner(model.decision_function(BOTH))


def test_where_nothing_moves_the_order_in_time_changes_little() -> None:
    X, y, place = market(0.0)
    still, moving = (
        LogisticEstimator((NUMBERS, CODES)).fit(X, y, place=there).decision_function(X)
        for there in (None, place)
    )

    assert np.abs(still - moving).mean() < 0.1


def test_flags_take_no_weights_from_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.estimators._MOST_WEIGHTS", 40)
    random = np.random.default_rng(4)
    code = random.integers(0, 20, 4000).astype(float)
    y = random.random(4000) < np.where(code % 2, 0.7, 0.3)
    flags = random.integers(0, 2, (4000, 10)).astype(float)
    columns = (
        Column("code", "code", tuple(f"v{i}" for i in range(20))),
        *(Column(f"flag {i}", f"flag {i}", None) for i in range(10)),
    )

    model = LogisticEstimator(columns).fit(np.column_stack([code, flags]), y)

    assert np.count_nonzero(model.member_.tables[0].values) == 20


def trees(X: Any, y: Any, **given: Any) -> Trees:
    """A few trees."""
    member = TreesEstimator(**{"trees": 20, **given}).fit(X, y).member_
    assert isinstance(member, Trees)
    return member


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", [3, 4])
def test_the_seed_decides_the_trees(shape: Shape, seed: int) -> None:
    X, y = mixed()

    first, second = (trees(X, y, shape=shape, seed=s) for s in (3, seed))

    assert (first.text == second.text) is (seed == 3)


def test_every_shape_grows_trees_of_its_own() -> None:
    X, y = mixed()

    assert len({trees(X, y, shape=shape).text for shape in SHAPES}) == len(SHAPES)


@pytest.mark.parametrize(("shape", "is_of_pairs"), [("pairs", True), ("trees", False)])
def test_no_more_than_pairs_of_fields_act_together_in_pairs(
    shape: Shape, is_of_pairs: bool
) -> None:
    random = np.random.default_rng(0)
    X = random.integers(0, 2, (2000, 3)).astype(float)
    y = (X.sum(axis=1) == 3) ^ (random.random(2000) < 0.1)
    corners = np.array(np.meshgrid([0, 1], [0, 1], [0, 1])).reshape(3, 8).T.astype(float)

    grown = trees(X, y, shape=shape, tuned={"feature_fraction": 1.0})

    # Over the corners of a cube, with alternating signs, all but the effect of three cancels.
    of_three = grown.log_odds(corners) @ np.prod(1 - 2 * corners, axis=1)
    assert bool(abs(of_three) < 1e-9) is is_of_pairs


def companies(spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of 250 companies, which win in 10 or in 90 % of cases, and the outcomes."""
    random = np.random.default_rng(0)
    wins = random.choice([0.1, 0.9], 250)
    company = (250 * random.random(10_000) ** spread).astype(int)
    y = random.random(10_000) < wins[company]
    return company[:, np.newaxis].astype(float), y


def test_numbers_that_stand_for_companies_are_told_apart() -> None:
    X, y = companies(spread=1)

    grown = trees(X[:5000], y[:5000])

    assert roc_auc_score(y[5000:], grown.log_odds(X[5000:])) > 0.8


def test_numbers_of_which_some_come_far_more_often_are_split_at_few_places() -> None:
    X, y = companies(spread=4)

    assert len(np.unique(trees(X, y).log_odds(X))) <= 64


def test_what_a_search_found_takes_the_place_of_the_shape() -> None:
    X, y = mixed()

    found = trees(X, y, trees=20, tuned={"num_leaves": 2})

    assert found.size == (20, 40)


def test_leads_of_no_weight_teach_nothing() -> None:
    X, y = mixed()
    nothing = np.arange(len(y)) % 3 == 0
    weight = np.where(nothing, 0.0, 1.0)

    for estimator in ESTIMATORS:
        taught, turned = (
            estimator.fit(X, labels, weight).decision_function(X).tolist()
            for labels in (y, np.where(nothing, 1 - y, y))
        )
        assert taught == turned, named(estimator)


def test_trees_stop_growing_when_the_judge_sees_no_gain() -> None:
    X, y = mixed()
    noise = np.random.default_rng(1).permutation(y)

    fitted = TreesEstimator().fit_early(X, y, np.ones(len(y)), (X, noise, np.ones(len(y))))

    assert fitted.best_trees_ < 20


def test_a_third_outcome_is_refused() -> None:
    X, y = mixed()
    y[:10] = 2

    with pytest.raises(ValueError, match="Only binary classification is supported; found 3"):
        LogisticEstimator().fit(X, y)


def test_very_many_codes_leave_weights_to_the_frequent_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("training.estimators._MOST_WEIGHTS", 12)
    codes = tuple(Column(name, name, tuple(f"v{i}" for i in range(30))) for name in "ab")
    random = np.random.default_rng(4)
    X = random.integers(0, 30, (3000, 2)).astype(float)
    y = random.random(3000) < np.where(X[:, 0] % 2, 0.7, 0.3)

    first = LogisticEstimator(codes).fit(X, y).member_.tables[0]

    assert np.flatnonzero(first.values).tolist() == [0, 1, 2, 3, 4, 5]
