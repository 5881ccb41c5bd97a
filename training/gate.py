"""The gate: what a retrained challenger must show on later leads before it takes over.

Champion and challenger are held against each other on one window of leads that came in after both
fits ended. All of this must hold; each bound is broken only by what is shown, `gate.sure` of it:

    leaks            no field of the challenger is doubted that the champion did not use so
    known outcomes   those that were known when the champion was made have not turned (`since.py`)
    new outcomes     champion or challenger orders them about as well as the champion promises
    chance           the challenger is shown to sort better than chance (`shown.py`)
    too good         it does not close most of the gap between the champion's AUC and 1
    wins             it is not shown to find fewer wins with the agreed calls a day
    order            unless it is shown to find more wins, its AUC is not shown to be lower
    gain             it is shown to find more wins; or, where neither is shown to, its log loss is
                     shown to be lower; or, where the champion is old, is not higher
    calibration      mean predicted by mean actual lies within the bounds, overall and in each
                     large campaign, or not much further off than the champion's
    grades           shares of grades, and the A leads, do not move further than agreed, unless
                     that mends a champion shown to expect too many or too few wins

So a challenger that is only as good stays a challenger: a change that nobody gains by costs trust.
But a window of some thousand leads seldom shows the one or two percent of the wins that a model
loses in half a year where the market moves. So after `gate.renew_after_days` no proof of a gain is
asked: the champion stays only where the challenger's log loss on the window is higher, or where it
fails another check.
How often equal, better and worse challengers pass is measured in docs/science.md.

Where the agreed points score, or no model does yet, they are the champion. Then the rule by which
`train` lets a model take over from the points decides the gain (`shown.takes_over`), and grades may
move: they were never a model's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from features.agreement import Agreement
from features.points import PointsEncoder
from serving.members import Vector
from serving.scorer import Scorer
from training.contest import Contest, meet
from training.gate_checks import NAMES, Case, Champion, Check, checks_of
from training.intervals import cluster_codes
from training.labels import Labelled
from training.leaks import Finding
from training.leaks import Verdict as Doubt
from training.paired import DRAWS
from training.shown import shown, takes_over
from training.since import NOTHING_TOLD, Since
from training.statements import share
from training.window import Window, window_of


@dataclass(frozen=True)
class Verdict:
    """Whether the challenger takes over, and why."""

    promoted: bool
    headline: str
    judged_on: str
    """On which leads, in a sentence."""
    checks: tuple[Check, ...]

    @property
    def reasons(self) -> list[str]:
        """Why it is refused: the sentence of each check that it does not pass."""
        return [check.sentence for check in self.checks if not check.passed]

    def refused(self, name: str, bound: str, sentence: str) -> Verdict:
        """Return it as a refusal for one more check that is not passed."""
        check = Check(name, None, None, None, bound, False, sentence)
        return Verdict(False, f"refused: {sentence}", self.judged_on, (check, *self.checks))

    def table(self) -> list[dict[str, Any]]:
        """Return one row a check, as JSON values."""
        return [_row(check) for check in self.checks]

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "promoted": self.promoted,
            "headline": self.headline,
            "judged_on": self.judged_on,
            "reasons": self.reasons,
            "checks": self.table(),
        }


def contest(
    champion: Scorer,
    challenger: Scorer,
    labelled: Labelled,
    suspects: Mapping[str, Finding] | None = None,
    weight: Vector | None = None,
    came_in: int | None = None,
    seed: int = 0,
    age_days: float = 0.0,
    since: Since = NOTHING_TOLD,
) -> Verdict:
    """Let both score the window as they would be served, and decide.

    Args:
        champion: a fit that ended before the window; where there is no champion, the agreed
            points (`points.rules_scorer`), which would score.
        challenger: another such fit. Its agreement gives capacity, grades and the gate's rules.
        labelled: the leads of the window, n of them.
        suspects: as `new_suspects` finds them.
        weight: how many leads each stands for, shape (n,); None: one each.
        came_in: all leads of these days, with an outcome or without; None: n.
        seed: of the draws.
        age_days: as in `decide`.
        since: what the outcomes since the champion's training look like.

    """
    agreement, leads = challenger.agreement, labelled.history.leads
    known = {field.field for field in champion.encoder.fields}
    return decide(
        window_of(labelled, agreement, weight, came_in),
        champion.probabilities(leads),
        challenger.probabilities(leads),
        agreement,
        suspects or {},
        "points" if is_points(champion) else "model",
        [f.field for f in challenger.encoder.fields if f.field not in known],
        seed,
        age_days=age_days,
        since=since,
    )


def is_points(scorer: Scorer) -> bool:
    """Tell whether a scorer is that of the agreed points."""
    return all(isinstance(field, PointsEncoder) for field in scorer.encoder.fields)


def new_suspects(
    findings: Mapping[str, Finding], used: Iterable[str], before: Mapping[str, Doubt]
) -> dict[str, Finding]:
    """Return the doubted fields of a challenger that its champion did not already use so.

    A field may be used on somebody's word (`why`); but what was doubted last week need not be
    promoted by night. One promotion by hand, and the next champion has used it.

    Args:
        findings: on the fields of the challenger's leads.
        used: the fields that the challenger is taught from.
        before: each field that the champion was taught from, with the verdict on it then.

    """
    return {
        name: findings[name]
        for name in used
        if name in findings
        and findings[name].verdict != "fine"
        and before.get(name, "fine") == "fine"
    }


def decide(
    window: Window,
    champion: Vector,
    challenger: Vector,
    agreement: Agreement,
    suspects: Mapping[str, Finding] | None = None,
    against: Champion = "model",
    new_fields: Sequence[str] = (),
    seed: int = 0,
    times: int = DRAWS,
    age_days: float = 0.0,
    since: Since = NOTHING_TOLD,
) -> Verdict:
    """Decide by what both said of leads that neither had seen.

    Args:
        window: the leads, with their outcomes.
        champion: its probabilities, shape (rows,).
        challenger: its probabilities, shape (rows,).
        agreement: gives capacity, grades and the gate's rules.
        suspects: doubted fields of the challenger that are new since the champion.
        against: whether the champion is a model or the agreed points.
        new_fields: fields that the champion does not use.
        seed: of the draws.
        times: how often days (or leads) are drawn anew.
        age_days: from the moment up to which the champion knew outcomes to that of the challenger.
        since: what the outcomes since the champion's training look like.

    """
    if not window.both_outcomes:
        return _nothing_to_judge(window, against)
    found = meet(window, champion, challenger, agreement, seed, times)
    unit, units = cluster_codes(window.judged(challenger))
    clusters = unit if units < len(unit) else None
    over_points = None
    if against == "points":
        over_points = takes_over(window.won, challenger, champion, clusters, seed)
    case = Case(
        found,
        agreement.gate,
        against,
        shown(window.won, challenger, clusters, seed),
        over_points,
        suspects or {},
        new_fields,
        age_days,
        since,
    )
    checks = tuple(checks_of(case))
    failed = [check for check in checks if not check.passed]
    judged_on = _judged_on(window, found, agreement.gate.sure)
    return Verdict(not failed, _headline(checks, failed), judged_on, checks)


def _nothing_to_judge(window: Window, against: Champion) -> Verdict:
    lacks = "won" if not window.won.any() else "lost"
    told = (
        f"of {len(window.won):,} later leads none was {lacks}, so nothing can be shown; "
        f"{NAMES[against]} stays until there are some"
    )
    check = Check("outcomes", float(window.won.sum()), None, None, "both outcomes", False, told)
    return Verdict(False, f"refused: {told}", f"judged on {len(window.won):,} leads", (check,))


def _headline(checks: tuple[Check, ...], failed: list[Check]) -> str:
    if not failed:
        return f"promoted: {next(c.sentence for c in checks if c.name == 'gain')}"
    more = len(failed) - 1
    also = f" (and {more} more {'check fails' if more == 1 else 'checks fail'})" if more else ""
    return f"refused: {failed[0].sentence}{also}"


def _judged_on(window: Window, found: Contest, sure: float) -> str:
    days = f" of {window.days}" if window.days else ""
    drawn = "whole days" if found.drawn_by == "day" else "single leads"
    unseen = "came in after both fits ended" if window.days else "neither fit has learned from"
    return (
        f"judged on {found.rows:,} leads{days}, {found.won:,} of them won, which {unseen}; "
        "what is registered was fitted anew with later leads too and is not judged "
        f"itself. Bounds are one-sided, each {share(sure)} sure, from draws of {drawn}"
    )


def _row(check: Check) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and not np.isfinite(value) else value
        for name, value in asdict(check).items()
    }
