"""The commands that lead to an agreement: propose one, hold an export against it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from features.errors import UsageError
from leadq.common import (
    DEFAULT_AGREEMENT,
    AgreementFile,
    AsJson,
    Export,
    err,
    keep_rejects,
    now,
    open_home,
    open_the_store,
    out,
    print_json,
    read_agreement,
    say,
    working,
    write_text,
)

if TYPE_CHECKING:
    from training.propose import Proposal
    from training.roles import Told

commands = typer.Typer()


@commands.command(epilog="Example: leadq init crm.csv --outcome Status --won 'Closed Won' --yes")
def init(
    export: Export,
    output: Annotated[Path, typer.Option("-o", help="Where to write it.")] = DEFAULT_AGREEMENT,
    id_: Annotated[str | None, typer.Option("--id", help="The lead's id.")] = None,
    created: Annotated[str | None, typer.Option(help="Creation time, or a serial.")] = None,
    outcome: Annotated[str | None, typer.Option(help="What became of the lead.")] = None,
    closed: Annotated[str | None, typer.Option(help="When the outcome became known.")] = None,
    won: Annotated[list[str] | None, typer.Option(help="An outcome that means won.")] = None,
    lost: Annotated[list[str] | None, typer.Option(help="An outcome that means lost.")] = None,
    delimiter: Annotated[
        str | None, typer.Option(help="What stands between fields, if it is not found out.")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="How the file's text is encoded, such as cp1252.")
    ] = None,
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
    told = Told(
        id_, created, outcome, closed, won or (), lost or (), exclude or (), include or (),
        # A shell gives a tab that is written \t as two characters.
        delimiter="\t" if delimiter == r"\t" else delimiter, encoding=encoding,
    )  # fmt: skip
    with working("reading the export"):
        proposal = propose(export, told)
    if sys.stdin.isatty() and not yes:
        if proposal.roles.undecided:
            proposal = propose(export, _ask_outcomes(proposal, told))
        proposal = _ask_fields(proposal)
    write_text(output, render(proposal))
    say(f"wrote {output}: {proposal.agreement.name}", *proposal_lines(proposal))
    say(*intake_lines(proposal.intake, keep_rejects(open_home(), export, proposal.intake)))
    if as_json:
        print_json(
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


@commands.command(epilog="Example: leadq sign --side sales --as 'Kim Berg'")
def sign(
    side: Annotated[Literal["sales", "marketing"], typer.Option(help="Who is bound by it.")],
    name: Annotated[str, typer.Option("--as", help="Who signs.")],
    agreement: AgreementFile = DEFAULT_AGREEMENT,
    as_json: AsJson = False,
) -> None:
    """Sign the agreement as it stands, for one side; once it is changed it is a draft again."""
    from features.store import agreements

    agreed, moment = read_agreement(agreement), now()
    with open_the_store(open_home()) as store:
        standing = store.write(lambda c: agreements.sign(c, agreed, side, name, moment))
    say(standing.sentence)
    if as_json:
        signed = {s: {"by": by, "at": at.isoformat()} for s, (by, at) in standing.signed.items()}
        print_json({"agreement_version": agreed.label, "digest": agreed.digest, "signed": signed})


@commands.command(epilog="Example: leadq check crm.csv --json")
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

    agreed = read_agreement(agreement)
    with working("reading the export"):
        result = hold(export, agreed)
    say(*result.remarks)
    out.print(findings_table(result.findings, agreed), markup=False)
    say(*intake_lines(result.intake, keep_rejects(open_home(), export, result.intake)))
    if report is not None:
        write_text(report, leak_page(result.findings, agreed))
        say(f"wrote {report}")
    if as_json:
        print_json(
            {
                "agreement_version": agreed.label,
                "rows": {"read": result.intake.read, "rejected": len(result.intake.rejects)},
                "labels": result.labels,
                "fields": {name: f.as_dict() for name, f in result.findings.items()},
            }
        )
