"""How often the 90 % interval of a campaign's wins holds them: `python -m benchmarks.coverage`.

On simulated CRMs a model is trained on what was known one horizon before the end. The leads of the
last three months before that moment are counted by campaign and month, as the page of campaigns
counts them, and held against the wins that had come by the end of their horizon.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer

from benchmarks.policies import AGREED
from features.agreement import Agreement
from features.cells import key_of
from features.files import open_table
from features.leads import History
from features.reading import Intake, read_history
from features.simulate import Settings, simulate, write
from features.store.campaigns import age_bounds
from serving.maturing import Fates, fates
from serving.members import Vector
from serving.outlook import USUAL, Counts, Outlook, even, outlooks
from serving.scorer import Scorer
from serving.spread import learned
from training.past import known_at
from training.train import train_on
from training.work import Plan

WORLD = Settings(leads=30_000, months=18)
DRIFTS = (0.3, 0.8, 0.0)
"""By turns, so that calm and restless markets are among the CRMs."""
MONTH = 30
FEWEST = 5
"""Leads of a campaign's month that is judged."""
_OUTCOMES = {
    "won": ["Closed Won"],
    "lost": ["Closed Lost"],
    "unqualified": ["Disqualified"],
    "not_ready": ["Nurture - not ready"],
    "in_contract": ["In contract with competitor"],
    "unreachable": ["No answer"],
    "open": ["Working", "Open"],
}


@dataclass(frozen=True)
class Judged:
    """One campaign's leads of one month: what was expected, and what came."""

    leads: int
    month: int
    """0: the youngest leads."""
    expected: Outlook
    wins: int

    @property
    def covered(self) -> bool:
        """Whether the interval holds the wins."""
        return self.expected.final.low <= self.wins <= self.expected.final.high


def judge(world: Settings) -> list[Judged]:
    """Train on one CRM and judge its recent campaign-months."""
    agreement, history = _told(world)
    end = datetime.combine(world.end, time.min) + timedelta(days=1)
    as_of = end - timedelta(days=world.horizon_days)
    past = known_at(history, agreement.horizon_days, as_of)
    plan = Plan("logistic", 0, "fast", 1.0, None)
    scorer = train_on(past, agreement, plan, lambda _: None, Intake(), "the CRM").scorer
    recent = [
        i
        for i, created in enumerate(past.leads.created)
        if created and created > as_of - timedelta(days=world.horizon_days)
    ]
    seen = past.take(recent)
    later = fates(history, agreement, end)
    won = dict(zip(history.leads.ids, later.won.tolist(), strict=True))
    wins = np.array([won[id_] for id_ in seen.leads.ids], dtype=int)
    return _judged(scorer, seen, fates(seen, agreement, as_of), wins)


def agreed_for(world: Settings) -> Agreement:
    """Return what both sides agree on of a simulated CRM's export."""
    columns = AGREED.columns.model_copy(update={"closed": "closed_at"})
    outcomes = AGREED.outcomes.model_copy(update=_OUTCOMES)
    changed = {"columns": columns, "outcomes": outcomes, "horizon_days": world.horizon_days}
    return AGREED.model_copy(update=changed)


def _told(world: Settings) -> tuple[Agreement, History]:
    agreement = agreed_for(world)
    with tempfile.TemporaryDirectory() as folder:
        write(simulate(world), Path(folder))
        table = open_table(Path(folder) / "export.csv", agreement.export)
        return agreement, read_history(table, agreement, Intake())


def _judged(scorer: Scorer, seen: History, now: Fates, wins: npt.NDArray[np.int_]) -> list[Judged]:
    names = [key_of(cell) for cell in seen.leads.column("campaign")]
    months = (now.age // MONTH).astype(int)
    places: dict[tuple[str, int], int] = {}
    group = np.array(
        [places.setdefault(pair, len(places)) for pair in zip(names, months.tolist(), strict=True)]
    )
    known = learned(scorer.encoder, "campaign")
    spread = scorer.spread or USUAL
    timing = scorer.timing or even(float(scorer.agreement.horizon_days))
    found = outlooks(
        _counts(scorer, seen, now, group),
        len(places),
        timing,
        [spread.of(known(name)) for name, _ in places],
    )
    leads = Counter(group.tolist())
    return [
        Judged(leads[place], month, found[place], int(wins[group == place].sum()))
        for (_, month), place in places.items()
        if leads[place] >= FEWEST
    ]


def _counts(scorer: Scorer, seen: History, now: Fates, group: npt.NDArray[np.intp]) -> Counts:
    """Count leads together by age and grade, as the store does."""
    probability = scorer.probabilities(seen.leads)
    bounds = np.array(age_bounds(scorer.agreement.horizon_days))
    week = np.searchsorted(bounds, now.age, side="right") - 1
    grade = [ord(scorer.agreement.grades.of(p)) for p in probability.tolist()]
    alike, place = np.unique(np.column_stack([group, week, grade]), axis=0, return_inverse=True)

    def summed(values: Vector) -> Vector:
        return np.bincount(place, values, len(alike))

    leads = summed(np.ones(len(group)))
    middle = (bounds[:-1] + bounds[1:]) / 2
    return Counts(
        alike[:, 0].astype(np.intp),
        leads,
        summed(now.won.astype(float)),
        summed(now.open.astype(float)),
        summed(probability) / leads,
        middle[np.minimum(alike[:, 1], len(middle) - 1)],
    )


def table(found: Sequence[Judged]) -> dict[str, dict[str, float]]:
    """Return by kind of campaign-month how many there are, and the share that was covered."""
    kinds = {
        "all": found,
        "1 win to come or more": [j for j in found if _to_come(j) >= 1],
        "4 wins to come or more": [j for j in found if _to_come(j) >= 4],
        **{f"{n}. month": [j for j in found if j.month == n - 1] for n in (1, 2, 3)},
    }
    return {
        name: {
            "campaign_months": len(some),
            "covered": round(sum(j.covered for j in some) / max(len(some), 1), 3),
            "expected": round(sum(j.expected.final.value for j in some), 1),
            "won": sum(j.wins for j in some),
        }
        for name, some in kinds.items()
    }


def _to_come(judged: Judged) -> float:
    return judged.expected.final.value - judged.expected.won


def main(
    seeds: Annotated[int, typer.Option(min=1, help="How many CRMs.")] = 6,
    first: Annotated[int, typer.Option(help="Seed of the first.")] = 21,
    leads: Annotated[int, typer.Option(min=100, help="Leads of each.")] = WORLD.leads,
    as_json: Annotated[bool, typer.Option("--json", help="End with one line of JSON.")] = False,
) -> None:
    """Tell how often the intervals hold."""
    found: list[Judged] = []
    for n in range(seeds):
        drift = DRIFTS[n % len(DRIFTS)]
        print(f"CRM {n + 1} of {seeds}, drift {drift}", file=sys.stderr, flush=True)
        found += judge(replace(WORLD, leads=leads, seed=first + n, drift=drift))
    told = table(found)
    for name, row in told.items():
        print(
            f"{name:24} {row['campaign_months']:5} campaign-months, {row['covered']:.1%} covered, "
            f"{row['expected']:,.0f} wins expected, {row['won']:,} came",
            file=sys.stderr if as_json else sys.stdout,
        )
    if as_json:
        print(json.dumps(told))


if __name__ == "__main__":
    typer.run(main)
