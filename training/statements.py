"""An evaluation in plain sentences that claim no more than the intervals carry."""

from __future__ import annotations

from collections.abc import Iterator

from features.sections import Capacity as AgreedCapacity
from serving.rates import Interval, difference_of_rates
from training.evaluate import Capacity, Evaluation
from training.moved import Drift
from training.segments import SMALLER, Grades

_ALL = 0.995
_DEFAULT_CALLS = AgreedCapacity().leads_per_day
_LEAST_LIFT = 1.05
"""A lift below it would be rounded to 1, as if nothing was shown."""
_ALONE = "leads taken as independent"
"""What the intervals of grades assume; what leads of a day have in common may widen them."""
_NAMED = 5
"""Campaigns or fields that a sentence names; the table has the others."""


def share(value: float) -> str:
    """Write a share: `41 %`, `4.1 %`.

    >>> share(0.412), share(0.0412), share(0.0)
    ('41 %', '4.1 %', '0 %')
    """
    return f"{value * 100:.{_digits(value)}f} %"


def span(interval: Interval) -> str:
    """Write an interval of shares: `38 to 44 %`.

    >>> span(Interval(0.41, 0.38, 0.44))
    '38 to 44 %'
    """
    digits = _digits(interval.high)
    return f"{interval.low * 100:.{digits}f} to {interval.high * 100:.{digits}f} %"


def _digits(value: float) -> int:
    return 1 if 0 < abs(value) < 0.0995 else 0


def order_sentences(evaluation: Evaluation) -> Iterator[str]:
    """Say what calling by the score finds, and nothing where no order is shown."""
    if evaluation.is_flat:
        yield "All judged leads have one probability: there is no order to call by."
        return
    auc = evaluation.figures["roc_auc"]
    told = f"ROC AUC {auc.value:.2f}, 95 % interval {auc.low:.2f} to {auc.high:.2f}; 0.5 is chance"
    if auc.high < 0.5:
        yield f"The order is worse than chance ({told}). Do not call by these scores."
    elif not evaluation.is_better_than_chance:
        yield f"The order is not shown to be better than chance ({told}). Do not call by it."
    else:
        yield _top_tenth(evaluation)
        yield from _at_capacity(evaluation)
        yield from _value(evaluation)


def _top_tenth(evaluation: Evaluation) -> str:
    won, lift = evaluation.figures["won_in_top_tenth"], evaluation.figures["lift_top_tenth"]
    if lift.low <= 1:
        return (
            "The order as a whole is better than chance, but the best tenth is not shown to hold "
            f"more wins than a tenth picked at random ({share(won.value)} of them, 95 % interval "
            f"{span(won)})."
        )
    digits = 2 if lift.low < _LEAST_LIFT else 1
    return (
        f"The best tenth of the judged leads holds {share(won.value)} of their wins (95 % interval "
        f"{span(won)}), {lift.value:.{digits}f} times as many as a tenth picked at random "
        f"({lift.low:.{digits}f} to {lift.high:.{digits}f})."
    )


def calls_a_day(capacity: Capacity) -> str:
    """Name the calls of a day, and whether anybody has set them."""
    each = capacity.leads_per_day
    return f"{each:,} calls a day{' (the default)' if each == _DEFAULT_CALLS else ''}"


def _at_capacity(evaluation: Evaluation) -> Iterator[str]:
    c = evaluation.capacity
    if c is None:
        return
    calls = calls_a_day(c)
    if c.share >= _ALL:
        yield f"{calls} reach every judged lead: the order only says whom to call first."
    elif c.won.low <= c.share:
        yield f"With {calls} it is not shown to reach more wins than calling in any order."
    else:
        yield (
            f"With {calls}, the best of each day first, {share(c.share)} of the judged leads are "
            f"reached, who hold {share(c.won.value)} of the wins (95 % interval {span(c.won)}); of "
            f"those reached {share(c.precision.value)} won ({span(c.precision)}), of all "
            f"{share(evaluation.mean_actual)}."
        )


def _value(evaluation: Evaluation) -> Iterator[str]:
    value = evaluation.figures.get("value_in_top_tenth")
    if value is not None and value.low > 0.1:
        yield (
            f"The best tenth holds {share(value.value)} of the value won (95 % interval "
            f"{span(value)})."
        )


def calibration_sentences(evaluation: Evaluation) -> Iterator[str]:
    """Say whether the probabilities are true: in sum, band by band, and in their spread."""
    yield in_the_large(evaluation)
    r = evaluation.reliability
    if evaluation.is_flat:
        return
    more = r.error > r.error_by_chance_high
    yield (
        f"Over {len(r.bins)} bands of probability, predicted and won lie {_points(r.error)} points "
        f"apart on average, {'more' if more else 'no more'} than true probabilities would show by "
        f"chance in 95 of 100 cases (up to {_points(r.error_by_chance_high)})."
    )
    if r.slope is not None and r.slope.high < 1:
        yield "The probabilities are too bold: leads differ less than they say."
    elif r.slope is not None and r.slope.low > 1:
        yield "The probabilities are too timid: leads differ more than they say."


def in_the_large(evaluation: Evaluation) -> str:
    """Hold the mean probability against the share that won."""
    off = evaluation.figures["predicted_minus_actual"]
    said, was = share(evaluation.mean_predicted), share(evaluation.mean_actual)
    if off.low <= 0 <= off.high:
        won = span(evaluation.figures["mean_actual"])
        return f"It predicts {said}, and {was} won (95 % interval {won}): no difference is shown."
    word, near, far = ("high", off.low, off.high) if off.low > 0 else ("low", -off.high, -off.low)
    by = f"{_reach(near, far)} points (95 % interval)"
    return f"It predicts {said} where {was} won: too {word} by {by}."


def _points(value: float) -> str:
    return f"{value * 100:.1f}"


def _reach(near: float, far: float) -> str:
    digits = 0 if near >= 0.01 else 1
    low, high = f"{near * 100:.{digits}f}", f"{far * 100:.{digits}f}"
    return low if low == high else f"{low} to {high}"


def campaign_sentences(evaluation: Evaluation) -> Iterator[str]:
    """Name the campaigns that won other than expected, once all that were looked at count."""
    looked = len(evaluation.campaigns)
    told = _looked_at([c.name for c in evaluation.campaigns])
    odd = [c for c in evaluation.campaigns if c.wins != "not shown"]
    if looked and not odd:
        none = "none is shown to have won more or fewer than expected"
        yield f"{told}; {none}{_together(evaluation)}."
    for c in sorted(odd, key=lambda c: c.q)[:_NAMED]:
        yield (
            f"{c.name} won {c.wins} than expected: {c.won:,} of {c.rows:,} leads, where "
            f"{c.low:,} to {c.high:,} wins lie within the 95 % interval of true probabilities."
        )
    if len(odd) > _NAMED:
        yield f"{len(odd) - _NAMED} more of {looked} campaigns are off; the table names them."
    if odd and (together := _together(evaluation)):
        yield f"{together[2:].capitalize()} than expected: campaigns may miss by that alone."


def _looked_at(names: list[str]) -> str:
    named = len(names) - (SMALLER in names)
    told = _count(named, "campaign was", "campaigns were")
    if SMALLER not in names:
        return f"{told} looked at"
    return (
        f"{told} looked at, and the smaller ones as one"
        if named
        else "Only small campaigns, looked at as one"
    )


def _together(evaluation: Evaluation) -> str:
    off = evaluation.figures["predicted_minus_actual"]
    if off.low <= 0 <= off.high:
        return ""
    return f"; all together won {'fewer' if off.low > 0 else 'more'}"


def segment_sentences(evaluation: Evaluation) -> Iterator[str]:
    """Say in how many categories the prediction misses, and how many would by chance."""
    found = [s for rows in evaluation.segments.values() for s in rows]
    missed = [s for s in found if not s.actual.low <= s.predicted <= s.actual.high]
    if found:
        yield (
            f"In {len(missed)} of {_count(len(found), 'category', 'categories')} the mean "
            "prediction lies outside the 95 % interval of what was won; of true probabilities "
            f"about {len(found) * 0.05:.1f} would by chance."
        )
    if missed and _together(evaluation):
        yield (
            "The level of all leads is off, and categories miss with it: every field sorts the "
            "same leads anew, so that is one finding, not many."
        )


def grade_sentences(grades: Grades | None) -> Iterator[str]:
    """Say whether better grades win more often, and whether their shares moved."""
    if grades is None or len(grades.rows) < 2:
        return
    rates = ", ".join(f"{g.name} {share(g.actual.value)}" for g in grades.rows)
    if all(order == "kept" for _, _, _, order in grades.order):
        yield f"Each better grade is shown to win more often, {_ALONE}: {rates}."
    else:
        yield f"The grades won: {rates}."
    for better, worse, _, order in grades.order:
        if order == "reversed":
            yield (
                f"Grade {worse} wins more often than grade {better}, {_ALONE}: the grades mislead "
                "there."
            )
        elif order == "not shown":
            yield f"Grade {better} is not shown to win more often than grade {worse}."
    for grade in grades.rows:
        before, after = grade.share_before, grade.share_after
        if before is not None and after is not None:
            off = difference_of_rates(after, before)
            if not off.low <= 0 <= off.high and abs(off.value) >= _FEW_POINTS:
                yield (
                    f"In the later half of the time {share(after.value)} of the leads were of "
                    f"grade {grade.name}, in the earlier half {share(before.value)}."
                )


_FEW_POINTS = 0.03
"""A smaller change of a grade's share is not worth a sentence."""


def drift_sentences(drift: Drift) -> Iterator[str]:
    """Say how the win rate and the fields moved from the leads learned from to the later ones."""
    before, after, off = drift.rate_before, drift.rate_after, drift.rate_change
    told = f"{share(before.value)} of the leads learned from won, {share(after.value)} of the later"
    if off.low <= 0 <= off.high:
        yield f"{told}: not shown to have changed."
    else:
        word, ends = (
            ("more", (off.low, off.high)) if off.low > 0 else ("less", (-off.high, -off.low))
        )
        yield f"{told}: {_reach(*ends)} points {word} (95 % interval)."
    moved = [f for f in drift.fields if f.has_moved]
    if not moved:
        yield f"None of {_count(len(drift.fields), 'field', 'fields')} is shown to have moved much."
        return
    named = ", ".join(f"{f.field} ({share(f.moved_share)} of leads)" for f in moved[:_NAMED])
    yield (
        f"{len(moved)} of {_count(len(drift.fields), 'field', 'fields')} moved; most of all "
        f"{named}: so many leads stand in another band or category than before."
    )


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
