"""The commands that bring what happened into the store: hand-offs, feedback and spend."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.errors import UsageError
from leadq.common import (
    DEFAULT_AGREEMENT,
    AgreementFile,
    AsJson,
    need_csv,
    now,
    open_home,
    open_the_store,
    print_json,
    read_agreement,
    rejects_of,
    say,
    working,
    write_text,
)

if TYPE_CHECKING:
    from features.store.intake import Account

commands = typer.Typer()
Source = Annotated[Path, typer.Argument(help="A file, a folder, a pattern, or a table.")]


@commands.command(epilog="Example: leadq handoff handed-over.csv")
def handoff(
    source: Source, agreement: AgreementFile = DEFAULT_AGREEMENT, as_json: AsJson = False
) -> None:
    """Hand leads to sales: columns id, at, owner, team; all others are the lead's fields."""
    from features.store.intake import take_handoffs

    _take(take_handoffs, source, agreement, as_json)


@commands.command(epilog="Example: leadq feedback from-sales.csv")
def feedback(
    source: Annotated[
        Path | None, typer.Argument(help="A file, a folder, a pattern, or a table.")
    ] = None,
    waiting: Annotated[
        bool, typer.Option("--waiting", help="List what waits for its lead instead.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="With --waiting: a .csv file.")
    ] = None,
    agreement: AgreementFile = DEFAULT_AGREEMENT,
    as_json: AsJson = False,
) -> None:
    """Take what sales says of leads: columns id, at, code, by, value, reason, return_on."""
    from features.store.intake import take_feedback

    if (source is None) != waiting:
        raise UsageError("name one file of feedback, or say --waiting")
    if source is None:
        _list_waiting(output, as_json)
    elif output is not None:
        raise UsageError("-o goes with --waiting; rows that are refused are kept in the home")
    else:
        _take(take_feedback, source, agreement, as_json)


@commands.command(epilog="Example: leadq spend spend.csv")
def spend(
    source: Source,
    who: Annotated[str, typer.Option("--as", help="Who brings it, for the audit log.")] = "cli",
    agreement: AgreementFile = DEFAULT_AGREEMENT,
    as_json: AsJson = False,
) -> None:
    """Take what campaigns cost by day: columns campaign, date, amount, visits."""
    from features.store.intake import take_spend
    from serving.summary import account_lines

    account, rejects = _taken(partial(take_spend, who=who), source, agreement)
    say(*account_lines(account, 0, rejects))
    if as_json:
        counts = {name: getattr(account, name) for name in _OF_SPEND}
        print_json({**counts, "rejects": rejects})


_OF_SPEND = ("read", "stored", "repeated", "replaced", "refused")


def _list_waiting(output: Path | None, as_json: bool) -> None:
    """List the words of sales that wait, as text, as CSV and as JSON."""
    from features.counted import counted
    from features.spreadsheet import csv_text
    from features.store.feedback import waiting_words
    from serving.waiting import COLUMNS, rows, waiting_lines

    need_csv(output)
    with (
        working("reading the store"),
        open_the_store(open_home()) as store,
        store.reading() as connection,
    ):
        words = waiting_words(connection)
    say(*waiting_lines(words, most=20))
    if output:
        write_text(output, csv_text(COLUMNS, rows(words)))
        say(f"wrote {output}: {counted(len(words), 'word of sales')}")
    if as_json:
        print_json({"waiting": [dict(zip(COLUMNS, row, strict=True)) for row in rows(words)]})


def _take(take: Callable[..., Account], source: Path, agreement: Path, as_json: bool) -> None:
    """Bring a file of leads into the store, and tell what became of its rows."""
    from features.store.feedback import waiting_count
    from serving.summary import account_json, account_lines

    account, rejects = _taken(take, source, agreement)
    with open_the_store(open_home()) as store, store.reading() as connection:
        waiting = waiting_count(connection)
    say(*account_lines(account, waiting, rejects))
    if as_json:
        print_json(account_json(account, waiting, rejects))


def _taken(
    take: Callable[..., Account], source: Path, agreement: Path
) -> tuple[Account, str | None]:
    """Bring a file into the store, a chunk at a time; return where refused rows stand, too."""
    from features.files import open_table
    from serving.written import rejects_file

    home, agreed = open_home(), read_agreement(agreement)
    table, rejects = open_table(source, agreed.export), rejects_of(home, source)
    with (
        working("opening the store") as progress,
        open_the_store(home) as store,
        rejects_file(rejects) as reject,
    ):
        account = take(
            store, table, agreed, now(), reject, lambda n: progress(f"{n:,} rows are done")
        )
    return account, str(rejects) if account.refused else None
