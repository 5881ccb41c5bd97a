"""The store's database: opened, brought to the newest schema, read and written.

SQLite by default, with no server to start; PostgreSQL by its address. Both are used the same way:
`reading()` sees one state, `write(work)` does all of its work or none of it.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as NoConnectionError
from sqlalchemy.pool import NullPool

from features.errors import RefusedError, StoreError

T = TypeVar("T")

_BUSY_SECONDS = 60
"""How long a writer waits for another on SQLite; each write is short."""
_CONNECT_SECONDS = "10"
"""How long PostgreSQL may take to answer, unless the address says it."""
_NO_JIT = "-c jit=off"
"""To compile a statement takes PostgreSQL half a second; ours read for a tenth of that."""
_LOOK_SECONDS = 5
"""After which one who only looks gives up."""
_LOOK_LIMITS = {
    "connect_timeout": str(_LOOK_SECONDS),
    "tcp_user_timeout": f"{1000 * _LOOK_SECONDS}",
    "options": f"{_NO_JIT} -c statement_timeout={1000 * _LOOK_SECONDS}",
}
_LIMITS = {"connect_timeout": _CONNECT_SECONDS, "options": _NO_JIT}
_STEPS, _DIGITS = Path(__file__).parent / "migrations" / "versions", 4
"""Where the steps of the schema are, and how long the number is by which a file begins."""
_TRIES = 8
"""A write that lost against another one (deadlock, serialization) is done anew this often."""
_MANY_WRITES = 4
_LOST = ("40001", "40P01", "23505")
"""PostgreSQL's codes for a transaction that lost against another: serialization, deadlock, and a
row that the other has written first (its manual, appendix A)."""


class Store:
    """An open database. Safe to share between threads; make one for each process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writes = 0

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is a file of SQLite."""
        return self._engine.dialect.name == "sqlite"

    @property
    def address(self) -> str:
        """Where it is, without a password."""
        return self._engine.url.render_as_string(hide_password=True)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees one state of the store, whatever others write meanwhile."""
        with _told(self._engine), self._engine.connect() as connection:
            if not self.is_sqlite:
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    def write(self, work: Callable[[Connection], T]) -> T:
        """Do `work` in one transaction and return what it returns, once it is safely stored.

        `work` may be called again if another writer was in its way, so it must have no other
        effect than on the database.

        Raises:
            StoreError: when the database cannot be reached or does not do what is asked.

        """
        self._writes += 1
        with _told(self._engine):
            for wait in range(_TRIES):
                try:
                    return self._written(work)
                except DBAPIError as error:
                    if getattr(error.orig, "sqlstate", None) not in _LOST or wait == _TRIES - 1:
                        raise
                time.sleep(0.01 * 2**wait)
        raise AssertionError("the loop above returns or raises")

    def _written(self, work: Callable[[Connection], T]) -> T:
        with self._engine.connect() as connection:
            # SQLite takes its lock at once: one that reads first may find it cannot write after.
            connection = connection.execution_options(leadq_write=True)
            with connection.begin():
                return work(connection)

    def forget_deleted(self, tables: Sequence[str]) -> None:
        """Make sure that what was deleted from tables cannot be read from the disk.

        SQLite overwrites it (`secure_delete`), and its journal is emptied here. PostgreSQL clears
        it by VACUUM; its own journal and backups keep it for as long as they are kept.

        Raises:
            StoreError: when a reader holds SQLite's journal open for too long; what was deleted
                stays deleted, and the next call empties the journal.

        """
        with _told(self._engine), self._engine.connect() as connection:
            if not self.is_sqlite:
                connection = connection.execution_options(isolation_level="AUTOCOMMIT")
                connection.exec_driver_sql(f"VACUUM {', '.join(tables)}")
                return
            raw = connection.connection.driver_connection
            busy = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] if raw else 0
        if busy:
            raise StoreError(
                "deleted, but another process reads the store's journal, which still holds it; "
                "say it again once that is done"
            )

    def look_at_tables(self) -> None:
        """Let PostgreSQL count what its tables hold.

        Until it has, it plans as if they were empty: a list of 10,000 leads then takes seconds.
        SQLite keeps no such figures unless asked to, and plans well without.
        """
        if not self.is_sqlite:
            with suppress(DBAPIError), self._engine.connect() as connection:
                connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql(
                    "ANALYZE"
                )

    def close(self) -> None:
        """Let go of all connections; after many writes, look at the tables first."""
        if self._writes >= _MANY_WRITES:
            self.look_at_tables()
        self._engine.dispose()


def open_store(url: str) -> Store:
    """Open the database at an address, made and brought to the newest schema where needed.

    Args:
        url: as SQLAlchemy writes it: `sqlite:////folder/store.db`, or
            `postgresql://user@host/name` (a password belongs into the environment: PGPASSWORD).

    Raises:
        StoreError: when it cannot be reached, or was written by a newer leadq.

    """
    engine = engine_of(url)
    with _told(engine):
        try:
            if not _is_newest(engine):
                # Here, because Alembic is slow to import and seldom needed.
                from features.store.schema import upgrade

                upgrade(engine)
                Store(engine).look_at_tables()
        except BaseException:
            engine.dispose()
            raise
    return Store(engine)


def _is_newest(engine: Engine) -> bool:
    """Whether a database has the newest schema, as Alembic has written it down."""
    newest = max(path.name for path in _STEPS.glob("[0-9]*.py"))[:_DIGITS]
    with engine.connect() as connection:
        try:
            current = connection.exec_driver_sql("SELECT version_num FROM alembic_version")
        except (OperationalError, ProgrammingError):
            return False  # Nothing was made there yet, or it cannot be read: `upgrade` says so.
        return current.scalar_one_or_none() == newest


def open_to_look(url: str) -> Store:
    """Open a database for one who looks at it often and waits for nothing long.

    Nothing is made and the schema is taken as it is. A look that takes seconds is given up, and a
    file of SQLite that was replaced is seen anew.

    Raises:
        StoreError: when the address is none of SQLite or PostgreSQL; all else, each look tells.

    """
    return Store(engine_of(url, looks=True))


def engine_of(url: str, looks: bool = False) -> Engine:
    """Return what connects to the database at an address; its schema is taken as it is.

    Args:
        url: the address, as for `open_store`.
        looks: whether it is for `open_to_look`.

    Raises:
        StoreError: when the address is none of SQLite or PostgreSQL.

    """
    try:
        address = make_url(url)
    except ArgumentError:
        raise StoreError(
            "LEADQ_STORE__URL is no address of a database; write it as "
            "sqlite:////folder/store.db or postgresql://user@host/name"
        ) from None
    if address.drivername in ("postgresql", "postgres"):
        address = address.set(drivername="postgresql+psycopg")
    if address.get_backend_name() == "sqlite":
        return _sqlite(address, looks)
    if address.get_backend_name() == "postgresql":
        limits = _LOOK_LIMITS if looks else _LIMITS
        address = address.set(query={**limits, **address.query})
        return create_engine(address, pool_pre_ping=True)
    raise StoreError(
        f"{address.get_backend_name()} is no database that the store knows; "
        "set LEADQ_STORE__URL to an address of SQLite or PostgreSQL"
    )


def _sqlite(address: Any, looks: bool) -> Engine:
    if not address.database or address.database == ":memory:":
        raise StoreError("the store needs a file: sqlite:////folder/store.db")
    if not (folder := Path(address.database).parent).is_dir():
        raise StoreError(f"{folder}: no such folder; make it, or mend LEADQ_STORE__URL")
    if looks:
        patience = {"timeout": _LOOK_SECONDS}
        engine = create_engine(address, poolclass=NullPool, connect_args=patience)
        _never_make(engine, Path(address.database))
    else:
        engine = create_engine(address, connect_args={"timeout": _BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def _prepare(raw: sqlite3.Connection, _: Any) -> None:
        # The driver must not begin transactions by itself: it would leave out those of DDL.
        raw.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "secure_delete=ON",
            "cache_size=-32768",
        ):
            raw.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("leadq_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _never_make(engine: Engine, file: Path) -> None:
    """Refuse to connect where there is no file; SQLite would make an empty one."""

    @event.listens_for(engine, "do_connect")
    def _look(*_: Any) -> None:
        if not file.exists():
            raise StoreError(f"{file}: no such store; look at LEADQ_STORE__URL")


@contextmanager
def _told(engine: Engine) -> Iterator[None]:
    """Turn what the driver raises into one line that says what to do; no values are shown."""
    try:
        yield
    except NoConnectionError as error:
        raise StoreError("too much is asked of the store at once; try again later") from error
    except DBAPIError as error:
        where = engine.url.render_as_string(hide_password=True)
        reason = str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else "no answer"
        refused = isinstance(error, DataError | IntegrityError)
        kind = RefusedError if refused else StoreError
        raise kind(f"{where}: {reason}; look at LEADQ_STORE__URL") from error
