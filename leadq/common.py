"""What every command needs: its options, the home, the agreement, and how leadq speaks."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from features.errors import UsageError

if TYPE_CHECKING:
    from features.agreement import Agreement
    from features.home import Home
    from features.reading import Intake
    from features.store.database import Store
    from serving.artefact import LoadedModel

# A file or a pipe has no width of its own; tables must not be squeezed into a terminal's 80.
out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 160)
err = Console(stderr=True, highlight=False, soft_wrap=True)

AgreementFile = Annotated[
    Path, typer.Option("-a", "--agreement", help="The agreement of sales and marketing.")
]
AsJson = Annotated[bool, typer.Option("--json", help="End with one JSON object on one line.")]
Export = Annotated[Path, typer.Argument(help="A file, a folder, a pattern, or a table.")]
Who = Annotated[str, typer.Option("--as", help="Who does it, for the audit log.")]
DEFAULT_AGREEMENT = Path("agreement.toml")
DONE_WITH_WARNINGS = 3
"""The exit code of work that was done, and at which somebody must look."""
_PAUSE = 10.0
"""Seconds between lines of progress where they pile up: in a log."""


def open_home() -> Home:
    """Give the home that the environment names (`LEADQ_HOME`)."""
    from features.home import Home, Settings

    return Home(Settings())


@contextmanager
def open_the_store(home: Home) -> Iterator[Store]:
    """Give the store that the environment names, or the home's own; closed at the end."""
    from features.store.database import open_store

    home.folder(".")
    store = open_store(home.store_url)
    try:
        yield store
    finally:
        store.close()


def champion_of(home: Home, store: Store) -> LoadedModel:
    """Give the champion, verified; there must be one."""
    from serving.published import load_champion

    publish_champion(home, store)
    return load_champion(store)


def publish_champion(home: Home, store: Store) -> None:
    """Publish the champion of a home that was made before the store held models."""
    from features.store.published import newest

    with store.reading() as connection:
        last = newest(connection)
    if (last is None or last.at is None) and home.has_registry:
        from training.promotion import catch_up

        catch_up(home, store, now())


def version_of(home: Home, store: Store, version: str) -> LoadedModel:
    """Give any version, verified: as it was published, else as the registry has it."""
    from features.errors import ModelError
    from serving.published import load_version

    try:
        return load_version(store, version)
    except ModelError:
        if not home.has_registry:
            raise
    from training import registry

    return registry.load_version(home, version)


def standing_of(home: Home, agreement: Agreement) -> str | None:
    """Say who signed an agreement, in one line; None where there is no store yet."""
    if not home.has_store:
        return None
    from features.errors import StoreError
    from features.store.agreements import standing

    try:
        with open_the_store(home) as store, store.reading() as connection:
            return standing(connection, agreement).sentence
    except StoreError as error:
        return f"whether agreement {agreement.label} is signed cannot be told: {error}"


def now() -> datetime:
    """Give this moment in UTC without a zone mark, as leadq keeps all times."""
    return datetime.now(UTC).replace(tzinfo=None)


def this_process() -> str:
    """Name this process as others shall read it."""
    return f"{socket.gethostname()}, process {os.getpid()}"


def read_agreement(path: Path) -> Agreement:
    """Read an agreement; a missing or faulty one is an error that says the cure."""
    from features.agreement import load

    return load(path)


def write_text(path: Path, text: str) -> None:
    """Write a text as a whole: a reader sees the old one or the new one, never half of it."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Do the same with bytes."""
    work = path.with_name(f".{path.name}.new")
    try:
        work.write_bytes(content)
        work.replace(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error


def need_csv(path: Path | None) -> None:
    """Refuse an output that is not named as the CSV file that it will be."""
    if path is not None and path.suffix.lower() != ".csv":
        raise UsageError(f"{path}: the output must end in .csv")


def keep_rejects(home: Home, export: Path, intake: Intake) -> Path | None:
    """Keep the rows that were set aside, each with its reason; say where, or None without any."""
    from serving.written import write_rejects

    return write_rejects(intake.rejects, rejects_of(home, export))


def rejects_of(home: Home, source: Path) -> Path:
    """Return where the rows of a file that were set aside are kept."""
    return home.folder("rejects") / f"{source.stem}.rejects.csv"


def need_loopback(host: str) -> None:
    """Refuse to open everything to other machines."""
    import ipaddress

    try:
        is_here = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_here = False
    if not is_here:
        raise UsageError(
            f"--no-keys lets everybody in, and {host} may be reached from other machines; leave "
            "--host out, or make a key: leadq keys new"
        )


def need_port(host: str, port: int) -> None:
    """Refuse a port that is taken before anything is loaded for it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        raise UsageError(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another with --port"
        ) from error


@contextmanager
def working(first: str) -> Iterator[Callable[[str], None]]:
    """Show on stderr what is being done: one changing line on a terminal, plain lines elsewhere."""
    if not err.is_terminal:
        err.print(f"... {first}")
        yield lambda step: err.print(f"... {step}", markup=False)
        return
    with err.status(first) as status:
        yield status.update


@contextmanager
def steps() -> Iterator[Callable[[str], None]]:
    """Show steps that come quickly: all on a terminal, elsewhere one in a while."""
    with working("starting") as show:
        if err.is_terminal:
            yield show
            return
        shown = -_PAUSE

        def seldom(step: str) -> None:
            nonlocal shown
            if time.monotonic() - shown >= _PAUSE:
                shown = time.monotonic()
                show(step)

        yield seldom


def say(*lines: str) -> None:
    """Print lines as they are."""
    for line in lines:
        out.print(line, markup=False)


def print_json(content: dict[str, Any]) -> None:
    """Print the one line that a machine reads: the last of the output."""
    sys.stdout.write(json.dumps(content, ensure_ascii=False) + "\n")
    sys.stdout.flush()
