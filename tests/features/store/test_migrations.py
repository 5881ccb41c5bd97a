"""Every released schema comes up to the newest one with its rows."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from features.store import schema
from features.store.database import engine_of, open_store
from features.store.schema import revisions, upgrade
from features.store.tables import Row
from tests.features.store.making import NOW

_DRAWN = ("worklist", "lead_states", "handoff_states")
"""Made of the other tables, anew with each step of the schema."""


def _value(column: sa.Column[Any]) -> Any:
    if isinstance(column.type, sa.DateTime):
        return NOW
    if isinstance(column.type, sa.Date):
        return NOW.date()
    if isinstance(column.type, sa.String):
        return "x"
    if isinstance(column.type, sa.LargeBinary):
        return b"x"
    return 1


def _fill(connection: sa.Connection) -> dict[str, dict[str, Any]]:
    """Put one row into each table, as the schema of that time has them."""
    metadata = sa.MetaData()
    metadata.reflect(connection)
    rows = {}
    for table in metadata.sorted_tables:
        if table.name == "alembic_version":
            continue
        rows[table.name] = {column.name: _value(column) for column in table.columns}
        connection.execute(sa.insert(table), [rows[table.name]])
    return rows


@pytest.mark.parametrize("revision", revisions())
def test_a_store_of_an_older_leadq_keeps_its_rows(empty_url: str, revision: str) -> None:
    engine = engine_of(empty_url)
    upgrade(engine, revision)
    with engine.begin() as connection:
        before = _fill(connection)
    engine.dispose()

    store = open_store(empty_url)
    with store.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Row.metadata) == []
        now = sa.MetaData()
        now.reflect(connection)
        for name, row in before.items():
            if name in _DRAWN and revision != revisions()[-1]:
                continue
            (found,) = connection.execute(sa.select(now.tables[name])).mappings().all()
            kept = {column: found[column] for column in row if column in found}
            assert kept == {column: row[column] for column in kept}, name
    store.close()


def test_a_store_of_the_newest_schema_is_opened_without_alembic(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_store(empty_url).close()
    asked: list[sa.Engine] = []
    monkeypatch.setattr(schema, "upgrade", asked.append)

    open_store(empty_url).close()
    assert asked == []

    engine = engine_of(empty_url)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{revisions()[-2]}'")
    engine.dispose()
    open_store(empty_url).close()
    assert len(asked) == 1
