"""About how many more decided leads would show that a model is better than chance.

A quick logistic regression is fitted on ever larger parts of the earlier leads and measured on
the later ones. From that learning curve follow the AUC of more leads, and from the number of
later leads the error by which chance alone would miss .5 (Mann and Whitney 1947); where the one
outgrows the other, the model would be shown. The curve is itself a guess from few leads, and the
error takes leads as independent: the number is told as a rough one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_array, hstack
from scipy.stats import norm
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from features.encoder import MIN_COUNT, Column, Matrix
from serving.members import Vector
from training.labels import Labels
from training.shown import ERROR

_MOST_ROWS = 10_000
_FEWEST = 5
"""Won and not-won leads below which the quick model is not fitted."""
_DRAWS = 4
_PENALTY = 0.1
_EVEN = float(norm.isf(ERROR))
"""Standard errors at which the chances to be shown are even."""
_LIKELY = _EVEN + float(norm.ppf(0.8))
_STEEPEST = 0.03
"""AUC per doubling of the leads; what rises faster is taken for chance."""
_FARTHEST = 20.0
"""Times the leads there are; beyond it nothing is foretold."""
_UPPER = float(norm.isf(0.05))
_MODEST = 0.1
"""How far above .5 the AUC of a modest model of leads lies; of most published ones, farther."""
_SLIGHT = 0.05
"""A signal that is at best so slight is of no use, even if it is none of chance."""
_IF_REAL = "if the order seen so far is no chance, and leads of one day do not hang together"
_IF_MODEST = "for a modest signal (AUC .60), if there is one: so few leads cannot tell it from none"
ONLY_A_PART_JUDGES = (
    "cannot be told: of so many leads only a part judges, and of more it would be as many"
)
ORDER_IS_SHOWN = (
    "not worked out: the order is shown already, and what is lacking is a lower log loss, or the "
    "proof of one; how many leads that takes depends on how far the losses lie apart"
)


@dataclass(frozen=True)
class Growth:
    """What more leads would bring."""

    sentence: str
    low: int | None
    """More decided leads with which the chances to be shown are even; None: not to be told."""
    high: int | None
    """With which they are four in five; None: not to be told, or more than 20 times the leads."""
    curve: tuple[tuple[int, float], ...]
    """Earlier leads and the AUC on later ones; empty where too few were won or not."""


def how_many_more(
    matrix: Matrix,
    labels: Labels,
    later_matrix: Matrix,
    later_labels: Labels,
    columns: tuple[Column, ...],
    seed: int = 0,
) -> Growth:
    """Estimate how many more decided leads, earlier and later ones together, would do.

    Args:
        matrix: the encoder's matrix of the earlier leads, shape (n, columns).
        labels: 1 won, 0 not, shape (n,).
        later_matrix: that of the later leads.
        later_labels: theirs.
        columns: what the columns of the matrix are.
        seed: of the parts drawn.

    """
    total = len(labels) + len(later_labels)
    fewest = min(_fewest(labels), _fewest(later_labels))
    if fewest < _FEWEST:
        return Growth(_too_few(labels, later_labels), None, None, ())
    curve = _curve(matrix, labels, later_matrix, later_labels, columns, seed)
    won = int(later_labels.sum())
    error = math.sqrt((len(later_labels) + 1) / (12 * won * (len(later_labels) - won)))
    gap, slope = _trend(curve)
    if gap + _UPPER * error < (_MODEST if gap < error else _SLIGHT):
        return Growth(_no_help(curve, gap + _UPPER * error), None, None, curve)
    if gap < error:
        # Too few to tell: what a modest signal would take, whether or not there is one.
        gap, slope, said = _MODEST, 0.0, _IF_MODEST
    else:
        said = _IF_REAL
    low, high = (_times(gap, slope, error, wanted) for wanted in (_EVEN, _LIKELY))
    if low is None:
        far = f"{_FARTHEST:.0f} times the leads would not do"
        return Growth(f"a rough guess: {far}, {said}", None, None, curve)
    more = _about(total * (low - 1), up=False)
    even = f"with about {more:,} more decided leads the chances to show it are even"
    if high is None:
        return Growth(f"a rough guess: {even}, {said}", more, None, curve)
    most = _about(total * (high - 1), up=True)
    if most == 0:
        return Growth(_seems_enough(curve[-1][1]), 0, 0, curve)
    likely = f"with about {most:,} more decided leads the chances to show it are four in five"
    if more:
        likely = f"{even}, with about {most:,} four in five"
    return Growth(f"a rough guess: {likely}, {said}", more, most, curve)


def _fewest(labels: Labels) -> int:
    return int(min(labels.sum(), len(labels) - labels.sum()))


def _too_few(labels: Labels, later: Labels) -> str:
    won = int(labels.sum()), int(later.sum())
    lost = len(labels) - won[0], len(later) - won[1]
    return (
        f"how many more leads would do cannot be told yet: {won[0]} won and {lost[0]} not won "
        f"among the leads learned from, {won[1]} and {lost[1]} among the judged; it can with "
        f"{_FEWEST} of each"
    )


def _seems_enough(auc: float) -> str:
    return (
        f"cannot be told: a plain logistic regression sorts the judged leads with an AUC of "
        f"{auc:.2f}, more than chance would if leads did not hang together, yet the test that "
        "decides is not passed; more leads would settle it"
    )


def _no_help(curve: tuple[tuple[int, float], ...], at_best: float) -> str:
    points = ", ".join(f"{auc:.2f} from {rows:,}" for rows, auc in curve)
    return (
        "a rough guess: more of the same would hardly help: the AUC of a plain logistic regression "
        f"on the judged leads stays near chance ({points} leads; from all of them, with 95 % "
        f"confidence at most {0.5 + at_best:.2f}); other fields might"
    )


def _curve(
    matrix: Matrix,
    labels: Labels,
    later_matrix: Matrix,
    later_labels: Labels,
    columns: tuple[Column, ...],
    seed: int,
) -> tuple[tuple[int, float], ...]:
    generator = np.random.default_rng(seed)
    orders = [generator.permutation(len(labels))[:_MOST_ROWS] for _ in range(_DRAWS)]
    # The outcome plays no part in the design, so one serves all parts.
    design = _design(np.vstack([matrix, later_matrix]), columns)
    earlier, later = design[: len(labels)], design[len(labels) :]
    found: list[tuple[int, float]] = []
    size = len(orders[0])
    while size >= 8 * _FEWEST:
        whole = size == len(labels)
        aucs = []
        for order in orders[:1] if whole else orders:
            rows = order[:size]  # nested: each part holds the smaller ones
            if _fewest(labels[rows]) >= _FEWEST:
                scores = _scores(earlier[rows], labels[rows], later)
                aucs.append(float(roc_auc_score(later_labels, scores)))
        if not aucs:
            break
        found.append((size, float(np.mean(aucs))))
        size //= 2
        if len(found) == 4:
            break
    return tuple(reversed(found))


def _design(matrix: Matrix, columns: tuple[Column, ...]) -> Any:
    codes = [i for i, column in enumerate(columns) if column.levels is not None]
    numbers = [i for i, column in enumerate(columns) if column.levels is None]
    parts = []
    if codes:
        one_hot = OneHotEncoder(min_frequency=MIN_COUNT)
        parts.append(csr_array(one_hot.fit_transform(matrix[:, codes])))
    if numbers:
        filled = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
        scaled = make_pipeline(filled, StandardScaler()).fit_transform(matrix[:, numbers])
        parts.append(csr_array(np.clip(scaled, -4, 4)))
    return hstack(parts, format="csr")


def _scores(design: Any, labels: Labels, later: Any) -> Vector:
    model = LogisticRegression(C=_PENALTY, solver="newton-cg", tol=1e-3, max_iter=200)
    return np.asarray(model.fit(design, labels).decision_function(later))


def _trend(curve: tuple[tuple[int, float], ...]) -> tuple[float, float]:
    """Return how far the AUC lies above .5 with all leads, and what a doubling adds."""
    aucs = np.array([auc for _, auc in curve])
    if len(aucs) < 2:
        return float(aucs[-1]) - 0.5, 0.0
    doublings = np.log2([rows for rows, _ in curve])
    slope = float(np.polyfit(doublings, aucs, 1)[0])
    return float(aucs[-1]) - 0.5, min(max(slope, 0.0), _STEEPEST)


def _times(gap: float, slope: float, error: float, wanted: float) -> float | None:
    """Return by which factor the leads must grow for the gap to be `wanted` errors wide."""
    for times in np.geomspace(1, _FARTHEST, 60).tolist():
        if min(gap + slope * math.log2(times), 0.5) >= wanted * error / math.sqrt(times):
            return float(times)
    return None


def _about(leads: float, up: bool) -> int:
    """Round to one figure, or to halves of it where it is small: 34 → 30, 160 → 150."""
    if leads < 1:
        return 0
    step = 10 ** math.floor(math.log10(leads))
    step = max(1, step // 2 if leads < 3 * step else step)
    steps = leads / step
    return int(step * (math.ceil(steps) if up else math.floor(steps)))
