"""Bulk insert through the database driver, and the batch size of reads and writes.

Use SQLAlchemy's `insert` for a few rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice, repeat
from typing import Any

from sqlalchemy import Connection, Dialect
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeEngine

AT_A_TIME = 500
"""Rows per batch: small enough that Python's garbage collector does not scan them repeatedly."""
_MARKS = {"sqlite": "?", "postgresql": "%s"}


def insert_rows(connection: Connection, entity: type[DeclarativeBase], columns: Mapping[str, Iterable[Any]], **alike: Any) -> None:
    """Insert rows into the table of `entity`: values by column, and `alike`, the values common to all rows."""
    table, dialect = entity.__table__, connection.dialect
    names = ", ".join([*columns, *alike])
    marks = ", ".join([_MARKS[dialect.name]] * (len(columns) + len(alike)))
    values = [_driver_value(table.c[name].type, value, dialect) for name, value in alike.items()]
    rows = zip(*columns.values(), *map(repeat, values), strict=False)  # the common values repeat for ever
    while some := list(islice(rows, AT_A_TIME)):
        connection.exec_driver_sql(f"INSERT INTO {table} ({names}) VALUES ({marks})", some)


def _driver_value(kind: TypeEngine[Any], value: Any, dialect: Dialect) -> Any:
    """A value in the form the driver expects."""
    processor = kind.dialect_impl(dialect).bind_processor(dialect)
    return value if processor is None else processor(value)
