"""The commands that bring what happened into the store: hand-offs and feedback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    rejects_of,
    say,
    working,
)

if TYPE_CHECKING:
    from features.store.intake import Account

commands = typer.Typer()
Source = Annotated[Path, typer.Argument(help="CSV or Parquet file, or a folder of them.")]


@commands.command(epilog="Example: leadq handoff handed-over.csv")
def handoff(
    source: Source, agreement: AgreementFile = DEFAULT_AGREEMENT, as_json: AsJson = False
) -> None:
    """Hand leads to sales: columns id, at, owner, team; all others are the lead's fields."""
    from features.store.intake import take_handoffs

    _take(take_handoffs, source, agreement, as_json)


@commands.command(epilog="Example: leadq feedback from-sales.csv")
def feedback(
    source: Source, agreement: AgreementFile = DEFAULT_AGREEMENT, as_json: AsJson = False
) -> None:
    """Take what sales says of leads: columns id, at, code, by, value, reason, return_on."""
    from features.store.intake import take_feedback

    _take(take_feedback, source, agreement, as_json)


def _take(take: Callable[..., Account], source: Path, agreement: Path, as_json: bool) -> None:
    """Bring a file into the store, a chunk at a time, and tell what became of its rows."""
    from features.files import open_table
    from features.store.feedback import waiting_count
    from serving.summary import account_json, account_lines
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
        with store.reading() as connection:
            waiting = waiting_count(connection)
    kept: dict[str, Any] = account_json(account, waiting, rejects if account.refused else None)
    say(*account_lines(account, waiting, kept["rejects"]))
    if as_json:
        print_json(kept)
