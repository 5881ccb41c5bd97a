"""The checks of the gate, each with its figure, its bound and a sentence. The rules: `gate.py`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from features.agreement import Gate
from serving.rates import Interval
from training.contest import Both, Contest
from training.leaks import Finding
from training.shown import Shown
from training.shown import Verdict as TakesOver
from training.since import NOTHING_TOLD, Since
from training.statements import share

Champion = Literal["model", "points"]
NAMES: Mapping[Champion, str] = {"model": "the champion", "points": "the agreed points"}
_HIGH_AUC = 0.8
"""Below it no order is too good to be true."""
_TOO_HIGH_AUC = 0.95
"""From here on it is, where only points come before: they may leave much open."""
_FURTHER = 1.1
"""A ratio out of bounds is borne where the champion's is as far off but for this factor."""
_NOTHING = 1e-9
_DOUBTED = (
    "Look whether the last files gave each lead its own outcome; if what they say is right, "
    "promote by hand"
)


@dataclass(frozen=True)
class Check:
    """One thing that a challenger must show, or must not be shown."""

    name: str
    figure: float | None
    low: float | None
    """One-sided bounds of the figure; None where there are none."""
    high: float | None
    bound: str
    """What the figure is held against, in words."""
    passed: bool
    sentence: str


@dataclass(frozen=True)
class Case:
    """What the checks look at."""

    contest: Contest
    gate: Gate
    champion: Champion
    shown: Shown
    """What the window shows of the challenger alone."""
    over_points: TakesOver | None
    """Whether it takes over from the points; None where a model is champion."""
    suspects: Mapping[str, Finding]
    new_fields: Sequence[str]
    age_days: float = 0.0
    """By how much longer the challenger could learn than the champion."""
    since: Since = NOTHING_TOLD
    """What the outcomes since the champion's training look like beside what was known before."""

    @property
    def name(self) -> str:
        """What the challenger is held against."""
        return NAMES[self.champion]

    @property
    def finds_more(self) -> bool:
        """Whether more wins are shown to be found, and that decides."""
        return self.gate.decide_by == "wins_at_capacity" and self.contest.wins.low > _NOTHING

    @property
    def is_old(self) -> bool:
        """Whether the champion is so old that a challenger need not be shown to be better."""
        return self.age_days >= self.gate.renew_after_days


def checks_of(case: Case) -> Iterator[Check]:
    """Yield every check, those first that say that something is wrong with the challenger."""
    yield from _leaks(case)
    yield _known_outcomes(case)
    yield _new_outcomes(case)
    yield _too_good(case)
    yield _chance(case)
    yield _wins(case)
    yield _order(case)
    yield _gain(case)
    yield _calibration("calibration", case.contest.ratio, case)
    for name, ratio in case.contest.campaigns.items():
        yield _calibration(f"calibration of {name}", ratio, case)
    yield _grade_shift(case)
    yield _a_leads(case)


def _leaks(case: Case) -> Iterator[Check]:
    bound = "no doubted field that the champion did not use"
    if not case.suspects:
        said = f"no field is doubted that was not in use under {case.name} before"
        yield Check("leaks", 0.0, None, None, bound, True, said)
    for field, finding in case.suspects.items():
        said = (
            f"the field {field!r} may give the outcome away, and is new since {case.name} "
            f"({finding.verdict}: {finding.reason}); leave it out, or promote by hand if you know "
            "that it is honest"
        )
        yield Check(f"leak in {field}", finding.evidence.auc_alone, None, None, bound, False, said)


def _known_outcomes(case: Case) -> Check:
    name, least, known = "known outcomes", case.gate.outcomes_agree_at_least, case.since.known
    bound = f"agreement of at least {least:g}"
    if known is None:
        told = f"no outcome was known before {case.name} was made, so none can have turned"
        return Check(name, None, None, None, bound, True, told)
    passed = known.kappa.high >= least
    told = (
        f"of {known.leads:,} leads decided before {case.name} was made {known.turned:,} have "
        f"turned from won to not won or back: agreement {known.kappa.value:.2f} (Cohen's kappa)"
    )
    if not passed:
        told = (
            f"the outcomes of leads that were known have changed: {told}, at least {least:g} "
            f"agreed. {_DOUBTED}"
        )
    return _check(name, known.kappa, bound, passed, told)


def _new_outcomes(case: Case) -> Check:
    name, least, new = "new outcomes", case.gate.order_kept_at_least, case.since.new
    bound = f"at least {least:g} of the order that {case.name} promises"
    if new is None:
        told = f"too few outcomes are new since {case.name} to say whether they fit what it knows"
        return Check(name, None, None, None, bound, True, told)
    passed = new.kept.high >= least
    before, after = new.auc_of
    told = (
        f"{new.leads:,} leads decided since, {new.won:,} of them won, are ordered with an AUC of "
        f"{before:.3f} by {case.name} as it is registered and {after:.3f} by the challenger, where "
        f"{new.promised:.3f} is promised"
    )
    if not passed:
        told = (
            f"the new outcomes fit neither what was known before nor what was learned since: {told}"
            f"; {new.kept.value:.2f} of that order is kept, at least {least:g} agreed. {_DOUBTED}"
        )
    return _check(name, new.kept, bound, passed, told)


def _too_good(case: Case) -> Check:
    """A leak in the window lifts the challenger there as well, so a leap in AUC is no merit."""
    before, after = case.contest.auc_of
    before = max(before, 0.5)
    closed = (after - before) / (1 - before) if before < 1 else 0.0
    if case.champion == "model":
        leaps = after >= _HIGH_AUC and closed >= case.gate.too_good
        bound = f"below {case.gate.too_good:g} of what the AUC lacked of 1"
    else:
        leaps, bound = after >= _TOO_HIGH_AUC, f"AUC below {_TOO_HIGH_AUC}"
    told = f"its AUC is {after:.3f}, that of {case.name} {case.contest.auc_of[0]:.3f}"
    if leaps:
        fields = ", ".join(map(repr, case.new_fields[:5]))
        look = f"the fields new since then: {fields}" if fields else "how its fields are written"
        told = (
            f"it looks too good to be true: {told}. Better models seldom leap so far, leaked ones "
            f"do, on later leads too; look at {look}, and promote by hand if they are honest"
        )
    return Check("too good", closed, None, None, bound, not leaps, told)


def _chance(case: Case) -> Check:
    found = case.shown
    told = f"it is shown to sort better than chance ({found.figures})"
    if not found.sorts:
        told = (
            "it is not shown to sort better than chance, no more than a model of shuffled labels "
            f"would be ({found.figures})"
        )
    return Check("chance", found.auc, found.auc_low, None, "above 0.5", found.sorts, told)


def _wins(case: Case) -> Check:
    wins, passed = case.contest.wins, case.contest.wins.high >= -_NOTHING
    return _check("wins", wins, "not shown to be fewer", passed, _wins_words(case))


def _ties(case: Case) -> bool:
    return case.contest.wins.low <= _NOTHING and case.contest.wins.high >= -_NOTHING


def _wins_words(case: Case) -> str:
    c, wins = case.contest, case.contest.wins
    if c.calls is None:
        where = "in the best tenth"
    elif c.calls_all:
        return "sales can work all of these leads, so no order finds more wins"
    else:
        where = f"at {c.calls:,.0f} calls a day"
    if abs(wins.value) < 0.05:
        told = f"it finds as many wins {where} as {case.name}"
    else:
        more = "more" if wins.value > 0 else "fewer"
        told = f"it finds {abs(wins.value):,.1f} {more} wins {where} than {case.name}"
    return f"{told} (of {c.wins_found:,.1f}; {wins.low:+,.1f} to {wins.high:+,.1f})"


def _order(case: Case) -> Check:
    auc = case.contest.auc
    passed = case.finds_more or auc.high >= -_NOTHING
    than = f"its AUC differs by {auc.value:+.4f} ({auc.low:+.4f} to {auc.high:+.4f})"
    told = f"its order is not shown to be worse: {than}"
    if auc.high < -_NOTHING:
        told = f"its order is shown to be worse: {than}"
        told += ", but it is shown to find more wins" if passed else ""
    return _check("order", auc, "not shown to be lower", passed, told)


def _gain(case: Case) -> Check:
    loss = case.contest.log_loss
    lower = loss.high < -_NOTHING
    bound = "more wins shown, or a lower log loss"
    if case.is_old:
        bound += "; against an old champion no higher one"
    than = f"its log loss differs by {loss.value:+.4f} ({loss.low:+.4f} to {loss.high:+.4f})"
    if case.over_points is not None:
        passed = case.over_points.scorer == "model"
        return _check("gain", loss, bound, passed, case.over_points.sentence)
    if case.finds_more:
        told = f"{_wins_words(case)}: shown to be more"
        return _check("gain", loss, bound, True, told)
    if case.contest.identical:
        told = f"it predicts the same as {case.name}: nothing would be gained"
        return _check("gain", loss, bound, False, told)
    if case.is_old and not lower and loss.value <= _NOTHING:
        told = (
            f"it knows {case.age_days:.0f} days more than {case.name}, which is old (agreed: "
            f"{case.gate.renew_after_days}), and its probabilities are no worse: {than}"
        )
        return _check("gain", loss, bound, True, told)
    told = f"no gain in its probabilities is shown: {than}"
    if lower:
        told = f"its probabilities are shown to be truer: {than}"
    if case.gate.decide_by == "wins_at_capacity" and _ties(case):
        told = f"neither is shown to find more wins, and {told}"
    return _check("gain", loss, bound, lower, told)


def _calibration(name: str, ratio: Both, case: Case) -> Check:
    low, high = case.gate.predicted_to_actual_at_least, case.gate.predicted_to_actual_at_most
    mine, theirs = ratio.challenger, ratio.champion
    outside = _outside(mine, case.gate)
    near = abs(math.log(mine.value)) <= abs(math.log(theirs.value)) + math.log(_FURTHER)
    where = "" if name == "calibration" else f" for {name.removeprefix('calibration of ')!r}"
    told = (
        f"it expects {mine.value:.2f} times the wins that there were{where} ({mine.low:.2f} to "
        f"{mine.high:.2f}; agreed: {low:g} to {high:g})"
    )
    if outside and near:
        told += f"; {case.name} is no nearer with {theirs.value:.2f}, so this does not stop it"
    elif outside:
        told = f"its probabilities are shown to be off: {told}; {case.name}: {theirs.value:.2f}"
    elif not low <= mine.value <= high:
        told += ": not shown to be outside what is agreed"
    return _check(name, mine, f"{low:g} to {high:g}", not outside or near, told)


def _outside(ratio: Interval, gate: Gate) -> bool:
    """Whether predicted by actual is shown to lie outside the agreed bounds."""
    return (
        ratio.low > gate.predicted_to_actual_at_most
        or ratio.high < gate.predicted_to_actual_at_least
    )


def _mends(case: Case) -> bool:
    """Whether the champion is shown to expect too many or too few wins, and the challenger less so.

    Both are held against the same wins, so which of them is nearer does not hang on these.
    """
    mine, theirs = case.contest.ratio.challenger, case.contest.ratio.champion
    nearer = abs(math.log(mine.value)) < abs(math.log(theirs.value))
    return nearer and not theirs.low <= 1 <= theirs.high


def _grade_shift(case: Case) -> Check:
    shift, most = case.contest.grade_shift, case.gate.most_grade_shift
    before, after = (", ".join(map(share, part)) for part in case.contest.shares)
    told = f"shares of A to D: {after} instead of {before}, a shift of {share(shift.value)}"
    return _stays("grade shares", shift, most, told, case)


def _a_leads(case: Case) -> Check:
    lost, most = case.contest.a_lost, case.gate.most_a_leads_lost
    if lost is None:
        told = f"{case.name} grades none of these leads A"
        return Check("A leads", None, None, None, f"at most {share(most)}", True, told)
    told = f"{share(lost.value)} of {case.contest.a_leads:,} A leads would become C or D"
    return _stays("A leads", lost, most, told, case)


def _stays(name: str, moved: Interval, most: float, told: str, case: Case) -> Check:
    """Judge a move of grades, which must not happen silently."""
    beyond = moved.low > most
    passed = not beyond or case.champion == "points" or _mends(case)
    if beyond and not passed:
        told = f"grades would move further than agreed: {told} (agreed: at most {share(most)})"
    elif beyond and case.champion == "points":
        told += "; a first model may move the grades of points"
    elif beyond:
        told += (
            f"; that mends {case.name}, which expects {case.contest.ratio.champion.value:.2f} "
            "times the wins that there were"
        )
    return _check(name, moved, f"at most {share(most)}", passed, told)


def _check(name: str, figure: Interval, bound: str, passed: bool, told: str) -> Check:
    return Check(name, figure.value, figure.low, figure.high, bound, passed, told)
