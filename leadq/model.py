"""The commands about models: train one, hold runs side by side, make one champion."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from features.errors import UsageError
from leadq.common import (
    DEFAULT_AGREEMENT,
    AgreementFile,
    AsJson,
    Export,
    Who,
    err,
    keep_rejects,
    need_port,
    now,
    open_home,
    open_the_store,
    out,
    print_json,
    read_agreement,
    say,
    standing_of,
    this_process,
    working,
    write_text,
)

if TYPE_CHECKING:
    from features.agreement import Agreement
    from features.home import Home
    from features.store.database import Store
    from training.fit import Recipe
    from training.retrain import Retrained
    from training.tune import Preset

commands = typer.Typer()


@commands.command(epilog="Example: leadq train crm.csv --name 'with webinar fields' --promote")
def train(
    export: Export,
    agreement: AgreementFile = DEFAULT_AGREEMENT,
    name: Annotated[str | None, typer.Option(help="A name for the run.")] = None,
    recipe: Annotated[
        Literal["blend", "trees", "logistic"], typer.Option(help="Which members the model has.")
    ] = "blend",
    seed: Annotated[
        int, typer.Option(min=0, max=2**31 - 1, help="The same seed gives the same model.")
    ] = 0,
    preset: Annotated[
        Literal["fast", "default", "best"],
        typer.Option(help="How much is tried; best searches as long as --seconds says."),
    ] = "default",
    seconds: Annotated[float, typer.Option(min=1, help="How long preset best may search.")] = 300,
    trials: Annotated[
        int | None,
        typer.Option(min=1, help="Search so many times in place of --seconds; reproducible."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option("-o", "--report", help="Where to write the report (HTML).")
    ] = None,
    promote: Annotated[bool, typer.Option("--promote", help="Make it champion.")] = False,
    as_of: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Train as if it were this past day."),
    ] = None,
    who: Who = "cli",
    as_json: AsJson = False,
) -> None:
    """Train a model on an export, judge it on later leads, and register it.

    With --as-of it learns no outcome that came about from that day on. What it would have said of
    the leads since is told to nobody; proposals are tried on it. Leaks are looked for in all that
    the export knows, and agreed points that init proposed may know what came later.
    """
    from features.leads import has_ids
    from features.store.exports import keep_export
    from features.store.hindsight import keep_hindsight
    from serving.summary import intake_lines
    from training.page import page
    from training.promotion import catch_up
    from training.summary import hindsight_line, training_json, training_lines
    from training.train import train as run

    home, moment = open_home(), now()
    agreed = read_agreement(agreement)
    with working("starting") as progress, open_the_store(home) as store:
        catch_up(home, store, moment)
        result = run(
            export,
            agreed,
            home,
            name,
            recipe,
            seed,
            promote,
            progress,
            preset,
            seconds,
            trials,
            lambda history: keep_export(store, history, agreed, moment),
            as_of,
        )
        catch_up(home, store, moment, "train", result.verdict.sentence, who)
        said = 0  # without ids nothing is kept of any lead
        if result.hindsight is not None and has_ids(agreed):
            said = keep_hindsight(store, result.hindsight, result.registered.version)
    rejects = keep_rejects(home, export, result.intake)
    standing = standing_of(home, agreed)
    say(*training_lines(result, agreed, standing))
    if as_of is not None:
        say(hindsight_line(said, as_of))
    say(*intake_lines(result.intake, rejects))
    written = report or home.folder("reports") / f"version-{result.registered.version}.html"
    write_text(written, page(result, name or recipe, standing))
    say(f"The report for both sides: {written}")
    if as_json:
        told = training_json(result, agreed, standing)
        scored = {} if as_of is None else {"scored_in_hindsight": said}
        print_json({**told, **scored, "report": str(written)})


@commands.command(epilog="Example: leadq compare 2 5 --top 500")
def compare(
    versions: Annotated[
        list[str] | None, typer.Argument(help="Compare these versions alone; default: all.")
    ] = None,
    top: Annotated[
        int | None, typer.Option(min=1, help="Count wins among the best N; default: a tenth.")
    ] = None,
    as_json: AsJson = False,
    page: Annotated[bool, typer.Option("--open", help="Serve MLflow's page as well.")] = False,
    host: Annotated[str, typer.Option(help="Where the page listens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Where the page listens.")] = 5000,
    agreement: AgreementFile = DEFAULT_AGREEMENT,
) -> None:
    """Hold runs against the champion, on the same later leads, and say what is shown."""
    from training.compare import compare as run
    from training.compare_words import compare_json, pair_lines, runs_table

    home = open_home()
    groups = run(home, versions or [], top)
    for group in groups:
        out.print(runs_table(group), markup=False)
        say(*pair_lines(group))
    if as_json:
        print_json(compare_json(groups))
    if page:
        _serve_mlflow(home, host, port)


def _serve_mlflow(home: Home, host: str, port: int) -> NoReturn:
    """Become MLflow's server, without its job runners: two processes instead of ten."""
    if home.is_remote:
        raise UsageError(f"MLflow is served already: open {home.tracking_uri}")
    need_port(host, port)
    err.print(f"MLflow's page: http://{host}:{port} (stop with Ctrl-C)")
    os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    command = [sys.executable, "-m", "mlflow", "server", "--host", host, "--port", str(port)]
    command += ["--backend-store-uri", home.tracking_uri, "--workers", "1"]
    command += ["--default-artifact-root", home.folder("artefacts").as_uri()]
    os.execv(sys.executable, command)  # noqa: S606  # fixed words and two options


@commands.command(epilog="Example: leadq promote 3 --as kim")
def promote(
    version: Annotated[str, typer.Argument(help="The version, as train and compare name it.")],
    who: Who = "cli",
    agreement: AgreementFile = DEFAULT_AGREEMENT,
    as_json: AsJson = False,
) -> None:
    """Make a version the champion: the one that scores."""
    from training.promotion import make_champion

    home = open_home()
    with open_the_store(home) as store:
        before = make_champion(home, store, version, "promote", "by hand", who, now())
    if before == version:
        out.print(f"Version {version} is champion already")
    else:
        out.print(f"Version {version} is champion" + (f"; before: {before}" if before else ""))
    if as_json:
        print_json({"champion": version, "before": before})


@commands.command(epilog="Example: leadq rollback --as kim")
def rollback(
    who: Who = "cli",
    agreement: AgreementFile = DEFAULT_AGREEMENT,
    as_json: AsJson = False,
) -> None:
    """Make the champion before this one the champion again: one step back."""
    from training.promotion import roll_back

    home = open_home()
    with open_the_store(home) as store:
        version, before = roll_back(home, store, "by hand", who, now())
    out.print(f"Version {version} is champion again; before: {before}")
    if as_json:
        print_json({"champion": version, "before": before})


@commands.command(epilog="Example: leadq retrain --if-due")
def retrain(
    if_due: Annotated[
        bool, typer.Option("--if-due", help="Act only if the agreement's [retrain] says so.")
    ] = False,
    recipe: Annotated[
        Literal["blend", "trees", "logistic"] | None,
        typer.Option(help="Which members the model has; default: as the champion."),
    ] = None,
    preset: Annotated[
        Literal["fast", "default", "best"] | None,
        typer.Option(help="How much is tried; default: as for the champion."),
    ] = None,
    who: Who = "cli",
    agreement: AgreementFile = DEFAULT_AGREEMENT,
    as_json: AsJson = False,
) -> None:
    """Train a challenger on what the store knows; promote it if it passes the gate.

    Exit code 0: promoted, refused, not due, or another process is retraining already.
    """
    from features.store.jobs import HeldError
    from training.retrain_words import held_json, retrained_json, retrained_lines

    home, agreed = open_home(), read_agreement(agreement)
    with working("starting") as progress, open_the_store(home) as store:
        try:
            result, report = retrained(home, store, agreed, who, progress, recipe, preset, if_due)
        except HeldError as held:
            say(f"Nothing done: {held}")
            if as_json:
                print_json(held_json(held))
            return
    say(*retrained_lines(result))
    if report is not None:
        say(f"The report for both sides: {report}")
    if as_json:
        print_json(retrained_json(result, report))


def retrained(
    home: Home,
    store: Store,
    agreed: Agreement,
    who: str,
    progress: Callable[[str], None],
    recipe: Recipe | None = None,
    preset: Preset | None = None,
    if_due: bool = False,
) -> tuple[Retrained, Path | None]:
    """Retrain, and write the report of the training; see `training.retrain`.

    Raises:
        HeldError: when another process is retraining.

    """
    from training.page import page
    from training.retrain import Retraining

    retraining = Retraining(home, store, agreed, now, who, progress)
    result = retraining.run(recipe, preset, if_due, this_process())
    if result.training is None:
        return result, None
    report = home.folder("reports") / f"version-{result.training.registered.version}.html"
    write_text(report, page(result.training, "retrain"))
    return result, report
