"""The commands about leads: score a file of them, serve their scores, simulate some."""

from __future__ import annotations

import os
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.errors import UsageError
from leadq.common import (
    DEFAULT_AGREEMENT,
    DONE_WITH_WARNINGS,
    AgreementFile,
    AsJson,
    Export,
    champion_of,
    err,
    need_loopback,
    need_port,
    now,
    open_home,
    open_the_store,
    out,
    print_json,
    publish_champion,
    read_agreement,
    say,
    standing_of,
    steps,
    working,
)

if TYPE_CHECKING:
    from features.agreement import Agreement
    from features.home import Home
    from features.leads import Leads
    from features.store.database import Store
    from serving.artefact import LoadedModel
    from serving.batch import Keep, Scores

commands = typer.Typer()


class Engine(StrEnum):
    """What scores a file."""

    LOCAL = "local"
    SPARK = "spark"


@commands.command(epilog="Example: leadq score tonight.csv -o scored.parquet --reasons 3")
def score(
    source: Export,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="A .csv, .parquet or .jsonl file, or a table.")
    ],
    reasons: Annotated[int, typer.Option(min=0, max=50, help="Reasons for each lead.")] = 5,
    keep: Annotated[
        str, typer.Option("--keep", help="Columns of the input that go along: a,b or all.")
    ] = "",
    max_reject: Annotated[
        str, typer.Option(help="Share of the rows that may be set aside; beyond it: stop.")
    ] = "10%",
    force: Annotated[
        bool, typer.Option("--force", help="Score again what this champion has scored already.")
    ] = False,
    engine: Annotated[
        Engine, typer.Option(help="What scores: this machine, or a cluster of Spark.")
    ] = Engine.LOCAL,
    agreement: AgreementFile = DEFAULT_AGREEMENT,
    as_json: AsJson = False,
) -> None:
    """Score a nightly export with the champion, into a file.

    Killed at any moment, it leaves the old output or the new one; the same command again goes on.
    Exit code 3: done, and the file is so unusual that somebody must look.
    """
    from serving.batch import Choices, Kept, score_file
    from serving.summary import scoring_json, scoring_lines

    choices = Choices(columns_of(keep), share_of(max_reject, "--max-reject"), force)
    home = open_home()
    if engine is Engine.SPARK:
        from leadq.spark import score_by_spark

        score_by_spark(home, source, output, reasons, choices, as_json)
        return
    with open_the_store(home) as store, steps() as progress:
        progress("loading the champion")
        model = champion_of(home, store)
        agreed = model.artefact.scorer.agreement
        target = _file_for(home, output, agreed)
        _warn_of_other_agreement(home, agreement, agreed)
        summary = score_file(
            model,
            source,
            target,
            reasons,
            choices,
            lambda done: progress(done.sentence),
            Kept(now(), keeping(store, model)),
        )
        if target != output:
            progress("bringing the scores into the table")
            _into_table(output, target, agreed)
    standing = standing_of(home, agreed)
    say(*scoring_lines(summary, model, output, standing))
    if as_json:
        print_json(scoring_json(summary, model, output, standing))
    if summary.alarming:
        raise typer.Exit(DONE_WITH_WARNINGS)


def _file_for(home: Home, output: Path, agreed: Agreement) -> Path:
    """Return the file that scores are written to: the output, or one that goes into a table."""
    from hashlib import sha256

    from features.leads import has_ids
    from features.sql_table import is_address

    if not is_address(output):
        return output
    if not has_ids(agreed):
        raise UsageError(f"{output}: a table of scores needs leads with ids; write a file")
    # Rows set aside stay beside it: there retention and erasure reach them.
    return home.folder("rejects") / f"table-{sha256(str(output).encode()).hexdigest()[:12]}.parquet"


def _into_table(output: Path, file: Path, agreed: Agreement) -> None:
    """Bring scores into a table; only there they stay."""
    from features.score_table import put_scores

    put_scores(str(output), file, agreed.columns.id)
    file.unlink()


def columns_of(text: str) -> tuple[str, ...]:
    """Read names of columns joined by commas."""
    return tuple(name for part in text.split(",") if (name := part.strip()))


def share_of(text: str, option: str) -> float:
    """Read a share: 1% or 0.01.

    Raises:
        UsageError: when it is none.

    """
    number, percent = text.strip().removesuffix("%"), text.strip().endswith("%")
    try:
        share = float(number) / (100 if percent else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise UsageError(f"{option} {text}: is no share; say one such as 1% or 0.01")
    return share


def keeping(store: Store, model: LoadedModel) -> Keep:
    """Return what keeps leads and their scores in the store."""
    from features.store.scores import Given, keep_scores

    agreed = model.artefact.scorer.agreement

    def keep(leads: Leads, scores: Scores, moment: datetime) -> None:
        given = Given(
            model.version,
            scores.probability,
            scores.grade,
            expected_value=scores.expected_value,
        )
        keep_scores(store, leads, given, agreed, moment)

    return keep


def _warn_of_other_agreement(home: Home, path: Path, trained_with: Agreement) -> None:
    if not path.exists():
        return
    agreed = read_agreement(path)
    if agreed.label != trained_with.label:
        signed = standing_of(home, agreed) or f"agreement {agreed.label} is an unsigned draft"
        err.print(
            f"warning: {path} is now {agreed.label}; the champion was trained with, and scores "
            f"by, {trained_with.label}. Retrain to use the new text; {signed}",
            markup=False,
        )


@commands.command(epilog="Example: leadq serve --port 8000")
def serve(
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Where to listen.")] = 8000,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes that share the port; one for each core.")
    ] = None,
    no_keys: Annotated[
        bool,
        typer.Option("--no-keys", help="Let everybody on this machine in; to try leadq out."),
    ] = False,
    agreement: AgreementFile = DEFAULT_AGREEMENT,
) -> None:
    """Serve over REST, to whoever has a key: POST /v1/score, /v1/handoffs and /v1/feedback."""
    from serving.worker import begin_to_start, run

    begin_to_start()
    if workers is not None:
        os.environ["LEADQ_SERVE__WORKERS"] = str(workers)
    if no_keys:
        os.environ["LEADQ_SERVE__KEYS"] = "false"
    # Workers are built from the environment alone: each is a process of its own.
    os.environ["LEADQ_SERVE__AGREEMENT"] = str(agreement)
    home = open_home()
    if not home.serve.keys:
        need_loopback(host)
    need_port(host, port)
    if home.serve.keys:
        _need_secret(home)
    if agreement.exists():
        read_agreement(agreement)
    _publish_before_serving(home)
    who = "whoever has a key" if home.serve.keys else "everybody on this machine"
    err.print(
        f"scoring at http://{host}:{port}/v1/score, documentation at http://{host}:{port}/docs; "
        f"open to {who}"
    )
    err.print(_way_in(home, f"http://{host}:{port}"), markup=False, soft_wrap=True)
    run(home, host, port)


def _way_in(home: Home, address: str) -> str:
    if home.serve.keys:
        return f"pages at {address}; make a key for each person: leadq keys new --scope sales"
    from serving.pages.sessions import Sessions, link_to

    word = Sessions(home.page_secret, None).link("demo")
    return f"pages, signed in once by this address: {link_to(address, word)}"


def _publish_before_serving(home: Home) -> None:
    """Publish the champion if nobody has; a store that is down must not keep a service down."""
    from features.errors import LeadqError

    try:
        with open_the_store(home) as store:
            publish_champion(home, store)
    except LeadqError as error:
        err.print(f"warning: {error}", markup=False)


def _need_secret(home: Home) -> None:
    try:
        home.secret  # noqa: B018  # says itself what is wrong with it
    except UsageError as error:
        raise UsageError(
            f"{error}; or try leadq out on this machine without keys: leadq serve --no-keys"
        ) from error


@commands.command(epilog="Example: leadq simulate -o crm --leads 5000 --seed 3 --set drift=0.5")
def simulate(
    output: Annotated[Path, typer.Option("-o", "--output", help="The folder to write to.")],
    leads: Annotated[int, typer.Option(help="Leads in the history.")] = 20_000,
    months: Annotated[int, typer.Option(help="Months of history.")] = 24,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same files.")] = 7,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE; see docs/simulation.md.")
    ] = None,
    agreement: AgreementFile = DEFAULT_AGREEMENT,
    as_json: AsJson = False,
) -> None:
    """Write what a CRM would export: history, a nightly file, feedback, spend, and the truth."""
    from features.simulate import Settings, write
    from features.simulate import simulate as run

    try:
        chosen = Settings(leads=leads, months=months, seed=seed).with_overrides(settings or [])
    except ValueError as error:
        raise UsageError(str(error)) from error
    with working("simulating a CRM"):
        written = write(run(chosen), output)
    for name, rows in written.items():
        out.print(f"wrote {output / name}: {rows:,} rows", markup=False)
    if as_json:
        print_json({"files": written})
