"""`leadq campaigns`: what each campaign brings, and what it costs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from features.errors import ModelError, UsageError
from leadq.common import (
    DEFAULT_AGREEMENT,
    AgreementFile,
    AsJson,
    champion_of,
    err,
    need_csv,
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


@commands.command(epilog="Example: leadq campaigns --days 90 -o campaigns.csv")
def campaigns(
    days: Annotated[
        int, typer.Option(min=1, max=3650, help="Leads created within so many days.")
    ] = 180,
    by: Annotated[
        str, typer.Option(help="campaign, source, or a field of few values.")
    ] = "campaign",
    output: Annotated[Path | None, typer.Option("-o", "--output", help="A .csv file.")] = None,
    agreement: AgreementFile = DEFAULT_AGREEMENT,
    as_json: AsJson = False,
) -> None:
    """Tell what campaigns bring: leads, wins to expect, costs; first those whose budget matters."""
    from features.counted import counted
    from features.spreadsheet import csv_text
    from serving.campaign_desk import CampaignDesk, fault_of_by
    from serving.campaign_lines import COLUMNS, campaign_lines, rows

    need_csv(output)
    home, agreed = open_home(), read_agreement(agreement)
    if fault := fault_of_by(by, agreed):
        raise UsageError(fault)
    with working("counting leads"), open_the_store(home) as store:
        try:
            model = champion_of(home, store)
        except ModelError as error:
            err.print(f"warning: wins to come are guessed: {error}", markup=False)
            model = None
        found = CampaignDesk().figures(store, agreed, model, now(), days, by)
    say(*campaign_lines(found, most=20))
    if output:
        write_text(output, csv_text(COLUMNS, rows(found)))
        say(f"wrote {output}: {counted(len(found.campaigns), 'row')}")
    if as_json:
        print_json(found.model_dump(mode="json"))
