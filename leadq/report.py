"""`leadq report`: what both heads read together, of a week or a month."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leadq.common import (
    DEFAULT_AGREEMENT,
    AgreementFile,
    AsJson,
    now,
    open_home,
    open_the_store,
    print_json,
    read_agreement,
    say,
    working,
    write_bytes,
)

commands = typer.Typer()


@commands.command(epilog="Example: leadq report --week 2026-W47 -o report.pdf")
def report(
    week: Annotated[
        str | None, typer.Option(help="As 2026-W47; none: the last whole week.")
    ] = None,
    month: Annotated[str | None, typer.Option(help="Of a month instead, as 2026-11.")] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="A file: .html, .pdf or .json.")
    ] = None,
    agreement: AgreementFile = DEFAULT_AGREEMENT,
    as_json: AsJson = False,
) -> None:
    """Report what happened in a week: the funnel, promises, waits, changes, decisions."""
    from serving.alignment.files import as_json as plain
    from serving.alignment.files import content, kind_of
    from serving.alignment.period import asked_for
    from serving.alignment.report import report_of
    from serving.alignment.told import sections, title

    agreed, moment = read_agreement(agreement), now()
    kind = None if output is None else kind_of(output)
    period = asked_for(week, month, moment)
    with working("reading the store"), open_the_store(open_home()) as store:
        found = report_of(store, agreed, period, moment)
    say(title(found), *(f"  {sentence}" for sentence in sections(found)[0].sentences))
    if output is not None and kind is not None:
        write_bytes(output, content(found, kind))
        say(f"wrote {output}")
    if as_json:
        print_json(plain(found))
