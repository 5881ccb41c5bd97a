"""Many rows at once, by the driver's own way: SQLAlchemy's would take longer than the training.

A column of values is one parameter for PostgreSQL (`unnest`) and one place of `executemany` for
SQLite, so that neither's bound on parameters matters.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, String, any_, cast, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import InstrumentedAttribute

from features.cells import Memo
from features.store.tables import Row

Columns = Mapping[str, Sequence[Any]]
"""Values by the column's name, all of one length."""


def new_keys(connection: Connection, table: type[Row], rows: int) -> list[int]:
    """Return keys that no row of the table has and no other writer will get.

    Args:
        connection: of a write.
        table: whose key is a number that counts up.
        rows: how many keys.

    """
    if connection.dialect.name == "postgresql":
        sequence = func.pg_get_serial_sequence(table.__tablename__, "key")
        drawn = select(func.nextval(sequence)).select_from(func.generate_series(1, rows))
        return [int(key) for key in connection.execute(drawn).scalars()]
    # Whoever writes to SQLite holds its only lock.
    last = connection.execute(select(func.max(table.__table__.c.key))).scalar_one() or 0
    return list(range(last + 1, last + 1 + rows))


def insert_columns(
    connection: Connection,
    table: type[Row],
    columns: Columns,
    if_absent: bool = False,
) -> None:
    """Insert rows that are given as columns.

    Args:
        connection: of a write.
        table: where to.
        columns: the rows.
        if_absent: pass over rows that break a unique constraint.

    """
    kinds = [table.__table__.c[name].type for name in columns]
    dialect = connection.dialect
    values = []
    for kind, column in zip(kinds, columns.values(), strict=True):
        bind = kind.dialect_impl(dialect).bind_processor(dialect)
        values.append(list(column) if bind is None else list(map(Memo(bind).__getitem__, column)))
    if not values or not values[0]:
        return
    # "by" is a word of SQL's own.
    names = ", ".join(f'"{name}"' for name in columns)
    into = f"INSERT INTO {table.__tablename__} ({names})"
    unless = " ON CONFLICT DO NOTHING" if if_absent else ""
    if dialect.name == "postgresql":
        # Long texts in an array of text form take PostgreSQL 20 times as long to read.
        arrays = ", ".join(
            f"{'%b' if isinstance(kind, String) else '%s'}::{kind.compile(dialect)}[]"
            for kind in kinds
        )
        rows = f"{into} SELECT * FROM unnest({arrays}){unless}"  # noqa: S608  # the code's own names
        connection.exec_driver_sql(rows, tuple(values))
    else:
        places = ", ".join("?" * len(values))
        rows = f"{into} VALUES ({places}){unless}"
        connection.exec_driver_sql(rows, list(zip(*values, strict=True)))


def among(
    connection: Connection,
    column: ColumnElement[Any] | InstrumentedAttribute[Any],
    values: Sequence[Any],
) -> ColumnElement[bool]:
    """Return the condition that a column has one of very many values."""
    if connection.dialect.name == "postgresql":
        return column == any_(cast(list(values), ARRAY(column.type)))
    listed = func.json_each(literal(json.dumps(list(values)), String)).table_valued("value")
    return column.in_(select(listed.c.value))
