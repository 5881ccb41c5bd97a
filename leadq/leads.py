"""The commands about leads: score a file of them, serve their scores, simulate some."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.errors import UsageError
from leadq.common import (
    DEFAULT_AGREEMENT,
    AgreementFile,
    AsJson,
    Export,
    err,
    need_port,
    now,
    open_home,
    open_the_store,
    out,
    print_json,
    read_agreement,
    say,
    standing_of,
    working,
)

if TYPE_CHECKING:
    from features.agreement import Agreement
    from features.home import Home
    from features.leads import Leads
    from serving.scorer import Score

commands = typer.Typer()


@commands.command(epilog="Example: leadq score tonight.csv -o scored.parquet --reasons 3")
def score(
    source: Export,
    output: Annotated[Path, typer.Option("-o", "--output", help="A .csv or .parquet file.")],
    reasons: Annotated[int, typer.Option(min=0, max=50, help="Reasons for each lead.")] = 5,
    agreement: AgreementFile = DEFAULT_AGREEMENT,
    as_json: AsJson = False,
) -> None:
    """Score a nightly export with the champion, into a file."""
    from features.store.scores import Given, keep_scores
    from serving.batch import score_file
    from serving.registry import load_champion
    from serving.summary import intake_lines, scoring_json, scoring_lines

    home, moment = open_home(), now()
    with working("loading the champion") as progress, open_the_store(home) as store:
        model = load_champion(home)
        agreed = model.artefact.scorer.agreement
        _warn_of_other_agreement(home, agreement, agreed)

        def keep(leads: Leads, scores: Sequence[Score]) -> None:
            given = Given(model.version, [s.probability for s in scores], [s.grade for s in scores])
            keep_scores(store, leads, given, agreed, moment)

        summary = score_file(
            model, source, output, reasons, lambda n: progress(f"scored {n:,} leads"), keep
        )
    standing = standing_of(home, agreed)
    say(*scoring_lines(summary, model, output, standing))
    say(*intake_lines(summary.intake, summary.rejects_file))
    if as_json:
        print_json(scoring_json(summary, model, output, standing))


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
    agreement: AgreementFile = DEFAULT_AGREEMENT,
) -> None:
    """Serve over REST: POST /v1/score, /v1/handoffs and /v1/feedback."""
    import uvicorn

    need_port(host, port)
    from features.store.database import open_store
    from serving.api import Backing, build
    from serving.logs import configure
    from serving.registry import load_champion, load_version

    home = open_home()
    configure()
    with working("loading the champion"):
        model = load_champion(home)
    _warn_of_other_agreement(home, agreement, model.artefact.scorer.agreement)
    err.print(
        f"scoring at http://{host}:{port}/v1/score, documentation at http://{host}:{port}/docs"
    )
    agreed = read_agreement(agreement) if agreement.exists() else None
    backing = Backing(
        lambda: open_store(home.store_url),
        partial(load_version, home),
        home.folder("rejects"),
        agreed,
    )
    app = build(lambda: model, backing)
    uvicorn.run(app, host=host, port=port, log_level="warning")


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
