"""The commands that close the loop: which leads come back, and how feedback is doing."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from leadq.common import (
    DEFAULT_AGREEMENT,
    AgreementFile,
    AsJson,
    err,
    now,
    open_home,
    open_the_store,
    print_json,
    read_agreement,
    say,
    working,
    write_text,
)

commands = typer.Typer()


@commands.command(epilog="Example: leadq recycle --ahead 14 -o nurture.csv")
def recycle(
    ahead: Annotated[int, typer.Option(min=0, max=3650, help="Days to look ahead.")] = 0,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="A .csv file.")] = None,
    agreement: AgreementFile = DEFAULT_AGREEMENT,
    as_json: AsJson = False,
) -> None:
    """List the leads whose time has come again, each with a fresh score."""
    from features.errors import ModelError
    from features.spreadsheet import csv_text
    from features.store.recycle import recycled
    from serving.recycled import COLUMNS, recycled_lines, rows, with_scores
    from serving.registry import load_champion

    home, moment = open_home(), now()
    agreed = read_agreement(agreement)
    until = moment.date() + timedelta(days=ahead)
    with working("looking for leads that come back"), open_the_store(home) as store:
        with store.reading() as connection:
            found = recycled(connection, agreed, moment, until)
        try:
            model = load_champion(home) if found else None
        except ModelError as error:
            err.print(f"warning: no fresh scores: {error}", markup=False)
            model = None
        leads = with_scores(found, model)
    say(*recycled_lines(leads, until, most=20))
    if output:
        write_text(output, csv_text(COLUMNS, rows(leads)))
        say(f"wrote {output}: {len(leads):,} leads")
    if as_json:
        print_json({"until": str(until), "leads": [lead.model_dump(mode="json") for lead in leads]})
