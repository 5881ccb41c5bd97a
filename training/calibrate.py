"""Calibration that adds up: overall, over time, and by campaign; all on rows held out of the fit.

Three steps, each affine in the log-odds, so that the order of leads within a campaign and the
reasons stay exact:

1. a straight line (Platt 1999), which cannot turn the ranking round;
2. a shift of the intercept, only where the newest leads show a drift beyond doubt, and only as much
   of it as earlier shifts have lasted: levels that wander come back, and what was added then harms.
   The slope is never fitted on the newest leads alone: it can turn the ranking round;
3. for a campaign or source, a correction that is shrunk towards none by how much campaigns differ
   at all (DerSimonian and Laird 1986; empirical Bayes).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from scipy.stats import chi2, rankdata
from sklearn.linear_model import LogisticRegression

from features.encoder import MIN_COUNT, Column, Matrix
from serving.members import Additive, ColumnTable, Vector
from training.labels import Labels

_NEWEST = 0.2
_BEYOND_DOUBT = 4.0
"""Standard errors from which a drift of the newest leads is acted on."""
_PARTS = 20
"""Parts of the time by which it is seen how long shifts last."""
_MOST_STEPS = 100
_DIFFER = 0.01
"""Level of the test (Cochran's Q) that campaigns are off by more than chance."""


@dataclass(frozen=True)
class Correction:
    """What is added to the log-odds by the value of one column."""

    column: int
    field: str
    by_code: tuple[float, ...]
    missing: float
    mean: float
    """Its mean over the rows it was found on."""

    def at(self, matrix: Matrix) -> Vector:
        """Return the correction of each row, shape (rows,)."""
        return self._table().at(matrix[:, self.column])

    def as_member(self, columns: int) -> Additive:
        """Return it as a member that reads only its own column."""
        nothing = ColumnTable((0.0,), (0.0,), 0.0, 0.0, by_code=False)
        tables = [nothing] * columns
        tables[self.column] = self._table()
        return Additive(0.0, tuple(tables))

    def _table(self) -> ColumnTable:
        codes = tuple(float(code) for code in range(len(self.by_code)))
        return ColumnTable(codes, self.by_code, self.missing, self.mean, by_code=True)


@dataclass(frozen=True)
class Calibration:
    """From blended log-odds to calibrated ones."""

    slope: float
    offset: float
    """The shift for drift included."""
    drift: float = 0.0
    """Log-odds by which the newest leads moved, times the share of earlier shifts that lasted.

    0 where that they moved is not beyond doubt, and where earlier shifts did not last.
    """
    corrections: tuple[Correction, ...] = ()

    def apply(self, blended: Vector, matrix: Matrix) -> Vector:
        """Return calibrated log-odds, shape (rows,)."""
        total = self.slope * blended + self.offset
        for correction in self.corrections:
            total = total + correction.at(matrix)
        return np.asarray(total)


def calibrate(
    blended: Vector,
    labels: Labels,
    weight: Vector,
    place: Vector | None,
    matrix: Matrix,
    named: dict[int, Column],
) -> Calibration:
    """Calibrate on predictions for rows that were held out of the fit.

    Args:
        blended: log-odds, shape (rows,).
        labels: 1 won, 0 not, shape (rows,).
        weight: how much each row counts, shape (rows,), mean about one.
        place: each lead's place in time, or None where there is no order.
        matrix: the encoder's matrix of the rows.
        named: the columns of codes over which sums should add up, by position.

    """
    slope, offset = platt(blended, labels, weight)
    drift = 0.0 if place is None else _drift(slope * blended + offset, labels, weight, place)
    calibration = Calibration(slope, offset + drift, drift)
    for position, column in named.items():
        log_odds = calibration.apply(blended, matrix)
        found = _correction(position, column, matrix[:, position], log_odds, labels, weight)
        if found is not None:
            # The whole adds up as before: what campaigns gain and lose is moved between them.
            after = log_odds + found.at(matrix)
            total = float(weight @ expit(log_odds))
            offset = calibration.offset + _shift_to(after, weight, total)
            corrections = (*calibration.corrections, found)
            calibration = Calibration(slope, offset, drift, corrections)
    return calibration


def platt(log_odds: Vector, labels: Labels, weight: Vector) -> tuple[float, float]:
    """Return slope and offset of a logistic regression; a line that would fall is refused.

    Platt's targets lie a little inside of 0 and 1, so that few leads in perfect order do not make
    certainty.
    """
    won, lost = float(weight @ labels), float(weight @ (1 - labels))
    flat = 0.0, float(np.log(won / lost))
    target = np.where(labels == 1, (won + 1) / (won + 2), 1 / (lost + 2))
    if np.ptp(log_odds) == 0:
        return flat
    line = LogisticRegression(C=1e6, solver="newton-cholesky", tol=1e-8).fit(
        np.concatenate([log_odds, log_odds])[:, None],
        np.repeat([1, 0], len(labels)),
        sample_weight=np.concatenate([weight * target, weight * (1 - target)]),
    )
    slope, offset = float(line.coef_[0, 0]), float(line.intercept_[0])
    # A line that falls: nothing was learned, and the base rate for everyone is the honest answer.
    return (slope, offset) if slope > 0 else flat


def shift(log_odds: Vector, labels: Labels, weight: Vector) -> float:
    """Return the constant to add to log-odds at which the expected wins are the actual ones."""
    return _shift_to(log_odds, weight, float(weight @ labels))


def _shift_to(log_odds: Vector, weight: Vector, wins: float) -> float:
    total = 0.0
    for _ in range(_MOST_STEPS):
        chance = expit(log_odds + total)
        step = (wins - float(weight @ chance)) / max(float(weight @ (chance * (1 - chance))), 1e-9)
        total += float(np.clip(step, -1.0, 1.0))
        if abs(step) < 1e-9:
            break
    return total


def _drift(log_odds: Vector, labels: Labels, weight: Vector, place: Vector) -> float:
    newest = np.argsort(place, kind="stable")[-max(1, round(_NEWEST * len(place))) :]
    y, w, chance = labels[newest], weight[newest], expit(log_odds[newest])
    error = np.sqrt(float((w**2 * chance * (1 - chance)).sum()))
    off = float((w * (y - chance)).sum()) / max(error, 1e-9)
    if abs(off) < _BEYOND_DOUBT or not 0 < y[w > 0].mean() < 1:
        return 0.0
    lasting = _lasting(log_odds, labels, weight, place)
    return float(shift(log_odds[newest], y, w) * (1 - 1 / off**2)) * lasting


def _lasting(log_odds: Vector, labels: Labels, weight: Vector, place: Vector) -> float:
    """Return which share of a shift of the newest fifth lasted at earlier moments, 0 to 1.

    At each moment from two fifths of the leads on: how far the fifth before it was off the level
    known by then, and how far the two fifths after it were, as far as they go. The share is the
    slope of the latter on the former, through the origin: what would have been best to add then.
    """
    rank = rankdata(place, method="min") - 1
    part = np.floor(rank * _PARTS / len(place)).astype(np.int64)
    off, known, _ = _Groups.at(log_odds, labels, weight, part, _PARTS)
    fifth = round(_NEWEST * _PARTS)

    def level(start: int, end: int) -> float:
        return float(off[start:end].sum() / max(known[start:end].sum(), 1e-9))

    moments = range(2 * fifth, _PARTS)
    before = np.array([level(m - fifth, m) - level(0, m) for m in moments])
    after = np.array([level(m, m + 2 * fifth) - level(0, m) for m in moments])
    counted = np.array([known[m : m + 2 * fifth].sum() for m in moments])
    slope = float((counted * before) @ after) / max(float((counted * before) @ before), 1e-9)
    return float(np.clip(slope, 0.0, 1.0))


def _correction(
    position: int,
    column: Column,
    cells: Vector,
    log_odds: Vector,
    labels: Labels,
    weight: Vector,
) -> Correction | None:
    """Return the correction by the codes of a column; None where campaigns do not differ.

    Each campaign's shift has a normal prior around none, whose variance is that of the shifts
    beyond chance, and is then the most likely one.
    """
    groups = np.where(np.isnan(cells), -1, cells).astype(np.int64) + 1
    size = len(column.levels or ()) + 1
    counted = np.bincount(groups, weight > 0, size) >= MIN_COUNT
    at_none = _Groups.at(log_odds, labels, weight, groups, size)
    between = _between(*(part[counted] for part in at_none))
    if between <= 0:
        return None
    shifts = np.zeros(size)
    for _ in range(_MOST_STEPS):
        now = _Groups.at(log_odds + shifts[groups], labels, weight, groups, size)
        # Under weights, a group knows less than its weights add up to.
        scale = np.where(counted, now.noise / np.maximum(now.known, 1e-12), 1.0)
        scale = np.maximum(scale, 1e-12)
        step = (now.off / scale - shifts / between) / (now.known / scale + 1 / between)
        step = np.where(counted, np.clip(step, -1.0, 1.0), 0.0)
        shifts += step
        if np.abs(step).max() < 1e-9:
            break
    mean = float(np.average(shifts[groups], weights=weight))
    return Correction(position, column.field, tuple(shifts[1:].tolist()), float(shifts[0]), mean)


class _Groups(NamedTuple):
    """What groups of leads say of their shifts, each part of shape (groups,)."""

    off: Vector
    """Actual less expected wins."""
    known: Vector
    """Information about the shift."""
    noise: Vector
    """Variance of `off` by chance."""

    @classmethod
    def at(
        cls,
        log_odds: Vector,
        labels: Labels,
        weight: Vector,
        groups: npt.NDArray[np.int64],
        size: int,
    ) -> _Groups:
        chance = expit(log_odds)
        spread = chance * (1 - chance)
        parts = (weight * (labels - chance), weight * spread, weight**2 * spread)
        return cls(*(np.bincount(groups, part, size).astype(np.float64) for part in parts))


def _between(off: Vector, known: Vector, noise: Vector) -> float:
    """Return the variance of true shifts between groups; 0 where chance explains them."""
    if len(off) < 2:
        return 0.0
    precision = known**2 / noise
    statistic = float((off**2 / noise).sum())
    if chi2.sf(statistic, len(off)) > _DIFFER:
        return 0.0
    return max(0.0, (statistic - len(off)) / float(precision.sum()))
