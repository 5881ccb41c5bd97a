"""The commands that close the loop: which leads come back, and how feedback is doing."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import date, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.errors import UsageError
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
    this_process,
    version_of,
    working,
    write_text,
)

if TYPE_CHECKING:
    from features.agreement import Agreement
    from features.home import Home
    from features.store.database import Store
    from serving.recycled import RecycledReply

commands = typer.Typer()


@commands.command(epilog="Example: leadq queue -o today.csv --hand-over")
def queue(
    output: Annotated[Path | None, typer.Option("-o", "--output", help="A .csv file.")] = None,
    hand: Annotated[
        bool, typer.Option("--hand-over", help="Hand the calls to sales; else only show them.")
    ] = False,
    days: Annotated[int, typer.Option(min=1, help="Leads scored within so many days wait.")] = 14,
    fields: Annotated[
        bool, typer.Option("--with-fields", help="Write all that is known of the leads as well.")
    ] = False,
    agreement: AgreementFile = DEFAULT_AGREEMENT,
    as_json: AsJson = False,
) -> None:
    """Choose today's calls: the leads that bring most, and a few by lot to learn from."""
    from features.counted import counted
    from features.spreadsheet import csv_text
    from features.store.jobs import lease
    from features.store.queue import called_on, waiting
    from serving import today

    need_csv(output)
    home, agreed = open_home(), read_agreement(agreement)
    with working("choosing today's calls"), open_the_store(home) as store:
        model = champion_of(home, store)
        # Two at once would hand the same leads over twice.
        with lease(store, "queue", this_process(), now) if hand else nullcontext():
            moment = now()
            with store.reading() as connection:
                leads = waiting(connection, agreed, moment, days)
                left = max(0, agreed.capacity.leads_per_day - called_on(connection, moment))
            calls = today.todays_calls(model, agreed, leads, left, moment)
            handed = today.hand_over_calls(store, model, agreed, calls, moment) if hand else 0
    say(*today.call_lines(calls, len(leads), most=20))
    if hand:
        say(f"handed {counted(handed, 'lead')} to sales")
    if output:
        names = today.fields_of(calls) if fields else []
        write_text(output, csv_text((*today.COLUMNS, *names), today.rows(calls, names)))
        say(f"wrote {output}: {counted(len(calls), 'lead')}")
    if as_json:
        table = [dict(zip(today.COLUMNS, row, strict=True)) for row in today.rows(calls)]
        print_json({"waiting": len(leads), "handed": handed, "calls": table})


@commands.command(epilog="Example: leadq recycle --ahead 14 -o nurture.csv")
def recycle(
    ahead: Annotated[int, typer.Option(min=0, max=3650, help="Days to look ahead.")] = 0,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="A .csv file.")] = None,
    agreement: AgreementFile = DEFAULT_AGREEMENT,
    as_json: AsJson = False,
) -> None:
    """List the leads whose time has come again, each with a fresh score."""
    from features.counted import counted
    from features.spreadsheet import csv_text
    from serving.recycled import COLUMNS, recycled_lines, rows

    need_csv(output)
    home, moment = open_home(), now()
    agreed = read_agreement(agreement)
    until = moment.date() + timedelta(days=ahead)
    with working("looking for leads that come back"), open_the_store(home) as store:
        leads = coming_back(home, store, agreed, moment, until)
    say(*recycled_lines(leads, until, most=20))
    if output:
        write_text(output, csv_text(COLUMNS, rows(leads)))
        say(f"wrote {output}: {counted(len(leads), 'lead')}")
    if as_json:
        print_json({"until": str(until), "leads": [lead.model_dump(mode="json") for lead in leads]})


def coming_back(
    home: Home, store: Store, agreed: Agreement, moment: datetime, until: date
) -> list[RecycledReply]:
    """Return the leads whose time has come again, with fresh scores where there is a champion."""
    from features.errors import ModelError
    from features.store.recycle import recycled
    from serving.recycled import with_scores

    with store.reading() as connection:
        found = recycled(connection, agreed, moment, until)
    try:
        model = champion_of(home, store) if found else None
    except ModelError as error:
        err.print(f"warning: no fresh scores: {error}", markup=False)
        model = None
    return with_scores(found, model)


@commands.command(epilog="Example: leadq why lead-4711")
def why(
    lead: Annotated[str, typer.Argument(help="The lead's id.")],
    as_json: AsJson = False,
) -> None:
    """Say what happened to a lead, and why its score changed each time."""
    from features.counted import counted
    from features.store.feedback import waiting_count
    from features.store.history import history_of
    from serving.story import history_lines, history_reply
    from serving.why import changes

    home = open_home()
    with working("reading the lead's story"), open_the_store(home) as store:
        with store.reading() as connection:
            history = history_of(connection, lead)
            waiting = waiting_count(connection, lead)
        if history is None:
            words = f"; waiting until it is handed over: {counted(waiting, 'word of sales')}"
            raise UsageError(
                f"{lead}: the store knows no such lead; hand it over or score it first"
                f"{words if waiting else ''}"
            )
        found = changes(history.scores, cache(partial(version_of, home, store)))
    say(*history_lines(history, found))
    if as_json:
        print_json(history_reply(history, found).model_dump(mode="json"))


@commands.command(epilog="Example: leadq erase lead-4711 --as dpo")
def erase(
    lead: Annotated[str | None, typer.Argument(help="The lead's id.")] = None,
    expired: Annotated[
        bool,
        typer.Option("--expired", help="All leads and rows set aside that are older than agreed."),
    ] = False,
    who: Annotated[str, typer.Option("--as", help="Who erases, for the audit log.")] = "cli",
    agreement: AgreementFile = DEFAULT_AGREEMENT,
) -> None:
    """Erase a person's data from everything under the home; the counts stay."""
    from features.counted import counted
    from features.store import erasure
    from serving.drain import empty
    from serving.erasing import Aside, erase_leads

    if (lead is None) != expired:
        raise UsageError("name one lead, or say --expired")
    home, moment = open_home(), now()
    days = _lead_days(read_agreement(agreement)) if expired else None
    ids = [] if lead is None else [lead]
    aside = Aside(home.folder("rejects"), home.folder("spool"))
    with working("erasing") as progress, open_the_store(home) as store:
        removed = 0
        if days is not None:
            # A lead whose newest score waits is not quiet.
            empty(store, aside.spool, lambda: moment)
            with store.reading() as connection:
                ids = erasure.expired(connection, days, moment)
            removed = erasure.remove_expired(aside.rejects, days, moment)
        step = f"of {counted(len(ids), 'lead')}"
        done = erase_leads(store, aside, ids, who, moment, lambda n: progress(f"{n:,} {step}"))
    if lead is not None and not done:
        raise UsageError(f"{lead}: nothing is known of such a lead")
    say(f"erased the data of {counted(done, 'lead')}; the counts stay")
    if days is not None:
        say(f"removed {counted(removed, 'file')} of rows set aside over {days:,} days ago")
    say(
        "Files outside the home, such as scored files and exports, still hold it, and a lead that "
        "is sent again comes back.",
    )


def _lead_days(agreed: Agreement) -> int:
    days = agreed.retention.lead_days
    if days is None:
        raise UsageError("the agreement sets no retention; add [retention] lead_days = 730")
    return days
