"""Two years of selling in a simulated market, by leadq and by what one would do otherwise.

python -m benchmarks.closed_loop [--seeds N] [--set KEY=VALUE] [--figure FILE] [--json]
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.loop_results import Result, judged, show
from benchmarks.policies import AGREED, POLICIES, agreement_for
from benchmarks.sales import Market, Terms, live, warm_up
from features.errors import UsageError
from features.simulate import Settings

WORLD = Settings(leads=36_000, months=36, drift=0.5, seed=1)
"""1,000 leads a month for three years, of which the first is the warm-up."""
USUAL = ("random", "fifo", "static", "naive_bayes", "no_exploration", "leadq")
"""The policies that run where none are named."""


def main(
    seeds: Annotated[int, typer.Option(min=1, help="How many worlds, each with a seed.")] = 1,
    policies: Annotated[
        str | None, typer.Option(help=f"Comma-separated, of: {', '.join(POLICIES)}.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="KEY=VALUE of the world (docs/simulation.md); may repeat."),
    ] = None,
    capacity: Annotated[
        float, typer.Option(min=0.01, max=1, help="Calls as a share of the leads.")
    ] = Terms().capacity,
    patience: Annotated[
        int, typer.Option(min=1, help="Days after which a lead nobody called is gone.")
    ] = Terms().patience,
    retrain: Annotated[
        float, typer.Option(min=0.25, help="Months from one training to the next.")
    ] = Terms().retrain,
    renew: Annotated[
        int, typer.Option(min=1, max=3650, help="Days after which the gate finds a champion old.")
    ] = Terms().renew,
    exploration: Annotated[
        float, typer.Option(min=0, max=0.5, help="Share of the calls by lot, where a policy draws.")
    ] = AGREED.exploration.share,
    figure: Annotated[Path | None, typer.Option(help="Write the figure to this PNG file.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="End with one line of JSON; tables go to stderr.")
    ] = False,
) -> None:
    """Play the closed loop and tell how many of the oracle's wins each policy captures."""
    console = Console(stderr=as_json, width=160)
    terms = replace(Terms(), capacity=capacity, patience=patience, retrain=retrain, renew=renew)
    names = _policies(policies)
    results: dict[str, list[Result]] = {name: [] for name in (*names, "oracle")}
    try:
        world = WORLD.with_overrides(settings or [])
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if world.months < terms.warm_up + 12:
        raise typer.BadParameter(f"months={world.months} leave no year after the warm-up")
    for seed in range(world.seed, world.seed + seeds):
        try:
            played = _played(replace(world, seed=seed), terms, names, exploration)
        except UsageError as error:
            raise typer.BadParameter(str(error)) from None
        for name, result in played.items():
            results[name].append(result)
    show(console, results, seeds)
    if figure:
        from benchmarks.loop_figure import draw

        draw(results, figure)
        print(f"wrote {figure}", file=sys.stderr)
    if as_json:
        shares = {n: [round(r.share, 4) for r in results[n]] for n in names}
        print(json.dumps(shares))


def _policies(chosen: str | None) -> list[str]:
    names = chosen.split(",") if chosen else list(USUAL)
    unknown = [name for name in names if name not in POLICIES]
    if unknown:
        raise typer.BadParameter(
            f"no policy {', '.join(unknown)}; there are: {', '.join(POLICIES)}"
        )
    return [name for name in names if name != "oracle"]


def _played(
    world: Settings, terms: Terms, names: list[str], exploration: float
) -> dict[str, Result]:
    """Let each policy live in the same world from the same past."""
    market = Market.of(world, terms, agreement_for(world, terms))
    past = warm_up(market)
    results: dict[str, Result] = {}
    oracle = None
    for name in ("oracle", *names):
        print(f"seed {world.seed}: {name}", file=sys.stderr, flush=True)
        policy = POLICIES[name]()
        if policy.share:
            policy.share = exploration
        diary, seconds = live(market, policy, past)
        oracle = oracle or diary
        results[name] = judged(market, diary, oracle, policy, seconds)
    return results


if __name__ == "__main__":
    typer.run(main)
