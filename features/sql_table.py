"""A table of a database as a table of leads, by its address.

`postgresql://user@host/crm?table=sales.leads` or `sqlite:crm.db?table=leads`. Rows come in the
order of the primary key, or of the columns that `order=` names (a view has no key), through a
cursor of the server, so that they are the same chunks again. Rows that are alike in what `order=`
names come by the key, or by all that they hold. PostgreSQL's password stands in PGPASSWORD or its
password file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from features import table
from features.coded import coded
from features.errors import FileError
from features.table import CHUNK_CELLS, Chunk, Form, Reject, Rows, checked_header, plain_cell

_ADDRESS = re.compile(r"(postgres(?:ql)?|sqlite):(/*)(.*)", re.DOTALL)
ADDRESS_FORM = "postgresql://user@host/database?table=NAME or sqlite:FILE?table=NAME"


def is_address(source: object) -> bool:
    """Whether a text is the address of a table of a database, and no path."""
    return _ADDRESS.match(str(source)) is not None


class SqlTable:
    """A table or view; its row numbers count from 1."""

    def __init__(self, address: str) -> None:
        """Look at its columns.

        Raises:
            FileError: when the address names no table, or the database does not give it.

        """
        from sqlalchemy import MetaData, Table, Text, cast, create_engine, inspect
        from sqlalchemy.exc import NoSuchTableError, SQLAlchemyError
        from sqlalchemy.pool import NullPool

        url, query = url_of(address)
        name = query.pop("table", "")
        order = [part for part in query.pop("order", "").split(",") if part]
        schema, _, plain = name.rpartition(".")
        self._shown = f"{url.render_as_string(hide_password=True)}, table {name}"
        if not plain:
            raise FileError(f"{address.split('?')[0]}: names no table; write it as {ADDRESS_FORM}")
        try:
            self._engine = create_engine(url.update_query_dict(query), poolclass=NullPool)
            self._table = Table(plain, MetaData(schema=schema or None), autoload_with=self._engine)
            key = inspect(self._engine).get_pk_constraint(plain, schema or None)
        except NoSuchTableError as error:
            raise FileError(f"{self._shown}: there is no such table; name another") from error
        except (SQLAlchemyError, ImportError) as error:
            raise self._failed(error) from error
        columns, keys = self._table.columns, key["constrained_columns"]
        absent = [column for column in order if column not in columns]
        if absent or not (order or keys):
            raise FileError(
                f"{self._shown}: "
                + (f"has no column {absent[0]!r} to order by" if absent else "has no primary key")
                + "; name the column that tells its rows apart: &order=COLUMN"
            )
        # Not every type can be put in order; its text can.
        ties = (
            [] if keys else [cast(column, Text) for column in columns if column.name not in order]
        )
        self._order = [*(columns[name] for name in dict.fromkeys([*order, *keys])), *ties]
        self._names = [column.name for column in self._table.columns]
        self.columns = checked_header(self._shown, self._names)
        self.files: tuple[str, ...] = (name,)
        self.form = Form("database")

    def chunks(self, reject: Callable[[Reject], None]) -> Iterator[Chunk]:
        """Yield the rows in the order of the key, as they are at one moment."""
        from sqlalchemy import select
        from sqlalchemy.exc import SQLAlchemyError

        rows_at_once = max(1, min(table.CHUNK_ROWS, CHUNK_CELLS // len(self.columns)))
        query = select(self._table).order_by(*self._order)
        line = 1
        try:
            with self._engine.connect() as connection:
                found = connection.execution_options(yield_per=rows_at_once).execute(query)
                for rows in found.partitions():
                    columns = {
                        name: coded(map(plain_cell, cells))
                        for name, cells in zip(self.columns, zip(*rows, strict=True), strict=True)
                    }
                    yield Rows(self.files[0], list(range(line, line + len(rows))), columns)
                    line += len(rows)
        except (SQLAlchemyError, ValueError, OverflowError) as error:
            raise self._failed(error, f", near row {line}") from error

    def _failed(self, error: Exception, where: str = "") -> FileError:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()
        return FileError(
            f"{self._shown}{where}: {' '.join(reason)}; check address, rights and PGPASSWORD"
        )


def url_of(address: str) -> tuple[Any, dict[str, str]]:
    """Return the address of the database, and what is asked of it.

    Raises:
        FileError: when it holds a password, or cannot be read.

    """
    from sqlalchemy.engine import URL, make_url
    from sqlalchemy.exc import ArgumentError

    match = _ADDRESS.match(address)
    kind, _, rest = match.groups() if match else ("", "", "")
    try:
        # A path has lost one of its two slashes.
        url = make_url(f"postgresql+psycopg://{rest}" if kind != "sqlite" else "sqlite:///" + rest)
    except (ArgumentError, ValueError) as error:
        raise FileError(f"the address of a table is written as {ADDRESS_FORM}") from error
    if url.password or any("password" in name.lower() for name in url.query):
        raise FileError(
            "the address of a table must not hold a password, which others could read; leave it "
            "out and put it in PGPASSWORD"
        )
    query = {name: value for name, value in url.query.items() if isinstance(value, str)}
    url = url.set(query={})
    if kind == "sqlite":
        file = Path(url.database or "")
        # After sqlite: a path may be written with as many slashes as an address or a path has.
        found = next((p for p in (Path("/") / file, file) if p.is_file()), None)
        if found is None:
            raise FileError(f"{file}: there is no such database; write it as {ADDRESS_FORM}")
        url = URL.create(
            "sqlite", database=f"file:{found.resolve()}", query={"mode": "ro", "uri": "true"}
        )
    return url, query
