"""What databases say differently of moments: the day of one, days later, the time between two.

SQLite keeps moments as texts (`2026-11-22 09:15:00.000000`), and its calendar rounds them to the
thousandth of a second: the last of a day would be the next day's. So it is given days and whole
seconds alone.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Date, DateTime, Float
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction


class midnight(GenericFunction[Any]):  # noqa: N801  # a function of SQL, as `func.max`
    """The first moment of a moment's day."""

    type = DateTime()
    inherit_cache = True


class seconds(GenericFunction[float]):  # noqa: N801
    """The seconds from the second moment to the first, to the microsecond."""

    type = Float()
    inherit_cache = True


class days_later(GenericFunction[Any]):  # noqa: N801
    """The day that lies so many days after that of a moment; before it, where they are negative."""

    type = Date()
    inherit_cache = True


class later(GenericFunction[Any]):  # noqa: N801
    """The later of two days."""

    type = Date()
    inherit_cache = True


@compiles(midnight)
def _midnight(element: midnight, compiler: Any, **how: Any) -> str:
    moment = compiler.process(element.clauses, **how)
    return f"(substr({moment}, 1, 10) || ' 00:00:00.000000')"


@compiles(midnight, "postgresql")
def _midnight_there(element: midnight, compiler: Any, **how: Any) -> str:
    return f"date_trunc('day', {compiler.process(element.clauses, **how)})"


@compiles(seconds)
def _seconds(element: seconds, compiler: Any, **how: Any) -> str:
    end, start = (compiler.process(part, **how) for part in element.clauses)
    whole = f"strftime('%s', substr({end}, 1, 19)) - strftime('%s', substr({start}, 1, 19))"
    return f"({whole} + (substr({end}, 21) - substr({start}, 21)) / 1e6)"


@compiles(seconds, "postgresql")
def _seconds_there(element: seconds, compiler: Any, **how: Any) -> str:
    end, start = (compiler.process(part, **how) for part in element.clauses)
    return f"CAST(EXTRACT(EPOCH FROM {end} - {start}) AS float8)"


@compiles(days_later)
def _days_later(element: days_later, compiler: Any, **how: Any) -> str:
    moment, days = (compiler.process(part, **how) for part in element.clauses)
    return f"date(substr({moment}, 1, 10), {days} || ' days')"


@compiles(days_later, "postgresql")
def _days_later_there(element: days_later, compiler: Any, **how: Any) -> str:
    moment, days = (compiler.process(part, **how) for part in element.clauses)
    return f"(CAST({moment} AS date) + CAST({days} AS integer))"


@compiles(later)
def _later(element: later, compiler: Any, **how: Any) -> str:
    return f"max({compiler.process(element.clauses, **how)})"


@compiles(later, "postgresql")
def _later_there(element: later, compiler: Any, **how: Any) -> str:
    return f"greatest({compiler.process(element.clauses, **how)})"
