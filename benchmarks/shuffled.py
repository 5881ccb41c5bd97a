"""How often the gate doubts new outcomes, honest and shuffled: `python -m benchmarks.shuffled`.

Sales calls every lead of the simulated market. A champion is made on a day; later its registered
self and a challenger meet the leads that were decided since, with their outcomes as they are and
with all or half of them dealt out anew.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import pairwise

import numpy as np

from benchmarks.closed_loop import WORLD
from benchmarks.learner import Learner, history_of
from benchmarks.policies import POLICIES, agreement_for
from benchmarks.sales import Market, Terms, known, live, warm_up
from features.leads import History
from features.simulate import Settings
from training.labels import DECIDED, label
from training.since import New, new_outcomes
from training.splits import LATER_SHARE

KINDS = {"honest": 0.0, "half of the new outcomes shuffled": 0.5, "all of them": 1.0}
_MADE = (330, 510, 690)
_AGES = (60, 180, 360)
_DRAWS = 60
_BOUNDS = (0, 300, 1000, 10**9)


def dealt(history: History, since: object, share: float, seed: int) -> History:
    """Deal a share of the outcomes that came after a moment out anew among their leads."""
    generator = np.random.default_rng(seed)
    some = [
        i
        for i, (code, closed) in enumerate(zip(history.dispositions, history.closed, strict=True))
        if code in DECIDED and closed and closed > since and generator.random() < share
    ]
    dispositions = list(history.dispositions)
    for i, other in zip(some, generator.permutation(some), strict=True):
        dispositions[i] = history.dispositions[other]
    return replace(history, dispositions=dispositions)


def met(market: Market, seed: int) -> Iterator[tuple[str, New]]:
    """Yield what each champion and its challenger show of the outcomes since."""
    diary, _ = live(market, POLICIES["random"](), warm_up(market))
    learner = Learner(market, partial(known, market, diary))
    for made in _MADE:
        for day in (made + age for age in _AGES if made + age <= market.ends):
            history = history_of(market, now := learner.known(day))
            labelled = label(history, market.agreement, now.as_of)
            came = market.days(labelled.history.leads.created)
            begin = market.month_before(float(np.quantile(came, 1 - LATER_SHARE)))
            scorers = [s for s in map(learner.model, (made, begin)) if s]
            since, first = market.times(np.array([made, begin], dtype=float)).astype(object)
            for kind, share in KINDS.items():
                told = dealt(history, since, share, seed)
                found = new_outcomes(told, first, since, scorers, 0.05, times=_DRAWS)
                if found:
                    yield kind, found


def table(world: Settings, seeds: int) -> Iterator[str]:
    """Yield the table in Markdown."""
    terms = replace(Terms(), capacity=1.0)
    found: dict[str, list[New]] = defaultdict(list)
    for seed in range(1, seeds + 1):
        drawn = replace(world, seed=seed)
        market = Market.of(drawn, terms, agreement_for(drawn, terms))
        for kind, new in met(market, seed):
            found[kind].append(new)
    least = market.agreement.gate.order_kept_at_least
    yield "| outcomes | new leads | times | AUC promised | order kept | doubted |"
    yield "|---|---|---|---|---|---|"
    for kind, new in found.items():
        for low, high in pairwise(_BOUNDS):
            part = [n for n in new if low <= n.leads < high]
            if part:
                promised = np.median([n.promised for n in part])
                kept = np.median([n.kept.value for n in part])
                doubted = np.mean([n.kept.high < least for n in part])
                size = f"{low:,} on" if high == _BOUNDS[-1] else f"{low:,} to {high:,}"
                yield (
                    f"| {kind} | {size} | {len(part)} | {promised:.2f} | {kept:.2f} "
                    f"| {doubted:.0%} |"
                )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--leads", type=int, default=9000)
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE")
    asked = parser.parse_args()
    for line in table(WORLD.with_overrides([f"leads={asked.leads}", *asked.set]), asked.seeds):
        print(line, flush=True)


if __name__ == "__main__":
    main()
