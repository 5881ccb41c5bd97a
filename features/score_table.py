"""A table of a database as a place for scores: one row for each lead and version of the model.

A file of scores comes into it in one transaction: all of its rows are there or none, and the same
file again changes nothing. The table is made where there is none; one that is there must have a
primary key or unique index of the lead's id and `model_version`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.errors import LeadqError, UsageError
from features.sql_table import ADDRESS_FORM, url_of

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

_AT_ONCE = 2_000
VERSION = "model_version"


class TableError(LeadqError):
    """A database does not take the scores."""


def put_scores(address: str, file: Path, id_column: str) -> int:
    """Bring a Parquet file of scores into a table, and return how many rows it has.

    Args:
        address: of the table, as `features.sql_table` reads it.
        file: of scores.
        id_column: which tells the leads apart.

    Raises:
        UsageError: when the address names no table.
        TableError: when the database cannot be reached or refuses; then nothing has changed.

    """
    from sqlalchemy import create_engine
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.pool import NullPool

    url, query = url_of(address)
    name = query.pop("table", "")
    if not name or name.endswith("."):
        raise UsageError(f"{address.split('?')[0]}: names no table; write it as {ADDRESS_FORM}")
    if url.get_backend_name() == "sqlite":
        url = url.update_query_dict({"mode": "rw"})
    shown = f"{url.render_as_string(hide_password=True)}, table {name}"
    try:
        engine = create_engine(url.update_query_dict(query), poolclass=NullPool)
        with engine.begin() as connection:
            return _put(connection, name, file, id_column)
    except (SQLAlchemyError, ImportError) as error:
        reason = " ".join(str(getattr(error, "orig", None) or error).split())
        raise TableError(
            f"{shown}: takes no scores: {reason}; it needs the columns of the file and a key of "
            f"{id_column} and {VERSION}, or must not be there, so that it can be made"
        ) from error


def _put(connection: Connection, name: str, file: Path, id_column: str) -> int:
    import pyarrow.parquet
    from sqlalchemy.dialects import postgresql, sqlite

    dialects: dict[str, Any] = {"postgresql": postgresql, "sqlite": sqlite}
    with pyarrow.parquet.ParquetFile(file) as scores:
        table = _table(connection, name, scores.schema_arrow, id_column)
        key = [id_column, VERSION]
        row = dialects[connection.dialect.name].insert(table)
        others = {c.name: row.excluded[c.name] for c in table.columns if c.name not in key}
        put = row.on_conflict_do_update(index_elements=key, set_=others)
        for rows in _rows(scores):
            connection.execute(put, rows)
        return int(scores.metadata.num_rows)


def _table(connection: Connection, name: str, schema: Any, id_column: str) -> Table:
    """Return the table of a file's columns, made where there is none."""
    import pyarrow
    from sqlalchemy import Column, Double, MetaData, Table, Text

    owner, _, plain = name.rpartition(".")
    columns: list[Any] = [
        Column(
            each.name,
            Double() if pyarrow.types.is_floating(each.type) else Text(),
            primary_key=each.name in (id_column, VERSION),
        )
        for each in schema
    ]
    table = Table(plain, MetaData(schema=owner or None), *columns)
    table.create(connection, checkfirst=True)
    return table


def _rows(scores: Any) -> Iterator[list[dict[str, Any]]]:
    """Yield rows; what is nested becomes JSON."""
    for batch in scores.iter_batches(batch_size=_AT_ONCE):
        yield [
            {
                name: json.dumps(cell, ensure_ascii=False) if isinstance(cell, list) else cell
                for name, cell in row.items()
            }
            for row in batch.to_pylist()
        ]
