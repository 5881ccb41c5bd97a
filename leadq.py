"""leadq: which leads will buy, and why. The command line, the only file that knows all rooms."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer
from rich.console import Console

from features.errors import LeadqError, UsageError

if TYPE_CHECKING:
    from features.agreement import Agreement
    from features.home import Home
    from features.leads import Intake
    from training.propose import Proposal
    from training.roles import Told

app = typer.Typer(
    epilog="Example: leadq init crm.csv && leadq train crm.csv && "
    "leadq score tonight.csv -o scored.csv && leadq serve",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
# A file or a pipe has no width of its own; tables must not be squeezed into a terminal's 80.
out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 160)
err = Console(stderr=True, highlight=False, soft_wrap=True)

AgreementFile = Annotated[
    Path, typer.Option("-a", "--agreement", help="The agreement of sales and marketing.")
]
AsJson = Annotated[bool, typer.Option("--json", help="End with one JSON object on one line.")]
Export = Annotated[Path, typer.Argument(help="CSV or Parquet file, or a folder of them.")]
DEFAULT_AGREEMENT = Path("agreement.toml")


def main() -> None:
    """Run the command line; every error of leadq's own is one clear message and an exit code."""
    try:
        app()
    except LeadqError as error:
        err.print(f"leadq: {error}", style="red", markup=False)
        sys.exit(error.exit_code)


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        out.print(version("leadq"))
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Leadq predicts which leads will buy, and says why. Start with: leadq init EXPORT"""


@app.command(epilog="Example: leadq init crm.csv --outcome Status --won 'Closed Won' --yes")
def init(
    export: Export,
    output: Annotated[Path, typer.Option("-o", help="Where to write it.")] = DEFAULT_AGREEMENT,
    id_: Annotated[str | None, typer.Option("--id", help="The lead's id.")] = None,
    created: Annotated[str | None, typer.Option(help="Creation time, or a serial.")] = None,
    outcome: Annotated[str | None, typer.Option(help="What became of the lead.")] = None,
    closed: Annotated[str | None, typer.Option(help="When the outcome became known.")] = None,
    won: Annotated[list[str] | None, typer.Option(help="An outcome that means won.")] = None,
    lost: Annotated[list[str] | None, typer.Option(help="An outcome that means lost.")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="Never use this field.")] = None,
    include: Annotated[list[str] | None, typer.Option(help="This field is honest: use it.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an agreement.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing; take the proposals.")] = False,
    as_json: AsJson = False,
) -> None:
    """Read an export and propose an agreement, with the reason for each choice."""
    from serving.summary import intake_lines
    from training.propose import propose
    from training.render import render
    from training.roles import Told
    from training.summary import proposal_lines

    if output.exists() and not force:
        raise UsageError(f"{output} exists; overwrite it with --force, or write elsewhere with -o")
    told = Told(id_, created, outcome, closed, won or (), lost or (), exclude or (), include or ())
    with _working("reading the export"):
        proposal = propose(export, told)
    if sys.stdin.isatty() and not yes:
        if proposal.roles.undecided:
            proposal = propose(export, _ask_outcomes(proposal, told))
        proposal = _ask_fields(proposal)
    _write_text(output, render(proposal))
    _say(f"wrote {output}: {proposal.agreement.name}", *proposal_lines(proposal))
    _say(*intake_lines(proposal.intake, _rejects(_home(), export, proposal.intake)))
    if as_json:
        _print_json(
            {
                "agreement": str(output),
                "columns": proposal.agreement.columns.model_dump(),
                "undecided": proposal.undecided,
                "fields": {name: f.as_dict() for name, f in proposal.findings.items()},
            }
        )


def _ask_outcomes(proposal: Proposal, told: Told) -> Told:
    """Let a human say at the terminal what the outcomes mean that nobody could map."""
    from features.agreement import DISPOSITIONS

    meanings: dict[str, Any] = {}
    for value in proposal.roles.undecided:
        question = f"What does the outcome {value!r} mean? {', '.join(DISPOSITIONS)}, or later"
        answer = typer.prompt(question, default="later", err=True)
        if answer in DISPOSITIONS:
            meanings[value] = answer
    return replace(told, meanings=meanings)


def _ask_fields(proposal: Proposal) -> Proposal:
    """Let a human decide at the terminal; Enter leaves a question open."""
    from training.propose import decide

    for name in proposal.undecided:
        err.print(f"\n{name}: {proposal.agreement.fields[name].because}", markup=False)
        question = "Is it known at hand-off, and never changed after it? [y]es / [n]o / [l]ater"
        answer = typer.prompt(question, default="l", err=True)[:1].lower()
        if answer in ("y", "n"):
            proposal = decide(proposal, name, honest=answer == "y")
    return proposal


@app.command(epilog="Example: leadq check crm.csv --json")
def check(
    export: Export,
    agreement: AgreementFile = DEFAULT_AGREEMENT,
    report: Annotated[
        Path | None, typer.Option("-o", "--report", help="Write the leak report as a page.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Hold an export against an agreement: columns, rows, outcomes, and fields that leak."""
    from serving.summary import intake_lines
    from training.check import check as hold
    from training.page import leak_page
    from training.summary import findings_table

    agreed = _agreement(agreement)
    with _working("reading the export"):
        result = hold(export, agreed)
    _say(*result.remarks)
    out.print(findings_table(result.findings), markup=False)
    _say(*intake_lines(result.intake, _rejects(_home(), export, result.intake)))
    if report is not None:
        _write_text(report, leak_page(result.findings, agreed))
        _say(f"wrote {report}")
    if as_json:
        _print_json(
            {
                "agreement_version": agreed.label,
                "rows": {"read": result.intake.read, "rejected": len(result.intake.rejects)},
                "labels": result.labels,
                "fields": {name: f.as_dict() for name, f in result.findings.items()},
            }
        )


@app.command(epilog="Example: leadq train crm.csv --name 'with webinar fields' --promote")
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
    as_json: AsJson = False,
) -> None:
    """Train a model on an export, judge it on later leads, and register it."""
    from serving.summary import intake_lines
    from training.page import page
    from training.summary import training_json, training_lines
    from training.train import train as run

    home = _home()
    agreed = _agreement(agreement)
    with _working("starting") as progress:
        result = run(
            export, agreed, home, name, recipe, seed, promote, progress, preset, seconds, trials
        )
    rejects = _rejects(home, export, result.intake)
    _say(*training_lines(result, agreed))
    _say(*intake_lines(result.intake, rejects))
    written = report or home.folder("reports") / f"version-{result.registered.version}.html"
    _write_text(written, page(result, name or recipe))
    _say(f"The report for both sides: {written}")
    if as_json:
        _print_json({**training_json(result, agreed), "report": str(written)})


@app.command(epilog="Example: leadq compare 2 5 --top 500")
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

    home = _home()
    groups = run(home, versions or [], top)
    if not groups:
        raise UsageError(f"no run in {home.root} yet; start with: leadq train EXPORT")
    for group in groups:
        out.print(runs_table(group), markup=False)
        _say(*pair_lines(group))
    if as_json:
        _print_json(compare_json(groups))
    if page:
        _serve_mlflow(home, host, port)


def _serve_mlflow(home: Home, host: str, port: int) -> NoReturn:
    """Become MLflow's server, without its job runners: two processes instead of ten."""
    if home.is_remote:
        raise UsageError(f"MLflow is served already: open {home.tracking_uri}")
    _need_port(host, port)
    err.print(f"MLflow's page: http://{host}:{port} (stop with Ctrl-C)")
    os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    command = [sys.executable, "-m", "mlflow", "server", "--host", host, "--port", str(port)]
    command += ["--backend-store-uri", home.tracking_uri, "--workers", "1"]
    command += ["--default-artifact-root", home.folder("artefacts").as_uri()]
    os.execv(sys.executable, command)  # noqa: S606  # fixed words and two options


@app.command(epilog="Example: leadq promote 3")
def promote(
    version: Annotated[str, typer.Argument(help="The version, as train and compare name it.")],
    agreement: AgreementFile = DEFAULT_AGREEMENT,
    as_json: AsJson = False,
) -> None:
    """Make a version the champion: the one that scores."""
    from training.track import promote as make_champion

    before = make_champion(_home(), version)
    out.print(f"Version {version} is champion" + (f"; before: {before}" if before else ""))
    if as_json:
        _print_json({"champion": version, "before": before})


@app.command(epilog="Example: leadq score tonight.csv -o scored.parquet --reasons 3")
def score(
    source: Export,
    output: Annotated[Path, typer.Option("-o", "--output", help="A .csv or .parquet file.")],
    reasons: Annotated[int, typer.Option(min=0, max=50, help="Reasons for each lead.")] = 5,
    agreement: AgreementFile = DEFAULT_AGREEMENT,
    as_json: AsJson = False,
) -> None:
    """Score a nightly export with the champion, into a file."""
    from serving.batch import score_file
    from serving.registry import load_champion
    from serving.summary import intake_lines, scoring_json, scoring_lines

    with _working("loading the champion") as progress:
        model = load_champion(_home())
        _warn_of_other_agreement(agreement, model.artefact.scorer.agreement)
        summary = score_file(
            model, source, output, reasons, lambda n: progress(f"scored {n:,} leads")
        )
    _say(*scoring_lines(summary, model, output))
    _say(*intake_lines(summary.intake, summary.rejects_file))
    if as_json:
        _print_json(scoring_json(summary, model, output))


def _warn_of_other_agreement(path: Path, trained_with: Agreement) -> None:
    if not path.exists():
        return
    agreed = _agreement(path)
    if agreed.label != trained_with.label:
        err.print(
            f"warning: {path} is now {agreed.label}; the champion was trained with, and scores "
            f"by, {trained_with.label}. Retrain to use the new text.",
            markup=False,
        )


@app.command(epilog="Example: leadq serve --port 8000")
def serve(
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Where to listen.")] = 8000,
    agreement: AgreementFile = DEFAULT_AGREEMENT,
) -> None:
    """Serve the champion over REST: POST /v1/score."""
    import uvicorn

    _need_port(host, port)
    from serving.api import build
    from serving.logs import configure
    from serving.registry import load_champion

    home = _home()
    configure()
    with _working("loading the champion"):
        model = load_champion(home)
    _warn_of_other_agreement(agreement, model.artefact.scorer.agreement)
    err.print(
        f"scoring at http://{host}:{port}/v1/score, documentation at http://{host}:{port}/docs"
    )
    uvicorn.run(build(lambda: model), host=host, port=port, log_level="warning")


@app.command(epilog="Example: leadq simulate -o crm --leads 5000 --seed 3 --set drift=0.5")
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
    with _working("simulating a CRM"):
        written = write(run(chosen), output)
    for name, rows in written.items():
        out.print(f"wrote {output / name}: {rows:,} rows", markup=False)
    if as_json:
        _print_json({"files": written})


def _need_port(host: str, port: int) -> None:
    """Refuse a port that is taken before anything is loaded for it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        raise UsageError(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another with --port"
        ) from error


def _home() -> Home:
    from features.home import Home, Settings

    return Home(Settings())


def _agreement(path: Path) -> Agreement:
    from features.agreement import load

    return load(path)


def _write_text(path: Path, text: str) -> None:
    work = path.with_name(f".{path.name}.new")
    try:
        work.write_text(text, encoding="utf-8")
        work.replace(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error


def _rejects(home: Home, export: Path, intake: Intake) -> Path | None:
    from serving.batch import write_rejects

    return write_rejects(intake.rejects, home.folder("rejects") / f"{export.stem}.rejects.csv")


@contextmanager
def _working(first: str) -> Iterator[Callable[[str], None]]:
    """Show on stderr what is being done: one changing line on a terminal, plain lines elsewhere."""
    if not err.is_terminal:
        err.print(f"... {first}")
        yield lambda step: err.print(f"... {step}", markup=False)
        return
    with err.status(first) as status:
        yield status.update


def _say(*lines: str) -> None:
    for line in lines:
        out.print(line, markup=False)


def _print_json(content: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(content, ensure_ascii=False) + "\n")
    sys.stdout.flush()
