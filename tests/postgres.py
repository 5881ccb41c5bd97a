"""A real PostgreSQL for the tests: started once, a fresh database for each test."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

_FAST = ("fsync=off", "full_page_writes=off", "max_connections=60", "listen_addresses=")


class Server:
    """A server that listens on a socket in a folder of its own; it can be stopped and started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def fresh(self, template: str = "template1") -> str:
        """Make a database, empty or a copy of another, and return its address."""
        name = f"t{uuid.uuid4().hex}"
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return f"postgresql://postgres@/{name}?host={self.folder}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        settings = [part for setting in _FAST for part in ("-c", setting)]
        data = str(self.folder / "data")
        run = [*_as_postgres(), binary("postgres"), "-D", data, "-k", str(self.folder), *settings]
        with (self.folder / "log").open("ab") as log:
            # Apart from the signals of a terminal, which are meant for the tests.
            process = subprocess.Popen(run, stdout=log, stderr=log, start_new_session=True)
        self._process = process
        self._wait_for(process)

    def stop(self) -> None:
        """End it; whoever is connected is cut off."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(timeout=30)
            self._process = None

    def _dsn(self, database: str) -> str:
        return f"host={self.folder} user=postgres dbname={database}"

    def _wait_for(self, process: subprocess.Popen[bytes]) -> None:
        folder = str(self.folder)
        ready = [binary("pg_isready"), "-h", folder, "-U", "postgres", "-q", "-t", "1"]
        for _ in range(300):
            if process.poll() is not None:
                raise RuntimeError((self.folder / "log").read_text())
            if subprocess.run(ready, check=False).returncode == 0:
                return
            # pg_isready returns at once while the socket is not there.
            subprocess.run(["sleep", "0.1"], check=True)
        raise RuntimeError("PostgreSQL did not start within 30 seconds")


def _as_postgres() -> list[str]:
    """Return what runs a program as another user: PostgreSQL refuses to run as root."""
    other = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    return other if os.geteuid() == 0 else []


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
    """Run a server whose data and socket lie in a folder; it ends with the block.

    The folder's path must be short: that of a socket may not be longer than 107 bytes.
    """
    prefix = _as_postgres()
    if prefix:
        shutil.chown(folder, "postgres")
    options = [*prefix, binary("initdb"), "-D", str(folder / "data"), "-U", "postgres"]
    encoding = ["-A", "trust", "-N", "-E", "UTF8", "--locale=C"]
    subprocess.run([*options, *encoding], check=True, capture_output=True)
    found = Server(folder)
    try:
        found.start()
        yield found
    finally:
        found.stop()
