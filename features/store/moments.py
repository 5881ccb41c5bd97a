"""What databases say differently of moments: the day of one, and the time between two."""

from __future__ import annotations

from typing import Any

from sqlalchemy import DateTime, Float
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction


class midnight(GenericFunction[Any]):  # noqa: N801  # a function of SQL, as `func.max`
    """The first moment of a moment's day."""

    type = DateTime()
    inherit_cache = True


class seconds(GenericFunction[float]):  # noqa: N801
    """The seconds from the second moment to the first, to the thousandth."""

    type = Float()
    inherit_cache = True


@compiles(midnight)
def _midnight(element: midnight, compiler: Any, **how: Any) -> str:
    # As SQLAlchemy writes moments into SQLite.
    return f"strftime('%Y-%m-%d 00:00:00.000000', {compiler.process(element.clauses, **how)})"


@compiles(midnight, "postgresql")
def _midnight_there(element: midnight, compiler: Any, **how: Any) -> str:
    return f"date_trunc('day', {compiler.process(element.clauses, **how)})"


@compiles(seconds)
def _seconds(element: seconds, compiler: Any, **how: Any) -> str:
    end, start = (compiler.process(part, **how) for part in element.clauses)
    return f"round((julianday({end}) - julianday({start})) * 86400, 3)"


@compiles(seconds, "postgresql")
def _seconds_there(element: seconds, compiler: Any, **how: Any) -> str:
    end, start = (compiler.process(part, **how) for part in element.clauses)
    return f"CAST(EXTRACT(EPOCH FROM {end} - {start}) AS float8)"
