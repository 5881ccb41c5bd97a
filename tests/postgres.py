"""A real PostgreSQL for the tests: started once, a fresh database for each test."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

_FAST = ("fsync=off", "full_page_writes=off", "max_connections=60", "listen_addresses=")


@dataclass(frozen=True)
class Server:
    """A running server that listens on a socket in a folder of its own."""

    folder: Path

    def fresh(self, template: str = "template1") -> str:
        """Make a database, empty or a copy of another, and return its address."""
        name = f"t{uuid.uuid4().hex}"
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return f"postgresql://postgres@/{name}?host={self.folder}"

    def _dsn(self, database: str) -> str:
        return f"host={self.folder} user=postgres dbname={database}"


def binary(name: str) -> str:
    """Return the path of a program of PostgreSQL.

    Raises:
        LookupError: when it is not installed; `make postgres` installs it.

    """
    found = shutil.which(name) or next(
        (str(path) for path in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))), None
    )
    if not found:
        raise LookupError(f"{name} is not installed; install PostgreSQL with: make postgres")
    return found


@contextmanager
def server(folder: Path) -> Iterator[Server]:
    """Run a server whose data and socket lie in a folder; it ends with the block."""
    data = folder / "data"
    # PostgreSQL refuses to run as root; a socket's path may not be longer than 107 bytes.
    as_whom = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    prefix = as_whom if os.geteuid() == 0 else []
    if prefix:
        shutil.chown(folder, "postgres")
    options = [*prefix, binary("initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-N"]
    subprocess.run([*options, "-E", "UTF8", "--locale=C"], check=True, capture_output=True)
    settings = [part for setting in _FAST for part in ("-c", setting)]
    run = [*prefix, binary("postgres"), "-D", str(data), "-k", str(folder), *settings]
    with (folder / "log").open("wb") as log:
        # Apart from the signals of a terminal, which are meant for the tests.
        process = subprocess.Popen(run, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait_for(Server(folder), process)
        yield Server(folder)
    finally:
        process.send_signal(2)
        process.wait(timeout=30)


def _wait_for(server: Server, process: subprocess.Popen[bytes]) -> None:
    ready = [binary("pg_isready"), "-h", str(server.folder), "-U", "postgres", "-q", "-t", "1"]
    for _ in range(300):
        if process.poll() is not None:
            raise RuntimeError((server.folder / "log").read_text())
        if subprocess.run(ready, check=False).returncode == 0:
            return
        # pg_isready returns at once while the socket is not there.
        subprocess.run(["sleep", "0.1"], check=True)
    raise RuntimeError("PostgreSQL did not start within 30 seconds")
