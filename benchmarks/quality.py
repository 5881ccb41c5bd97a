"""leadq beside its alternatives, on real sets and on simulated CRMs whose truth is known.

python benchmarks/quality.py [--sets DIR] [--only SET] [--contenders NAME,NAME] [--json]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.run import CONTENDERS, Outcome, run
from benchmarks.sets import Set, folder_sets
from benchmarks.shared_sets import SHARED, SIMULATED
from benchmarks.tables import show_set, show_summary

DATA = Path(__file__).parents[2] / "shared" / "data"


def main(
    sets: Annotated[
        Path | None,
        typer.Option(help="Folder with NAME.csv and NAME.toml; only these run, without --shared."),
    ] = None,
    shared: Annotated[
        bool, typer.Option("--shared", help="Run the shared and simulated sets beside --sets.")
    ] = False,
    only: Annotated[list[str] | None, typer.Option(help="Run this set alone; may repeat.")] = None,
    contenders: Annotated[
        str | None, typer.Option(help=f"Comma-separated, of: {', '.join(CONTENDERS)}.")
    ] = None,
    with_autogluon: Annotated[
        bool, typer.Option(help="Run AutoGluon too; it gets an environment of its own.")
    ] = False,
    seconds: Annotated[int, typer.Option(min=10, help="AutoGluon's budget for each fit.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Decides splits, fits and resamples.")] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="End with one line of JSON; tables go to stderr.")
    ] = False,
) -> None:
    """Compare leadq with its alternatives; exit code 1 when leadq fails on a set."""
    console = Console(stderr=as_json, width=200)
    names = _contenders(contenders, with_autogluon)
    outcomes: dict[str, Outcome] = {}
    for data in _sets(sets, shared, only or [], seed, console):
        outcomes[data.name] = run(data, names, seed, seconds, _say)
        show_set(console, data.name, outcomes[data.name], seed)
    show_summary(console, outcomes)
    if as_json:
        print(json.dumps({name: _plain(outcome) for name, outcome in outcomes.items()}))
    raise typer.Exit(int(any("leadq" in outcome.errors for outcome in outcomes.values())))


def _say(step: str) -> None:
    print(step, file=sys.stderr, flush=True)


def _contenders(chosen: str | None, with_autogluon: bool) -> list[str]:
    names = chosen.split(",") if chosen else [n for n in CONTENDERS if n != "autogluon"]
    unknown = [name for name in names if name not in CONTENDERS]
    if unknown:
        raise typer.BadParameter(
            f"no contender {', '.join(unknown)}; there are: {', '.join(CONTENDERS)}"
        )
    return [*names, *(["autogluon"] if with_autogluon and "autogluon" not in names else [])]


def _sets(
    folder: Path | None, shared: bool, only: list[str], seed: int, console: Console
) -> list[Set]:
    """Return the sets to run, those of the folder first."""
    try:
        given = folder_sets(folder, only) if folder else []
    except (OSError, ValueError) as error:
        raise typer.BadParameter(str(error)) from None
    if folder and not shared:
        return _at_least_one(given, only)
    wanted = [name for name in (*SHARED, *SIMULATED) if not only or name in only]
    absent = [name for name in wanted if name in SHARED and not (DATA / name).is_dir()]
    if absent:
        console.print(f"left out, because {DATA} does not hold them: {', '.join(absent)}")
    made = [
        SHARED[name](DATA) if name in SHARED else SIMULATED[name](seed)
        for name in wanted
        if name not in absent
    ]
    return _at_least_one([*given, *made], only)


def _at_least_one(sets: list[Set], only: list[str]) -> list[Set]:
    if not sets:
        raise typer.BadParameter(f"no set {', '.join(only)} among those asked for")
    return sets


def _plain(outcome: Outcome) -> dict[str, dict[str, float | str]]:
    figures = {name: found.as_dict() for name, found in outcome.figures.items()}
    errors = {name: {"error": error} for name, error in outcome.errors.items()}
    return {**figures, **errors}  # type: ignore[dict-item]


if __name__ == "__main__":
    typer.run(main)
