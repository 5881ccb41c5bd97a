"""The agreed points as a scorer: it scores where no model is shown to be better.

log-odds = offset + slope × ln 2 × points / 10, so that 10 points double the odds where the slope
is 1, as agreed. Outcomes, as far as there are any, move both: the slope from 1 with a normal prior
(standard deviation 1/2, so that one would be surprised by 10 points worth more than a factor of
4) and never below 0, the offset from the base rate that the grades imply with the weight of two
leads. Both are the maximum of one posterior (Gelman et al. 2008 on such priors), so ten outcomes
move them a little and ten thousand decide.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit

from features.agreement import Agreement, FieldUse, Grades
from features.encoder import Encoder
from features.points import PointsEncoder, points_encoders
from serving.members import Additive, ColumnTable, Vector
from serving.scorer import Blend, Scorer
from training.labels import Labelled

POINT = math.log(2) / 10
"""Log-odds of one point, as agreed."""
_SLOPE_ERROR = 0.5
_PRIOR_LEADS = 2.0


def rules_scorer(
    agreement: Agreement,
    fields: dict[str, FieldUse],
    labelled: Labelled | None = None,
    weight: Vector | None = None,
) -> Scorer:
    """Return the scorer of the agreed points.

    Args:
        agreement: gives the points, and by its grades the base rate where no outcome is known.
        fields: the fields that may be used; rules over others do not count.
        labelled: leads with outcomes, n of them; None where there are none.
        weight: how much each of them counts, shape (n,); None counts each once.

    """
    encoder = Encoder(points_encoders(agreement, fields))
    by_field = np.zeros((0, len(encoder.columns)))
    labels: Vector = np.zeros(0)
    if labelled is not None:
        by_field = encoder.encode(labelled.history.leads)
        labels = labelled.labels.astype(np.float64)
    if weight is None:
        weight = np.ones(len(labels))
    offset, slope = _line(by_field.sum(axis=1) * POINT, labels, weight, agreement.grades)
    tables = tuple(
        _table(field, slope, by_field[:, i], weight)
        for i, field in enumerate(encoder.fields)
        if isinstance(field, PointsEncoder)
    )
    return Scorer(agreement, encoder, Blend((Additive(offset, tables),)))


def _line(points: Vector, labels: Vector, weight: Vector, grades: Grades) -> tuple[float, float]:
    """Return offset and slope; `points` in log-odds, as agreed."""
    prior = expected_base(grades)
    middle = float(np.average(points, weights=weight)) if weight.sum() > 0 else 0.0
    # The prior of the base rate is that of two leads with the usual points.
    x = np.append(points, middle)
    won = np.append(weight * labels, _PRIOR_LEADS * prior)
    all_ = np.append(weight, _PRIOR_LEADS)

    def cost(at: Vector) -> tuple[float, Vector]:
        z = at[0] + at[1] * x
        off = at[1] - 1.0
        loss = float(all_ @ np.logaddexp(0, z) - won @ z) + 0.5 * (off / _SLOPE_ERROR) ** 2
        residual = all_ * expit(z) - won
        slope = float(residual @ x) + off / _SLOPE_ERROR**2
        return loss, np.array([residual.sum(), slope])

    start = np.array([float(logit(won.sum() / all_.sum())) - middle, 1.0])
    options = {"ftol": 1e-14, "gtol": 1e-8}
    found = minimize(
        cost, start, jac=True, method="L-BFGS-B", bounds=[(None, None), (0, None)], options=options
    )
    return float(found.x[0]), float(found.x[1])


def expected_base(grades: Grades) -> float:
    """Return the base rate that grades imply: midway, in log-odds, between those of B and C.

    The grades that `init` proposes begin B at the average and C at half of it; a bound at 0 or 1
    is taken as 1 % or 99 %.
    """
    bounds = np.clip([grades.B, grades.C], 0.01, 0.99)
    return float(expit(logit(bounds).mean()))


def _table(field: PointsEncoder, slope: float, points: Vector, weight: Vector) -> ColumnTable:
    low, high = field.bounds
    knots = (low, high) if low < high else (low,)
    values = tuple(slope * POINT * knot for knot in knots)
    table = ColumnTable(knots, values, missing=0.0, mean=0.0, by_code=False)
    mean = float(np.average(table.at(points), weights=weight)) if weight.sum() > 0 else 0.0
    return replace(table, mean=mean)
