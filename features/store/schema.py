"""Bring a database to the newest schema; every step stands in `migrations/versions`."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from features.errors import StoreError
from features.store.mended import mend_within

_LOCK = 7_310_551
"""The number under which leadq's upgrades wait for one another on PostgreSQL."""


def newest() -> str:
    """Return the name of the newest schema."""
    return str(_scripts().get_current_head())


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the schema to a revision; several processes may ask at once.

    With the newest one, what is drawn from what happened is as this leadq draws it.

    Raises:
        StoreError: when the database has a schema that this leadq does not know.

    """
    target = newest() if revision == "head" else revision
    with engine.connect() as connection, connection.begin():
        if _current(connection) == target:
            return
    with engine.connect() as connection:
        connection = connection.execution_options(leadq_write=True)
        with connection.begin():
            _locked(connection)
            current = _current(connection)
            if current and current not in revisions():
                raise StoreError(
                    f"the store has schema {current}, which this leadq does not know: a newer "
                    "one wrote it; install that, or set LEADQ_STORE__URL to another store"
                )
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, target)
            if revision == "head":
                mend_within(connection)


def _locked(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def revisions() -> list[str]:
    """Return the names of all schemas there have been, the oldest first."""
    return [script.revision for script in _scripts().walk_revisions()][::-1]


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
