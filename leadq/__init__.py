"""leadq: which leads will buy, and why. The command line, the only place that knows all rooms."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from features.errors import LeadqError
from leadq import agree, campaigns, hooks, intake, keys, leads, loop, model, nightly, report, status
from leadq.common import err, out

__all__ = ["app", "main"]

app = typer.Typer(
    epilog="Example: leadq init crm.csv && leadq train crm.csv && "
    "leadq score tonight.csv -o scored.csv && leadq serve",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for group in (agree, intake, model, leads, nightly, loop, campaigns, status, report, keys, hooks):
    app.add_typer(group.commands)


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
