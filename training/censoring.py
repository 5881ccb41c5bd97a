"""Weights that let leads teach before their horizon is over, and the label they teach.

Of young leads only the quick decisions are known. Taken as they are they mislead: whoever says no
at once is over-represented, and a lead that is only slow would count as not won. Inverse
probability of censoring weights mend it (Robins & Rotnitzky 1992; as a weight on each row of any
learner: Vock et al. 2016, J. Biomedical Informatics 61; for judging: Graf et al. 1999). A lead
whose answer came t days after it started counts 1 / G(t-), where G(t-) is the chance to be watched
for t days; so it speaks for those like it that came too late to be watched so long. All others
count nothing.

    lead          starts       as of 2026-06-30        answer after   watched   counts
    A    2026-01-10   lost on day 40                   40             171       1 / G(40-)
    B    2026-01-10   won on day 120, horizon 90       90             171       1 / G(90-), as 0
    C    2026-06-10   lost on day 5                     5              20       1 / G(5-)
    D    2026-06-10   worked, undecided                 -              20       0
    E    2026-06-10   lost, nobody wrote down when     90              20       0

G is found by Kaplan and Meier's method (1958) with the roles turned round: leads leave it when
their answer is known, and what is counted is the end of watching. The weights then add up to
exactly the number of leads that are watched, answered or not, unless nobody who was left at the
end had an answer.

A recycled lead (not ready, in contract, unreachable) has no label, and leaves when it is recycled
like one that has its answer: those that stay are taken to be like it, given their fields. To count
it as one more end of watching would let only slow answers speak for it, although it would have
had quick ones too; on simulated leads that put the share of wins too high (docs/science.md).

What has to be true: how quickly and how a lead is answered does not hang on when it came in. That
fails for a campaign that began last month, all of whose answers are quick ones: the weights mend
the share of wins over all leads, not that of the newest. Where wins are quick and losses slow, a
model with campaigns is led far astray. So `label` and with it `leadq train` do without young leads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from features.agreement import DISPOSITIONS, Disposition, LearningRules
from serving.members import Vector

MOST = 10.0
"""No lead speaks for more than so many: above it one early answer would move the model."""
Moments = npt.NDArray[np.datetime64]
_DAY = np.timedelta64(1, "D")
_EPOCH = datetime(1970, 1, 1)
_PLACES = {disposition: place for place, disposition in enumerate(DISPOSITIONS)}
NOT_DECIDED = "open: not decided yet"
_NOT_YET = np.array(
    [NOT_DECIDED if name == "open" else f"{name}: not yet" for name in DISPOSITIONS], dtype=object
)
_TOO_YOUNG = "too young: its horizon is not over"


@dataclass(frozen=True)
class AsOf:
    """What each lead teaches as of a date; all arrays have shape (leads,)."""

    labels: npt.NDArray[np.int8]
    """1 won within the horizon, 0 not; of no meaning where the weight is 0."""
    weight: Vector
    """How many leads it speaks for, at least 1; 0 where it teaches nothing."""
    reasons: npt.NDArray[np.object_]
    """Why it teaches nothing, in words; empty where it teaches."""
    complete: npt.NDArray[np.bool_]
    """Whether it was watched for its whole horizon."""
    clipped: int
    """Leads that would speak for more than `MOST`, and count `MOST`."""

    @property
    def effective(self) -> float:
        """So many leads of equal weight would tell as much (Kish 1965)."""
        return effective_size(self.weight)


def label_as_of(
    start: Moments,
    decided: Moments,
    dispositions: Sequence[Disposition],
    as_of: datetime | None,
    horizon_days: int,
    learning: LearningRules,
    young: bool = False,
    counts: Vector | None = None,
) -> AsOf:
    """Give each lead its label and weight, as far as its outcome was known at a moment.

    Args:
        start: when each lead came in or was handed over; NaT where unknown.
        decided: when its last disposition was given; NaT where nobody wrote it down. Dispositions
            of after `as_of` must not be passed: such a lead is open.
        dispositions: the last disposition of each lead; worked and undecided is `open`.
        as_of: the moment up to which dispositions are known; None where leads have no times.
        horizon_days: a win counts in `start <= t < start + horizon_days`.
        learning: what each disposition teaches. What it calls censored has no label.
        young: whether leads younger than the horizon teach, by weight; else all weights are 1.
        counts: how much each lead counts beside, such as recency: leads are watched for a
            shorter time where newer ones count more. None: all alike.

    """
    codes = np.fromiter(map(_PLACES.__getitem__, dispositions), np.intp, len(dispositions))
    taught = [getattr(learning, name) for name in _PLACES]
    positive = np.array([teaching == "positive" for teaching in taught])[codes]
    censored = np.array([teaching == "censored" for teaching in taught])[codes]
    horizon = np.timedelta64(horizon_days, "D")
    # Without a time of its own the win itself is all that is known.
    in_time = ~(decided >= start + horizon)
    labels = (positive & in_time).astype(np.int8)
    watched = _days(start, as_of)
    complete = watched >= horizon_days
    if young and complete.any():
        after = np.where(codes == _PLACES["open"], np.inf, _after(start, decided))
        after = np.clip(np.nan_to_num(after, nan=np.inf), 0, horizon_days)
        full = censoring_weights(after, watched, counts)
    else:
        full = complete.astype(np.float64)
    reasons = np.where(full == 0, np.array(_TOO_YOUNG, dtype=object), "")
    reasons[censored] = _NOT_YET[codes[censored]]
    weight = np.where(censored, 0.0, full)
    clipped = int((weight > MOST).sum())
    return AsOf(labels, np.minimum(weight, MOST), reasons, complete, clipped)


def moments(times: Sequence[datetime | None]) -> Moments:
    """Return times as an array, NaT where there is none."""
    # Seven times as fast as numpy's own way with so many objects; exact to the microsecond.
    counted = ((time - _EPOCH).total_seconds() if time else np.nan for time in times)
    seconds = np.fromiter(counted, np.float64, len(times))
    known = ~np.isnan(seconds)
    found = np.full(len(times), np.datetime64("NaT"), dtype="datetime64[us]")
    found[known] = np.rint(seconds[known] * 1e6).astype(np.int64).astype("datetime64[us]")
    return found


def censoring_weights(after: Vector, watched: Vector, counts: Vector | None = None) -> Vector:
    """Return 1 / G(after-) of each lead that was watched until its answer, 0 of the others.

    Args:
        after: days until the answer of each lead is known, were it watched for ever, shape (n,).
        watched: days for which each was watched, shape (n,); may be infinite.
        counts: how much each counts, shape (n,); None: all alike.

    """
    counts = np.ones(len(after)) if counts is None else counts
    answered = after <= watched
    ends, which = np.unique(watched[~answered], return_inverse=True)
    ended = np.bincount(which, counts[~answered], len(ends))
    # At the same moment answers come before the end of watching.
    left = _from(np.nextafter(ends, np.inf), after[answered], counts[answered])
    left = left + _from(ends, watched[~answered], counts[~answered])
    watching_on = np.concatenate([[1.0], np.cumprod(1 - ended / left)])
    chance = watching_on[np.searchsorted(ends, after[answered], side="left")]
    weight = np.zeros(len(after))
    weight[answered] = 1 / chance
    return weight


def effective_size(weight: Vector) -> float:
    """Return how many rows of equal weight tell as much as these (Kish 1965)."""
    return float(weight.sum() ** 2 / (weight @ weight)) if weight.any() else 0.0


def _from(bounds: Vector, values: Vector, counts: Vector) -> Vector:
    """Return for each bound how much the values at or above it count."""
    order = np.argsort(values)
    above = np.concatenate([np.cumsum(counts[order][::-1])[::-1], [0.0]])
    return np.asarray(above[np.searchsorted(values[order], bounds, side="left")])


def _after(start: Moments, decided: Moments) -> Vector:
    return np.asarray((decided - start) / _DAY)


def _days(start: Moments, as_of: datetime | None) -> Vector:
    """Return for how long each lead was watched; for ever where there is no time."""
    if as_of is None:
        return np.full(len(start), np.inf)
    return np.nan_to_num(_after(start, np.full(len(start), np.datetime64(as_of))), nan=np.inf)
