from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.utils.estimator_checks import estimator_checks_generator

from features.encoder import Column
from serving.members import Additive, Trees
from training.estimators import LogisticEstimator, TreesEstimator

ESTIMATORS = [LogisticEstimator(), TreesEstimator(trees=20)]
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
RANDOM = np.random.default_rng(0)
NUMBERS = Column("size", "size", None)
CODES = Column("source", "source", ("other", "Google", "Partner"))


def conformance() -> list[Any]:
    """scikit-learn's own checks of both estimators but the skipped ones."""
    return [
        pytest.param(estimator, check, id=f"{type(estimator).__name__}-{name}")
        for given in ESTIMATORS
        for estimator, check in estimator_checks_generator(given, legacy=True, mark=None)
        if (name := check.func.__name__) not in SKIPPED[type(given).__name__]
    ]


@pytest.mark.parametrize(("estimator", "check"), conformance())
def test_it_keeps_the_contract_of_scikit_learn(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_every_skipped_check_still_exists(estimator: Any) -> None:
    checks = estimator_checks_generator(estimator, legacy=True, mark=None)

    assert SKIPPED[type(estimator).__name__].keys() <= {c.func.__name__ for _, c in checks}


def mixed(rows: int = 600) -> tuple[Any, Any]:
    """Numbers and codes with gaps, and labels that both carry signal for."""
    size = RANDOM.normal(size=rows)
    code = RANDOM.integers(0, 3, rows).astype(float)
    y = (size + (code == 2) + RANDOM.normal(size=rows) > 0.5).astype(int)
    X = np.column_stack([size, code])
    X[RANDOM.random(X.shape) < 0.1] = np.nan
    return X, y


@pytest.mark.parametrize("estimator", ESTIMATORS)
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

    assert member.contributions(X).sum(axis=1) == pytest.approx(member.log_odds(X))


def test_the_logistic_member_reads_back_the_same() -> None:
    X, y = mixed()
    member = LogisticEstimator((NUMBERS, CODES)).fit(X, y).member_
    assert isinstance(member, Additive)

    again = Additive.from_dict(member.as_dict())

    assert again.log_odds(X).tolist() == member.log_odds(X).tolist()


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


@pytest.mark.parametrize("seed", [3, 4])
def test_the_seed_decides_the_trees(seed: int) -> None:
    X, y = mixed()
    first = TreesEstimator(seed=3).fit(X, y).member_

    second = TreesEstimator(seed=seed).fit(X, y).member_

    assert isinstance(first, Trees)
    assert isinstance(second, Trees)
    assert (first.text == second.text) is (seed == 3)


def test_trees_stop_growing_when_the_judge_sees_no_gain() -> None:
    X, y = mixed()
    noise = RANDOM.permutation(y)

    fitted = TreesEstimator().fit_early(X, y, np.ones(len(y)), (X, noise, np.ones(len(y))))

    assert fitted.best_trees_ < 20


def test_a_third_outcome_is_refused() -> None:
    X, y = mixed()
    y[:10] = 2

    with pytest.raises(ValueError, match="Only binary classification is supported; found 3"):
        LogisticEstimator().fit(X, y)
